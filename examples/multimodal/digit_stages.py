"""The commands of the digits: scanned, spoken and written, the sum of the three modulo 3."""

from dataclasses import dataclass
from pathlib import Path

from small_models import IMAGE, SELDOM, TEXT

from data2vec_plugin.runs.quickstart import training
from data2vec_plugin.runs.stages import Stage

STREAMS = ("vision", "text", "audio")
RUNS = {"fusion": (STREAMS, "all three streams"), **{name: ((name,), f"{name} only") for name in STREAMS}}
ENCODERS = {"vision": "image", "text": "text", "audio": "audio"}


@dataclass(frozen=True)
class DigitProfile:
    """Everything that decides the figures of the digits, apart from the seed."""

    train: int = 4050
    valid: int = 405
    test: int = 1620
    updates_image: int = 250
    updates_text: int = 200
    updates_audio: int = 200
    updates_fusion: int = 400
    batch: int = 64
    image: tuple[str, ...] = (
        *IMAGE,
        "+task.normalization_mean=[0.3,0.3,0.3]",
        "+task.normalization_std=[0.37,0.37,0.37]",
        "+task.crop_scale=[0.8,1]",
        "optimization.lr=[0.005]",
        "lr_scheduler.warmup_updates=40",
        "model.depth=3",
        "model.patch_size=16",
        "model.num_mask_patches=2",
        "model.min_mask_patches_per_block=1",
        "model.max_mask_patches_per_block=2",
    )
    text: tuple[str, ...] = TEXT
    audio: tuple[str, ...] = (
        "+size/audio=tiny",
        "task.min_sample_size=1600",
        "task.max_sample_size=32000",
        "+task.enable_padding=true",
        "dataset.max_tokens=200000",
        "optimization.lr=[0.001]",
        "lr_scheduler.phase_ratio=[0.13,0.57,0.3]",
        "model.encoder_layers=3",
        "model.encoder_embed_dim=96",
        "model.encoder_ffn_embed_dim=384",
        "model.conv_feature_layers='[(32,20,10),(64,4,4),(96,4,4),(96,2,2)]'",
        "model.average_top_k_layers=2",
        "model.mask_prob=0.5",
        "model.mask_length=4",
        "model.dropout=0",
        "model.attention_dropout=0",
        "model.encoder_layerdrop=0",
    )
    fusion: tuple[str, ...] = (
        "task.emotions='scanned,written,spoken,sum'",
        "task.classes=3",
        "+task.normalize=true",
        "dataset.valid_subset=valid",
        "dataset.validate_interval=2",
        "checkpoint.save_interval=2",
        "optimization.lr=[0.003]",
        "lr_scheduler._name=polynomial_decay",
        *(f"~lr_scheduler.{name}" for name in ("lr_shrink", "lr_patience", "lr_threshold")),
        "+lr_scheduler.warmup_updates=50",
        "model.dim=128",
        "model.layers=2",
        "+model.prune_type=none",
        "+model.residual=true",
        "+model.activation=gelu",
        "+model.input_dropout=0.2",
        "model.attention_dropout=0",
    )


def digit_stages(profile: DigitProfile, seed: int, out: str, root: Path) -> list[Stage]:
    """List the commands, in order. `out` is as it shall appear in them, when they run in `root`."""
    return [
        *made(profile, seed, out, root),
        *pretrained(profile, seed, out, root),
        *fused(profile, seed, out, root),
        *predicted(out, root),
    ]


def made(profile: DigitProfile, seed: int, out: str, root: Path) -> list[Stage]:
    """Scans, recordings, words, and the tables of clips made of them."""
    pictures, digits = f"{out}/pictures", f"{out}/digits"
    counts = (f"--train={profile.train}", f"--valid={profile.valid}", f"--test={profile.test}", f"--seed={seed}")
    return [
        Stage(
            "pictures",
            "write scans of digits",
            (
                *("python", "examples/image/pictures.py", "--out", pictures, "--size=32"),
                *("--valid=15", "--test=45", f"--seed={seed}"),
            ),
            root / pictures,
        ),
        Stage(
            "digits",
            "speak digits, and put three into each clip",
            ("python", "examples/multimodal/digits.py", "--pictures", pictures, "--out", digits, *counts),
            root / digits,
            after=("pictures",),
        ),
    ]


def pretrained(profile: DigitProfile, seed: int, out: str, root: Path) -> list[Stage]:
    """An encoder for each stream, trained without labels, all three at the same time."""
    data = {"audio": f"{out}/digits/audio", "image": f"{out}/pictures", "text": f"{out}/digits/text"}
    more = {"text": (f"model.ema_anneal_end_step={profile.updates_text}",)}
    stages = []
    for name, folder in data.items():
        updates = getattr(profile, f"updates_{name}")
        stages.append(
            Stage(
                f"digits-{name}",
                f"pre-train on {name} of digits without labels",
                (
                    *training(f"{name}_base", folder, f"{out}/digits-{name}", seed),
                    *(f"optimization.max_update={updates}", *SELDOM),
                    *(*getattr(profile, name), *more.get(name, ())),
                ),
                root / out / f"digits-{name}",
                after=("digits",),
                updates=updates,
                beside="digits-audio" if name != "audio" else "",
            )
        )
    return stages


def encoders(out: str, streams: tuple[str, ...] = STREAMS) -> tuple[str, ...]:
    """Return the options that name the encoders."""
    paths = [f"--{stream}={out}/digits-{ENCODERS[stream]}/checkpoint_last.pt" for stream in streams]
    patches = ("--patches",) if "vision" in streams else ()
    return (*paths, *patches, *(("--symbols", f"--dict={out}/digits/text/dict.txt") if "text" in streams else ()))


def fused(profile: DigitProfile, seed: int, out: str, root: Path) -> list[Stage]:
    """Features of all clips; then MTAG on the three streams, and at the same time on each single one."""
    tables = [f"{out}/digits/{split}.tsv" for split in ("train", "valid")]
    return [
        Stage(
            "encode",
            "extract features of the clips",
            ("data2vec", "multimodal", "encode", *tables, "--out", f"{out}/encoded", *encoders(out)),
            root / out / "encoded",
            after=("digits", *(f"digits-{name}" for name in ENCODERS.values())),
        ),
        *(
            Stage(
                f"mtag-{name}",
                f"train MTAG on {title}",
                (
                    *training("mtag_iemocap", f"{out}/encoded", f"{out}/mtag-{name}", seed),
                    *(f"optimization.max_update={profile.updates_fusion}", f"dataset.batch_size={profile.batch}"),
                    *(*profile.fusion, f"+lr_scheduler.total_num_update={profile.updates_fusion}"),
                    f"+model.modalities='{','.join(streams)}'",
                ),
                root / out / f"mtag-{name}",
                after=("encode",),
                updates=profile.updates_fusion,
                beside="mtag-fusion" if name != "fusion" else "",
            )
            for name, (streams, title) in RUNS.items()
        ),
    ]


def predicted(out: str, root: Path) -> list[Stage]:
    """Predictions of each of the four on the raw test clips."""
    return [
        Stage(
            f"predict-{name}",
            f"predict the test clips from {title}",
            (
                *("data2vec", "multimodal", "predict", f"{out}/mtag-{name}", f"{out}/digits/test.tsv"),
                *("--out", f"{out}/predicted-{name}/predictions.json", *encoders(out, streams)),
            ),
            root / out / f"predicted-{name}",
            after=(f"mtag-{name}",),
            logged=True,
            beside="predict-fusion" if name != "fusion" else "",
        )
        for name, (streams, title) in RUNS.items()
    ]
