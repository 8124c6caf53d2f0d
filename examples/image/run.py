"""The image quickstart: from scans of digits in a pip package to a comparison of a pre-trained and an untrained start.

Writes scikit-learn's digits as images, pre-trains data2vec on them without labels, fine-tunes it on a few labels per
digit, trains the same model from scratch, scores both on unseen images, and compares frozen features with those of an
untrained encoder. Every command is printed before it runs; when run again, it resumes and reports what it skips.

    make quickstart-image
    make quickstart-image METHOD=2
    python examples/image/run.py --seed 2 --out outputs/quickstart-image-2
"""

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from report_image import write_report

from data2vec_plugin.runs.quickstart import options_of_methods, settle_folders, training
from data2vec_plugin.runs.stages import Runner, Stage, below, run_or_list
from data2vec_plugin.runs.two_starts import both_starts

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would

# Preprocessing of digits in both tasks: their own mean and deviation, no flips.
PICTURES = (
    *("task.input_size=32", "+task.flip_prob=0"),
    *("+task.normalization_mean=[0.3,0.3,0.3]", "+task.normalization_std=[0.38,0.38,0.38]"),
)


@dataclass(frozen=True)
class Profile:
    """All settings that the results depend on, apart from the seed. Sizes are those of +size/image."""

    shots: int = 10
    valid: int = 30
    test: int = 40
    method: int = 1
    size: str = "tiny"
    updates_pretraining: int = 2500
    updates_finetuning: int = 500
    pretraining: tuple[str, ...] = (
        "+task.color_jitter=0",
        "+task.crop_scale=[0.7,1]",
        "dataset.batch_size=64",
        "dataset.disable_validation=false",
        "dataset.validate_interval=1000",
        "dataset.validate_interval_updates=500",
        "checkpoint.save_interval=1000",
        "checkpoint.save_interval_updates=500",
        "optimization.lr=[0.01]",
        "lr_scheduler.warmup_updates=100",
        "lr_scheduler.min_lr=0",
        "optimizer.adam_betas='(0.9,0.98)'",
        "model.embed_dim=64",
        "model.num_mask_patches=9",
        "model.min_mask_patches_per_block=2",
        "model.max_mask_patches_per_block=16",
        "model.layer_scale_init_value=0",
        "model.attention_dropout=0",
        "model.average_top_k_layers=2",
        "+model.instance_norm_target_layer=true",
        "model.layer_norm_target_layer=false",
        "model.norm_eps=1e-05",
        "+model.shared_rel_pos_bias=false",
        "model.ema_decay=0.99",
        "model.ema_end_decay=0.999",
    )
    # Both trainings with labels use exactly these: only the initial weights differ.
    finetuning: tuple[str, ...] = (
        "+task.auto_augment=none",
        "+task.erase_prob=0",
        "dataset.batch_size=50",
        "dataset.validate_interval=20",
        "checkpoint.save_interval=20",
        "optimization.lr=[0.005]",
        "lr_scheduler.warmup_updates=50",
        "lr_scheduler.min_lr=0",
        "optimizer.weight_decay=0.05",
        "model.drop_path=0",
        "model.layer_decay=1",
        "model.mixup=0",
        "model.cutmix=0",
    )


RECIPES = {1: "image_base", 2: "image2_base"}
SIZES = {1: "image", 2: "image2"}

# Settings that differ for data2vec 2.0: half the images with four masks each, in which blocks of two patches stay
# visible; all layers except the modality's own are targets.
BY_DATA2VEC_2 = replace(
    Profile(),
    method=2,
    updates_pretraining=1250,
    pretraining=(
        "task.crop_scale=[0.7,1]",
        "dataset.batch_size=32",
        "dataset.disable_validation=false",
        "dataset.validate_interval=1000",
        "dataset.validate_interval_updates=250",
        "checkpoint.save_interval=1000",
        "checkpoint.save_interval_updates=250",
        "optimization.lr=[0.005]",
        "lr_scheduler.warmup_updates=100",
        "optimizer.adam_betas='(0.9,0.98)'",
        "model.embed_dim=64",
        "model.clone_batch=4",
        "model.norm_eps=1e-05",
        "model.ema_decay=0.99",
        "model.ema_end_decay=0.999",
        "model.ema_anneal_end_step=1250",
        "model.modalities.image.embed_dim=64",
        "model.modalities.image.mask_prob=0.6",
        "model.modalities.image.mask_length=2",
        "model.modalities.image.decoder.decoder_dim=64",
    ),
)
METHODS = {1: Profile(), 2: BY_DATA2VEC_2}
OUT = Path("outputs/quickstart-image")


