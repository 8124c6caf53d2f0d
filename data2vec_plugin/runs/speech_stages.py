"""Commands that train and decode a tiny recogniser on two cores, and the settings found for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .quickstart import training
from .stages import Command, Stage

STARTS = (("finetune", "pre-trained"), ("scratch", "from scratch"))
"""The training of each start, and its title."""
SCORE = re.compile(r"WER (?P<wer>[\d.]+) %.*\| CER (?P<cer>[\d.]+) %.*\| (?P<utterances>\d+) utterances")


def every(updates: int) -> Command:
    """Return the options to validate and save every N updates, and not after every epoch, which takes a minute."""
    return (
        *(f"dataset.validate_interval_updates={updates}", f"checkpoint.save_interval_updates={updates}"),
        *("dataset.validate_interval=1000", "checkpoint.save_interval=1000"),
    )


PRETRAINING: Command = (
    "optimization.lr=[0.001]",
    "lr_scheduler.phase_ratio=[0.13,0.57,0.3]",
    "dataset.max_tokens=384000",
    "task.max_sample_size=128000",
    "model.dropout=0",
    "model.attention_dropout=0",
    "model.encoder_layerdrop=0",
    *every(260),
)
FINETUNING: Command = (
    "optimization.lr=[0.002]",
    "optimization.update_freq=[1]",
    "dataset.max_tokens=192000",
    "model.feature_grad_mult=1",
    "model.freeze_finetune_updates=0",
    "model.layerdrop=0",
    "model.activation_dropout=0",
    "model.mask_prob=0.2",
    "model.mask_channel_prob=0.1",
    "model.mask_channel_length=16",
    "dataset.validate_after_updates=0",
    "checkpoint.keep_interval_updates=1",
    *every(130),
)


def pretrain(
    data: str,
    folder: str,
    seed: int,
    updates: int,
    settings: Command = PRETRAINING,
    recipe: str = "audio_base",
    size: str = "audio=tiny",
    run: str = "cpu",
    log_interval: int = 10,
) -> Command:
    """Return the command that pre-trains on the splits `train-unlabelled` and `valid-unlabelled`."""
    return (
        *training(recipe, data, folder, seed, run, log_interval),
        f"+size/{size}",
        *("dataset.train_subset=train-unlabelled", "dataset.valid_subset=valid-unlabelled"),
        f"optimization.max_update={updates}",
        *settings,
    )


def finetune(
    data: str,
    folder: str,
    pretrained: str,
    seed: int,
    updates: int,
    settings: Command = FINETUNING,
    run: str = "cpu",
    log_interval: int = 10,
) -> Command:
    """Return the command that trains with the labels of the split `train-labelled`, from a pre-trained checkpoint."""
    return (
        *training("asr_base_10m", data, folder, seed, run, log_interval),
        *("dataset.train_subset=train-labelled", "dataset.valid_subset=valid"),
        f"model.w2v_path={pretrained}/checkpoint_last.pt",
        f"optimization.max_update={updates}",
        *settings,
    )


def generate(data: str, trained: str, folder: str, post_process: str = "letter", run: str = "cpu") -> Command:
    """Return the command that decodes the split `test`."""
    return (
        *("fairseq-generate", data, "--user-dir", "data2vec_plugin", "--task", "data2vec_asr"),
        *("--post-process", post_process, "--gen-subset", "test"),
        *("--path", f"{trained}/checkpoint_best.pt", "--max-tokens", "1280000"),
        *("--scoring", "data2vec_asr", "--results-path", folder),
        *(("--cpu",) if run == "cpu" else ()),
    )


def beam_stages(root: Path, out: str, decode: Callable[[str, str], Command]) -> list[Stage]:
    """List the commands that build a lexicon and a 3-gram from labelled sentences, and decode both starts with them.

    Empty if flashlight-text is not installed, which does not have a wheel for every Python.

    Args:
        root: where the commands run.
        out: the folder of all results, with `data`, as it appears in commands.
        decode: returns the command that decodes a training, by its name, greedily to a folder.
    """
    if find_spec("flashlight") is None:
        return []
    data, lexicon, lm = f"{out}/data", f"{out}/lexicon.txt", f"{out}/lm.arpa"
    words = f"{data}/train-labelled.wrd"
    options = ("--lexicon", lexicon, "--lm-model", lm, "--lm-weight", "2", "--beam", "50")
    return [
        Stage(
            "lexicon",
            "spell the training sentences' words",
            ("data2vec", "lm", "lexicon", words, "--dict", f"{data}/dict.ltr.txt", "--out", lexicon),
            root / lexicon,
            after=("labels",),
        ),
        Stage(
            "ngram",
            "count the training sentences' words, pairs and triples",
            ("data2vec", "lm", "build", words, "--out", lm),
            root / lm,
            after=("labels",),
        ),
        *(
            Stage(
                f"beam-{name}",
                f"decode with beam search ({title})",
                (*decode(name, f"{out}/beam-{name}"), *options),
                root / out / f"beam-{name}",
                after=(name, "lexicon", "ngram"),
                logged=True,
            )
            for name, title in STARTS
        ),
    ]


@dataclass(frozen=True)
class Score:
    """The scores of fairseq-generate on a test set; rates in percent."""

    wer: float
    cer: float
    utterances: int


def read_score(path: Path) -> Score:
    """Read the last score of a results file of fairseq-generate.

    Raises:
        ValueError: the file is missing, or has no such line.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = list(SCORE.finditer(text))
    if not found:
        raise ValueError(
            f"{path}: no line with `WER … % | CER … % | … utterances`; "
            "decode with --scoring data2vec_asr --results-path"
        )
    last = found[-1]
    return Score(float(last["wer"]), float(last["cer"]), int(last["utterances"]))
