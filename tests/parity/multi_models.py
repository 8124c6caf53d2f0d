"""data2vec 2.0 models of recorded cases, and every intermediate value under the name it has in the recordings."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from typing import Any, Dict, Iterable, Iterator, List, Mapping

import torch
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf
from parity.cases import Case, Tensors, nested
from torch import Tensor

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.objective.loss import loss_scale, regression_rows
from data2vec_plugin.core.objective.terms import Average
from data2vec_plugin.core.outputs import EncoderOutput
from data2vec_plugin.core.prediction.visible_decoder import VisibleDecoder
from data2vec_plugin.core.transformer import Transformer
from data2vec_plugin.models.multi.data2vec_multi import Data2VecMultiModel
from data2vec_plugin.models.multi.multi_config import Data2VecMultiConfig

DROPPED = (
    *("encoder_dropout", "post_mlp_drop", "attention_dropout", "activation_dropout", "dropout_input", "dropout"),
    *("layerdrop", "prenet_layerdrop", "prenet_dropout", "input_dropout"),
)
"""Keys of what is drawn at random in training."""


class Symbols:
    """A dictionary of so many symbols."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def pad(self) -> int:
        return 1


class TextTask:
    """All that a model asks of a task of text."""

    supported_modalities: Any = None

    def __init__(self, state: Mapping[str, Tensor], symbols: int = 20) -> None:
        sizes = [len(value) for key, value in state.items() if key.endswith("embed_tokens.weight")]
        self.source_dictionary = Symbols(sizes[0] if sizes else symbols)


def multi_model(
    section: Mapping[str, Any], state: Mapping[str, Tensor], symbols: int = 20, **overrides: Any
) -> Data2VecMultiModel:
    """A model in training mode with recorded weights, student and teacher."""
    settings = OmegaConf.create({**section, **overrides})
    cfg = merge_with_parent(Data2VecMultiConfig(), settings)
    task = TextTask(state, symbols)
    if cfg.supported_modality is None:
        encoders = [name.split(".")[1] for name in state if name.startswith("modality_encoders.")]
        task.supported_modalities = list(dict.fromkeys(encoders))
    model = Data2VecMultiModel.build_model(cfg, task)
    model.train()
    model.set_num_updates(0)
    if state:
        model.load_state_dict(nested(state), strict=True)
    return model


@contextmanager
def noting(encoder: Transformer, name: str, target: str, notes: Tensors) -> Iterator[None]:
    """Note input, blocks and output of a pass of ``encoder`` below ``name``, in its first pass alone."""

    def block_hook(index: int) -> Any:
        def hook(module: Any, args: Any, signals: Dict[str, Tensor]) -> None:
            notes.setdefault(f"{name}block.{index}.target", signals[target])
            notes.setdefault(f"{name}block.{index}.x", signals["block"])

        return hook

    def input_hook(module: Any, args: Any) -> None:
        x, padding_mask, biases = args
        notes.setdefault({"student.": "student.context", "teacher.": "teacher.input"}[name], x)
        if padding_mask is not None:
            notes.setdefault(f"{name}padding_mask", padding_mask)
        if len(biases) == 1 and biases[0] is not None:
            notes.setdefault(f"{name}alibi_bias", biases[0])

    def output_hook(module: Any, args: Any, output: EncoderOutput) -> None:
        notes.setdefault(f"{name}x", output.x)

    with ExitStack() as stack:
        handles = [layer.register_forward_hook(block_hook(index)) for index, layer in enumerate(encoder.layers)]
        handles.append(encoder.register_forward_pre_hook(input_hook))
        handles.append(encoder.register_forward_hook(output_hook))
        for handle in handles:
            stack.callback(handle.remove)
        yield


def inject_noise(predictor: VisibleDecoder, mask: Mask, noises: Iterable[Tensor]) -> None:
    """Let places that are not visible read recorded noise in the order of their positions, a decoder after the other.

    The first pass takes it, and every further one again.
    """
    rows, width = mask.indices.shape
    unseen = torch.ones(rows, width, dtype=torch.bool).scatter_(1, mask.visible, False)  # type: ignore[arg-type]
    filled = []
    for noise in noises:
        places = noise.new_zeros(rows, width, noise.size(-1))
        places[unseen] = noise.reshape(-1, noise.size(-1))
        filled.append(places.reshape(rows * width, -1))
    turns = itertools.cycle(filled)

    def recorded(visible: Tensor, count: int) -> Tensor:
        drawn = visible.new_zeros(count, visible.size(-1))
        drawn[: rows * width] = next(turns)
        return drawn

    predictor.drawn_noise = recorded  # type: ignore[method-assign]


