"""The state-dict layout of upstream's data2vec 2.0 (`data2vec_multi`), in both directions.

There, layers that modalities share are directly in the model, and all others below the modality's name in capitals.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Collection, Dict, Mapping, MutableMapping, Tuple

from ..layout import Names, below, swapped
from ..parts import METHOD, PartsLayout

TEACHER = "_ema"

SHARED: Names = (
    ("encoder.transformer.layers.", "blocks."),
    ("encoder.transformer.layer_norm.", "norm."),
    ("predictor.shared.", "shared_decoder."),
    ("predictor.further.", "recon_proj."),
)
"""Parts that modalities share: (ours below a modality, theirs below the model)."""
OWN: Names = (
    ("encoder.prenet.layers.", "context_encoder.blocks."),
    ("encoder.prenet.layer_norm.", "context_encoder.norm."),
    ("encoder.extra_tokens", "extra_tokens"),
    ("encoder.positions.alibi.alibi_", "alibi_"),
    ("encoder.positions.signal.positions", "fixed_positional_encoder.positions"),
    ("predictor.own.encoder.layers.", "decoder.encoder.blocks."),
    ("predictor.own.", "decoder."),
    ("encoder.embedder.feature_extractor.conv_layers.", "local_encoder.conv_layers."),
    ("encoder.embedder.layer_norm.", "project_features.1."),
    ("encoder.embedder.post_extract_proj.", "project_features.2."),
    ("encoder.embedder.conv.", "local_encoder.proj."),
    ("encoder.embedder.patches.conv.", "local_encoder.0.proj."),
    ("encoder.embedder.resize.", "local_encoder.1."),
    ("encoder.embedder.", "local_encoder."),
)
"""Parts of one modality: (ours below it, theirs below it); the first match counts."""
BLOCK: Names = (
    ("self_attn.qkv.", "attn.qkv."),
    ("self_attn.out_proj.", "attn.proj."),
    ("self_attn_layer_norm.", "norm1."),
    ("final_layer_norm.", "norm2."),
    ("fc1.", "mlp.fc1."),
    ("fc2.", "mlp.fc2."),
)

IN_BLOCK = re.compile(r"((?:^|.*(?<!decoder)\.)blocks\.\d+\.)(.+)")
"""Names inside a block, except in convolutional and cross-attending decoders, whose names are upstream's already."""
CONVOLUTION = re.compile(r"encoder\.positions\.signal\.(normed\.)?(\d+)\.(0\..+)")
THEIR_CONVOLUTION = re.compile(r"relative_positional_encoder\.(1\.)?(\d+)\.(0\..+)")
"""Position convolutions: upstream counts from 1, after a transposition at 0; after a norm they are one level deeper."""
POSITION_NORM = ("encoder.positions.signal.norm.", "relative_positional_encoder.0.")
OF_MODALITY = re.compile(r"methods\.([A-Z]+)\.(.+)")
OF_UPSTREAM = re.compile(r"modality_encoders\.([A-Z]+)\.(.+)")
OLD = (("positional_encoder.pos_embed", "fixed_positional_encoder.positions"),)
GONE = ("encoder_mask",)
"""Names that old image checkpoints have in another form (OLD), or in addition (GONE)."""


