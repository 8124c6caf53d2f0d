"""Runs our speech model and notes every intermediate value under the name it has in the recordings."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import Any, Dict, Iterator, Mapping, Optional

import torch
from parity.cases import Tensors
from torch import Tensor

from data2vec_plugin.core.objective.loss import regression_rows
from data2vec_plugin.core.objective.targets import average_targets
from data2vec_plugin.core.outputs import EncoderOutput
from data2vec_plugin.core.transformer import Transformer
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel


@contextmanager
def noting(encoder: Transformer, name: str, notes: Tensors) -> Iterator[None]:
    """Note input, layers and output of every pass of ``encoder`` below ``name``."""

    def layer_hook(index: int) -> Any:
        def hook(module: Any, args: Any, signals: Dict[str, Tensor]) -> None:
            notes[f"{name}layer.{index}.fc"] = signals["ffn"]
            notes[f"{name}layer.{index}.x"] = signals["block"]

        return hook

    def input_hook(module: Any, args: Any) -> None:
        notes[f"{name}layer_input"] = args[0]

    def output_hook(module: Any, args: Any, output: EncoderOutput) -> None:
        notes[f"{name}x"] = output.x

    with ExitStack() as stack:
        handles = [layer.register_forward_hook(layer_hook(index)) for index, layer in enumerate(encoder.layers)]
        handles.append(encoder.layers[0].register_forward_pre_hook(input_hook))
        handles.append(encoder.register_forward_hook(output_hook))
        for handle in handles:
            stack.callback(handle.remove)
        yield


def teacher_transformer(model: Any) -> Transformer:
    """The Transformer of the teacher."""
    module: Any = model.method.ensure_teacher().module
    found: Transformer = module.encoder.transformer
    return found


def pretrain(model: Data2VecAudioModel, inputs: Mapping[str, Tensor]) -> Tensors:
    """Forward pass in training mode: every value that a pre-training case may hold, in order of computation."""
    notes: Tensors = {}
    source, padding_mask = inputs["source"], inputs.get("padding_mask")
    tokens = model.encoder.embed(source, padding_mask)
    notes["student.conv_features"] = tokens.x
    if tokens.padding_mask is not None:
        notes["frame_padding_mask"] = tokens.padding_mask
    result = model(**inputs)
    # an update computes the last layers at masked positions only; the recordings hold all of them
    with (
        torch.no_grad(),
        noting(model.encoder.transformer, "student.", notes),
        noting(teacher_transformer(model), "teacher.", notes),
    ):
        model(**inputs, features_only=True)
        everywhere = torch.arange(tokens.x.shape[:2].numel())
        signals = model.method.teacher_signals(source, padding_mask, tokens)
        targets = average_targets(
            signals, model.config.targets, everywhere, None if model.config.reference_compat else tokens.padding_mask
        )
    rows = regression_rows(result["predictions"], result["targets"], model.config.loss.beta)
    notes["targets"] = targets.view_as(tokens.x)
    notes["targets_masked"] = result["targets"]
    notes["predictions"] = result["predictions"]
    notes["loss_vector"] = rows
    notes["loss.sum"] = result["losses"]["regression"]
    notes["sample_size"] = torch.tensor(result["sample_size"])
    for name in ("target_var", "pred_var", "ema_decay"):
        notes[f"log.{name}"] = torch.as_tensor(result[name])
    return notes


def gradients(model: Any, loss: Tensor) -> Tensors:
    """``grad.NAME`` and ``grad_norm.NAME`` of every parameter that has a gradient, by upstream's names."""
    model.zero_grad()
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    for name, module in model.named_modules():
        if hasattr(module, "layout"):
            module.layout.to_upstream(found, f"{name}." if name else "")
    norms = {f"grad_norm.{name}": gradient.norm() for name, gradient in found.items()}
    return {**{f"grad.{name}": gradient for name, gradient in found.items()}, **norms}


@torch.no_grad()
def features(model: Data2VecAudioModel, inputs: Mapping[str, Tensor], layer: Optional[int] = None) -> Tensors:
    """``features.*``, or ``features_layerN.*``, of the unmasked input in evaluation mode."""
    was_training = model.training
    model.eval()
    notes: Tensors = {}
    with noting(model.encoder.transformer, "", notes):
        result = model.extract_features(inputs["source"], inputs.get("padding_mask"), layer=layer)
    model.train(was_training)
    for index, (x, _, ffn) in enumerate(result["layer_results"]):
        torch.testing.assert_close(x.transpose(0, 1), notes[f"layer.{index}.x"])
        torch.testing.assert_close(ffn.transpose(0, 1), notes[f"layer.{index}.fc"])
    notes["x"] = result["x"]
    if result["padding_mask"] is not None:
        notes["padding_mask"] = result["padding_mask"]
    name = "features" if layer is None else f"features_layer{layer}"
    return {f"{name}.{key}": value for key, value in notes.items()}
