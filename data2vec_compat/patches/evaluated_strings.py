"""Reads strings of checkpoints, configurations and manifests as data, where fairseq runs them with `eval`.

Each of these fairseq modules gets its own `eval`, which reads the documented kinds of values and refuses the rest.
`docs/untrusted-files.md` lists them.
"""

from types import ModuleType
from typing import Any, Dict, Sequence, Tuple

from data2vec_compat.literals import parse_literal
from data2vec_compat.registry import patch

_CONVOLUTIONS = ("conv_feature_layers",)
_SELF_ATTENTION = (
    *("pretrained", "encoder_layers", "encoder_attention", "decoder_layers", "decoder_attention"),
    *("self_attention", "project_input", "gated_attention", "downsample"),
)

EVALUATED: Dict[str, Tuple[str, ...]] = {
    "fairseq.criterions.ctc": ("wer_args",),
    "fairseq.data.audio.raw_audio_dataset": ("conv_feature_layers", "feature_encoder_spec"),
    "fairseq.data.codedataset": ("a line of the manifest",),
    "fairseq.models.fconv": ("encoder_layers", "decoder_layers", "decoder_attention"),
    "fairseq.models.fconv_lm": ("decoder_layers", "decoder_attention"),
    "fairseq.models.fconv_self_att": _SELF_ATTENTION,
    "fairseq.models.hubert.hubert": _CONVOLUTIONS,
    "fairseq.models.lightconv_lm": ("character_filters",),
    "fairseq.models.multires_hubert.multires_hubert": (*_CONVOLUTIONS, "override_encoder_layers"),
    "fairseq.models.speech_to_text.s2t_wav_transformer": _CONVOLUTIONS,
    "fairseq.models.transformer_lm": ("character_filters",),
    "fairseq.models.wav2vec.wav2vec": (*_CONVOLUTIONS, "conv_aggregator_layers"),
    "fairseq.models.wav2vec.wav2vec2": _CONVOLUTIONS,
    "fairseq.optim.adafactor": ("adafactor_eps",),
    "fairseq.optim.adam": ("adam_betas",),
    "fairseq.optim.adamax": ("adamax_betas",),
    "fairseq.optim.cpu_adam": ("adam_betas",),
    "fairseq.optim.fused_lamb": ("lamb_betas",),
    "fairseq.utils": ("a setting that is a list, a dictionary or true or false",),
    "fairseq_cli.eval_lm": ("common_eval.model_overrides",),
    "fairseq_cli.validate": ("common_eval.model_overrides",),
}
"""Every module of fairseq 0.12.2 and of its main branch that calls `eval`, and the settings that it passes to it."""


@patch(
    "evaluated strings",
    *EVALUATED,
    why="fairseq runs strings of configurations, including those in checkpoints, with `eval`",
)
def fix(module: ModuleType) -> bool:
    """Gives this module an `eval` that only reads literals."""
    keys = EVALUATED[module.__name__]

    def read(text: Any) -> Any:
        return read_setting(text, keys)

    module.eval = read  # type: ignore[attr-defined]
    return True


def read_setting(text: Any, keys: Sequence[str]) -> Any:
    """The value of a setting that stock fairseq would evaluate.

    Raises:
        TypeError: the value is not a string, as `eval` would raise. ValueError: it is not a literal.
    """
    if not isinstance(text, str):
        raise TypeError(f"eval() arg 1 must be a string, not {type(text).__name__}")
    try:
        return parse_literal(text)
    except ValueError as error:
        named = " or ".join(f"`{key}`" if key.replace(".", "").isidentifier() else key for key in keys)
        shown = repr(text[:200]) + ("…" if len(text) > 200 else "")
        raise ValueError(
            f"{named} is {shown}, which is not a literal ({error}) and is not evaluated; use numbers, strings, lists "
            "and tuples, such as '[(512,10,5)] + [(512,3,2)] * 4'"
        ) from error
