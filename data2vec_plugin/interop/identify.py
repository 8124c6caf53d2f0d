"""Identifies a loaded checkpoint by the names in its configuration, or by those of its weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple

MODALITIES = {"data2vec_audio": "speech", "data2vec_text": "text", "data2vec_vision": "image"}
"""Encoders of one modality."""

MULTI = "data2vec_multi"
"""data2vec 2.0's encoder, of one modality or several."""

ENCODERS = (*MODALITIES, MULTI)
"""data2vec's encoders of every modality."""

CAPITALS = {"AUDIO": "speech", "TEXT": "text", "IMAGE": "image"}
"""Names of modalities in `data2vec_multi` -> ours."""

TITLES = {
    "data2vec_audio": "data2vec for speech",
    "data2vec_text": "data2vec for text",
    "data2vec_vision": "data2vec for images",
    "data2vec_multi": "data2vec 2.0",
    "wav2vec": "the first wav2vec",
    "wav2vec2": "wav2vec 2.0",
    "hubert": "HuBERT",
    "roberta": "RoBERTa",
    "wav2vec_ctc": "speech recognition by CTC",
    "hubert_ctc": "speech recognition by CTC",
    "wav2vec_seq2seq": "speech recognition with a decoder",
    "data2vec_text_classification": "text classification",
    "data2vec_image_classification": "image classification",
    "mae_image_classification": "image classification",
    "audio_classification": "audio classification",
}
"""Common names of the models that fairseq registers."""

OF_MODALITY = re.compile(r"(?:^|\.)modality_encoders\.([A-Z]+)\.")

INSIDE = ("w2v_args", "pretrained_model_args")
"""Keys under which a fine-tuned model keeps the configuration of its encoder."""


class Signature(NamedTuple):
    """Names of weights that identify a model: each of the patterns must match one of them."""

    patterns: Tuple[str, ...]
    model: str
    words: str = ""
    advice: str = ""


CONVERT = "convert it with `data2vec convert FOLDER --to fairseq --out FILE`"
BEIT = "use them as `model_path` of `data2vec_image_classification`"
OURS_ONLY = "use a checkpoint with its configuration (`cfg` or `args`), as written by fairseq's trainer"

FAIRSEQ = (
    Signature((r"^modality_encoders\.",), "data2vec_multi"),
    Signature((r"^w2v_encoder\.w2v_model\.",), "wav2vec_ctc"),
    Signature((r"^encoder\.w2v_model\.",), "wav2vec_seq2seq"),
    Signature((r"^(encoder\.)?regression_head\.|^encoder\._ema$",), "data2vec_text"),
    Signature((r"^quantizer\.|^project_q\.",), "wav2vec2"),
    Signature((r"^label_embs_concat$",), "hubert"),
    Signature((r"feature_extractor\.conv_layers\.", r"encoder\.pos_conv\.0\.(0|weight)"), "data2vec_audio"),
    Signature((r"sentence_encoder\.layers\.",), "roberta"),
    Signature((r"^encoder\.blocks\.0\.", r"^patch_embed\.conv\."), "data2vec_vision"),
    Signature((r"^blocks\.0\.", r"^patch_embed\.proj\."), "", "BEiT's weights", BEIT),
)
HUGGING_FACE = (
    Signature((r"^data2vec_audio\.",), "", "Data2VecAudio"),
    Signature((r"^data2vec_text\.",), "", "Data2VecText"),
    Signature((r"^data2vec_vision\.",), "", "Data2VecVision"),
    Signature((r"^wav2vec2\.",), "", "Wav2Vec2"),
    Signature((r"^hubert\.",), "", "Hubert"),
    Signature((r"feature_projection\.projection\.",), "", "speech models"),
    Signature((r"embeddings\.word_embeddings\.",), "", "text models"),
    Signature((r"embeddings\.patch_embeddings\.",), "", "image models"),
)


@dataclass(frozen=True)
class Identity:
    """The identity of a checkpoint: ``words`` continue "it is …", ``advice`` says what to do with one that is not ours.

    ``kind`` is pretrained, fine-tuned, other, weights, huggingface, optimizer or nothing. ``model`` is the registered
    name, ``encoder`` that of the encoder inside, the same unless it was fine-tuned, ``modalities`` those of its input.
    """

    kind: str
    words: str
    advice: str = ""
    model: str = ""
    encoder: str = ""
    modalities: Tuple[str, ...] = ()

    @property
    def modality(self) -> str:
        """speech, text or image if this is a data2vec encoder of one modality; otherwise empty."""
        return self.modalities[0] if len(self.modalities) == 1 else ""

    def message(self, expected: str) -> str:
        """Return the words, and the advice or, if there is none, what was ``expected``."""
        return f"it is {self.words}; {self.advice or expected}"


def identify(state: Any) -> Identity:
    """Identify a loaded file by its names only."""
    if not isinstance(state, Mapping):
        return Identity("nothing", f"a saved {type(state).__name__}, not a checkpoint", OURS_ONLY)
    model, _ = sections(state)
    name = str(model.get("_name") or "")
    if name:
        return of_model(name, model, weights_of(state))
    if {"state", "param_groups"} <= set(state):
        return Identity("optimizer", "the state of an optimizer, without a model", OURS_ONLY)
    return of_weights(weights_of(state)) or Identity("nothing", _listed(state), OURS_ONLY)


