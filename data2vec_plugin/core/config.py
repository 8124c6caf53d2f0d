"""Plain settings of the core; the registered fairseq dataclasses map onto these (paper sections in brackets)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Mapping, Optional, Tuple

SIGNALS = ("attention", "ffn", "ffn_residual", "block")
"""The layer signals of the paper's target-feature ablation (section 5.4, table 4)."""

ACTIVATIONS = ("gelu", "gelu_accurate", "gelu_fast", "relu", "silu", "swish", "tanh")


class SettingError(ValueError):
    """An invalid setting. Callers that read it from a user's key translate the field into that key: :meth:`by_keys`.

    Fields are in backticks, also within ``got`` and ``expected``.
    """

    def __init__(self, field: str, got: object, expected: str) -> None:
        super().__init__(f"`{field}` is {got}; expected {expected}")
        self.field, self.got, self.expected = field, got, expected

    def by_keys(self, keys: Mapping[str, str]) -> SettingError:
        """The same error with each field replaced by its key; fields without a key are unchanged."""

        def key(text: object) -> str:
            return re.sub(r"`(\w+)`", lambda found: f"`{keys.get(found[1], found[1])}`", str(text))

        return SettingError(keys.get(self.field, self.field), key(self.got), key(self.expected))


@dataclass(frozen=True)
class TransformerConfig:
    """One encoder for every modality (section 3.1).

    ``norm_first`` is pre-norm. ``norm_at`` says where the encoder's own layer norm is: before the layers
    (``"input"``, speech with post-norm), after them (``"output"``) or nowhere (``"none"``).
    ``layer_scale`` is the initial value of a learned scale of every residual branch, 0 for none. ``drop_path`` is the
    rate of the last layer, from ``drop_path_start`` in the first. ``ffn_dropout`` (on the output of the feed-forward)
    and ``input_dropout`` (before the first layer) default to ``dropout``. ``fused`` attention has one matrix for
    queries, keys and values. ``compiled`` runs each block of student and teacher through ``torch.compile``.
    """

    layers: int = 12
    dim: int = 768
    ffn_dim: int = 3072
    heads: int = 12
    activation: str = "gelu"
    norm_first: bool = False
    norm_at: str = "input"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    layer_drop: float = 0.0
    ffn_dropout: Optional[float] = None
    input_dropout: Optional[float] = None
    drop_path: float = 0.0
    drop_path_start: float = 0.0
    layer_scale: float = 0.0
    key_bias: bool = True
    fused: bool = False
    norm_eps: float = 1e-5
    norm_affine: bool = True
    checkpoint_activations: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise SettingError(
                "heads", f"{self.heads}, which does not divide `dim` {self.dim}", f"a divisor of {self.dim}"
            )
        if self.activation not in ACTIVATIONS:
            raise SettingError("activation", repr(self.activation), f"one of {', '.join(ACTIVATIONS)}")
        if self.norm_at not in ("input", "output", "none"):
            raise SettingError("norm_at", repr(self.norm_at), "input, output or none")

    def drop_paths(self) -> List[float]:
        """The rate of each layer, which rises evenly."""
        rise, steps = self.drop_path - self.drop_path_start, max(self.layers - 1, 1)
        return [self.drop_path_start + rise * layer / steps for layer in range(self.layers)]


@dataclass(frozen=True)
class TargetConfig:
    """Which teacher signals are averaged and how they are normalised (section 3.3).

    Statistics run over time and leave padding out; ``reference_axes`` uses the reference speech model's axes, which
    confuse time and batch.
    """

    top_k: int = 8
    signal: str = "ffn"
    batch_norm: bool = False
    instance_norm: bool = False
    group_norm: bool = False
    layer_norm: bool = False
    layer_norm_average: bool = False
    instance_norm_average: bool = False
    reference_axes: bool = False

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise SettingError("signal", repr(self.signal), f"one of {', '.join(SIGNALS)}")
        if self.top_k < 1:
            raise SettingError("top_k", self.top_k, "at least 1")


SHARED_PARTS: Mapping[str, Tuple[str, ...]] = {
    "blocks": ("predictor", "view", "embedder", "extra_tokens", "positions", "prenet"),
    "layers": ("predictor", "view", "embedder", "extra_tokens"),
    "encoder": ("predictor", "view", "embedder", "extra_tokens"),
    "context": ("predictor", "view", "embedder"),
    "whole": ("predictor", "view"),
    "model": (),
}
"""The parts that a teacher shares with the student instead of copying them, by its scope."""


