"""A step of fine-tuning and one of pre-training on images, compared with transformers' model of equal size with SDPA.

transformers has the encoder and the classifier, but neither a teacher nor a loss on masked patches. Its part of
pre-training is therefore a forward and a backward pass, one more forward pass without gradients instead of the teacher,
and Adam; this plugin's is the whole update. Both are without dropout and without mixup. transformers is no dependency
of this project: `pip install transformers`, or `pip install --target FOLDER transformers` and `PYTHONPATH=FOLDER`.
"""

import os
from importlib.util import find_spec
from typing import Any, Dict

import torch
from omegaconf import OmegaConf
from torch import Tensor

from .sizes import model_keys
from .timing import Work, interleaved, show, update

THEIRS, OURS = "transformers", "ours"
CLASSES = 1000
PIXELS = {"tiny": 64}
ON_CPU, ON_GPU = {"tiny": 32, "base": 8}, {"tiny": 256, "base": 64}
"""Images in a batch."""


def our_pretraining(keys: Dict[str, Any]) -> Any:
    """The registered model."""
    from data2vec_plugin.models.data2vec_vision import Data2VecVisionConfig, Data2VecVisionModel

    fixed = {"loss_beta": 2, "layer_norm_targets": True, "ema_anneal_end_step": 1000}
    return Data2VecVisionModel.build_model(OmegaConf.merge(OmegaConf.structured(Data2VecVisionConfig), fixed, keys))


def our_classifier(keys: Dict[str, Any]) -> Any:
    """The registered classifier, with an encoder as from a checkpoint."""
    from data2vec_plugin.models.data2vec_image_classification import Data2VecImageClassificationModel
    from data2vec_plugin.models.image_classification_config import Data2VecImageClassificationConfig

    encoder = our_pretraining(keys)
    encoder.remove_pretraining_modules()
    cfg = Data2VecImageClassificationConfig(mixup=0, cutmix=0, label_smoothing=0, num_classes=CLASSES)
    return Data2VecImageClassificationModel(cfg, encoder)


def their_config(keys: Dict[str, Any]) -> Any:
    """The same sizes under transformers' names."""
    from transformers import Data2VecVisionConfig

    return Data2VecVisionConfig(
        hidden_size=keys["embed_dim"],
        num_hidden_layers=keys["depth"],
        num_attention_heads=keys["num_heads"],
        intermediate_size=4 * keys["embed_dim"],
        image_size=keys["image_size"],
        patch_size=keys["patch_size"],
        layer_scale_init_value=keys["layer_scale_init_value"],
        drop_path_rate=0.0,
        use_shared_relative_position_bias=True,
        use_mask_token=True,
        num_labels=CLASSES,
        attn_implementation="sdpa",
    )


def step(model: Any, loss: Any, before: Work = lambda: None) -> Work:
    """Forward, backward and Adam of a model independent of fairseq."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def run() -> None:
        before()
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return run


def fine_tuning(keys: Dict[str, Any], img: Tensor, label: Tensor) -> Dict[str, Work]:
    """A step of either classifier."""
    from transformers import Data2VecVisionForImageClassification

    theirs = Data2VecVisionForImageClassification(their_config(keys)).to(img.device).train()
    ours = our_classifier(keys).to(img.device).train()
    return {
        THEIRS: step(theirs, lambda: theirs(img, labels=label).loss),
        OURS: step(ours, lambda: ours(img, label)["losses"]["regression"].mean()),
    }


def pre_training(keys: Dict[str, Any], img: Tensor) -> Dict[str, Work]:
    """This plugin's update, and the part of it that transformers has."""
    from transformers import Data2VecVisionModel

    theirs = Data2VecVisionModel(their_config(keys), add_pooling_layer=False).to(img.device).train()
    ours = our_pretraining(keys).to(img.device)
    masks = torch.stack([torch.from_numpy(ours.method.masks.masker.sample(rng)) for rng in ours_generators(len(img))])
    masked = masks.flatten(1).to(img.device)
    positions = masked.flatten().nonzero().squeeze(1)

    @torch.no_grad()
    def teacher() -> None:
        theirs(img)

    return {
        THEIRS: step(
            theirs, lambda: theirs(img, bool_masked_pos=masked).last_hidden_state.float().pow(2).mean(), teacher
        ),
        OURS: update(ours, "regression", img, mask=masks.to(img.device), mask_positions=positions),
    }


def ours_generators(count: int) -> Any:
    """A generator for each image's mask."""
    import numpy as np

    return (np.random.default_rng(number) for number in range(count))


def main() -> None:
    """Compare on a GPU if there is one, else on a CPU; `BENCH_SIZE` chooses tiny (default) or base."""
    if find_spec("transformers") is None:
        print(
            "image_update is skipped: it compares with transformers, which is not installed (pip install transformers)"
        )
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = os.environ.get("BENCH_SIZE", "tiny")
    keys = {"image_size": PIXELS.get(size, 224), **model_keys(size, "image"), "drop_path": 0.0}
    batch = (ON_GPU if device == "cuda" else ON_CPU)[size]
    torch.manual_seed(0)
    img = torch.randn(batch, 3, keys["image_size"], keys["image_size"], device=device)
    label = torch.randint(CLASSES, (batch,), device=device)
    title = (
        f"data2vec_vision {size}, {batch} images of {keys['image_size']}, {device}, {torch.get_num_threads()} threads"
    )
    show(f"fine-tuning step, {title}", interleaved(fine_tuning(keys, img, label)), THEIRS)
    show(f"pre-training step, {title}", interleaved(pre_training(keys, img)), THEIRS)


if __name__ == "__main__":
    main()
