"""The registered model `meme_classifier` with fairseq's interface."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import torch
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor, nn

from ...checkpoints.encoder_checkpoint import add_tensors, open_checkpoint
from ...core.update_rules import UpdateRule
from ...multimodal.meme_mlp import ScoreMLP, Standardizer
from ..starting.pretrained import keep_in_checkpoints, plain
from .classic_encoders import BertText, VggImage, bert_from, vgg_from
from .kept_files import packed, unpacked
from .meme_config import BERT, IMAGE, PARTS, TEXT, VGG, MemeClassifierConfig, check_values, chosen_parts
from .meme_encoders import Data2VecImage, Data2VecText, image_from, text_from

VALIDATIONS = "validations.json"


@register_model("meme_classifier", dataclass=MemeClassifierConfig)
class MemeClassifierModel(BaseFairseqModel):
    """Scores a meme: the published MLP on the concatenated vectors of the picture and its caption."""

    def __init__(self, cfg: MemeClassifierConfig, encoders: Mapping[str, Any]) -> None:
        super().__init__()
        self.cfg = cfg
        self.encoders = nn.ModuleDict({name: encoders[name] for name in chosen_parts(cfg)})
        dim = sum(int(encoders[name].dim) for name in self.encoders)
        self.standardizer = Standardizer(dim)
        self.classifier = ScoreMLP(dim, cfg.hidden, cfg.dropout)
        self.validations: Dict[str, List[float]] = {}
        if cfg.freeze:
            self.encoders.requires_grad_(False)

    @classmethod
    def build_model(cls, cfg: MemeClassifierConfig, task: Any = None) -> MemeClassifierModel:
        """Build encoders from pre-trained files, or from a saved meme classifier; raises ValueError for other files."""
        check_values(cfg)
        encoders: Dict[str, nn.Module] = {}
        for part in chosen_parts(cfg):
            begin = {IMAGE: image_encoder, TEXT: text_encoder}[part]
            encoders[part] = begin(cfg, task)
        for part in PARTS:
            keep_in_checkpoints(cfg, f"{part}_path", None)
        return cls(cfg, encoders)

    def train(self, mode: bool = True) -> MemeClassifierModel:
        """Set the mode of all modules, except that frozen encoders stay in evaluation mode."""
        super().train(mode)
        if self.cfg.freeze:
            self.encoders.eval()
        return self

    def forward(
        self,
        img: Optional[Tensor] = None,
        captions: Optional[Sequence[str]] = None,
        features: Optional[Mapping[str, Tensor]] = None,
    ) -> Tensor:
        """Pictures (B, 3, size, size) from 0 to 1 and captions, or the features of :meth:`encode` -> scores (B,)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.cfg.freeze):
            found = self.encode(img, captions) if features is None else features
        scores: Tensor = self.score(found)
        return scores

    def encode(self, img: Optional[Tensor] = None, captions: Optional[Sequence[str]] = None) -> Dict[str, Tensor]:
        """Return a vector (B, dim) of each part; raises ValueError if its input is missing."""
        inputs = {IMAGE: img, TEXT: captions}
        missing = [name for name in self.encoders if inputs[name] is None]
        if missing:
            raise ValueError(
                f"the input lacks {', '.join(missing)}, which `model.modalities` {self.cfg.modalities} requires"
            )
        return {name: encoder(inputs[name]) for name, encoder in self.encoders.items()}

    def score(self, features: Mapping[str, Tensor]) -> Tensor:
        """Vectors (B, dim) of each part -> scores (B,)."""
        together = self.standardizer(torch.cat([features[name] for name in self.encoders], dim=1))
        scores: Tensor = self.classifier(together.to(self.classifier[0].weight.dtype))
        return scores

    def encoder_on(self, device: torch.device) -> Callable[[Dict[str, Any]], Dict[str, Tensor]]:
        """Move the encoders to ``device``; return a function from a batch's ``net_input`` to features in evaluation."""
        self.encoders.to(device)

        def encode(net_input: Dict[str, Any]) -> Dict[str, Tensor]:
            img = net_input.get("img")
            was_training = self.training
            self.eval()
            try:
                with torch.no_grad():
                    return self.encode(None if img is None else img.to(device), net_input["captions"])
            finally:
                self.train(was_training)

        return encode

    def digest(self, *others: Any) -> str:
        """Return a digest, 12 hexadecimal digits, of everything that features depend on, including ``others``."""
        cfg = self.cfg
        parts = (cfg.modalities, cfg.max_tokens, cfg.vgg_relu, cfg.release_preprocessing, *others)
        found = hashlib.sha256(repr([str(each) for each in parts]).encode())
        add_tensors(found, self.encoders.state_dict().items())
        return found.hexdigest()[:12]

    def get_extra_state(self) -> Tensor:
        """Accuracies of all validations so far, by split: a resumed run continues to smooth them."""
        return packed({VALIDATIONS: json.dumps(self.validations).encode()})

    def set_extra_state(self, state: Tensor) -> None:
        """Restore those of a checkpoint."""
        self.validations = json.loads(unpacked(state).get(VALIDATIONS, b"{}"))

    @property
    def wants_statistics(self) -> bool:
        """Whether features are to be standardised, but no statistics have been set."""
        return self.cfg.freeze and self.cfg.standardize and not bool(self.standardizer.told)

    def update_rules(self) -> Dict[str, UpdateRule]:
        """Encoders that are trained get a lower learning rate; `host/training/optimizer.py` applies it."""
        names = [] if self.cfg.freeze else [f"encoders.{name}" for name, _ in self.encoders.named_parameters()]
        return {name: UpdateRule(self.cfg.encoder_lr_scale) for name in names}

    def max_positions(self) -> None:
        """No meme is too long."""


