"""Masks of a run by the task that draws them: new runs by the new rule, resumed ones by the one they began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from features.made import speech_section
from models.tiny import tiny_model
from omegaconf import OmegaConf
from speech import write_clip, write_manifest
from text import lines, write_text, write_words_dictionary
from torch import Tensor

from data2vec_plugin.core.masks.masking import hashed_row_generator, row_generator
from data2vec_plugin.data.resumable import RULE
from data2vec_plugin.data.sample_seeds import HASHED, OWN
from data2vec_plugin.tasks.audio_config import AudioTaskConfig
from data2vec_plugin.tasks.data2vec_audio_pretraining import Data2VecAudioPretrainingTask
from data2vec_plugin.tasks.data2vec_masked_lm import Data2VecMaskedLMTask
from data2vec_plugin.tasks.text_config import MaskedTextConfig

SIZES = {f"{number}.wav": 700 + 60 * number for number in range(8)}
Rngs = Callable[[int, int, int], np.random.Generator]


def task_of(kind: Any, dataclass: Any, values: Dict[str, Any]) -> Any:
    """As fairseq sets it up, with the sections that it interpolates."""
    root = OmegaConf.create({"common": {"tpu": False, "seed": 1}, "dataset": {"train_subset": "train"}})
    root.task = OmegaConf.merge(OmegaConf.structured(dataclass), values)
    return kind.setup_task(root.task)


def speech(folder: Path) -> Any:
    """A task of speech with its model's masks: frames and channels, rows that may differ."""
    for seed, (name, size) in enumerate(SIZES.items()):
        write_clip(folder / name, size, seed=seed)
    write_manifest(folder / "train.tsv", folder, SIZES)
    task = task_of(
        Data2VecAudioPretrainingTask, AudioTaskConfig, {"data": str(folder), "normalize": True, "enable_padding": True}
    )
    settings = {"require_same_masks": False, "mask_channel_prob": 0.4, "mask_channel_length": 2}
    task.build_model(OmegaConf.create(speech_section(tiny_model(ema_anneal_end_step=10, **settings))))
    return task


def text(folder: Path) -> Any:
    """A task of text."""
    write_words_dictionary(folder, lines())
    write_text(folder / "train.txt", lines(12))
    values = {"data": str(folder), "tokens_per_sample": 24, "encode_workers": 0}
    return task_of(Data2VecMaskedLMTask, MaskedTextConfig, values)


def pictures(folder: Path) -> Any:
    """A task of pictures with its model's masks."""
    pytest.importorskip("torchvision")
    from images import write_tree
    from models.tiny_vision import section

    from data2vec_plugin.tasks.image_config import ImagePretrainingConfig
    from data2vec_plugin.tasks.image_pretraining import ImagePretrainingTask

    write_tree(folder / "train", {"cat": 8})
    task = task_of(ImagePretrainingTask, ImagePretrainingConfig, {"data": str(folder), "input_size": 16})
    task.build_model(OmegaConf.create(section()))
    return task


def speech_mask(task: Any, batch: Dict[str, Any], rng: Rngs) -> Dict[str, Tensor]:
    inputs = batch["net_input"]
    lengths = (~inputs["padding_mask"]).sum(1).tolist() if "padding_mask" in inputs else [inputs["source"].size(1)] * 2
    rngs = [rng(1, 2, index) for index in batch["id"].tolist()]
    mask = task.masks.masks.draw(task.masks.frames(lengths), rngs)
    return mask.as_dict()


def text_mask(task: Any, batch: Dict[str, Any], rng: Rngs) -> Dict[str, Tensor]:
    data = task.dataset("train")
    hidden = torch.zeros_like(batch["net_input"]["src_tokens"], dtype=torch.bool)
    for row, index in enumerate(batch["id"].tolist()):
        whole = data.blocks[index].numpy()
        hidden[row, : len(whole)] = torch.from_numpy(data.masker.sample(whole, rng(1, 2, index))[1])
    return {"indices": hidden, "positions": hidden.flatten().nonzero().squeeze(1)}


def picture_mask(task: Any, batch: Dict[str, Any], rng: Rngs) -> Dict[str, Tensor]:
    rows = [task.masks.masker.sample(rng(1, 2, index)).reshape(-1) for index in batch["id"].tolist()]
    indices = torch.from_numpy(np.stack(rows))
    return {"indices": indices, "positions": indices.flatten().nonzero().squeeze(1)}


MODALITIES = pytest.mark.parametrize(
    ("made", "mask"),
    [(speech, speech_mask), (text, text_mask), (pictures, picture_mask)],
    ids=["speech", "text", "pictures"],
)


def second_epoch(task: Any, **options: Any) -> Any:
    """Its iterator."""
    task.load_dataset("train")
    limits = {"max_sentences": 2, "required_batch_size_multiple": 1, **options}
    return task.get_batch_iterator(task.dataset("train"), seed=1, epoch=2, **limits)


def masks(batches: Any) -> List[Dict[str, Tensor]]:
    return [batch["net_input"]["mask"] for batch in batches]


def assert_alike(left: List[Dict[str, Tensor]], right: List[Dict[str, Tensor]]) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left, right):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@MODALITIES
def test_a_new_run_draws_each_mask_by_a_generator_of_its_own(made: Any, mask: Any, tmp_path: Path) -> None:
    task = made(tmp_path)
    begun = second_epoch(task)
    batches = list(begun.next_epoch_itr())
    assert_alike(masks(batches), [mask(task, batch, row_generator) for batch in batches])
    assert begun.state_dict()[RULE] == OWN


@MODALITIES
def test_a_resumed_run_goes_on_with_the_masks_it_began_with(made: Any, mask: Any, tmp_path: Path) -> None:
    """Within an epoch: a checkpoint of ours, and one that does not tell, written before or by upstream."""
    begun = second_epoch(made(tmp_path))
    batches = begun.next_epoch_itr()
    next(batches)
    saved = begun.state_dict()
    resumed = second_epoch(made(tmp_path))
    resumed.load_state_dict(saved)
    assert_alike(masks(resumed.next_epoch_itr()), masks(batches))

    del saved[RULE]
    task = made(tmp_path)
    of_before = second_epoch(task, num_workers=2, data_buffer_size=2)
    of_before.load_state_dict(saved)
    rest = list(of_before.next_epoch_itr())
    assert_alike(masks(rest), [mask(task, batch, lambda *key: hashed_row_generator(*key)) for batch in rest])
    assert of_before.state_dict()[RULE] == HASHED
    again = second_epoch(made(tmp_path))
    again.load_state_dict({**saved, RULE: HASHED})
    assert_alike(masks(again.next_epoch_itr()), masks(rest))
