"""Options of beam search in a file: an overlay for hydra, and the format of `--decoding`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import yaml

from ..files.text.text_lines import read_text
from ..files.unusable import UnusableFileError

SECTIONS = {
    "task": ("lexicon", "lm_model", "word_score", "sil_weight", "beam_threshold", "beam_size_token"),
    "generation": ("beam", "nbest", "lm_weight"),
}
"""The sections of fairseq's configuration that hold the options."""
PATHS = ("lexicon", "lm_model")


def overlay_text(options: Dict[str, Any], comments: list[str]) -> str:
    """The overlay of the options that are not None, after a few lines of comment."""
    sections = {
        section: {name: _plain(options[name]) for name in names if options.get(name) is not None}
        for section, names in SECTIONS.items()
    }
    head = "".join(f"# {line}\n" for line in comments)
    return f"# @package _global_\n{head}{yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)}"


def read_overlay(path: Path) -> Dict[str, Any]:
    """The options in an overlay; its relative paths are relative to its folder.

    Raises :class:`UnusableFileError` for a file that is no overlay of such options.
    """
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise UnusableFileError.of(path, f"is no YAML ({' '.join(str(error).split())})") from error
    found: Dict[str, Any] = {}
    for section, values in (content if isinstance(content, dict) else {"": content}).items():
        if section not in SECTIONS or not isinstance(values, dict) or set(values) - set(SECTIONS[section]):
            known = "; ".join(f"`{name}`: {', '.join(keys)}" for name, keys in SECTIONS.items())
            raise UnusableFileError.of(
                path, f"got {section!r}: {values!r}; expected what `data2vec lm tune` writes: {known}"
            )
        found.update(values)
    for name in PATHS:
        if found.get(name) is not None:
            found[name] = path.parent / str(found[name])
    return found


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
