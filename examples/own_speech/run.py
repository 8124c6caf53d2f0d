"""The steps of this folder's README on a small corpus: strings of recorded digits, or synthesised Hindi.

Pre-trains without labels, fine-tunes, trains the same from scratch, and decodes unseen speakers. Every command is
printed before it runs; when run again, it resumes and reports what it skips.

    python examples/own_speech/run.py digits /path/to/recordings
    python examples/own_speech/run.py hindi
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data2vec_plugin.runs import speech_stages
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.speech_stages import STARTS, beam_stages, read_score
from data2vec_plugin.runs.stages import Command, Runner, Stage, below, run_or_list
from data2vec_plugin.runs.tables import print_table

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would
LABELLED = ("train-labelled", "valid", "test")

# half as many updates as in the quickstart, with the same number of warm-up updates
PHASES = "lr_scheduler.phase_ratio="
PRETRAINING = (
    *(word for word in speech_stages.PRETRAINING if not word.startswith(PHASES)),
    f"{PHASES}[0.25,0.45,0.3]",
)


class Units(NamedTuple):
    """What labels can be spelled in: in the plural, the options of `data2vec labels`, its ending, the way to words."""

    name: str
    options: Command
    ending: str
    back: str


WORDS = Units("words", ("--units", "word"), "wrd", "none")
SUBWORDS = Units("subwords", ("--units", "bpe", "--size", "60"), "bpe", "sentencepiece")


@dataclass(frozen=True)
class Corpus:
    """The command that makes the recordings, and the length of training."""

    make: Command
    """Command that writes the recordings to the folder given after it."""
    resample: bool
    """Whether their sample rate differs from 16 kHz."""
    units: Units
    """What is used in addition to letters."""
    updates_pretraining: int = 400
    updates_finetuning: int = 600


def stages(corpus: Corpus, seed: int, out: str) -> list[Stage]:
    """List the commands, in order. `out` is the folder as written in them."""
    data, recordings = f"{out}/data", f"{out}/recordings"
    copies = ("--resample-to", f"{out}/16k") if corpus.resample else ()
    manifest = ("data2vec", "manifest", recordings, *copies, "--out", data)
    labels = ("data2vec", "labels", *(f"{data}/{split}.tsv" for split in LABELLED))
    pretrain = speech_stages.pretrain(data, f"{out}/pretrain", seed, corpus.updates_pretraining, PRETRAINING)

    def decode(name: str, folder: str) -> Command:
        return speech_stages.generate(data, f"{out}/{name}", folder)

    return [
        Stage("recordings", "make the recordings", (*corpus.make, "--out", recordings), ROOT / recordings),
        Stage("manifest", "list the audio", manifest, ROOT / data, after=("recordings",)),
        Stage("labels", "spell the transcripts", labels, ROOT / data / "dict.ltr.txt", after=("manifest",)),
        Stage(
            "pretrain",
            "pre-train without labels",
            pretrain,
            ROOT / out / "pretrain",
            after=("manifest",),
            updates=corpus.updates_pretraining,
        ),
        *trainings(corpus, seed, out),
        *(
            Stage(
                f"generate-{name}",
                f"decode the test speakers ({title})",
                decode(name, f"{out}/generate-{name}"),
                ROOT / out / f"generate-{name}",
                after=(name,),
                logged=True,
            )
            for name, title in STARTS
        ),
        *beam_stages(ROOT, out, decode),
        *unit_stages(corpus, corpus.units, seed, out),
        transcription(corpus, out),
    ]


def trainings(corpus: Corpus, seed: int, out: str) -> list[Stage]:
    """List the trainings with letters: from pre-trained weights and from scratch, side by side."""
    starts = zip(
        STARTS, ("fine-tune from it", "train the same from scratch"), ((), ("model.no_pretrained_weights=true",))
    )
    return [
        Stage(
            name,
            title,
            (*finetune(corpus, seed, out, name), *extra),
            ROOT / out / name,
            after=("labels", "pretrain"),
            updates=corpus.updates_finetuning,
            beside="" if name == STARTS[0][0] else STARTS[0][0],
        )
        for (name, _), title, extra in starts
    ]


def unit_stages(corpus: Corpus, units: Units, seed: int, out: str) -> list[Stage]:
    """List what trains and decodes, from both starts, with other units instead of letters."""
    data, name = f"{out}/data", units.name
    manifests = tuple(f"{data}/{split}.tsv" for split in LABELLED)
    labels, options = f"{name[:-1]}-labels", (f"task.labels={units.ending}", f"+criterion.post_process={units.back}")
    found = [
        Stage(
            labels,
            f"spell the transcripts in {name}",
            ("data2vec", "labels", *manifests, *units.options),
            ROOT / data / f"dict.{units.ending}.txt",
            after=("manifest",),
        )
    ]
    for folder, title, extra in (
        (name, f"fine-tune with {name}", ()),
        (f"{name}-scratch", f"train with {name} from scratch", ("model.no_pretrained_weights=true",)),
    ):
        decode = speech_stages.generate(data, f"{out}/{folder}", f"{out}/generate-{folder}", units.back)
        found += [
            Stage(
                folder,
                title,
                (*finetune(corpus, seed, out, folder), *options, *extra),
                ROOT / out / folder,
                after=(labels, "pretrain"),
                updates=corpus.updates_finetuning,
                beside=name if extra else "",
            ),
            Stage(
                f"generate-{folder}",
                f"decode the test speakers ({folder})",
                (*decode, "--labels", units.ending),
                ROOT / out / f"generate-{folder}",
                after=(folder,),
                logged=True,
            ),
        ]
    return [*found[:2], found[3], found[2], found[4]]  # both trainings side by side


def finetune(corpus: Corpus, seed: int, out: str, name: str) -> Command:
    """Return the command that trains with labels, into the folder of that name."""
    return speech_stages.finetune(f"{out}/data", f"{out}/{name}", f"{out}/pretrain", seed, corpus.updates_finetuning)


def transcription(corpus: Corpus, out: str) -> Stage:
    """The command that transcribes the test recordings: `data2vec transcribe` needs neither a manifest nor 16 kHz."""
    command = (
        *("data2vec", "transcribe", f"{out}/finetune/checkpoint_best.pt", f"{out}/recordings/test"),
        *("--out", f"{out}/transcripts", "--format", "txt,json,srt"),
    )
    return Stage(
        "transcribe",
        "transcribe the test recordings",
        command,
        ROOT / out / "transcripts",
        after=("finetune",),
        logged=True,
    )


def report(runner: Runner, seconds: float) -> None:
    """Print the error rates, and write them to report.json."""
    rows, results = [], {}
    ways = {"greedy": "generate", "beam search + 3-gram": "beam"}
    for (name, title), (way, prefix) in ((start, way) for way in ways.items() for start in STARTS):
        results[f"{title}, {way}"] = runner.out / f"{prefix}-{name}" / "generate-test.txt"
    for units in ("words", "subwords"):
        for folder, title in ((units, "pre-trained"), (f"{units}-scratch", "from scratch")):
            results[f"{title}, {units}, greedy"] = runner.out / f"generate-{folder}" / "generate-test.txt"
    scores = {title: read_score(path) for title, path in results.items() if path.exists()}
    for title, score in scores.items():
        rows.append((title, f"{score.wer:.1f} %", f"{score.cer:.1f} %"))
    print()
    count = next(iter(scores.values())).utterances
    print_table(f"{count} test recordings, by unseen speakers", ("", "WER", "CER"), rows)
    facts = {title: vars(score) for title, score in scores.items()}
    write_results(runner.out / "report.json", {"scores": facts, **runner.costs(Path("none"), seconds)})
    print(f"\n{runner.out / 'report.json'}; {clock(runner.seconds())} in all")


def corpus_of(args: argparse.Namespace) -> Corpus:
    """Return the corpus that the command line asks for."""
    if args.corpus == "hindi":
        return Corpus(
            ("python", "examples/own_speech/speak_hindi.py"),
            resample=False,
            units=SUBWORDS,
            updates_pretraining=300,
            updates_finetuning=500,
        )
    speakers = ("--test-speakers", args.test_speakers) if args.test_speakers else ()
    return Corpus(
        ("python", "examples/own_speech/join_digits.py", str(args.recordings), *speakers), resample=True, units=WORDS
    )


def build_parser() -> argparse.ArgumentParser:
    """The options of both corpora."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    corpora = parser.add_subparsers(dest="corpus", metavar="CORPUS", required=True)
    digits = corpora.add_parser("digits", help="strings of digits joined from recordings of single ones")
    digits.add_argument("recordings", type=Path, help="folder with SPEAKER/DIGIT_NN.flac, or .wav")
    digits.add_argument("--test-speakers", metavar="NAMES", help="comma-separated (default: the last third of all)")
    hindi = corpora.add_parser("hindi", help="sentences spoken by eSpeak NG")
    for each, name in ((digits, "digits"), (hindi, "hindi")):
        each.add_argument("--seed", type=int, default=1, help="seed of all trainings (default: 1)")
        each.add_argument(
            "--out", type=Path, default=Path("outputs", name), help=f"folder of all results (default: outputs/{name})"
        )
        each.add_argument("--list", action="store_true", help="print the commands without running them")
    return parser


def main() -> int:
    """Run the stages and print the error rates."""
    args, begin = build_parser().parse_args(), time.monotonic()
    runner = Runner(args.out.resolve(), ROOT)
    code = run_or_list(runner, stages(corpus_of(args), args.seed, below(ROOT, args.out)), args.list)
    if code is None:
        report(runner, time.monotonic() - begin)
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