def inject_masked(view: Any, hidden: Tensor, noise: Tensor) -> None:
    """Let masked tokens be the recorded noise (N, C)."""

    def recorded(x: Tensor, deviation: float) -> Tensor:
        drawn = torch.zeros_like(x)
        drawn[hidden] = noise
        return drawn

    view.drawn_noise = recorded


def pretrain(model: Data2VecMultiModel, inputs: Mapping[str, Tensor], mode: Any = None) -> Tensors:
    """A step of pre-training: every value that a case may hold, in the order of computation."""
    notes: Tensors = {}
    name = model.mode_name(mode)
    method: Any = model.method.methods[name]  # type: ignore[union-attr, index]
    for term in method.terms:
        term.rows_suffice = False  # the recordings hold all positions
    source, padding_mask, hidden = inputs["source"], inputs.get("padding_mask"), inputs["mask"].bool()
    predictor, local = method.predictor, method.encoder.embed(source, padding_mask)
    mask = method.checked(Mask.given(hidden, channels=inputs.get("mask_channel_indices")), local)
    noises = [inputs[key] for key in ("shared_decoder_noise", "decoder_noise") if key in inputs]
    if noises:
        inject_noise(predictor, mask, noises)
    if "encoder_noise" in inputs:
        inject_masked(method.encoder.view, hidden, inputs["encoder_noise"])
    notes["local_features"] = local.x
    target = model.config.targets.signal
    teacher: Any = model.method.ensure_teacher()
    decoder = predictor.shared if predictor.own is None else predictor.own

    def decoder_hook(module: Any, args: Any) -> None:
        notes.setdefault("decoder_input", args[0])

    handle = decoder.register_forward_pre_hook(decoder_hook)
    copied = teacher.module.methods[name].encoder.transformer
    with (
        handle_removed(handle),
        noting(method.encoder.transformer, "student.", target, notes),
        noting(copied, "teacher.", target, notes),
    ):
        result = model(source, inputs.get("target"), mode=mode, padding_mask=padding_mask, mask=mask.as_dict())
    return {**notes, **of_result(model, method, result, mask, inputs)}


@contextmanager
def handle_removed(handle: Any) -> Iterator[None]:
    yield
    handle.remove()


def of_result(model: Any, method: Any, result: Dict[str, Any], mask: Mask, inputs: Mapping[str, Tensor]) -> Tensors:
    """Targets, predictions and losses."""
    scale = loss_scale(model.config.transformer.dim, model.config.loss.scale)
    notes: Tensors = {"ids_keep": mask.visible}  # type: ignore[dict-item]
    losses: Dict[str, Tensor] = result["losses"]
    notes["loss.sum"] = torch.stack(list(losses.values())).sum()
    notes["sample_size"] = torch.tensor(result["sample_size"])
    notes.update({f"losses.{key}": value for key, value in losses.items()})
    logged = [key for key in result if key.startswith(("ema_decay", "masked_pct", "pred_var", "target_var"))]
    notes.update({f"log.{key}": torch.as_tensor(result[key]) for key in logged})
    notes["predictions"], notes["targets_masked"] = result["predictions"], result["targets"]
    notes.update(of_terms(method, inputs, scale, mask))
    return notes


@torch.no_grad()
def of_terms(method: Any, inputs: Mapping[str, Tensor], scale: float, mask: Any) -> Tensors:
    """Each term's predictions and targets, of a second pass."""
    source, padding_mask = inputs["source"], inputs.get("padding_mask")
    found: List[Any] = []
    plain = list(method.terms)
    method.terms = [Heard(term, found) for term in plain]
    method(source, padding_mask, mask, inputs.get("target"))
    method.terms = plain
    notes: Tensors = {}
    for term, step, scored in found:
        name = term.name[term.name.index("regression") :] if "regression" in term.name else term.name
        rows = unweighted_rows(term, scored, scale)
        notes.update({f"{name}.prediction": scored.predictions, f"{name}.target": scored.targets})
        notes[f"{name}.loss_vector"] = rows
        average = getattr(term, "average", None)
        if isinstance(average, Average):
            notes["targets"] = average.of_all(step)
    return notes


