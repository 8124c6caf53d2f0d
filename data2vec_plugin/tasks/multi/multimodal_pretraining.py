"""Pre-training of one data2vec 2.0 on several modalities: upstream's `multimodal_pretraining` by its keys."""

import hashlib
from typing import Any, Dict, List, Mapping, Optional

import numpy as np
import torch
from fairseq.tasks import register_task
from numpy.typing import NDArray

from ...data.multimodal.round_robin import RoundRobinIterator
from ...data.multimodal.several_modalities import SeveralModalitiesDataset
from ...data.resumable import ResumableIterator
from ...data.sample_seeds import SampleSeeds
from ...host.watching.task import Extent, WatchedTask
from ..data2vec_audio_pretraining import Data2VecAudioPretrainingTask
from ..data2vec_masked_lm import Data2VecMaskedLMTask
from ..empty_batches import EmptyBatches
from ..images import check_size
from ..without_tokens import TaskWithoutTokens
from .mae_image_pretraining import MaeImagePretrainingTask
from .masks import method_of
from .pretraining_config import MultimodalPretrainingConfig

KINDS: Mapping[str, Any] = {
    "audio": Data2VecAudioPretrainingTask,
    "image": MaeImagePretrainingTask,
    "text": Data2VecMaskedLMTask,
}
"""The task of each modality, in the order in which an epoch lists them."""


@register_task("multimodal_pretraining", dataclass=MultimodalPretrainingConfig)
class MultimodalPretrainingTask(EmptyBatches, WatchedTask, TaskWithoutTokens):
    """Pre-trains on speech, pictures and text, one of them per update; each has its own task."""

    cfg: MultimodalPretrainingConfig

    def __init__(self, cfg: MultimodalPretrainingConfig) -> None:
        super().__init__(cfg)
        self.seeds: Optional[SampleSeeds] = None
        self.tasks: Dict[str, Any] = {name: self.made(name) for name in KINDS if getattr(cfg, name) is not None}
        if not self.tasks:
            raise ValueError("none of `task.audio`, `task.image` and `task.text` is set; expected at least one")
        for name in self.tasks:
            if not getattr(cfg, f"{name}_ratio") > 0:
                raise ValueError(
                    f"`task.{name}_ratio` is {getattr(cfg, f'{name}_ratio')}; expected more than 0 (to leave the "
                    f"modality out, remove `task.{name}`)"
                )

    def made(self, name: str) -> Any:
        """Build the task of a modality, which shares its seeds with the others."""
        task = KINDS[name].setup_task(getattr(self.cfg, name))
        task.section = f"task.{name}"
        self.seeds = task.seeds = self.seeds or task.seeds
        return task

    @property
    def supported_modalities(self) -> List[str]:
        """The modalities that a model is built for."""
        return [name.upper() for name in self.tasks]

    @property
    def text_task(self) -> Any:
        """The task of text, which has the dictionary; None without text."""
        return self.tasks.get("text")

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model, and read its masks; raises ValueError unless it is data2vec_multi with these modalities."""
        if "image" in self.tasks:
            check_size(self.cfg.image.input_size, model_cfg)  # type: ignore[union-attr]
        model = super().build_model(model_cfg, from_checkpoint)
        for name, task in self.tasks.items():
            if method_of(model, name.upper()) is None:
                raise ValueError(
                    f"the model is a {type(model).__name__}, but several modalities require "
                    "`model._name=data2vec_multi`"
                )
            task.learn_masks(model, check=not from_checkpoint)
        return model

    def train_step(self, sample: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """fairseq's step; parameters that the batch's modality does not use get zero gradients, as they already do in
        half precision and with several processes. Without a gradient they would get no weight decay and no momentum.
        """
        output = super().train_step(sample, model, *args, **kwargs)
        for parameter in model.parameters():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return output

    def load_dataset(self, split: str, epoch: int = 1, **kwargs: Any) -> None:
        """Read a split of each modality."""
        for task in self.tasks.values():
            task.load_dataset(split, epoch=epoch, **kwargs)
        datasets = {name.upper(): task.dataset(split) for name, task in self.tasks.items()}
        self.datasets[split] = SeveralModalitiesDataset(datasets)

    def has_sharded_data(self, split: str) -> bool:
        """Whether several folders of text take turns by epoch."""
        return self.text_task is not None and bool(self.text_task.has_sharded_data(split))

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Samples in an epoch."""
        return Extent(len(indices), "samples", len(self.tasks), "modalities")

    def get_batch_iterator(
        self,
        dataset: Any,
        max_tokens: Optional[int] = None,
        max_sentences: Optional[int] = None,
        max_positions: Any = None,
        ignore_invalid_inputs: bool = False,
        required_batch_size_multiple: int = 1,
        disable_iterator_cache: bool = False,
        **options: Any,
    ) -> ResumableIterator:
        """Batches of one modality each, in turns; on resume, other data than it was saved with is refused."""
        training = dataset is self.datasets.get(self.cfg.train_split)
        if training:
            max_tokens, max_sentences = self.cfg.max_tokens, self.cfg.batch_size
        limits = {
            "max_tokens": max_tokens,
            "max_sentences": max_sentences,
            "ignore_invalid_inputs": ignore_invalid_inputs,
            "required_batch_size_multiple": required_batch_size_multiple,
            "disable_iterator_cache": disable_iterator_cache,
        }
        own = {
            name: task.get_batch_iterator(
                dataset.datasets[name.upper()],
                max_positions=task.max_positions(),
                seed=options.get("seed", 1),
                epoch=options.get("epoch", 1),
                **limits,
            )
            for name, task in self.tasks.items()
        }
        known = None if disable_iterator_cache else self.dataset_to_epoch_iter.get(dataset)
        made = known or self.in_turns(dataset, own, training, disable_iterator_cache, options)
        self.dataset_to_epoch_iter[dataset] = made
        digest = hashlib.sha1("".join(iterator.digest for iterator in own.values()).encode()).hexdigest()[:12]
        places = ", ".join(str(iterator.manifest) for iterator in own.values())
        take_turns = any(iterator.take_turns for iterator in own.values())
        return ResumableIterator(made, places, digest, take_turns, self.seeds)

    def in_turns(
        self, dataset: Any, own: Mapping[str, Any], training: bool, anew: bool, options: Mapping[str, Any]
    ) -> RoundRobinIterator:
        """Return the batches of all modalities in turns; in validation each once."""
        shards = options.get("num_shards", 1)
        return RoundRobinIterator(
            dataset,
            {name.upper(): list(iterator.frozen_batches) for name, iterator in own.items()},
            {name.upper(): getattr(self.cfg, f"{name}_ratio") if training else 1.0 for name in own},
            shards * max(self.cfg.update_freq) if training else 1,
            collate_fn=dataset.collater,
            seed=options.get("seed", 1),
            num_shards=shards,
            shard_id=options.get("shard_id", 0),
            num_workers=options.get("num_workers", 0),
            epoch=options.get("epoch", 1),
            buffer_size=options.get("data_buffer_size", 0),
            skip_remainder_batch=options.get("skip_remainder_batch", False),
            reuse_dataloader=not anew,
        )
