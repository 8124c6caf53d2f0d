"""The common part of image tasks: sizes, sources of pictures, and iterators that notice a change of them."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.image.datasets import Order
from ..data.image.source import ImageSource
from ..data.image.split import open_split
from ..data.resumable import ResumableIterator
from ..data.sample_seeds import SampleSeeds
from ..doctor.remedies import for_package
from ..host.watching.task import Extent, WatchedTask
from .empty_batches import EmptyBatches
from .image_config import ImageTaskConfig, check_values, normalization
from .without_tokens import TaskWithoutTokens

PACKAGES = ("PIL", "torchvision")


class ImageTask(EmptyBatches, WatchedTask, TaskWithoutTokens):
    """A fairseq task whose data sets are :class:`ImageDataset`."""

    cfg: ImageTaskConfig
    seeds: Optional[SampleSeeds] = None
    memory_knobs = "lower `dataset.batch_size` (and raise `optimization.update_freq` to keep the batch)"

    def __init__(self, cfg: ImageTaskConfig) -> None:
        check_values(cfg)
        super().__init__(cfg)
        self.normalization = normalization(cfg)

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model; raises ValueError if it requires pictures of another size."""
        check_size(self.cfg.input_size, model_cfg)
        return super().build_model(model_cfg, from_checkpoint)

    def open_source(self, split: str, labelled: bool) -> ImageSource:
        """Return the pictures of a split; raises ImportError if a package that reads them is not installed."""
        require_packages()
        return open_split(Path(self.cfg.data), split, labelled, self.cfg.index_dir)

    def dataset_options(self, split: str, views: int = 1) -> Dict[str, Any]:
        """Return the options of every image data set besides its seed; the training split is shuffled."""
        training = split == self.cfg.train_split
        order = Order(shuffled=training, views=views if training else 1)
        return {"bad_limit": self.cfg.bad_image_limit, "order": order}

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Pictures in an epoch."""
        return Extent(len(indices), "pictures", *dataset.source.extent())

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses other pictures than it was saved with."""
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        return ResumableIterator(iterator, dataset.source.root, dataset.source.digest, seeds=self.seeds)


def require_packages() -> None:
    """Raise ImportError, with the command that installs what is missing, if images cannot be read."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise ImportError(f"images require {name}, which is not installed: {for_package(name, torch.__version__)}")


def check_size(size: int, model_cfg: Any) -> None:
    """Raise ValueError if a model's keys do not allow images of ``size`` x ``size`` pixels."""
    prefix, keys = "model.", model_cfg
    expected = getattr(keys, "image_size", None)
    if hasattr(model_cfg, "modalities"):
        prefix, keys = "model.modalities.image.", model_cfg.modalities.image
        expected = keys.input_size
    name = "input_size" if keys is not model_cfg else "image_size"
    if expected is not None and expected != size:
        raise ValueError(f"`task.input_size` is {size}, `{prefix}{name}` {expected}; set both to the same")
    patch = getattr(keys, "patch_size", None)
    if patch and size % patch:
        raise ValueError(
            f"`task.input_size` is {size}, which is not a multiple of `{prefix}patch_size` {patch}; expected a "
            f"multiple of {patch}, such as {max(round(size / patch), 1) * patch}"
        )
