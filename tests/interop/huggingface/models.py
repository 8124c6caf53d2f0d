"""Models of ours and of transformers with the same weights, and how near their outputs are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from data2vec_plugin.interop.huggingface import text as hf_text
from data2vec_plugin.interop.huggingface import vision as hf_vision
from data2vec_plugin.interop.parts import plain_names

AGREE = 1e-5
"""Greatest difference of outputs, relative to the greatest value."""


def in_memory(model: Any) -> Dict[str, Tensor]:
    """A model's weights under plain names, whatever it writes into a checkpoint."""
    return plain_names(model, {name: value.detach() for name, value in model.named_parameters()})


def keys(model: Any) -> Dict[str, Any]:
    """All keys of a model's section."""
    found: Any = OmegaConf.to_container(model.cfg)
    return dict(found)


def theirs(names: Any, config: Mapping[str, Any], kind: str, **settings: Any) -> Any:
    """transformers' model of a configuration, in evaluation mode, without a pooler that data2vec does not train."""
    import transformers

    config_class = {hf_text: "Data2VecTextConfig", hf_vision: "Data2VecVisionConfig"}[names]
    hf = getattr(transformers, config_class)(**config, **settings)
    options = {"add_pooling_layer": False} if kind == "base" else {}
    return getattr(transformers, names.ARCHITECTURES[kind])(hf, **options).eval()


def loaded(names: Any, model: Any, kind: str, head: Mapping[str, Tensor], **settings: Any) -> Any:
    """transformers' model with the weights of ours; each of them must have its place, and none be left over."""
    hf = theirs(names, names.config_to_hf(keys(model), kind), kind, **settings)
    report = hf.load_state_dict(names.weights_to_hf({**in_memory(model), **head}, kind), strict=False)
    assert not report.unexpected_keys
    assert not weights_among(report.missing_keys)
    return hf


def load_folder(architecture: str, folder: Path, **options: Any) -> Any:
    """transformers' model of a folder, all of whose weights were in it, and no others."""
    import transformers

    kind = getattr(transformers, architecture)
    hf, report = kind.from_pretrained(str(folder), output_loading_info=True, **options)
    assert not any(weights_among(found) for found in report.values()), report
    return hf.eval()


def weights_among(names: Iterable[Any]) -> List[Any]:
    """Without the numbers that versions before 4.40 save beside weights and make themselves."""
    return [name for name in names if not str(name).endswith(("relative_position_index", "position_ids"))]


def scatter(hf: nn.Module) -> None:
    """Random values everywhere, so that no weight is as any other."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) * 0.2 + 0.05)


def shapes(state: Mapping[str, Tensor]) -> Dict[str, Any]:
    """By name."""
    return {name: tuple(value.shape) for name, value in state.items()}


def assert_agree(ours: Tensor, hf: Tensor) -> None:
    """Outputs within rounding of each other."""
    assert float((ours - hf).abs().max()) <= AGREE * float(hf.abs().max())
