"""Synthetic memes whose label depends on both image and caption: a scanned digit on a photograph, a caption above.

A digit is a zero or a one, a caption friendly or unfriendly; the label is 1 if the digit is a zero or the caption is
friendly, but not both. OUT/{train,valid,test}.tsv list the images, with PICTURE.ocr next to each; OUT/unlabelled holds
the same images at a smaller size, OUT/text captions for pre-training. No scan is in two splits.

    pip install scikit-learn pillow
    python examples/multimodal/memes.py --out outputs/quickstart-multimodal/memes
"""

import argparse
import random
import sys
from pathlib import Path
from typing import Any

ROUND, STRAIGHT = (0,), (1,)
FRIENDLY = (
    "lovely",
    "wonderful",
    "brilliant",
    "delightful",
    "charming",
    "splendid",
    "gentle",
    "cheerful",
    "superb",
    "kind",
)
UNFRIENDLY = ("awful", "terrible", "dreadful", "horrible", "nasty", "miserable", "cruel", "gloomy", "rotten", "mean")
OPENERS = ("what a", "this is a", "just another", "have a", "nobody expected a", "when you see a", "they said it is a")
NOUNS = ("monday", "morning", "number", "party", "teacher", "neighbour", "holiday", "breakfast", "meeting", "weekend")
WIDTH, HEIGHT, STRIP, DIGIT, FONT = 320, 192, 48, 128, 20
SMALLER = 4
"""Reduction of the images for pre-training, so that loading them does not slow down updates."""
SHARES = (("train", 0.6), ("valid", 0.15), ("test", 0.25))
"""Of the scans of each digit."""


def captions(rng: random.Random, friendly: bool, count: int) -> list[str]:
    """Return captions of one kind."""
    adjectives = FRIENDLY if friendly else UNFRIENDLY
    return [f"{rng.choice(OPENERS)} {rng.choice(adjectives)} {rng.choice(NOUNS)}" for _ in range(count)]


def scans() -> dict[int, list[Any]]:
    """Return scikit-learn's scans of each digit, 8 by 8, 0 to 16.

    Raises:
        SystemExit: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SystemExit("the scans require the package scikit-learn: pip install scikit-learn") from error
    bundled = load_digits()
    return {digit: list(bundled.images[bundled.target == digit]) for digit in (*ROUND, *STRAIGHT)}


def photographs() -> list[Any]:
    """Return scikit-learn's two photographs."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(pixels) for pixels in load_sample_images().images]


def meme(rng: random.Random, scan: Any, caption: str, photos: list[Any], font: Any) -> Any:
    """Draw a scan, in white, on a darkened part of a photograph, and a strip with the caption above it."""
    import numpy
    from PIL import Image, ImageDraw

    photo = rng.choice(photos)
    left, top = rng.randrange(photo.width - WIDTH), rng.randrange(photo.height - HEIGHT)
    ground = photo.crop((left, top, left + WIDTH, top + HEIGHT)).point(lambda value: value // 4)
    digit = Image.fromarray(numpy.uint8(255 / 16 * scan)).resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    shift = rng.randrange(-8, 9)
    place = ((WIDTH - DIGIT) // 2 + shift, STRIP + (HEIGHT - STRIP - DIGIT) // 2 + rng.randrange(-8, 9))
    ground.paste(Image.new("RGB", digit.size, "white"), place, digit)
    draw = ImageDraw.Draw(ground)
    draw.rectangle((0, 0, WIDTH, STRIP), fill="white")
    draw.text((WIDTH / 2, STRIP / 2), caption, fill="black", font=font, anchor="mm")
    return ground


def shares(found: dict[int, list[Any]], rng: random.Random) -> dict[str, dict[bool, list[Any]]]:
    """Return scans by split, and by whether they are round."""
    parts: dict[str, dict[bool, list[Any]]] = {name: {True: [], False: []} for name, _ in SHARES}
    for digit, scans_of_it in found.items():
        shuffled = rng.sample(scans_of_it, len(scans_of_it))
        for name, share in SHARES:
            taken = round(share * len(scans_of_it))
            parts[name][digit in ROUND] += shuffled[:taken]
            del shuffled[:taken]
    return parts


def write_split(out: Path, name: str, count: int, scans_of: dict[bool, list[Any]], rng: random.Random) -> str:
    """Write a split of ``count`` memes, equally many of each of the four kinds; return a line that describes it."""
    from PIL import ImageFont

    photos, font, lines = photographs(), ImageFont.load_default(size=FONT), ["."]
    folder, small = out / name, out / "unlabelled" / name
    for each in (folder, small):
        each.mkdir(parents=True, exist_ok=True)
    kinds = [(is_round, friendly) for is_round in (True, False) for friendly in (True, False)]
    for number in range(count):
        is_round, friendly = kinds[number % len(kinds)]
        caption = captions(rng, friendly, 1)[0]
        path = folder / f"{number:05d}.jpg"
        drawn = meme(rng, rng.choice(scans_of[is_round]), caption, photos, font)
        drawn.save(path, quality=92)
        drawn.resize((WIDTH // SMALLER, HEIGHT // SMALLER)).save(small / path.name, quality=92)
        path.with_name(path.name + ".ocr").write_text(caption + "\n", encoding="utf-8")
        lines.append(f"{name}/{path.name}\t{int(is_round != friendly)}")
    (out / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{out / name}.tsv: {count:,} memes"


def write_text(out: Path, counts: dict[str, int], seed: int) -> str:
    """Write captions for pre-training, equally many of both kinds."""
    rng = random.Random(f"text {seed}")
    out.mkdir(parents=True, exist_ok=True)
    for name, count in counts.items():
        lines = [*captions(rng, True, count // 2), *captions(rng, False, count // 2)]
        (out / f"{name}.txt").write_text("\n".join(rng.sample(lines, len(lines))) + "\n", encoding="utf-8")
    words = sorted({word for text in (OPENERS, FRIENDLY, UNFRIENDLY, NOUNS) for line in text for word in line.split()})
    (out / "dict.txt").write_text("".join(f"{word} 1\n" for word in words), encoding="utf-8")
    return f"{out}: {counts['train']:,} captions of {len(words)} words"


def write_memes(out: Path, counts: dict[str, int], seed: int) -> list[str]:
    """Write all splits and the captions; return a line on each."""
    rng = random.Random(seed)
    parts = shares(scans(), rng)
    said = [write_split(out, name, counts[name], parts[name], rng) for name, _ in SHARES]
    return [*said, write_text(out / "text", {"train": 6000, "valid": 400}, seed)]


def main() -> int:
    """Write the memes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    for name, count in (("train", 1600), ("valid", 400), ("test", 800)):
        parser.add_argument(f"--{name}", type=int, default=count, help=f"memes of this split (default: {count})")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for line in write_memes(args.out, {name: getattr(args, name) for name, _ in SHARES}, args.seed):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
