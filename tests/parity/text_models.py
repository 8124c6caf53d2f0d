"""Text models of recorded cases, and every intermediate value of them under the name it has in the recordings."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, Dict, Mapping

import torch
from fairseq.data import Dictionary
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf
from parity.cases import Case, Tensors, below
from parity.recorder import noting, teacher_transformer
from torch import Tensor

from data2vec_plugin.core.objective.loss import regression_rows
from data2vec_plugin.core.objective.targets import average_targets
from data2vec_plugin.models.data2vec_text import Data2VecTextModel
from data2vec_plugin.models.text_config import Data2VecTextConfig

TEACHER = "encoder._ema."


def text_dictionary(case: Case) -> Dictionary:
    """The case's dictionary with the mask symbol that the task adds; the teacher cases have none, only its size."""
    if (case.folder / "dict.txt").exists():
        dictionary = Dictionary.load(str(case.folder / "dict.txt"))
    else:
        dictionary = Dictionary()
        rows = next(value for key, value in case.tensors("inputs").items() if key.endswith("embed_tokens.weight"))
        for number in range(len(rows) - len(dictionary) - 1):
            dictionary.add_symbol(f"w{number}")
    dictionary.add_symbol("<mask>")
    return dictionary


def text_model(case: Case, **overrides: Any) -> Data2VecTextModel:
    """A model in training mode with the recorded weights, student and teacher."""
    section = {**case.json("config")["model"], **overrides}
    cfg = merge_with_parent(Data2VecTextConfig(), OmegaConf.create(section))
    model = Data2VecTextModel.build_model(cfg, SimpleNamespace(source_dictionary=text_dictionary(case)))
    model.train()
    model.set_num_updates(0)
    return model


def load(model: Data2VecTextModel, state: Mapping[str, Tensor]) -> None:
    """Load a recorded state as fairseq does."""
    nested: Dict[str, Any] = {key: value for key, value in state.items() if not key.startswith(TEACHER)}
    teacher = below(TEACHER, state)
    nested = {**nested, "encoder._ema": teacher} if teacher else nested
    model.upgrade_state_dict(nested)
    model.load_state_dict(nested, strict=True)


def pretrain(model: Data2VecTextModel, inputs: Mapping[str, Tensor]) -> Tensors:
    """Forward pass in training mode: every value that a pre-training case may hold, in order of computation."""
    notes: Tensors = {}
    result: Any = model(**inputs)
    source, given = inputs["src_tokens"], inputs["target_tokens"]
    whole = given if model.config.reference_compat else torch.where(given.eq(model.text.pad), source, given)
    tokens = model.encoder.embed(whole, whole.eq(model.text.pad))
    # an update computes the last layers at masked positions only; the recordings hold all of them
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(noting(model.encoder.transformer, "student.", notes))
        stack.enter_context(noting(teacher_transformer(model), "teacher.", notes))
        notes["student.embedding"] = model.extract_features(source)[1]["encoder_embedding"]
        everywhere = torch.arange(whole.numel())
        signals = model.method.teacher_signals(whole, tokens.padding_mask, tokens)
        targets = average_targets(
            signals, model.config.targets, everywhere, None if model.config.reference_compat else tokens.padding_mask
        )
    notes["teacher.input"] = notes["teacher.layer_input"]
    notes["targets"] = targets.view_as(tokens.x)
    notes["targets_masked"], notes["predictions"] = result["targets"], result["predictions"]
    notes["loss_vector"] = regression_rows(result["predictions"], result["targets"], model.config.loss.beta)
    notes["loss.sum"] = result["losses"]["main"]
    notes["sample_size"] = torch.tensor(result["sample_size"])
    notes["log.ema_decay"] = torch.as_tensor(result["logs"]["ema_decay"])
    return notes


@torch.no_grad()
def features(model: Data2VecTextModel, src_tokens: Tensor) -> Tensors:
    """``features.*`` in evaluation mode."""
    was_training = model.training
    x, extra = model.eval()(src_tokens, features_only=True, return_all_hiddens=True)
    model.train(was_training)
    states = {f"features.inner_states.{i}": state.transpose(0, 1) for i, state in enumerate(extra["inner_states"])}
    return {"features.x": x, **states}


def gradients(model: torch.nn.Module, loss: Tensor) -> Tensors:
    """``grad.NAME`` and ``grad_norm.NAME`` of every parameter that has a gradient, by upstream's names."""
    model.zero_grad()
    loss.backward()
    named = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.layout.to_upstream(named)  # type: ignore[attr-defined]
    named = {name: grad for name, grad in named.items() if not name.endswith(".version")}
    return {**{f"grad.{n}": g for n, g in named.items()}, **{f"grad_norm.{n}": g.norm() for n, g in named.items()}}
