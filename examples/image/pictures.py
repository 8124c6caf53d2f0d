"""Real images for the image quickstart, from a pip package: scikit-learn's 1,797 scans of handwritten digits.

OUT/{train,valid,test} hold one folder per digit, in ImageFolder's layout; OUT/labelled holds the few images of train
whose labels are used. Valid and test have equally many of each digit; the seed decides which scans.

    pip install scikit-learn pillow
    python examples/image/pictures.py --out outputs/quickstart-image/pictures
"""

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCALE = 16  # of scikit-learn's grey values
Named = tuple[str, Any]  # a scan's name and its values (8, 8)


def read_scans() -> dict[int, list[Named]]:
    """Return the scans of each digit, named by their number in scikit-learn's list.

    Raises:
        SystemExit: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SystemExit("the scans require the package scikit-learn: pip install scikit-learn") from error
    bundled = load_digits()
    scans: dict[int, list[Named]] = {digit: [] for digit in range(10)}
    for number, (values, digit) in enumerate(zip(bundled.images, bundled.target)):
        scans[int(digit)].append((f"{number:04d}", values))
    return scans


def split(
    scans: dict[int, list[Named]], shots: int, valid: int, test: int, seed: int
) -> Iterator[tuple[str, int, Named]]:
    """Yield split, digit and scan; of each digit ``valid`` and ``test`` scans, the rest for training.

    Raises:
        SystemExit: there are too few scans.
    """
    rng = random.Random(seed)
    for digit, found in sorted(scans.items()):
        if min(shots, valid, test) < 1 or shots + valid + test > len(found):
            raise SystemExit(
                f"error: --shots {shots}, --valid {valid} and --test {test} do not fit into the {len(found)} scans of "
                f"digit {digit}; give at least 1 of each, and no more than {len(found)} in all"
            )
        shuffled = rng.sample(found, len(found))
        train = shuffled[valid + test :]
        parts = {
            "valid": shuffled[:valid],
            "test": shuffled[valid : valid + test],
            "train": train,
            "labelled": train[:shots],
        }
        for name, part in parts.items():
            yield from ((name, digit, scan) for scan in part)


def write(out: Path, size: int, shots: int, valid: int, test: int, seed: int) -> list[str]:
    """Write all images, enlarged to ``size`` by ``size``; return lines with the counts."""
    import numpy
    from PIL import Image

    counts: dict[str, int] = {}
    for name, digit, (number, values) in split(read_scans(), shots, valid, test, seed):
        grey = numpy.rint(255 / SCALE * values).astype("uint8")
        path = out / name / str(digit) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).resize((size, size), Image.Resampling.BICUBIC).save(path)
        counts[name] = counts.get(name, 0) + 1
    return [f"{out / name}: {count:,} images of {size} x {size}" for name, count in counts.items()]


def main() -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=32, help="width and height in pixels (default: 32)")
    parser.add_argument("--shots", type=int, default=10, help="labelled images per digit (default: 10)")
    parser.add_argument("--valid", type=int, default=30, help="images per digit in valid (default: 30)")
    parser.add_argument("--test", type=int, default=40, help="images per digit in test (default: 40)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for line in write(args.out, args.size, args.shots, args.valid, args.test, args.seed):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
