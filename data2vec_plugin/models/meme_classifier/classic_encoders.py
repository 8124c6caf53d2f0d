"""The published encoders, VGG-16 and BERT, from local weights; nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional

from torch import Tensor, nn

from ...checkpoints.saved_file import read_file
from ...data.image.transforms import Normalization
from ...interop.mismatch import explain, own_shapes, shapes
from .caption_readers import VOCABULARY, BertReader, CaptionReader
from .kept_files import Files
from .meme_encoders import Args, Pixels, TextEncoder

VGG_SIZE, VGG_DIM = 224, 4096
BEFORE_RELU, BEHIND_RELU = 4, 5
"""The number of modules of VGG's classifier up to the second vector of 4,096 channels."""
RELEASED_TOKENS = 50
"""48 word pieces between two special symbols, as in the published code."""
TOKENIZER = (VOCABULARY, "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json")


class VggImage(nn.Module):
    """VGG-16 up to its second fully connected layer, without or with the ReLU after it."""

    size, dim = VGG_SIZE, VGG_DIM

    def __init__(self, relu: bool, release_preprocessing: bool) -> None:
        super().__init__()
        from torchvision.models import vgg16

        self.model = vgg16(weights=None)
        self.model.classifier = self.model.classifier[: BEHIND_RELU if relu else BEFORE_RELU]
        self.pixels = Pixels(Normalization.mean, Normalization.std, release_preprocessing)

    def forward(self, img: Tensor) -> Tensor:
        """Pixels (B, 3, 224, 224) from 0 to 1 -> (B, 4096)."""
        vectors: Tensor = self.model(self.pixels(img))
        return vectors


def vgg_from(path: str, relu: bool, release_preprocessing: bool) -> VggImage:
    """Load VGG-16 with torchvision's weights; raises ValueError if the file does not hold them."""
    encoder = VggImage(relu, release_preprocessing)
    state = read_file(path) if Path(path).is_file() else None
    if not isinstance(state, dict):
        raise ValueError(f"`model.image_path` is {path}; expected torchvision's vgg16 weights file")
    weights = {name: value for name, value in state.items() if not name.startswith("classifier.6.")}
    try:
        encoder.model.load_state_dict(weights)
    except RuntimeError as error:
        reason = explain(shapes(weights), own_shapes(encoder.model)) or str(error)
        raise ValueError(
            f"`model.image_path` is {path}, which does not hold torchvision's vgg16 weights: {reason}"
        ) from error
    return encoder


class BertText(TextEncoder):
    """Mean of BERT's last layer over all word pieces, including ``[CLS]`` and ``[SEP]``, but not padding."""

    def __init__(self, args: Args, model: Any = None, files: Optional[Files] = None, max_tokens: int = 0) -> None:
        super().__init__(files, max_tokens or RELEASED_TOKENS)
        from transformers import BertConfig, BertModel

        config = BertConfig.from_dict(json.loads(args["config"]))
        self.model = BertModel(config, add_pooling_layer=False) if model is None else model
        self.longest, self.dim = int(config.max_position_embeddings), int(config.hidden_size)

    def make_reader(self, files: Files) -> CaptionReader:
        """BERT's tokenizer."""
        return BertReader(files)

    def states(self, ids: Tensor, padding_mask: Tensor) -> Tensor:
        """Vectors (B, T, C); padding is not attended to."""
        encoded: Tensor = self.model(input_ids=ids, attention_mask=(~padding_mask).long()).last_hidden_state
        return encoded


def bert_from(path: str, files: Files, max_tokens: int) -> tuple[Dict[str, Any], BertText]:
    """Load BERT and its configuration from a local folder; raises ValueError if it or transformers is missing."""
    try:
        from transformers import BertModel
    except ImportError as error:
        raise ValueError(
            "`model.text_encoder=bert` needs the package transformers: pip install transformers"
        ) from error
    if VOCABULARY not in files and "tokenizer.json" not in files:
        raise ValueError(f"`model.text_path` is {path}; expected a Hugging Face folder of BERT, with its vocab.txt")
    try:
        model = BertModel.from_pretrained(path, local_files_only=True, add_pooling_layer=False)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"`model.text_path` is {path}, which does not hold a BERT model: {reason}") from error
    args = {"config": model.config.to_json_string()}
    return args, BertText(args, model, files, max_tokens)
