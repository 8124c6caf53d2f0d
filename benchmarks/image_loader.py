"""Images per second: this plugin's loader, and torchvision's ImageFolder with the same transforms in a DataLoader.

Then how long a device waits whose demand is below the workers' rate, which decides the number of workers.
"""

import tempfile
import time
from pathlib import Path
from typing import Any, Dict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from benchmarks.timing import Work, interleaved
from data2vec_plugin.core.masks.block_masking import BlockMaskConfig, BlockMasker
from data2vec_plugin.core.masks.masking import BatchMasker
from data2vec_plugin.data.image.datasets import MaskedImageDataset
from data2vec_plugin.data.image.transforms import Normalization, pretraining_transform
from data2vec_plugin.data.image.tree import ImageTree
from data2vec_plugin.data.sample_seeds import SampleSeeds

PICTURES = 96
BATCH = 32
WIDTH, HEIGHT = 500, 375
WORKERS = (0, 1, 2)
SMALL_BATCH = 8
DEMANDS = (0.5, 0.7, 0.9)
PLAIN = "torchvision"
OURS = "ours"


def smooth_noise(rng: np.random.Generator) -> "NDArray[np.uint8]":
    """An image (HEIGHT, WIDTH, 3) whose JPEG has the size of a photograph's, unlike that of plain noise."""
    coarse = rng.normal(0, 1, (HEIGHT // 12 + 1, WIDTH // 12 + 1, 3)).repeat(12, 0).repeat(12, 1)[:HEIGHT, :WIDTH]
    fine = rng.normal(0, 0.15, (HEIGHT, WIDTH, 3))
    return np.clip(128 + 45 * (coarse + fine), 0, 255).astype(np.uint8)


def write_pictures(folder: Path) -> Path:
    """One class of JPEGs."""
    from PIL import Image

    (folder / "class").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        Image.fromarray(smooth_noise(rng)).save(folder / "class" / f"{number}.jpg", quality=90)
    return folder


def plain(folder: Path) -> Any:
    """torchvision's data set and transforms, as they are usually combined."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    normalization = Normalization()
    steps = [
        v2.ColorJitter(0.4, 0.4, 0.4),
        v2.RandomHorizontalFlip(),
        v2.RandomResizedCrop(224, interpolation=v2.InterpolationMode.BICUBIC),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(normalization.mean), list(normalization.std)),
    ]
    return ImageFolder(str(folder), v2.Compose(steps))


def ours(folder: Path) -> MaskedImageDataset:
    """This plugin's loader, with masks, which the other does not draw."""
    transform = pretraining_transform(224, Normalization(), (0.08, 1.0), 0.4)
    masks = BatchMasker(BlockMasker(BlockMaskConfig(), 14, 14))
    return MaskedImageDataset(masks, 14 * 14, SampleSeeds(1), ImageTree(folder, labelled=False), transform)


def epoch(dataset: Any, workers: int) -> Work:
    """Time an epoch whose workers, if there are any, are already running."""
    collate = getattr(dataset, "collater", None)
    options: Dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0, "collate_fn": collate}
    loader = DataLoader(dataset, batch_size=BATCH, **options)

    def run() -> None:
        for _ in loader:
            pass

    return run


def waiting(dataset: Any, workers: int, rate: float, epochs: int = 5) -> float:
    """Share of time that a device waits for data if it needs ``rate`` images per second; it uses no CPU core."""
    loader = DataLoader(
        dataset, SMALL_BATCH, num_workers=workers, persistent_workers=True, collate_fn=dataset.collater, drop_last=True
    )
    waited = total = 0.0
    for _ in range(epochs):
        batches = iter(loader)
        next(batches)  # an epoch of ImageNet has thousands of batches: the cost of the first is excluded
        asked = time.monotonic()
        for _ in batches:
            waited += time.monotonic() - asked
            time.sleep(SMALL_BATCH / rate)
            total += time.monotonic() - asked
            asked = time.monotonic()
    return waited / total


def main() -> None:
    """Print images per second of both, by workers, and the waiting times."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = write_pictures(Path(name) / "train")
        sets = {PLAIN: plain(folder), OURS: ours(folder)}
        print(f"{PICTURES} JPEGs of {WIDTH}x{HEIGHT} in batches of {BATCH}, images per second")
        for workers in WORKERS:
            works = {name: epoch(dataset, workers) for name, dataset in sets.items()}
            medians = interleaved(works, repeats=5, warm_up=1)
            rates = {name: PICTURES / seconds for name, seconds in medians.items()}
            ratio = rates[OURS] / rates[PLAIN]
            print(f"  {workers} workers   {PLAIN} {rates[PLAIN]:6.1f}   {OURS} {rates[OURS]:6.1f}   {ratio:5.2f} x")
        for demand in DEMANDS:
            share = waiting(sets[OURS], WORKERS[-1], demand * rates[OURS])
            print(f"  a device that needs {demand:.0%} of the last rate waits {share:.1%} of its time")


if __name__ == "__main__":
    main()
