"""Load the encoder of a checkpoint, pre-trained or fine-tuned, without the data and the task of its training."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterable, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.models import MODEL_REGISTRY, build_model
from omegaconf import OmegaConf
from torch import Tensor

from ..files.unusable import UnusableFileError
from ..interop.identify import CAPITALS, ENCODERS, MULTI, OF_MODALITY, OURS_ONLY, Identity, identify, last_entry
from ..interop.layers import check_layers
from ..interop.mismatch import explain, own_shapes, shapes
from ..interop.parts import plain_names
from .saved_file import read_checkpoint
from .without_values import without_values


class Wrapper(NamedTuple):
    """Where a fine-tuned model keeps its encoder: the key of its configuration, the prefix of its weights.

    ``own`` are keys of the fine-tuned model that override the encoder's if they are set.
    """

    key: str
    prefix: str
    own: Tuple[str, ...] = ()


FINE_TUNED = {
    "wav2vec_ctc": Wrapper("w2v_args", "w2v_encoder.w2v_model."),
    "wav2vec_seq2seq": Wrapper("w2v_args", "encoder.w2v_model."),
    "data2vec_text_classification": Wrapper("pretrained_model_args", "model."),
    "data2vec_image_classification": Wrapper("pretrained_model_args", "model.", own=("image_size",)),
    "mae_image_classification": Wrapper("pretrained_model_args", "model."),
}


@dataclass(frozen=True)
class Checkpoint:
    """The encoder in a checkpoint: its name, its weights, the configuration (``root``) and that of the task.

    If it is ``fine_tuned``, ``model`` is the configuration of the whole model and ``head`` the weights outside the
    encoder; otherwise both are empty. ``state`` is the task's, with its dictionaries. ``modalities`` are speech, text
    or image.
    """

    path: Path
    name: str
    root: Dict[str, Any]
    task: Dict[str, Any]
    weights: Dict[str, Any]
    fine_tuned: bool
    model: Dict[str, Any] = field(default_factory=dict)
    head: Dict[str, Tensor] = field(default_factory=dict)
    state: Dict[str, Any] = field(default_factory=dict)
    num_updates: int = 0
    modalities: Tuple[str, ...] = ()

    @property
    def modality(self) -> str:
        """The only modality: speech, text or image; raises ValueError if there are several."""
        if len(self.modalities) != 1:
            raise ValueError(f"checkpoint {self.path} is of {', '.join(self.modalities)}; select one with `--modality`")
        return self.modalities[0]

    def of(self, modality: Optional[str]) -> Checkpoint:
        """Return a copy restricted to ``modality``, or itself for None; raises ValueError for a modality it lacks."""
        if modality is None:
            return self
        if modality not in self.modalities:
            raise ValueError(
                f"`--modality` is {modality!r}; checkpoint {self.path} is of {' and '.join(self.modalities)}"
            )
        return replace(self, modalities=(modality,))

    def task_of(self, section: str) -> Dict[str, Any]:
        """Return the task's configuration; keys in its ``section`` (audio, text, image), if it has one, override it."""
        inside = self.task.get(section)
        return {**self.task, **inside} if isinstance(inside, dict) else self.task

    def digest(self, teacher: bool) -> str:
        """Return a digest of configuration and weights, with the teacher's weights if ``teacher``: 16 hex digits."""
        content = hashlib.sha256(json.dumps(self.root["model"], sort_keys=True, default=str).encode())
        add_tensors(content, sorted(tensors(self.weights, teacher)))
        return content.hexdigest()[:16]


