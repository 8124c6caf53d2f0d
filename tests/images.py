"""Small real pictures for tests: parts of two photographs, in folders and in archives."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image


def photograph(number: int, width: int = 60, height: int = 45) -> Image.Image:
    """A part of the Chinese palace or of the flower, another one for every number."""
    name, rng = ("china.jpg", "flower.jpg")[number % 2], np.random.default_rng(number)
    pixels = load_sample_image(name)
    top, left = rng.integers(427 - height), rng.integers(640 - width)
    return Image.fromarray(pixels[top : top + height, left : left + width])


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_tree(root: Path, classes: Dict[str, int]) -> Path:
    """A folder with so many pictures for every class."""
    number = 0
    for name, count in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for each in range(count):
            (root / name / f"{each:03d}.JPEG").write_bytes(encoded(photograph(number)))
            number += 1
    return root


def write_shard(path: Path, samples: List[Dict[str, bytes]], prefix: str = "") -> Path:
    """An archive of samples, each its members by ending, under the keys 0000, 0001 and so on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number, sample in enumerate(samples):
            for ending, content in sample.items():
                member = tarfile.TarInfo(f"{prefix}{number:04d}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def samples(count: int, label: Optional[str] = "{}", first: int = 0) -> List[Dict[str, bytes]]:
    """Pictures, with a class that is made of the number if there is a ``label``."""
    made = []
    for number in range(first, first + count):
        sample = {"jpg": encoded(photograph(number)), "json": b"{}"}
        made.append(sample if label is None else {**sample, "cls": label.format(number % 3).encode()})
    return made
