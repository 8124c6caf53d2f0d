"""Keys of registered dataclasses: how they are declared, and errors for misspelt keys and bad values."""

from contextlib import contextmanager
from dataclasses import field
from typing import Any, Dict, Iterator, Mapping

from omegaconf.errors import ConfigKeyError

from .core.config import SettingError
from .host.launching.unknown_keys import UnknownKeyError, message

__all__ = ["UnknownKeyError", "errors_by_key", "key", "merge_with_parent"]


def span_keys(kind: str) -> Dict[str, str]:
    """The keys of a speech model for fields of a span mask; ``kind`` is `mask`, or `mask_channel`."""
    fields = ("prob", "length", "selection", "other", "min_space")
    return {**{name: f"model.{kind}_{name}" for name in fields}, "no_overlap": f"model.no_{kind}_overlap"}


FRAME_KEYS = {**span_keys("mask"), "dropout": "model.mask_dropout"}
CHANNEL_KEYS = span_keys("mask_channel")
BLOCK_KEYS = {
    "patches": "model.num_mask_patches",
    "min_patches": "model.min_mask_patches_per_block",
    "max_patches": "model.max_mask_patches_per_block",
}
TOKEN_KEYS = {
    "prob": "task.mask_prob",
    "length": "task.mask_multiple_length",
    "other": "task.mask_stdev",
    "keep": "task.leave_unmasked_prob",
    "random": "task.random_token_prob",
}
"""Which key a field of the core's masks was taken from."""


def modality_keys(modality: str) -> Dict[str, str]:
    """The keys of a modality of `data2vec_multi` for fields of its masks."""
    fields = ("prob", "length", "dropout")
    return {name: f"model.modalities.{modality.lower()}.mask_{name}" for name in fields}


@contextmanager
def errors_by_key(keys: Mapping[str, str]) -> Iterator[None]:
    """Context in which errors of core settings name the key from which the setting was read."""
    try:
        yield
    except SettingError as error:
        raise error.by_keys(keys) from error


def key(default: Any, text: str) -> Any:
    """A field of a fairseq dataclass, with the help text that fairseq prints."""
    return field(default=default, metadata={"help": text})


def merge_with_parent(stock: Any, dc: Any, cfg: Any, *args: Any, **kwargs: Any) -> Any:
    """fairseq's function that merges a section into its dataclass, be it ours or fairseq's own.

    `fairseq-hydra-train` merges fairseq's own before it imports a plugin: `host/launching/takeover.py` looks at those.
    """
    try:
        return stock(dc, cfg, *args, **kwargs)
    except ConfigKeyError as error:
        error_message = message(dc, cfg)
        if not error_message:
            raise
        raise UnknownKeyError(error_message) from error
