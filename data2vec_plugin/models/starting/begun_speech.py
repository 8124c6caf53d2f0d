"""Start a new run of ``data2vec_audio`` from the weights of wav2vec 2.0 or HuBERT."""

import logging
from typing import Any, Dict, List, Mapping

from ...interop.fairseq.speech_start import LEFT, SETTINGS, student_start
from ...interop.identify import identify, sections
from ...modalities.conv_spec import parse_conv_layers
from ..audio_config import Data2VecAudioConfig

logger = logging.getLogger(__name__)

HELD = (
    *("extractor_mode", "conv_feature_layers", "conv_pos", "pos_conv_depth"),
    *("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads"),
)
"""Keys in the recipes `audio_*`; hydra requires a plus before any other key."""


def begin_with(path: str, checkpoint: Dict[str, Any], anew: bool, cfg: Any, own: Mapping[str, Any]) -> None:
    """Replace the weights in such a checkpoint by a student's, in place; any other checkpoint is unchanged.

    ``own`` is the student's state in upstream's layout. Raises ValueError with the keys to set if the student's
    configuration differs, and if the run is resumed (``anew`` is false).
    """
    name = identify(checkpoint).model
    if name not in LEFT:
        return
    theirs, task = sections(checkpoint)
    if not anew:
        raise ValueError(
            f"{path} is of model `{name}` and cannot be resumed as `data2vec_audio`; to start from its weights, set "
            f"`checkpoint.finetune_from_model={path}` and an empty `checkpoint.save_dir`"
        )
    if differing := contradictions(theirs, cfg):
        raise ValueError(
            f"{path} is of model `{name}`, whose configuration differs from this run's; set {' '.join(differing)}"
        )
    try:
        start = student_start(name, checkpoint["model"], own)
    except ValueError as error:
        raise ValueError(f"{path} is of model `{name}`: {error}") from error
    checkpoint["model"] = start.state
    normalize = str(task.get("normalize", False)).lower()
    logger.info(
        f"the student starts from {path}, of model `{name}`, which was trained with `task.normalize={normalize}`; not "
        f"loaded: {', '.join(start.left) or 'nothing'}; new: {', '.join(start.new)}"
    )


def contradictions(theirs: Mapping[str, Any], ours: Any) -> List[str]:
    """Return the keys to set, with the values of the checkpoint; keys that it lacks have their defaults."""
    defaults, found = Data2VecAudioConfig(), []
    for key in SETTINGS:
        value = theirs[key] if key in theirs else getattr(defaults, key)
        if key == "conv_feature_layers":
            if parse_conv_layers(str(value)) != parse_conv_layers(str(getattr(ours, key))):
                found.append(f"\"{_word(key)}='{value}'\"")
        elif str(value) != str(getattr(ours, key)):
            found.append(f"{_word(key)}={str(value).lower() if isinstance(value, bool) else value}")
    return found


def _word(key: str) -> str:
    """Return a key of the model as written on the command line for one of this plugin's recipes."""
    return f"model.{key}" if key in HELD else f"+model.{key}"
