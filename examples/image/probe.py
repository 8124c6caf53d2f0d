"""k-NN and a linear probe of frozen features, trained on the labelled images and scored on the test images.

Reads the output of `data2vec features --pool mean` for the folder of images, and the raw pixels for comparison. Nothing
is tuned: one neighbour, and logistic regression with scikit-learn's defaults on standardised values.

    python examples/image/probe.py PICTURES --features pretrained=FOLDER untrained=FOLDER --out probe.json
"""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy


def read_features(folder: Path) -> dict[str, Any]:
    """Return the vectors of a folder of features, by the image's name below its folder."""
    matrix = numpy.load(folder / "features.npy")
    with open(folder / "index.tsv", encoding="utf-8", newline="") as file:
        return {row["id"]: matrix[int(row["key"])] for row in csv.DictReader(file, delimiter="\t")}


def read_pixels(pictures: Path) -> dict[str, Any]:
    """Return the grey values of all images, by the same names."""
    from PIL import Image

    names = {path: path.relative_to(pictures).with_suffix("").as_posix() for path in pictures.rglob("*.png")}
    return {name: numpy.asarray(Image.open(path), dtype="float32").reshape(-1) for path, name in names.items()}


def of_split(vectors: dict[str, Any], split: str) -> tuple[Any, list[str]]:
    """Return the vectors of a split (images, channels) and their classes."""
    names = sorted(name for name in vectors if name.startswith(f"{split}/"))
    return numpy.stack([vectors[name] for name in names]), [name.split("/")[1] for name in names]


def scores(vectors: dict[str, Any], train: str = "labelled", test: str = "test") -> dict[str, float]:
    """Return the accuracies in percent of the nearest neighbour and of a linear classifier."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learners = {"knn": KNeighborsClassifier(1), "linear": LogisticRegression(max_iter=2000)}
    seen, unseen = of_split(vectors, train), of_split(vectors, test)
    fitted = {name: make_pipeline(StandardScaler(), learner).fit(*seen) for name, learner in learners.items()}
    return {name: round(100 * model.score(*unseen), 2) for name, model in fitted.items()}


def main() -> int:
    """Write the accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--features", nargs="+", metavar="NAME=FOLDER", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    vectors = {name: read_features(Path(folder)) for name, _, folder in (each.partition("=") for each in args.features)}
    vectors["pixels"] = read_pixels(args.pictures)
    found = {}
    for name, each in vectors.items():
        found[name] = scores(each)
        print(f"{name}: nearest neighbour {found[name]['knn']:.1f} %, linear {found[name]['linear']:.1f} %", flush=True)
    args.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
