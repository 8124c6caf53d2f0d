"""Changes for image fine-tuning of data2vec 2.0: keys of the encoder, table of positions, learning rates."""

from typing import Any, Dict, Mapping, MutableMapping, Sequence, Tuple

import torch

from ...core.update_rules import UpdateRule, check_layer_decay, decays
from .data2vec_multi import LAYER, Data2VecMultiModel, layer_scales

SINES = ".positions.signal.positions"
NEVER_DECAYED = ("extra_tokens", "alibi_scale", "alibi_bias")


def image_overrides(section: Mapping[str, Any], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Return our keys of fine-tuning as keys of ``data2vec_multi``, with which its ``section`` is updated."""
    image = dict(section.get("modalities", {}).get("image", {}))
    changed = {name: value for name, value in given.items() if name not in ("image_size", "drop_path")}
    if "image_size" in given:
        image["input_size"] = given["image_size"]
    if "drop_path" in given:
        depths = (int(image.get("prenet_depth", 4)), int(section.get("depth", 8)))
        own, shared = drop_path_rates(given["drop_path"], depths, sum(depths))
        image["start_drop_path_rate"], image["end_drop_path_rate"] = own
        changed["start_drop_path_rate"], changed["end_drop_path_rate"] = shared
    return {**changed, "modalities": {**dict(section.get("modalities", {})), "image": image}}


def drop_path_rates(
    rate: float, depths: Tuple[int, int], steps: int
) -> Tuple[Tuple[float, float], Tuple[float, float]]:
    """Return the first and last rate of a modality's own layers, and of the shared layers, from 0 up to ``rate``.

    The own layers have the first of ``steps`` evenly spaced rates, the shared layers the following, up to the last.
    """
    own, _ = depths
    rates = torch.linspace(0, rate, max(steps, 1), dtype=torch.float64).tolist()
    last = len(rates) - 1
    return (rates[0], rates[min(max(own - 1, 0), last)]), (rates[min(own, last)], float(rate))


def multi_rules(
    classifier: Any, model: Data2VecMultiModel, layer_decay: float, below: bool = True
) -> Dict[str, UpdateRule]:
    """Return BEiT's rules of a classifier around ``model``; if ``below``, the embedding learns slowest."""
    check_layer_decay(layer_decay)
    prenet = 0 if model.encoder.prenet is None else len(model.encoder.prenet.layers)
    layers = prenet + len(model.encoder.transformer.layers)  # type: ignore[arg-type]
    scales = layer_scales(model, layer_decay, layer_decay ** (layers + 1) if below else 1.0)
    return rules(classifier, scales, NEVER_DECAYED)


def rules(
    classifier: Any, scales: Mapping[str, float], never: Sequence[str], blocks_decay: bool = False
) -> Dict[str, UpdateRule]:
    """Return rules: learning rates by name in ``model``; matrices decay and, with ``blocks_decay``, whole layers."""
    found = {}
    for name, parameter in classifier.named_parameters():
        whole = blocks_decay and LAYER.search(name) is not None
        scale = scales.get(name[len("model.") :], 1.0) if name.startswith("model.") else 1.0
        found[name] = UpdateRule(scale, whole or decays(name, parameter, never))
    return found


def fit_sines(weights: MutableMapping[str, Any], model: Data2VecMultiModel) -> None:
    """Replace a table of positions for another image size by the model's own, which is not trained."""
    own = {name: value for name, value in model.named_parameters() if name.endswith(SINES)}
    for name in own.keys() & weights.keys():
        if own[name].shape != weights[name].shape:
            weights[name] = own[name].detach()