@dataclass(frozen=True)
class TeacherConfig:
    """What the teacher copies and how fast it follows the student (section 3.2).

    ``scope`` is one of :data:`SHARED_PARTS`. data2vec 1 has ``"layers"`` (the encoder; its position signal is copied,
    not averaged), ``"encoder"`` (all of the encoder averaged) and ``"model"`` (the input embedding and head too);
    data2vec 2.0 ``"blocks"``, ``"context"`` (everything above the embedding) and ``"whole"`` (the embedding too).
    With ``same_dtype`` false, the teacher computes in fp32 whatever the student's precision. ``skips_resumed``
    reproduces the reference: its data2vec 2.0 teacher skips the first step after a resume.
    """

    scope: str = "layers"
    decay: float = 0.999
    end_decay: float = 0.9999
    anneal_end_step: int = 30_000
    same_dtype: bool = True
    skips_resumed: bool = False

    def __post_init__(self) -> None:
        if self.scope not in SHARED_PARTS:
            raise ValueError(f"teacher scope is {self.scope!r}; expected one of {', '.join(SHARED_PARTS)}")


@dataclass(frozen=True)
class LossConfig:
    """Smooth L1 (section 3.3): ``beta`` 0 is the squared error, ``scale`` None is 1/sqrt(channels).

    ``weight`` is the weight of the term in the total loss.
    """

    beta: float = 0.0
    scale: Optional[float] = None
    weight: float = 1.0


LEAST_MASKED, MOST_MASKED = 0.01, 0.95
"""Bounds of the masked share: enough must be masked to regress, and enough visible to regress it from."""


@dataclass(frozen=True)
class SpanMaskConfig:
    """Span masking (section 4.2): spans of ``length`` positions over a share ``prob`` of the sequence.

    ``selection`` draws the span lengths: all ``length`` (static), uniform in [``other``, 2·length],
    normal(length, ``other``) or poisson(length). ``same_share`` trims rows of one batch to the smallest
    masked share; ``dropout`` unmasks that share again; ``min_space`` separates spans that may not overlap.
    """

    prob: float = 0.65
    length: int = 10
    selection: str = "static"
    other: float = 0.0
    min_masks: int = 0
    no_overlap: bool = False
    min_space: int = 1
    same_share: bool = True
    grow: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SettingError("length", self.length, "at least 1 position")
        if self.prob < 0:
            raise SettingError("prob", self.prob, "0 (no mask) or more")
        if not 0 <= self.dropout < 1:
            raise SettingError("dropout", self.dropout, "a share in [0, 1)")
        if self.selection not in ("static", "uniform", "normal", "poisson"):
            raise SettingError("selection", repr(self.selection), "static, uniform, normal or poisson")

    def expected_share(self) -> float:
        """Share of a long sequence that is hidden on average, before ``dropout``; spans that overlap count once."""
        if self.no_overlap:
            return min(self.prob, 1.0)
        return 1 - max(1 - self.prob / self.length, 0.0) ** self.length

    def check_share(self) -> None:
        """Raise SettingError for masks that hide almost nothing or almost everything."""
        share = self.expected_share()
        if share < LEAST_MASKED or share > MOST_MASKED:
            raise SettingError(
                "prob",
                f"{self.prob}, which with `length` {self.length} hides {100 * share:.3g} % of the input",
                f"{100 * LEAST_MASKED:g} to {100 * MOST_MASKED:g} %, since what is hidden is regressed from what is "
                f"not (0.65 and 10 hide 49 %)",
            )


@dataclass(frozen=True)
class Data2VecConfig:
    """All settings of the method that do not depend on the modality.

    ``extra_tokens`` learned tokens (a class token) precede the input's; they are neither masked nor regressed. Each
    input is masked ``copies`` times; all copies share one pass of the teacher (data2vec 2.0, section 3.3).
    """

    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    targets: TargetConfig = field(default_factory=TargetConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    mask: SpanMaskConfig = field(default_factory=SpanMaskConfig)
    channel_mask: SpanMaskConfig = field(default_factory=lambda: SpanMaskConfig(prob=0.0))
    channel_mask_before: bool = False
    input_dropout: float = 0.0
    extra_tokens: int = 0
    copies: int = 1
    reference_compat: bool = False

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise SettingError("copies", self.copies, "at least 1 mask of each input")

    def check_targets(self) -> None:
        """Raise SettingError if more layers are to be averaged than exist; the reference averages all in that case."""
        if self.targets.top_k > self.transformer.layers and not self.reference_compat:
            layers = self.transformer.layers
            raise SettingError(
                "top_k", f"{self.targets.top_k}, but the encoder has {layers} layers", f"at most {layers}"
            )

    def check_pretraining(self) -> None:
        """Raise ValueError for targets or masks with which pre-training can learn nothing."""
        self.check_targets()
        self.mask.check_share()
