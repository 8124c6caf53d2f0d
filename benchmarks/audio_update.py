"""One pre-training update (forward, backward, Adam, teacher) of this plugin and of the model that fairseq 0.12.2 ships.

The release's `examples/data2vec` is imported from the installed fairseq; its distributed variance, which needs
CUDA, is the only thing replaced. Same weights, same input, same masks, same optimizer.
"""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import fairseq
import torch
from omegaconf import OmegaConf

from data2vec_plugin.models.data2vec_audio import Data2VecAudioConfig, Data2VecAudioModel

from .sizes import model_keys
from .timing import interleaved, show, update

COMMON = {
    "extractor_mode": "layer_norm",
    "pos_conv_depth": 5,
    "conv_pos": 95,
    "instance_norm_target_layer": True,
    "ema_anneal_end_step": 1000,
    "max_update": 1000,
}


def reference_module(name: str = "data2vec_audio") -> ModuleType:
    """The release's model file, without its registration."""
    path = Path(fairseq.__file__).parent / "examples" / "data2vec" / "models" / f"{name}.py"
    from fairseq import models

    register = models.register_model
    models.register_model = lambda *args, **kwargs: lambda cls: cls
    try:
        spec = importlib.util.spec_from_file_location(f"reference_{name}", path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(f"{path}: this fairseq ships no data2vec example; install fairseq==0.12.2")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        models.register_model = register
    return module


def main() -> None:
    """Compare on a GPU if there is one, else on a CPU; `BENCH_SIZE` chooses tiny (default) or base."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = os.environ.get("BENCH_SIZE", "tiny")
    reference = reference_module()
    ours = Data2VecAudioModel.build_model(
        OmegaConf.merge(OmegaConf.structured(Data2VecAudioConfig), COMMON, model_keys(size, "audio"))
    )
    theirs = reference.Data2VecAudioModel.build_model(
        OmegaConf.merge(OmegaConf.structured(reference.Data2VecAudioConfig), COMMON, model_keys(size, "audio"))
    )
    theirs.load_state_dict({k: v for k, v in ours.state_dict().items() if k != "_ema"})
    ours, theirs = ours.to(device), theirs.to(device)
    source = torch.randn(4, 96_000, device=device)
    frames = ours.encoder.embed(source[:1]).x.size(1)
    mask = torch.rand(4, frames, device=device) < 0.49
    models = {"fairseq 0.12.2": theirs, "ours": ours}
    works = {name: update(model, "regression", source, mask_indices=mask) for name, model in models.items()}
    show(
        f"update of data2vec_audio {size}, 24 s of speech, {device}",
        interleaved(works),
        "fairseq 0.12.2",
    )