def open_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; raises ValueError if it does not exist or does not hold a data2vec encoder."""
    return checkpoint_of(path, read_checkpoint(path))


def checkpoint_of(path: Path, state: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint in a ``state`` that was loaded from ``path``, or will be saved there; raises ValueError if
    it does not hold a data2vec encoder."""
    found = identify(state)
    check_identity(path, found)
    outer, name = configuration(path, state.get("cfg") or state.get("args")), found.model
    saved = section_of(path, state, "model")
    of_the_run: Dict[str, Any] = {"state": section_of(path, state, "task_state"), "num_updates": updates(state)}
    of_the_run["modalities"] = found.modalities
    if name not in FINE_TUNED:
        return Checkpoint(path, name, outer, outer["task"], saved, fine_tuned=False, **of_the_run)
    key, prefix, own = FINE_TUNED[name]
    inside = outer["model"].get(key)
    root = configuration(path, inside, task=False) if inside is not None else {}
    if not root.get("model"):
        raise ValueError(
            f"checkpoint {path} is of model `{name}`, but lacks `model.{key}`, the configuration of its encoder; save "
            "it again with this package, or use the pre-trained checkpoint"
        )
    if root["model"].get("_name") != found.encoder:
        raise ValueError(
            f"checkpoint {path}: its `model.{key}` names two models, `{found.encoder}` and "
            f"`{root['model'].get('_name')}`; save it again with one of them"
        )
    given = {key: outer["model"][key] for key in own if outer["model"].get(key) is not None}
    root["model"] = with_own(root["model"], given)
    weights = {key[len(prefix) :]: value for key, value in saved.items() if key.startswith(prefix)}
    of_the_run["head"] = {key: value for key, value in saved.items() if not key.startswith(prefix)}
    task = {**root.get("task", {}), **outer["task"]}
    return Checkpoint(path, found.encoder, root, task, weights, fine_tuned=True, model=outer["model"], **of_the_run)