def sections(state: Mapping[str, Any]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Return the sections of model and task in a checkpoint's configuration; a missing one is empty.

    An old configuration (`args`) is flat, and used as both.
    """
    cfg, args = state.get("cfg"), state.get("args")
    if cfg:
        return as_mapping(_entry(cfg, "model")), as_mapping(_entry(cfg, "task"))
    flat = as_mapping(args)
    model = {**flat, "_name": flat["arch"]} if "arch" in flat else {}
    return model, {**flat, "_name": flat["task"]} if "task" in flat else {}


def last_entry(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the trainer's record of a run's last optimizer; empty if there is none."""
    history = state.get("optimizer_history")
    last = history[-1] if isinstance(history, (list, tuple)) and history else None
    return last if isinstance(last, Mapping) else {}


def of_model(name: str, model: Mapping[str, Any], weights: Iterable[str] = ()) -> Identity:
    """Identify a checkpoint whose configuration names its model; names of ``weights`` give the modalities."""
    inside = [as_mapping(model[key]) for key in INSIDE if model.get(key) is not None]
    encoder = next((str(found) for found in map(inner_name, inside) if found), "" if inside else name)
    label = f"`{name}`" if encoder in ("", name) else f"`{name}` on `{encoder}`"
    title = TITLES.get(name, "")
    modalities: Tuple[str, ...] = (MODALITIES[encoder],) if encoder in MODALITIES else ()
    if encoder == MULTI:
        section = next((as_mapping(each.get("model")) for each in inside), model)
        modalities = modalities_of(section, weights)
        title = f"{title} for {listed(modalities)}" if name == MULTI else f"{title}, {TITLES[MULTI]}"
    kind = "fine-tuned" if encoder != name and encoder in ENCODERS else "pretrained" if name in ENCODERS else "other"
    words = f"of model {label}" + (f" ({title})" if title else "")
    return Identity(kind, words, "", name, encoder, modalities)


def listed(names: Tuple[str, ...]) -> str:
    """Join names as in a sentence.

    >>> listed(("speech", "text", "image"))
    'speech, text and image'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def modalities_of(section: Mapping[str, Any], weights: Iterable[str]) -> Tuple[str, ...]:
    """Return the modalities of a `data2vec_multi`: those of its weights, else of its ``section``, else all."""
    found = {match[1] for match in map(OF_MODALITY.search, map(str, weights)) if match}
    supported = section.get("supported_modality")
    if not found and supported is not None:
        found = {str(getattr(supported, "name", supported)).rpartition(".")[2]}
    return tuple(name for capitals, name in CAPITALS.items() if not found or capitals in found)


def inner_name(section: Mapping[str, Any]) -> Optional[str]:
    """Return the model named in the encoder's configuration inside a fine-tuned model's: the one fairseq would build.

    Old arguments name it by `arch`, which has precedence; newer configurations by a section `model`.
    """
    name = section.get("arch") or as_mapping(section.get("model")).get("_name")
    return None if name is None else str(name)


def of_weights(names: Iterable[str]) -> Optional[Identity]:
    """Identify weights without a configuration by their names; None if there are none."""
    found = [str(name) for name in names]
    for signature in HUGGING_FACE:
        if _matches(signature, found):
            return Identity("huggingface", f"Hugging Face weights of {signature.words}", CONVERT)
    for signature in FAIRSEQ:
        if _matches(signature, found):
            what = signature.words or f"weights of `{signature.model}` ({TITLES[signature.model]})"
            return Identity("weights", f"{what} without a configuration", signature.advice or OURS_ONLY)
    if not found:
        return None
    return Identity("weights", f"{len(found)} weights without a configuration, such as `{found[0]}`", OURS_ONLY)


def weights_of(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the weights in a loaded file: its `model`, `module` or `state_dict`, or itself if it holds tensors."""
    for key in ("model", "module", "state_dict"):
        inside = state.get(key)
        if isinstance(inside, Mapping):
            return inside
    return state if any(hasattr(value, "shape") for value in state.values()) else {}


def _matches(signature: Signature, names: Iterable[str]) -> bool:
    return all(any(re.search(pattern, name) for name in names) for pattern in signature.patterns)


def as_mapping(section: Any) -> Dict[str, Any]:
    """Return a section (a dict, a configuration or a namespace) as a dict; empty for None, strings and numbers.

    A mandatory value that is not set is None, and so is an interpolation that cannot be resolved.
    """
    if section is None or isinstance(section, (str, int)):
        return {}
    if not hasattr(section, "keys"):
        return dict(vars(section)) if hasattr(section, "__dict__") else {}
    return {str(key): _entry(section, key) for key in section}


def _entry(section: Any, key: str) -> Any:
    if not hasattr(section, "keys") or key not in section:  # also a mandatory value that is not set
        return None
    try:
        return section[key]
    except Exception:  # an interpolation that cannot be resolved; the error depends on the version of omegaconf
        return None


def _listed(state: Mapping[str, Any]) -> str:
    names = [f"`{name}`" for name in list(state)[:3]]
    more = f" and {len(state) - 3} more" if len(state) > 3 else ""
    return f"a saved dictionary of {', '.join(names)}{more}, not a checkpoint" if names else "empty, not a checkpoint"