class Heard:
    """A term whose steps are kept."""

    def __init__(self, term: Any, found: List[Any]) -> None:
        self.term, self.found = term, found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.term, name)

    def __call__(self, step: Any) -> Any:
        scored = self.term(step)
        self.found.append((self.term, step, scored))
        return scored


def unweighted_rows(term: Any, scored: Any, scale: float) -> Tensor:
    """One value for each row, scale included and weight not."""
    return regression_rows(scored.predictions, scored.targets, term.loss.beta) * scale


@torch.no_grad()
def features(
    model: Data2VecMultiModel, inputs: Mapping[str, Tensor], mode: Any = None, remove_extra: bool = False
) -> Tensors:
    """``features.*`` of the whole input, extra tokens included unless they are removed, in evaluation mode."""
    was_training = model.training
    result = model.eval().extract_features(
        inputs["source"], mode, inputs.get("padding_mask"), remove_extra_tokens=remove_extra
    )
    model.train(was_training)
    notes = {f"features.layer_results.{index}": layer for index, layer in enumerate(result["layer_results"])}
    notes["features.x"] = result["x"]
    if result["padding_mask"] is not None:
        notes["features.padding_mask"] = result["padding_mask"]
    return notes


def gradients(model: Data2VecMultiModel, loss: Tensor) -> Tensors:
    """``grad.NAME`` and ``grad_norm.NAME`` of every parameter that has a gradient, in upstream's layout."""
    model.zero_grad()
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.layout.to_upstream(found)
    norms = {f"grad_norm.{name}": gradient.norm() for name, gradient in found.items()}
    return {**{f"grad.{name}": gradient for name, gradient in found.items()}, **norms}


def section(case: Case) -> Dict[str, Any]:
    """The model's section of a recorded configuration."""
    found: Dict[str, Any] = case.json("config")["model"]
    return found


def settings_of(shared: Mapping[str, Any], teacher: Mapping[str, Tensor]) -> Dict[str, Any]:
    """The configuration of a case that says only what its variants share, by the names and shapes of a teacher."""
    names = [name for name in teacher if name.startswith("modality_encoders.")]
    if not names:  # the blocks alone, whatever feeds them
        return {
            **shared,
            **no_schedule(),
            "supported_modality": "TEXT",
            "ema_encoder_only": True,
            "modalities": {"text": {"prenet_depth": 0}},
        }
    modality = names[0].split(".")[1]
    own = {name.split(".", 2)[2]: teacher[name] for name in names}
    prenets = {name.split(".")[2] for name in own if name.startswith("context_encoder.blocks.")}
    keys: Dict[str, Any] = {
        "prenet_depth": len(prenets),
        "num_alibi_heads": shared["num_heads"],
        "model_depth": shared["depth"],
    }
    if (scale := own.get("alibi_scale")) is not None:
        keys.update(
            use_alibi_encoder=True,
            learned_alibi_scale=True,
            learned_alibi_scale_per_head=scale.size(2) > 1,
            learned_alibi_scale_per_layer=scale.size(0) > 1,
        )
    if (extra := own.get("extra_tokens")) is not None:
        keys["num_extra_tokens"] = extra.size(1)
    filters = [value for name, value in own.items() if name.startswith("relative_") and value.dim() == 3]
    if filters:
        channels, of_group, width = filters[0].shape
        keys.update(
            conv_pos_depth=len(filters), conv_pos_width=width * len(filters), conv_pos_groups=channels // of_group
        )
    if (patch := own.get("local_encoder.proj.weight")) is not None:
        side = patch.size(-1)
        patches = own["fixed_positional_encoder.positions"].size(1)
        keys.update(patch_size=side, input_size=side * round(patches**0.5), embed_dim=len(patch))
    keys["ema_local_encoder"] = any(name.startswith("local_encoder.") for name in own)
    keys["decoder"] = {"decoder_dim": 16}
    return {
        **shared,
        **no_schedule(),
        "supported_modality": modality,
        "ema_encoder_only": False,
        "modalities": {modality.lower(): keys},
    }


def no_schedule() -> Dict[str, Any]:
    """What a whole configuration would say of the run."""
    return {"max_update": 4, "seed": 1}
