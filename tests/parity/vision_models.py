"""Image models of recorded cases, and every intermediate value of them under the name it has in the recordings."""

from __future__ import annotations

from typing import Any, Dict, Mapping

import torch
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf
from parity.cases import Case, Tensors, nested
from parity.recorder import noting
from torch import Tensor

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.objective.loss import regression_rows
from data2vec_plugin.core.objective.targets import average_targets
from data2vec_plugin.core.outputs import Tokens
from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel
from data2vec_plugin.models.vision_config import Data2VecVisionConfig


def vision_model(case: Case, **overrides: Any) -> Data2VecVisionModel:
    """A model of the case's configuration in training mode; a key of upstream's that ours lacks is an error."""
    section = {**case.json("config")["model"], **overrides}
    model = Data2VecVisionModel.build_model(merge_with_parent(Data2VecVisionConfig(), OmegaConf.create(section)))
    model.train()
    model.set_num_updates(0)
    return model


def load(model: Data2VecVisionModel, state: Mapping[str, Tensor]) -> None:
    """Load a recorded state, student and teacher, as fairseq does."""
    entries: Dict[str, Any] = nested(state)
    model.upgrade_state_dict(entries)
    model.load_state_dict(entries, strict=True)


def pretrain(model: Data2VecVisionModel, img: Tensor, mask: Tensor) -> Tensors:
    """Forward pass in training mode: every value that a pre-training case holds, in order of computation."""
    notes: Tensors = {}
    result: Any = model(img, mask=mask)
    tokens = model.encoder.embed(img)
    # an update computes the last layers at masked positions only; the recordings hold all of them
    with torch.no_grad(), noting(model.encoder.transformer, "student.", notes):
        model.encoder.encode(model.encoder.view(tokens, Mask.given(mask.flatten(1))))
    notes = {key.replace(".layer.", ".block."): value for key, value in notes.items()}
    notes["student.x"] = notes["student.x"][:, 1:]  # the class token is the core's, not the encoder's
    with torch.no_grad():
        everywhere = torch.arange(tokens.x.shape[:2].numel())
        signals = model.method.teacher_signals(img, None, tokens)
        targets = average_targets(signals, model.config.targets, everywhere)
    first = model.config.transformer.layers - len(signals)
    notes.update({f"teacher.block.{first + index}.target": signal for index, signal in enumerate(signals)})
    notes["targets"] = targets.view_as(tokens.x)
    notes["targets_masked"], notes["predictions"] = result["targets"], result["predictions"]
    notes["loss_vector"] = regression_rows(result["predictions"], result["targets"], model.config.loss.beta)
    notes["loss.sum"] = result["losses"]["regression"]
    notes["sample_size"] = torch.tensor(result["sample_size"])
    for name in ("target_var", "pred_var", "ema_decay"):
        notes[f"log.{name}"] = torch.as_tensor(result[name])
    return notes


@torch.no_grad()
def features(model: Data2VecVisionModel, img: Tensor) -> Tensors:
    """``features.*`` and the bias of attention, in evaluation mode."""
    was_training = model.training
    result = model.eval()(img, mask=False, layer_results=True)
    model.train(was_training)
    notes = {f"features.layer_results.{index}": layer for index, layer in enumerate(result["layer_results"])}
    notes["features.x"] = result["x"]
    transformer = model.encoder.transformer
    bias = model.encoder.positions.biases(Tokens(result["x"]), list(transformer.layers))[0]
    return notes if bias is None else {**notes, "rel_pos_bias": bias[0]}


def gradients(model: Data2VecVisionModel, loss: Tensor) -> Tensors:
    """``grad.NAME`` and ``grad_norm.NAME`` of every parameter that has a gradient, in upstream's layout."""
    model.zero_grad()
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.layout.to_upstream(found)
    found = {name: gradient for name, gradient in found.items() if gradient.is_floating_point()}
    norms = {f"grad_norm.{name}": gradient.norm() for name, gradient in found.items()}
    return {**{f"grad.{name}": gradient for name, gradient in found.items()}, **norms}
