"""Keys of the text task: ``masked_lm`` of fairseq's release and of its main branch, then ours."""

from dataclasses import dataclass
from typing import Any, Optional

from fairseq.tasks.masked_lm import MaskedLMConfig

from ..config_keys import TOKEN_KEYS, errors_by_key, key
from ..core.config import SpanMaskConfig
from ..core.masks.token_masking import TokenMaskConfig


@dataclass
class MaskedTextConfig(MaskedLMConfig):
    """Keys of fairseq's ``masked_lm``, and those that define how raw text is split into subwords."""

    include_target_tokens: bool = key(True, "accepted; the teacher always sees the full sentence")
    include_index: bool = key(True, "accepted; belongs to data2vec 2")
    skip_masking: bool = key(
        False, "data2vec 2: rows are not masked in place, masks come separately; requires d2v2_multi"
    )
    d2v2_multi: bool = key(False, "rows as data2vec_multi reads them; implied by such a model")

    # Any: `from_pretrained(…, bpe="sentencepiece")` puts the section of that encoder here
    bpe: Any = key("none", "subwords of raw text: sentencepiece, gpt2, or none if text is already in symbols")
    sentencepiece_model: Optional[str] = key(None, "model file of bpe=sentencepiece; DATA/spm.model if not given")
    gpt2_encoder_json: Optional[str] = key(None, "encoder.json of bpe=gpt2; DATA/encoder.json if not given")
    gpt2_vocab_bpe: Optional[str] = key(None, "vocab.bpe of bpe=gpt2; DATA/vocab.bpe if not given")
    binarised_dir: Optional[str] = key(None, "folder of binaries made from raw text; DATA/binarised if not given")
    encode_workers: int = key(2, "processes that split raw text into subwords; 0: in the main process")


SUBWORDS = ("none", "sentencepiece", "gpt2")


def mask_config(cfg: MaskedTextConfig) -> TokenMaskConfig:
    """Return the settings of masks; raises ValueError for masks that hide almost nothing or almost everything."""
    with errors_by_key(TOKEN_KEYS):
        spans = SpanMaskConfig(
            prob=cfg.mask_prob,
            length=cfg.mask_multiple_length,
            selection="normal" if cfg.mask_stdev > 0 else "static",
            other=cfg.mask_stdev,
            min_masks=1,
            same_share=False,
        )
        spans.check_share()
        return TokenMaskConfig(spans, keep=cfg.leave_unmasked_prob, random=cfg.random_token_prob)


def name_of_subwords(bpe: Any) -> str:
    """Return the kind of subwords, also if fairseq has replaced it by the whole section of an encoder."""
    return str(bpe["_name"] if hasattr(bpe, "keys") else bpe)


def check_supported(cfg: MaskedTextConfig) -> None:
    """Raise ValueError for a key that this task would have to ignore."""
    if cfg.skip_masking and not cfg.d2v2_multi:
        raise ValueError(
            "`task.skip_masking` is true, which this task supports only with `task.d2v2_multi: true`: other models "
            "read masked rows"
        )
    if cfg.tokens_per_sample < 2:
        raise ValueError(
            f"`task.tokens_per_sample` is {cfg.tokens_per_sample}; expected at least 2, one masked and one visible"
        )
    if cfg.bpe not in SUBWORDS:
        raise ValueError(f"`task.bpe` is {cfg.bpe!r}; expected one of {', '.join(SUBWORDS)}")