def stages(profile: Profile, seed: int, out: str) -> list[Stage]:
    """List the commands, in order. `out` is the folder as written in them."""
    pictures = f"{out}/pictures"
    options = (f"--shots={profile.shots}", f"--valid={profile.valid}", f"--test={profile.test}")
    return [
        Stage(
            "pictures",
            "write scikit-learn's digits as images",
            ("python", "examples/image/pictures.py", "--out", pictures, *options),
            ROOT / pictures,
        ),
        Stage(
            "pretrain",
            "pre-train without labels",
            pretrain(profile, seed, pictures, f"{out}/pretrain"),
            ROOT / out / "pretrain",
            after=("pictures",),
            updates=profile.updates_pretraining,
        ),
        Stage(
            "untrained",
            "save the initial weights",
            (*pretrain(profile, seed, pictures, f"{out}/untrained"), *UNTRAINED),
            ROOT / out / "untrained",
            after=("pictures",),
            updates=1,
        ),
        *both_starts(
            ROOT / out,
            "pictures",
            lambda name: finetune(profile, seed, pictures, f"{out}/{name}", f"{out}/pretrain"),
            "+model.no_pretrained_weights=true",
            lambda name: (
                *("fairseq-validate", pictures, "--user-dir", "data2vec_plugin", "--task", "image_classification"),
                *("--path", f"{out}/{name}/checkpoint_best.pt", "--valid-subset", "test", "--batch-size", "100"),
                *("--cpu", "--log-format", "json"),
            ),
            profile.updates_finetuning,
        ),
        *(
            Stage(
                f"features-{name}",
                f"frozen features of all images ({name})",
                (
                    *("data2vec", "features", f"{out}/{name}/checkpoint_last.pt", "--input", pictures),
                    *("--out", f"{out}/features-{name}", "--pool", "mean", "--device", "cpu", "--batch", "100"),
                ),
                ROOT / out / f"features-{name}",
                after=(name,),
            )
            for name in ("pretrain", "untrained")
        ),
        Stage(
            "probe",
            "nearest neighbour and linear probe of the features",
            (
                *("python", "examples/image/probe.py", pictures, "--out", f"{out}/probe.json", "--features"),
                *(f"pretrained={out}/features-pretrain", f"untrained={out}/features-untrained"),
            ),
            ROOT / out / "probe.json",
            after=("features-pretrain", "features-untrained"),
        ),
    ]


UNTRAINED = (
    *("optimization.max_update=1", "optimization.lr=[1e-12]"),
    *("dataset.disable_validation=true", "checkpoint.save_interval_updates=0"),
)


def pretrain(profile: Profile, seed: int, data: str, folder: str) -> tuple[str, ...]:
    """Return the command that pre-trains."""
    return (
        *training(RECIPES[profile.method], data, folder, seed),
        *PICTURES,
        *(f"+size/{SIZES[profile.method]}={profile.size}", f"optimization.max_update={profile.updates_pretraining}"),
        *profile.pretraining,
    )


def finetune(profile: Profile, seed: int, data: str, folder: str, pretrained: str) -> tuple[str, ...]:
    """Return the command that trains with labels, from a pre-trained checkpoint."""
    return (
        *training("imagenet_base", data, folder, seed),
        *PICTURES,
        *("dataset.train_subset=labelled", "dataset.valid_subset=valid", "model.num_classes=10"),
        *(f"model.model_path={pretrained}/checkpoint_last.pt", f"optimization.max_update={profile.updates_finetuning}"),
        *profile.finetuning,
    )


def count_pictures(folder: Path) -> dict[str, int]:
    """Return the number of images of each digit in a folder."""
    return {each.name: len(list(each.glob("*.png"))) for each in sorted(folder.iterdir())}


def main() -> int:
    """Run the stages and write the report."""
    args = options_of_methods(__doc__ or "", OUT).parse_args()
    settle_folders(args, OUT)
    profile, begin = METHODS[args.method], time.monotonic()
    runner = Runner(args.out.resolve(), ROOT)
    code = run_or_list(runner, stages(profile, args.seed, below(ROOT, args.out)), args.list)
    if code is not None:
        return code
    splits = {
        split: count_pictures(runner.out / "pictures" / split) for split in ("train", "labelled", "valid", "test")
    }
    facts = {**asdict(profile), "seed": args.seed, "pictures": splits}
    write_report(runner, facts, args.beside, Path(sys.prefix) / ".install_seconds", time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
