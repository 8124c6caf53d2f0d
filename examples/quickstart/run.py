"""The speech quickstart: a comparison of a pre-trained and an untrained start, from synthesised speech.

Synthesises speech, pre-trains data2vec on it, fine-tunes with CTC, trains the same model from
scratch, decodes both on unseen voices, greedily and with beam search and a 3-gram of the training
sentences, and writes report.json and report.png. Every command is printed before it runs; when run
again, it resumes and reports what it skips.

    make quickstart
    make quickstart METHOD=2
    python examples/quickstart/run.py --profile long --seed 2 --out outputs/quickstart-2
"""

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from report_speech import write_report

from data2vec_plugin.runs import speech_stages
from data2vec_plugin.runs.quickstart import options_of_methods, settle_folders
from data2vec_plugin.runs.speech_stages import STARTS, beam_stages, every
from data2vec_plugin.runs.stages import Runner, Stage, below, run_or_list

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would


@dataclass(frozen=True)
class Profile:
    """All settings that the results depend on, apart from the seed. Sizes are those of +size/audio."""

    # corpus
    unlabelled_minutes: float = 32.0
    labelled_minutes: float = 5.0
    train_voices: int = 12
    labelled_voices: int = 12
    valid_utterances: int = 60
    test_utterances: int = 100
    corpus_seed: int = 1
    # training
    method: int = 1
    size: str = "tiny"
    run: str = "cpu"
    updates_pretraining: int = 780
    updates_finetuning: int = 520
    log_interval: int = 10
    pretraining: tuple[str, ...] = speech_stages.PRETRAINING
    # Both trainings with labels use exactly these: only the initial weights differ.
    finetuning: tuple[str, ...] = speech_stages.FINETUNING


PROFILES = {
    "quick": Profile(),
    "long": Profile(updates_pretraining=1600, updates_finetuning=1000),
}
RECIPES = {1: "audio_base", 2: "audio2_base"}
SIZES = {1: "audio", 2: "audio2"}

# Settings that differ for data2vec 2.0: two clips per batch with two masks each, which leave a third of the frames
# visible, a decoder of one layer, half as wide as the encoder, and ALiBi in addition to fewer position convolutions.
# Important: as much is masked, in spans of the same length, as in data2vec 1 (half, in spans of five frames, can be
# interpolated, and then pre-training does not help), and a learning rate of 8e-4 (from 1e-3 on with three masks, or
# with the top three layers as targets, frames became identical).
PRETRAINING_2 = (
    "dataset.max_tokens=256000",
    "task.max_sample_size=128000",
    "model.clone_batch=2",
    "optimization.lr=[0.0008]",
    "lr_scheduler.warmup_updates=120",
    "model.ema_decay=0.999",
    "model.ema_end_decay=0.999",
    "model.layerdrop=0",
    "+model.encoder_dropout=0",
    "+model.post_mlp_drop=0",
    "+model.attention_dropout=0",
    "model.modalities.audio.prenet_dropout=0",
    "model.modalities.audio.conv_pos_depth=2",
    "model.modalities.audio.conv_pos_width=38",
    "model.modalities.audio.mask_prob=0.65",
    "model.modalities.audio.mask_length=10",
    "model.modalities.audio.decoder.decoder_dim=96",
    "model.modalities.audio.decoder.decoder_layers=1",
    *every(250),
)


def by_data2vec_2(profile: Profile, updates: int) -> Profile:
    """The same corpus and the same trainings with labels, after pre-training with data2vec 2.0."""
    return replace(profile, method=2, updates_pretraining=updates, pretraining=PRETRAINING_2)


METHODS = {
    1: PROFILES,
    2: {"quick": by_data2vec_2(PROFILES["quick"], 750), "long": by_data2vec_2(PROFILES["long"], 1500)},
}
OUT = Path("outputs/quickstart")


