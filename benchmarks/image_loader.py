"""Pictures a second: our loader, and torchvision's folder with the same transforms in a plain data loader."""

import tempfile
from pathlib import Path
from typing import Any, Dict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from benchmarks.timing import Work, interleaved
from data2vec_plugin.core.block_masking import BlockMaskConfig, BlockMasker
from data2vec_plugin.data.image_transforms import Normalization, pretraining_transform
from data2vec_plugin.data.image_tree import ImageTree
from data2vec_plugin.data.images import MaskedImageDataset

PICTURES = 96
BATCH = 32
WIDTH, HEIGHT = 500, 375
WORKERS = (0, 1, 2)
PLAIN = "torchvision"
OURS = "ours"


def smooth_noise(rng: np.random.Generator) -> "NDArray[np.uint8]":
    """A picture (HEIGHT, WIDTH, 3) of a size as a JPEG that photographs have, which plain noise has not."""
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
    """torchvision's data set and transforms, as its users put them together."""
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
    """With masks, which the other does not make."""
    transform = pretraining_transform(224, Normalization(), (0.08, 1.0), 0.4)
    masker = BlockMasker(BlockMaskConfig(), 14, 14)
    return MaskedImageDataset(masker, ImageTree(folder, labelled=False), transform, seed=1)


def epoch(dataset: Any, workers: int) -> Work:
    """An epoch whose workers, if there are any, run already."""
    collate = getattr(dataset, "collater", None)
    options: Dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0, "collate_fn": collate}
    loader = DataLoader(dataset, batch_size=BATCH, **options)

    def run() -> None:
        for _ in loader:
            pass

    return run


def main() -> None:
    """Print pictures a second of both, by workers."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = write_pictures(Path(name) / "train")
        sets = {PLAIN: plain(folder), OURS: ours(folder)}
        print(f"{PICTURES} JPEGs of {WIDTH}x{HEIGHT} in batches of {BATCH}, pictures a second")
        for workers in WORKERS:
            works = {name: epoch(dataset, workers) for name, dataset in sets.items()}
            medians = interleaved(works, repeats=5, warm_up=1)
            rates = {name: PICTURES / seconds for name, seconds in medians.items()}
            ratio = rates[OURS] / rates[PLAIN]
            print(f"  {workers} workers   {PLAIN} {rates[PLAIN]:6.1f}   {OURS} {rates[OURS]:6.1f}   {ratio:5.2f} x")


if __name__ == "__main__":
    main()
