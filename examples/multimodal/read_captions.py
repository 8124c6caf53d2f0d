"""The character error rate of tesseract on the known captions of some images of a split.

Writes it to OUT, or what is missing if tesseract is not installed.

    python examples/multimodal/read_captions.py outputs/quickstart-multimodal/memes --out ocr.json
"""

import argparse
import json
import sys
from pathlib import Path

from data2vec_plugin.data.multimodal.memes import SIDECAR, Memes
from data2vec_plugin.data.multimodal.ocr import Tesseract, check_engine
from data2vec_plugin.files.writing import write_atomically

OPTIONS = "--oem 1 --psm 6"
"""One block of text: the strip above the image."""


def error_rate(read: list[str], known: list[str]) -> float:
    """Return edits per character of the known text."""
    import editdistance

    edits = sum(editdistance.eval(ours, theirs) for ours, theirs in zip(read, known))
    return float(edits) / max(sum(map(len, known)), 1)


def readable(pictures: int) -> int:
    """Return the number of images to read: 0 without tesseract, so that the stage runs again once it is installed."""
    try:
        check_engine()
    except ValueError:
        return 0
    return pictures


def measure(data: Path, split: str, count: int, kept: Path) -> dict[str, object]:
    """Return the error rate, or what is missing."""
    try:
        check_engine()
    except ValueError as error:
        return {"character_error_rate": None, "missing": str(error)}
    memes = Memes.of(data, split).with_texts(SIDECAR)
    some = memes.items[:count]
    read = Tesseract(kept, options=OPTIONS).texts([meme.picture for meme in some])
    known = [meme.text or "" for meme in some]
    exact = sum(ours == theirs for ours, theirs in zip(read, known)) / len(known)
    rate = error_rate(read, known)
    return {"character_error_rate": rate, "read_exactly": exact, "pictures": len(known), "options": OPTIONS}


def main() -> int:
    """Measure, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--pictures", type=int, default=40, help="number of images to read (default: 40)")
    parser.add_argument("--out", type=Path, required=True, metavar="JSON")
    args = parser.parse_args()
    found = measure(args.data, args.split, args.pictures, args.out.parent / "ocr")
    write_atomically(args.out, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