def stages(profile: Profile, seed: int, out: str) -> list[Stage]:
    """List the commands of the quickstart, in order. `out` is the folder as written in them."""
    corpus, data = f"{out}/corpus", f"{out}/data"
    labels = (f"{data}/train-labelled.tsv", f"{data}/valid.tsv", f"{data}/test.tsv")
    return [
        Stage(
            "corpus",
            "synthesise speech",
            (
                "python",
                "examples/quickstart/synthesise.py",
                "--out",
                corpus,
                *corpus_options(profile),
            ),
            ROOT / corpus,
        ),
        Stage(
            "manifest",
            "list the audio",
            ("data2vec", "manifest", corpus, "--out", data),
            ROOT / data,
            after=("corpus",),
        ),
        Stage(
            "labels",
            "spell the transcripts",
            ("data2vec", "labels", *labels),
            ROOT / data / "dict.ltr.txt",
            after=("manifest",),
        ),
        Stage(
            "pretrain",
            "pre-train without labels",
            pretrain(profile, seed, data, f"{out}/pretrain"),
            ROOT / out / "pretrain",
            after=("manifest",),
            updates=profile.updates_pretraining,
        ),
        Stage(
            "finetune",
            "fine-tune from it",
            finetune(profile, seed, data, f"{out}/finetune", f"{out}/pretrain"),
            ROOT / out / "finetune",
            after=("labels", "pretrain"),
            updates=profile.updates_finetuning,
        ),
        Stage(
            "scratch",
            "train the same from scratch",
            (
                *finetune(profile, seed, data, f"{out}/scratch", f"{out}/pretrain"),
                "model.no_pretrained_weights=true",
            ),
            ROOT / out / "scratch",
            after=("labels", "pretrain"),
            updates=profile.updates_finetuning,
            beside="finetune",
        ),
        *(
            Stage(
                f"generate-{name}",
                f"decode the test voices ({title})",
                generate(profile, data, f"{out}/{name}", f"{out}/generate-{name}"),
                ROOT / out / f"generate-{name}",
                after=(name,),
                logged=True,
            )
            for name, title in STARTS
        ),
        *beam_stages(ROOT, out, lambda name, folder: generate(profile, data, f"{out}/{name}", folder)),
    ]


def corpus_options(profile: Profile) -> list[str]:
    """Return the options of synthesise.py."""
    names = ("unlabelled_minutes", "labelled_minutes", "train_voices", "labelled_voices")
    options = [f"--seed={profile.corpus_seed}"]
    for name in (*names, "valid_utterances", "test_utterances"):
        options.append(f"--{name.replace('_', '-')}={getattr(profile, name)}")
    return options


def pretrain(profile: Profile, seed: int, data: str, folder: str) -> tuple[str, ...]:
    """Return the command that pre-trains."""
    return speech_stages.pretrain(
        data,
        folder,
        seed,
        profile.updates_pretraining,
        profile.pretraining,
        RECIPES[profile.method],
        f"{SIZES[profile.method]}={profile.size}",
        profile.run,
        profile.log_interval,
    )


def finetune(profile: Profile, seed: int, data: str, folder: str, pretrained: str) -> tuple[str, ...]:
    """Return the command that trains with labels, from a pre-trained checkpoint."""
    updates, settings = profile.updates_finetuning, profile.finetuning
    return speech_stages.finetune(data, folder, pretrained, seed, updates, settings, profile.run, profile.log_interval)


def generate(profile: Profile, data: str, trained: str, folder: str) -> tuple[str, ...]:
    """Return the command that decodes the test split."""
    return speech_stages.generate(data, trained, folder, run=profile.run)


def main() -> int:
    """Run the stages and write the report."""
    parser = options_of_methods(__doc__ or "", OUT)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    args = parser.parse_args()
    settle_folders(args, OUT)
    profile, begin = METHODS[args.method][args.profile], time.monotonic()
    runner = Runner(args.out.resolve(), ROOT)
    code = run_or_list(runner, stages(profile, args.seed, below(ROOT, args.out)), args.list)
    if code is not None:
        return code
    facts = {**asdict(profile), "profile": args.profile, "seed": args.seed}
    write_report(runner, facts, args.beside, Path(sys.prefix) / ".install_seconds", time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