def with_own(section: Mapping[str, Any], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Return an encoder's ``section`` updated with ``given`` keys; data2vec 2.0 has the image size at another key."""
    if section.get("_name") != MULTI or not given:
        return {**section, **given}
    modalities = dict(section.get("modalities") or {})
    modalities["image"] = {**(modalities.get("image") or {}), "input_size": given["image_size"]}
    return {**section, "modalities": modalities}


def configuration(path: Path, cfg: Any, task: bool = True) -> Dict[str, Any]:
    """Return a configuration as plain dicts; raises ValueError if it is unreadable or lacks a required section."""
    try:
        found = plain(cfg)
    except Exception as error:  # omegaconf, hydra and argparse each raise their own
        reason = " ".join(str(error).split())[:300]
        raise UnusableFileError.of(path, f"its configuration cannot be read ({reason})") from error
    for name in ("model", "task") if task else ("model",):
        if not isinstance(found.get(name, {} if name == "model" and not task else None), dict):
            raise UnusableFileError.of(path, f"its configuration has no section `{name}`; {OURS_ONLY}")
    return found


def section_of(path: Path, state: Mapping[str, Any], name: str) -> Dict[str, Any]:
    """Return the dictionary under ``name``, empty if there is none; raises ValueError if the entry is anything else."""
    found = state.get(name)
    if found is not None and not (isinstance(found, Mapping) and all(isinstance(key, str) for key in found)):
        raise UnusableFileError.of(path, f"its `{name}` is a {type(found).__name__}, expected a dictionary")
    return dict(found or {})


def updates(state: Mapping[str, Any]) -> int:
    """Return the number of updates that a checkpoint's model was trained for; 0 if it is not saved."""
    number = last_entry(state).get("num_updates", 0)
    return int(number) if isinstance(number, (int, float)) and abs(number) < 2**63 else 0


def check_identity(path: Path, found: Identity) -> None:
    """Raise ValueError unless a checkpoint holds a data2vec encoder."""
    lacks_its_encoder = found.model in FINE_TUNED and found.encoder in ("", found.model)
    if found.encoder not in ENCODERS and not lacks_its_encoder:
        known = ", ".join([*ENCODERS, *FINE_TUNED])
        raise ValueError(f"checkpoint {path}: {found.message(f'expected a data2vec encoder, of model {known}')}")
    if found.encoder not in MODEL_REGISTRY and not lacks_its_encoder:
        raise ValueError(f"checkpoint {path}: it is {found.words}, which this version of the package does not have")


def plain(cfg: Any) -> Dict[str, Any]:
    """Return a configuration, old (`args`) or new, as plain dicts; empty for None."""
    if isinstance(cfg, Namespace):
        cfg = convert_namespace_to_omegaconf(cfg)
    found: Any = OmegaConf.to_container(cfg) if OmegaConf.is_config(cfg) else cfg
    return dict(found or {})


def build_encoder(checkpoint: Checkpoint, teacher: bool, dictionary: Any = None) -> Any:
    """Build the model in evaluation mode with the checkpoint's weights; a text model needs its ``dictionary``.

    Raises ValueError if the weights do not have the sizes in the configuration, or if ``teacher`` is true and the
    checkpoint holds none.
    """
    check_sizes(checkpoint, teacher, dictionary)
    with without_values():
        model, weights = with_weights(checkpoint, teacher, dictionary)
    try:
        model.eval().load_state_dict(dict(weights), strict=True)
    except RuntimeError as error:
        raise misfit(checkpoint, str(error)) from error
    if teacher and model.method.teacher is None:
        raise ValueError(
            f"`--teacher`: checkpoint {checkpoint.path} holds no teacher (`_ema`), as is usual after fine-tuning; "
            "remove `--teacher`"
        )
    return model


def check_sizes(checkpoint: Checkpoint, teacher: bool, dictionary: Any) -> None:
    """Raise ValueError, before memory is allocated, unless the weights have the sizes in the configuration."""
    check_layers(f"checkpoint {checkpoint.path}", checkpoint.root["model"], checkpoint.weights)
    with configuration_errors(checkpoint.path), torch.device("meta"), without_values():
        model, weights = with_weights(checkpoint, teacher, dictionary)
    reason = explain(plain_names(model, shapes(weights)), plain_names(model, own_shapes(model)))
    if reason:
        raise misfit(checkpoint, reason)


@contextmanager
def configuration_errors(path: Path) -> Iterator[None]:
    """Context that turns any error inside it into an UnusableFileError that names ``path``."""
    try:
        yield
    except UnusableFileError:
        raise
    except Exception as error:  # invalid values may make omegaconf, torch or Python raise anything
        reason = " ".join(str(error).split())[:500] or type(error).__name__
        raise UnusableFileError.of(path, f"no model can be built from its configuration: {reason}") from error


def with_weights(checkpoint: Checkpoint, teacher: bool, dictionary: Any) -> Tuple[Any, Dict[str, Any]]:
    """Return the model of a checkpoint, not loaded yet, and the weights to load, under the model's own names."""
    model = untrained(checkpoint.root, dictionary, checkpoint.modalities)
    if checkpoint.fine_tuned:
        model.remove_pretraining_modules()
    weights = {name: value for name, value in checkpoint.weights.items() if is_wanted(name, checkpoint.modalities)}
    model.upgrade_state_dict(weights)
    if not teacher:
        weights.pop("_ema", None)
    return model, weights


def is_wanted(name: str, modalities: Sequence[str]) -> bool:
    """Whether a weight belongs to an encoder of these ``modalities``, not to a head or another modality."""
    other = OF_MODALITY.search(name)
    return "classification_heads." not in name and (other is None or CAPITALS.get(other[1], "") in modalities)


def misfit(checkpoint: Checkpoint, reason: str) -> ValueError:
    """Return the error for a checkpoint whose weights do not match its configuration."""
    said = " ".join(reason.split())[:500]
    return ValueError(f"checkpoint {checkpoint.path} does not fit its own configuration: {said}")


def untrained(root: Mapping[str, Any], dictionary: Any = None, modalities: Sequence[str] = ()) -> Any:
    """Build the model of a configuration with fresh weights; a text model needs its ``dictionary``.

    A model of several modalities is built for ``modalities`` or, if there are none, for those in its configuration.

    Raises ValueError for any model but a data2vec encoder: only their configurations are known not to run code.
    """
    cfg = OmegaConf.create(dict(root)).model  # created with its root, for interpolations
    if cfg.get("_name") not in ENCODERS:
        raise ValueError(f"`model._name` is {cfg.get('_name')!r}; expected one of {', '.join(ENCODERS)}")
    if "compile_encoder" in cfg:
        cfg.compile_encoder = False  # widths change from batch to batch
    task = SimpleNamespace(source_dictionary=dictionary)
    if modalities:
        task.supported_modalities = [capitals for capitals, name in CAPITALS.items() if name in modalities]
    return build_model(cfg, task, from_checkpoint=True)


def add_tensors(content: Any, named: Iterable[Tuple[str, Tensor]]) -> None:
    """Update a hashlib digest with tensors and their names."""
    for name, tensor in named:
        content.update(name.encode())
        content.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def tensors(weights: Mapping[str, Any], nested: bool) -> Iterator[Tuple[str, Tensor]]:
    """Yield the tensors of a state dict with their names; with ``nested``, also those in the teacher's entry."""
    for name, value in weights.items():
        if isinstance(value, Tensor):
            yield name, value
        elif nested and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", tensor) for key, tensor in tensors(value, False))