def image_encoder(cfg: MemeClassifierConfig, task: Any) -> nn.Module:
    """Build the picture's encoder, and save its description in the configuration."""
    args = plain(cfg.image_args)
    if cfg.image_encoder == VGG:
        keep_in_checkpoints(cfg, "image_args", {"encoder": VGG})
        if args or not cfg.image_path:
            return VggImage(cfg.vgg_relu, cfg.release_preprocessing)
        return vgg_from(cfg.image_path, cfg.vgg_relu, cfg.release_preprocessing)
    if args or not cfg.image_path:
        return Data2VecImage(args, release_preprocessing=cfg.release_preprocessing)
    args, encoder = image_from(open_checkpoint(Path(cfg.image_path)), cfg.release_preprocessing)
    keep_in_checkpoints(cfg, "image_args", args)
    return encoder


def text_encoder(cfg: MemeClassifierConfig, task: Any) -> nn.Module:
    """Build the caption's encoder, and save its description in the configuration; the ``task`` finds its subwords."""
    args = plain(cfg.text_args)
    if args or not cfg.text_path:
        begun = BertText if cfg.text_encoder == BERT else Data2VecText
        return begun(args, max_tokens=cfg.max_tokens)
    encoder: nn.Module
    if cfg.text_encoder == BERT:
        args, encoder = bert_from(cfg.text_path, task.tokenizer_files(Path(cfg.text_path)), cfg.max_tokens)
    else:
        checkpoint = open_checkpoint(Path(cfg.text_path))
        kind, files = task.subword_files(checkpoint)
        args, encoder = text_from(checkpoint, kind, files, cfg.max_tokens)
    keep_in_checkpoints(cfg, "text_args", args)
    return encoder


@register_model_architecture("meme_classifier", "meme_mlp")
def meme_mlp(args: Any) -> None:
    """The paper's: two hidden layers of 100."""
    args.hidden = getattr(args, "hidden", MemeClassifierConfig.hidden)


@register_model_architecture("meme_classifier", "meme_mlp_released")
def meme_mlp_released(args: Any) -> None:
    """The published code's: two hidden layers of 50."""
    args.hidden = getattr(args, "hidden", 50)
