"""Names of the parts in `core/model.py`, and the plain names from which upstream's and Hugging Face's layouts are
derived."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, MutableMapping, Sequence, Tuple

from .layout import Layout

Names = Sequence[Tuple[str, str]]
"""(part, plain): beginnings of names; the first match counts."""

METHOD = "method."
"""Prefix of the parts in a registered model."""
ENCODER = "encoder."

COMMON: Names = (
    ("encoder.view.mask_emb", "mask_emb"),
    ("encoder.transformer.", "encoder."),
    ("predictor.", "final_proj."),
)
AUDIO: Names = (
    ("encoder.positions.", "encoder.pos_conv."),
    *((f"encoder.embedder.{name}.", f"{name}.") for name in ("feature_extractor", "layer_norm", "post_extract_proj")),
    *COMMON,
)
TEXT: Names = (
    *(
        (f"encoder.embedder.{name}.", f"encoder.{name}.")
        for name in ("embed_tokens", "embed_positions", "layernorm_embedding")
    ),
    *COMMON,
)
IMAGE: Names = (
    ("encoder.extra_tokens", "extra_tokens"),
    ("encoder.positions.rel_pos_bias.", "encoder.rel_pos_bias."),
    ("encoder.embedder.", "patch_embed."),
    *COMMON,
)

FIRST_ORDER = (
    *("encoder.view.", "encoder.extra_tokens", "encoder.transformer.", "encoder.positions."),
    *("predictor.", "encoder.embedder."),
)
"""The order of parameters in the first format of our checkpoints of speech and images; that of text has not changed."""


class PartsLayout:
    """A :class:`Layout` for models made of parts, based on one for plain names."""

    def __init__(self, plain: Layout, parts: Names) -> None:
        self.plain = plain
        self.parts = parts
        self.TEACHER = plain.TEACHER

    def to_plain(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Rename parts to plain names, in place. Idempotent."""
        rename(state, prefix + METHOD, prefix, self.parts)

    def plain_name(self, name: str) -> str:
        """The plain name of a parameter, whatever its prefix."""
        prefix = name.rpartition(METHOD)[0]
        named = {name: None}
        self.to_plain(named, prefix)
        return next(iter(named))

    def from_plain(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """The reverse of :meth:`to_plain`. Idempotent."""
        rename(state, prefix, prefix + METHOD, reversed_names(self.parts))

    @property
    def reordered(self) -> bool:
        """Whether parameters had another order in the first format of our checkpoints."""
        return self.parts is not TEXT

    def first_place(self, name: str) -> int:
        """The index of a parameter's part in :data:`FIRST_ORDER`."""
        rest = name[len(METHOD) :]
        return next((place for place, part in enumerate(FIRST_ORDER) if rest.startswith(part)), len(FIRST_ORDER))

    def to_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """See :class:`Layout`."""
        self.to_plain(state, prefix)
        self.plain.to_upstream(state, prefix)

    def from_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """See :class:`Layout`."""
        self.plain.from_upstream(state, prefix)
        self.from_plain(state, prefix)

    def teacher_to_upstream(self, state: MutableMapping[str, Any]) -> None:
        """As :meth:`to_upstream` for a teacher's entry; names start inside the encoder if nothing else is averaged."""
        rename(state, "", "", self.parts)
        if all(name.startswith((ENCODER, "_")) for name in state):
            rename(state, "", "", ((ENCODER, ""),))
        self.plain.teacher_to_upstream(state)

    def teacher_from_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The reverse of :meth:`teacher_to_upstream`."""
        self.plain.teacher_from_upstream(state)
        name_encoder(state)
        rename(state, "", "", reversed_names(self.parts))


def name_encoder(state: MutableMapping[str, Any]) -> None:
    """Prefix a teacher's plain names with the encoder's name, in place, if its entry is of the encoder only."""
    if not any(name.startswith(ENCODER) for name in state):
        for name in [name for name in state if not name.startswith("_")]:
            state[ENCODER + name] = state.pop(name)


def plain_names(model: Any, state: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a copy of a model's state in which the weights of our models have plain names."""
    named = dict(state)
    for name, module in model.named_modules():
        if isinstance(layout := getattr(module, "layout", None), PartsLayout):
            layout.to_plain(named, f"{name}." if name else "")
    return named


def rename(state: MutableMapping[str, Any], old: str, new: str, names: Iterable[Tuple[str, str]]) -> None:
    """Move entries from below ``old`` to below ``new``, in place, and replace the beginning of the rest by ``names``.

    Entries whose rest matches no pair stay.
    """
    for key in [key for key in state if key.startswith(old)]:
        rest = key[len(old) :]
        for theirs, ours in names:
            if rest.startswith(theirs):
                state[new + ours + rest[len(theirs) :]] = state.pop(key)
                break


def reversed_names(names: Names) -> Names:
    """Return the pairs as (plain, part)."""
    return [(plain, part) for part, plain in names]
