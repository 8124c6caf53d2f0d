"""Do more unaligned streams help, and do pruning and edge types? MTAG on real speech, classifying nine speakers.

Trains each row by `--multirun` over three seeds, tests it after the last epoch, and writes the accuracies next to that
of a logistic regression on mean cepstra. When run again, it resumes and reports what it skips.

    pip install --no-deps aeon scikit-learn joblib threadpoolctl
    python examples/mtag/japanese_vowels.py --out outputs/japanese-vowels
"""

import argparse
import statistics
import sys
from pathlib import Path

import numpy as np
from vowel_streams import SPLITS, read_utterances, recordings

from data2vec_plugin.runs.drawing import BLUE, GREY, ORANGE, picture
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.panels import STYLE
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.stages import Runner, Stage, run_or_list
from data2vec_plugin.runs.tables import print_table
from data2vec_plugin.runs.training_log import read_training_log

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would

SEEDS = (0, 1, 2)
EPOCHS, BATCH = 40, 16
ROWS = {  # name: description, keys
    "one": ("one stream", ("+model.modalities=vision",)),
    "two": ("two streams", ("+model.modalities='vision,text'",)),
    "three": ("three streams", ()),
    "no_pruning": ("three, no pruning", ("+model.prune_type=none",)),
    "random_pruning": ("three, random pruning", ("+model.prune_type=random",)),
    "no_edge_types": ("three, one kind of edges", ("+model.time_aware_edges=false", "+model.type_aware_edges=false")),
    "time_edges": ("three, kinds by time only", ("+model.type_aware_edges=false",)),
}
LINEAR = "logistic regression on mean cepstra"
SHARED = (
    "+run=cpu",
    *("task.emotions=speaker", "task.classes=9", "dataset.valid_subset=test", f"dataset.batch_size={BATCH}"),
    *("model.dim=32", "model.layers=3", "+model.activation=lrelu", "optimization.lr=[0.003]"),
    *(f"optimization.max_epoch={EPOCHS}", f"dataset.validate_interval={EPOCHS}", f"checkpoint.save_interval={EPOCHS}"),
    *("common.log_interval=10", "common.log_format=json"),
)


def stages(out: str) -> list[Stage]:
    """List the commands, in order; `out` is the folder as written in them."""
    data = f"{out}/data"
    cut = Stage(
        "streams",
        "cut speech into three streams",
        ("python", "examples/mtag/vowel_streams.py", "--out", data),
        ROOT / data,
    )
    return [cut, *(row(name, data, out) for name in ROWS)]


def row(name: str, data: str, out: str) -> Stage:
    """One row of the table: a training for each seed, one after another."""
    title, keys = ROWS[name]
    command = (
        *("fairseq-hydra-train", "--multirun", "--config-dir", "configs", "--config-name", "mtag_iemocap"),
        *(*SHARED, *keys, f"task.data={data}", f"common.seed={','.join(map(str, SEEDS))}"),
        f"checkpoint.save_dir='{out}/runs/{name}/${{common.seed}}'",
    )
    updates = EPOCHS * -(-SPLITS["train"][1] // BATCH)
    return Stage(name, f"train {title}", command, ROOT / out / "runs" / name, after=("streams",), updates=updates)


def accuracies(out: Path) -> dict[str, list[float]]:
    """Test accuracy of every row after the last epoch, one number per seed."""
    return {
        name: [
            read_training_log(out / "runs" / name / str(seed) / "train.log")["test/accuracy"].values[-1]
            for seed in SEEDS
        ]
        for name in ROWS
    }


def linear_accuracy() -> float:
    """Test accuracy of a logistic regression on the scaled mean cepstra of every utterance; requires scikit-learn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    means, speakers = {}, {}
    for split, (name, _) in SPLITS.items():
        utterances = read_utterances(recordings() / f"JapaneseVowels_{name}.ts")
        means[split] = np.stack([frames.mean(0) for frames, _ in utterances])
        speakers[split] = [speaker for _, speaker in utterances]
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(means["train"], speakers["train"])
    return float(fitted.score(means["test"], speakers["test"]))


def draw(found: dict[str, list[float]], linear: float, path: Path) -> None:
    """Draw the mean of each row as a bar, its seeds as dots, and the baseline as a line."""
    names = list(reversed(ROWS))
    means = [statistics.mean(found[name]) for name in names]
    with picture(path, STYLE, figsize=(9, 5)) as (_, axes):
        axes.barh(range(len(names)), means, color=[BLUE if name in ("one", "two", "three") else GREY for name in names])
        for place, name in enumerate(names):
            axes.plot(found[name], [place] * len(SEEDS), "o", color="white", markeredgecolor="black", markersize=5)
            axes.text(0.02, place, f"{means[place]:.3f}", va="center", color="white", fontweight="bold")
        axes.axvline(linear, color=ORANGE, linewidth=2, label=f"{LINEAR}: {linear:.3f}")
        axes.set_yticks(range(len(names)), [ROWS[name][0] for name in names])
        axes.set_xlim(0, 1)
        axes.set_xlabel("accuracy on 370 test utterances, nine speakers")
        axes.set_title(
            "More unaligned streams help, but a linear baseline is best" if wins(found, linear) else "Streams"
        )
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.28), frameon=False)
        axes.figure.tight_layout()


def wins(found: dict[str, list[float]], linear: float) -> bool:
    """Whether three streams are better than one, and the linear baseline is best."""
    means = {name: statistics.mean(values) for name, values in found.items()}
    return means["three"] > means["one"] and linear > max(means.values())


def show(found: dict[str, list[float]], linear: float) -> None:
    """Print the table."""
    rows = [
        (ROWS[name][0], f"{statistics.mean(values):.3f}", " ".join(f"{value:.3f}" for value in values))
        for name, values in found.items()
    ]
    rows.append((LINEAR, f"{linear:.3f}", ""))
    print_table("JapaneseVowels, accuracy after the last epoch", ("", "mean", f"seeds {SEEDS}"), rows)


def main() -> int:
    """Run the stages, print the table, draw it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--out", default="outputs/japanese-vowels", help="folder below the checkout (outputs/japanese-vowels)"
    )
    parser.add_argument("--list", action="store_true", help="print the commands without running them")
    args = parser.parse_args()
    out = ROOT / args.out
    runner = Runner(out, ROOT)
    code = run_or_list(runner, stages(args.out), args.list)
    if code is not None:
        return code
    found, linear = accuracies(out), linear_accuracy()
    draw(found, linear, out / "report.png")
    report = {"accuracy": found, "accuracy_linear": linear, "seconds_total": round(runner.seconds(), 1)}
    write_results(out / "report.json", report)
    show(found, linear)
    print(f"{clock(runner.seconds())} in all\n{out / 'report.json'}\n{out / 'report.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