class ModalitiesLayout(PartsLayout):
    """The layout of a model of several modalities; shared parts belong to the ``first`` one in memory. With
    ``blocks_only``, a teacher's entry has only the names of blocks.
    """

    TEACHER = TEACHER
    parts: Names = ()

    def __init__(self, first: str, blocks_only: bool = False) -> None:
        self.first = first
        self.blocks_only = blocks_only

    @property
    def reordered(self) -> bool:
        """False: the order has not changed."""
        return False

    def plain_name(self, name: str) -> str:
        """Upstream's name of a parameter, whatever its prefix."""
        start, method, rest = name.rpartition(METHOD)
        return start + their_name(rest) if method else name

    def to_plain(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Rename to upstream's names, which are the plain ones here."""
        for name, rest in below(state, prefix + METHOD):
            state[prefix + their_name(rest)] = state.pop(name)

    def from_plain(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """The reverse of :meth:`to_plain`."""
        self.from_upstream(state, prefix)

    def to_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """See :class:`Layout`."""
        self.to_plain(state, prefix)

    def from_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """See :class:`Layout`."""
        for name, rest in below(state, prefix):
            if not rest.startswith((METHOD, TEACHER)):
                value = state.pop(name)
                if not rest.endswith(GONE):
                    state[prefix + METHOD + self.our_name(rest)] = five_dimensional(rest, value)

    def teacher_to_upstream(self, state: MutableMapping[str, Any]) -> None:
        """As :meth:`to_upstream` for a teacher's entry."""
        for name, rest in below(state, ""):
            if not rest.startswith("_"):
                state[their_name(rest)] = state.pop(name)
        if self.blocks_only:
            for name, rest in below(state, "blocks."):
                state[rest] = state.pop(name)

    def teacher_from_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The reverse of :meth:`teacher_to_upstream`."""
        for name, rest in below(state, ""):
            if rest[0].isdigit():
                state["blocks." + rest] = state.pop(name)
        for name, rest in below(state, ""):
            if not rest.startswith("_"):
                state[self.our_name(rest)] = five_dimensional(rest, state.pop(name))

    def optimizer_group(self, name: str, shape: Tuple[int, ...], groups: Collection[str]) -> str:
        """Return the group of a parameter, by upstream's name, among the ``groups`` of upstream's composite optimizer.

        Decoders may have their own group; parameters without weight decay have one, named by :func:`undecayed`.
        """
        own = "decoder" if "decoder" in name and {"decoder", undecayed("decoder")} & set(groups) else "default"
        decays = len(shape) > 1 and not name.endswith(".bias") and "alibi_scale" not in name
        return own if decays else undecayed(own)

    def our_name(self, name: str) -> str:
        """Upstream's name -> ours by parts."""
        found = OF_UPSTREAM.fullmatch(name)
        if found is None:
            return f"methods.{self.first}.{swapped(in_block(name, 1), SHARED, 1)}"
        modality, rest = found.groups()
        rest = swapped(rest, OLD, 0)
        if convolution := THEIR_CONVOLUTION.fullmatch(rest):
            after_norm, number, inner = convolution.groups()
            own = f"encoder.positions.signal.{'normed.' if after_norm else ''}{int(number) - 1}.{inner}"
        else:
            own = swapped(in_block(rest, 1), (POSITION_NORM, *OWN), 1)
        return f"methods.{modality}.{own}"


def as_student(entry: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a checkpoint's teacher entry under the names that the student's weights have there."""
    return {"blocks." * name[0].isdigit() + name: value for name, value in entry.items() if not name.startswith("_")}


def undecayed(group: str) -> str:
    """Return upstream's name of the parameters of a ``group`` without weight decay: md5 of their settings as JSON."""
    settings = {"group_name": group, "optimizer": {"weight_decay_scale": 0}}
    return hashlib.md5(json.dumps(settings, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def their_name(name: str) -> str:
    """Ours by parts -> upstream's."""
    found = OF_MODALITY.fullmatch(name)
    if found is None:
        return name
    modality, rest = found.groups()
    shared = swapped(rest, SHARED, 0)
    if shared != rest:
        return in_block(shared, 0)
    if convolution := CONVOLUTION.fullmatch(rest):
        after_norm, number, inner = convolution.groups()
        own = f"relative_positional_encoder.{'1.' if after_norm else ''}{int(number) + 1}.{inner}"
    else:
        own = in_block(swapped(rest, (POSITION_NORM, *OWN), 0), 0)
    return f"modality_encoders.{modality}.{own}"


def in_block(name: str, theirs: int) -> str:
    """Convert the part of a name that is inside a block, from our names (``theirs`` 0) or to them (``theirs`` 1)."""
    found = IN_BLOCK.fullmatch(name)
    return name if found is None else found[1] + swapped(found[2], BLOCK, theirs)


def five_dimensional(name: str, value: Any) -> Any:
    """Add the axis for layers that old scales of ALiBi lack."""
    return value.unsqueeze(0) if name.endswith("alibi_scale") and value.dim() == 4 else value
