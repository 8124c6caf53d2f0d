"""The multimodal quickstart: synthetic memes and sums of digits, which no single part of them can predict.

Draws memes from data in pip packages, pre-trains data2vec on their images and on captions without labels, trains the
meme classifier on the frozen features of both, compares it with images only and captions only, and measures how well
tesseract reads the captions. Then clips of three digits, scanned, written and spoken: pre-trains data2vec on each,
trains MTAG on the frozen features of all three and of each one, and predicts the sum modulo 3 of new clips with all
four. Every command is printed before it runs; when run again, it resumes and reports what it skips.

    make quickstart-multimodal
    python examples/multimodal/run.py --seed 2 --out outputs/quickstart-multimodal-2
"""

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from digit_stages import DigitProfile, digit_stages
from read_captions import readable
from report_multimodal import write_report
from small_models import IMAGE, SELDOM, TEXT

from data2vec_plugin.runs.quickstart import options, training
from data2vec_plugin.runs.stages import Runner, Stage, below, run_or_list

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would


@dataclass(frozen=True)
class Profile:
    """All settings that the results on memes depend on, apart from the seed."""

    train: int = 1600
    valid: int = 200
    test: int = 600
    read: int = 40
    updates_image: int = 250
    updates_text: int = 300
    epochs: int = 12
    image: tuple[str, ...] = (
        *IMAGE,
        "+task.normalization_mean=[0.3,0.3,0.3]",
        "+task.normalization_std=[0.3,0.3,0.3]",
        "+task.crop_scale=[0.7,1]",
        "checkpoint.save_interval=1000",
        "checkpoint.save_interval_updates=200",
        "optimization.lr=[0.01]",
        "lr_scheduler.warmup_updates=60",
        "model.num_mask_patches=9",
        "model.min_mask_patches_per_block=2",
        "model.max_mask_patches_per_block=16",
    )
    text: tuple[str, ...] = (*TEXT, *SELDOM)


def stages(profile: Profile, seed: int, out: str) -> list[Stage]:
    """List the commands, in order. `out` is the folder as written in them."""
    memes, text = f"{out}/memes", f"{out}/memes/text"
    counts = (f"--train={profile.train}", f"--valid={profile.valid}", f"--test={profile.test}", f"--seed={seed}")
    return [
        Stage(
            "memes",
            "draw memes",
            ("python", "examples/multimodal/memes.py", "--out", memes, *counts),
            ROOT / memes,
        ),
        Stage(
            "image",
            "pre-train on images without labels",
            (
                *training("image_base", f"{memes}/unlabelled", f"{out}/image", seed),
                *(f"optimization.max_update={profile.updates_image}", *profile.image),
            ),
            ROOT / out / "image",
            after=("memes",),
            updates=profile.updates_image,
        ),
        Stage(
            "text",
            "pre-train on captions without labels",
            (
                *training("text_base", text, f"{out}/text", seed),
                *(f"optimization.max_update={profile.updates_text}", *profile.text),
                f"model.ema_anneal_end_step={profile.updates_text}",
            ),
            ROOT / out / "text",
            after=("memes",),
            updates=profile.updates_text,
            beside="image",
        ),
        Stage(
            "fuse",
            "train the classifier on frozen features",
            (
                *training("meme_data2vec", memes, f"{out}/fuse", seed),
                *("task.input_size=32", "+task.symbols=true", f"+task.dictionary={text}/dict.txt"),
                f"model.image_path={out}/image/checkpoint_last.pt",
                f"model.text_path={out}/text/checkpoint_last.pt",
                f"optimization.max_epoch={profile.epochs}",
            ),
            ROOT / out / "fuse",
            after=("image", "text"),
            updates=profile.epochs * -(-profile.train // 25),
        ),
        Stage(
            "report",
            "compare it with each single part",
            (
                *("data2vec", "memes", "report", f"{out}/fuse", "--data", memes, "--split", "test"),
                *("--out", f"{out}/memes-report"),
            ),
            ROOT / out / "memes-report",
            after=("fuse",),
        ),
        Stage(
            "ocr",
            "read captions with tesseract, if it is installed",
            (
                *("python", "examples/multimodal/read_captions.py", memes, f"--pictures={readable(profile.read)}"),
                *("--out", f"{out}/captions/ocr.json"),
            ),
            ROOT / out / "captions",
            after=("memes",),
        ),
    ]


def main() -> int:
    """Run the stages and write the report."""
    args = options(__doc__ or "", Path("outputs/quickstart-multimodal")).parse_args()
    memes, digits, begin = Profile(), DigitProfile(), time.monotonic()
    runner, out = Runner(args.out.resolve(), ROOT), below(ROOT, args.out)
    commands = [*stages(memes, args.seed, out), *digit_stages(digits, args.seed, out, ROOT)]
    code = run_or_list(runner, commands, args.list)
    if code is not None:
        return code
    facts = {"memes": asdict(memes), "digits": asdict(digits), "seed": args.seed}
    write_report(runner, facts, Path(sys.prefix) / ".install_seconds", time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
