"""The text quickstart: from a pip package's English to a comparison of a pre-trained and an untrained start.

Extracts Wikipedia articles from the gensim package, learns subwords, pre-trains data2vec on the articles, fine-tunes it
to detect typos, trains the same model from scratch, and scores both on unseen articles. Every command is printed before
it runs; when run again, it resumes and reports what it skips.

    make quickstart-text
    make quickstart-text METHOD=2
    python examples/text/run.py --seed 2 --out outputs/quickstart-text-2
"""

import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from report_text import write_report

from data2vec_plugin.runs.quickstart import options_of_methods, settle_folders, training
from data2vec_plugin.runs.stages import Runner, Stage, below, run_or_list
from data2vec_plugin.runs.two_starts import both_starts

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would


@dataclass(frozen=True)
class Profile:
    """All settings that the results depend on, apart from the seed. Sizes are those of +size/text."""

    labelled: int = 4000
    held_out: int = 1000
    subwords: int = 250
    method: int = 1
    size: str = "tiny"
    updates_pretraining: int = 2400
    updates_finetuning: int = 900
    pretraining: tuple[str, ...] = (
        "task.bpe=sentencepiece",
        "task.sample_break_mode=none",
        "task.tokens_per_sample=24",
        "task.mask_prob=0.15",
        "task.mask_multiple_length=1",
        "dataset.max_tokens=2048",
        "optimization.lr=[0.002]",
        "lr_scheduler.warmup_updates=240",
        "model.ema_anneal_end_step=2400",
        "model.transformer.encoder.layers=2",
        "model.average_top_k_layers=2",
        "model.transformer.dropout=0",
        "model.transformer.attention_dropout=0",
        "dataset.validate_interval=1000",
        "dataset.validate_interval_updates=600",
        "checkpoint.save_interval=1000",
        "checkpoint.save_interval_updates=600",
    )
    # Both trainings with labels use exactly these: only the initial weights differ.
    finetuning: tuple[str, ...] = (
        "dataset.batch_size=32",
        "optimization.lr=[0.001]",
        "lr_scheduler.warmup_updates=90",
        "model.dropout=0",
        "model.attention_dropout=0",
        "dataset.validate_interval=1",
        "checkpoint.save_interval=1",
    )


CLASSES = 2
RECIPES = {1: "text_base", 2: "text2_base"}
SIZES = {1: "text", 2: "text2"}

# Settings that differ for data2vec 2.0: half the rows with four masks each, of half of the tokens; a decoder in
# addition to the two layers.
BY_DATA2VEC_2 = replace(
    Profile(),
    method=2,
    updates_pretraining=1200,
    pretraining=(
        "task.bpe=sentencepiece",
        "task.tokens_per_sample=24",
        "dataset.batch_size=null",
        "+dataset.max_tokens=1024",
        "model.clone_batch=4",
        "optimization.lr=[0.002]",
        "lr_scheduler.warmup_updates=120",
        "model.depth=2",
        "model.average_top_k_layers=2",
        "model.ema_decay=0.998",
        "model.ema_end_decay=0.999",
        "model.ema_anneal_end_step=1200",
        "+model.encoder_dropout=0",
        "+model.post_mlp_drop=0",
        "+model.attention_dropout=0",
        "+model.modalities.text.dropout=0",
        "model.modalities.text.decoder.input_dropout=0",
        "dataset.validate_interval=1000",
        "dataset.validate_interval_updates=300",
        "checkpoint.save_interval=1000",
        "checkpoint.save_interval_updates=300",
    ),
)
METHODS = {1: Profile(), 2: BY_DATA2VEC_2}
OUT = Path("outputs/quickstart-text")


def stages(profile: Profile, seed: int, out: str) -> list[Stage]:
    """List the commands, in order. `out` is the folder as written in them."""
    corpus, data, binaries = f"{out}/corpus", f"{out}/corpus/text", f"{out}/snippets"
    subwords = ("--sentencepiece", f"{data}/spm.model", "--dict", f"{data}/dict.txt")
    options = (f"--labelled={profile.labelled}", f"--held-out={profile.held_out}")
    return [
        Stage(
            "corpus",
            "extract the articles from gensim",
            ("python", "examples/text/corpus.py", "--out", corpus, *options),
            ROOT / corpus,
        ),
        Stage(
            "subwords",
            "learn subwords",
            ("data2vec", "subwords", f"{data}/train.txt", "--out", data, f"--size={profile.subwords}"),
            ROOT / data / "spm.model",
            after=("corpus",),
        ),
        Stage(
            "sentences",
            "encode the labelled snippets",
            ("data2vec", "sentences", f"{corpus}/labelled", "--out", binaries, *subwords),
            ROOT / binaries,
            after=("subwords",),
        ),
        Stage(
            "pretrain",
            "pre-train without labels",
            pretrain(profile, seed, data, f"{out}/pretrain"),
            ROOT / out / "pretrain",
            after=("subwords",),
            updates=profile.updates_pretraining,
        ),
        *both_starts(
            ROOT / out,
            "sentences",
            lambda name: finetune(profile, seed, binaries, f"{out}/{name}", f"{out}/pretrain"),
            "model.no_pretrained_weights=true",
            lambda name: (
                *("fairseq-validate", binaries, "--user-dir", "data2vec_plugin", "--task", "sentence_prediction"),
                *("--path", f"{out}/{name}/checkpoint_best.pt", "--valid-subset", "test", "--batch-size", "64"),
                *("--criterion", "data2vec_sentence_prediction", "--num-classes", str(CLASSES)),
                *("--cpu", "--log-format", "json"),
            ),
            profile.updates_finetuning,
        ),
    ]


def pretrain(profile: Profile, seed: int, data: str, folder: str) -> tuple[str, ...]:
    """Return the command that pre-trains."""
    return (
        *training(RECIPES[profile.method], data, folder, seed),
        *(f"+size/{SIZES[profile.method]}={profile.size}", f"optimization.max_update={profile.updates_pretraining}"),
        *profile.pretraining,
    )


def finetune(profile: Profile, seed: int, data: str, folder: str, pretrained: str) -> tuple[str, ...]:
    """Return the command that trains with labels, from a pre-trained checkpoint."""
    return (
        *training("text_classification", data, folder, seed),
        *(f"task.num_classes={CLASSES}", f"model.model_path={pretrained}/checkpoint_last.pt"),
        f"optimization.max_update={profile.updates_finetuning}",
        *profile.finetuning,
    )


def majority(tsv: Path) -> tuple[int, float]:
    """Return the number of labelled snippets in a file, and the share of its most frequent label in percent."""
    labels = Counter(line.split("\t")[0] for line in tsv.read_text(encoding="utf-8").splitlines()[1:])
    return sum(labels.values()), 100 * max(labels.values()) / sum(labels.values())


def main() -> int:
    """Run the stages and write the report."""
    args = options_of_methods(__doc__ or "", OUT).parse_args()
    settle_folders(args, OUT)
    profile, begin = METHODS[args.method], time.monotonic()
    runner = Runner(args.out.resolve(), ROOT)
    code = run_or_list(runner, stages(profile, args.seed, below(ROOT, args.out)), args.list)
    if code is not None:
        return code
    count, share = majority(runner.out / "corpus" / "labelled" / "test.tsv")
    facts = {**asdict(profile), "seed": args.seed, "n_test_snippets": count, "accuracy_majority": round(share, 2)}
    write_report(runner, facts, args.beside, Path(sys.prefix) / ".install_seconds", time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
