"""Keys of the speech tasks: those of fairseq's release and of its main branch, so that YAML for both is accepted."""

from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.configs import GenerationConfig
from omegaconf import II, MISSING

from ..config_keys import key


@dataclass
class AudioTaskConfig(FairseqDataclass):
    """Keys of every speech task: fairseq's ``audio_pretraining``."""

    data: str = key(MISSING, "folder with the manifests (SPLIT.tsv)")
    labels: Optional[str] = key(None, "ending of the label files (ltr for SPLIT.ltr)")
    binarized_dataset: bool = key(False, "not supported: manifests are read as they are")
    sample_rate: int = key(16_000, "sample rate that the audio must have, in Hz")
    normalize: bool = key(False, "normalise each clip to zero mean and unit variance; required by every data2vec model")
    enable_padding: bool = key(False, "pad short clips of a batch instead of cropping long ones")
    max_sample_size: Optional[int] = key(None, "crop clips to this many samples")
    min_sample_size: Optional[int] = key(None, "skip clips shorter than this many samples")
    bad_audio_limit: int = key(10, "number of unusable files that each process may skip; one more stops the run")
    num_batch_buckets: int = key(0, "accepted; only 0")
    tpu: bool = II("common.tpu")
    text_compression_level: str = key("none", "keep file names and labels compressed: none, low or high")

    precompute_mask_indices: bool = key(False, "accepted; this task always draws masks in the loader")
    inferred_w2v_config: Any = key(None, "accepted; masks follow the model's keys")
    multi_corpus_keys: Optional[str] = key(None, "not supported: list several folders in one manifest")
    multi_corpus_sampling_weights: Optional[str] = key(None, "not supported, as multi_corpus_keys")
    rebuild_batches: bool = key(True, "accepted; crops are drawn when a batch is loaded")
    precompute_mask_config: Any = key(
        None, "data2vec 2: masks are blocks as upstream's loader draws them, {} or with keys that replace the model's"
    )
    post_save_script: Optional[str] = key(None, "not supported")
    subsample: float = key(1, "not supported: shorten the manifest")
    seed: int = II("common.seed")


@dataclass
class AsrTaskConfig(AudioTaskConfig):
    """Keys of fine-tuning: fairseq's ``audio_finetuning``."""

    labels: Optional[str] = key("ltr", "ending of the label files (ltr for SPLIT.ltr)")
    bad_audio_limit: int = key(0, "number of unusable files that each process may skip; error rates do not show them")
    eval_wer: bool = key(False, "error rate of sequence-to-sequence models in validation; CTC always reports it")
    eval_wer_config: GenerationConfig = field(
        default_factory=lambda: GenerationConfig(), metadata={"help": "beam search of eval_wer"}
    )
    eval_wer_tokenizer: Any = key(None, "tokenizer of eval_wer")
    eval_wer_post_process: str = key("letter", "post-processing of eval_wer from symbols to words")
    eval_bleu: bool = key(False, "BLEU of sequence-to-sequence models in validation")
    eval_bleu_detok: Optional[str] = key(None, "detokenizer of eval_bleu")
    eval_bleu_detok_args: str = key("{}", "arguments of eval_bleu_detok, JSON")
    eval_tokenized_bleu: bool = key(False, "BLEU of tokens")
    eval_bleu_remove_bpe: Optional[str] = key(None, "subwords to join before BLEU")
    eval_bleu_args: str = key("{}", "beam search of eval_bleu, JSON")
    eval_bleu_print_samples: bool = key(False, "print samples in validation")
    autoregressive: bool = key(False, "targets as decoder input, for sequence-to-sequence models")
    target_dictionary: Optional[str] = key(None, "dictionary file, instead of dict.LABELS.txt in `data`")
    train_split: str = II("dataset.train_subset")

    # options of fairseq-generate, which has --beam, --nbest and --lm-weight itself
    lexicon: Optional[str] = key(None, "beam search over these words: a file with one word and its spelling per line")
    lm_model: Optional[str] = key(None, "n-gram language model for beam search: ARPA, or KenLM's binary")
    word_score: Optional[float] = key(None, "beam search: score added for each word of the lexicon (-1)")
    sil_weight: Optional[float] = key(None, "beam search: score added for each frame of the boundary | (0)")
    beam_threshold: Optional[float] = key(
        None, "beam search: drop hypotheses whose score is lower than the best by this much (50)"
    )
    beam_size_token: Optional[int] = key(None, "beam search: number of symbols tried per frame (all)")
    decoding: Optional[str] = key(None, "beam search with the options in this file, written by `data2vec lm tune`")
    decoding_processes: Optional[int] = key(None, "processes for beam search (number of CPUs, at most 16)")


UNSUPPORTED = {
    "binarized_dataset": False,
    "num_batch_buckets": 0,
    "multi_corpus_keys": None,
    "post_save_script": None,
    "subsample": 1,
}


def refuse_unsupported(cfg: AudioTaskConfig, stock: str) -> None:
    """Raise ValueError for a value that only fairseq's own task supports."""
    for name, value in UNSUPPORTED.items():
        got = getattr(cfg, name)
        if got != value:
            raise ValueError(f"`task.{name}` is {got!r}; this task supports {value!r} only; use `task._name={stock}`")
