"""Batches that hold nothing count for nothing, whoever hands them to a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from fairseq.logging import metrics
from fairseq.tasks import FairseqTask
from models.tiny import SAMPLES, tiny_model
from omegaconf import OmegaConf
from speech import write_clip, write_manifest

from data2vec_plugin.core.masks.masking import SpanMasker
from data2vec_plugin.criterions.data2vec import Data2VecCriterion, Data2VecCriterionConfig
from data2vec_plugin.data.audio.clips import LoaderMasks
from data2vec_plugin.tasks.audio_config import AudioTaskConfig
from data2vec_plugin.tasks.data2vec_asr import Data2VecAsrTask
from data2vec_plugin.tasks.data2vec_audio_pretraining import Data2VecAudioPretrainingTask
from data2vec_plugin.tasks.data2vec_masked_lm import Data2VecMaskedLMTask
from data2vec_plugin.tasks.image_classification import ImageClassificationTask
from data2vec_plugin.tasks.image_pretraining import ImagePretrainingTask
from data2vec_plugin.tasks.meme_classification import MemeClassificationTask
from data2vec_plugin.tasks.multi.mae_image_pretraining import MaeImagePretrainingTask
from data2vec_plugin.tasks.multi.multimodal_pretraining import MultimodalPretrainingTask

TASKS = (
    *(Data2VecAsrTask, Data2VecAudioPretrainingTask, Data2VecMaskedLMTask),
    *(ImageClassificationTask, ImagePretrainingTask, MemeClassificationTask),
    *(MaeImagePretrainingTask, MultimodalPretrainingTask),
)


@pytest.fixture
def task(tmp_path: Path) -> Data2VecAudioPretrainingTask:
    """Three clips, the first of which is none."""
    names = ("text.wav", "a.wav", "b.wav")
    for seed, name in enumerate(names):
        write_clip(tmp_path / name, SAMPLES, seed=seed)
    (tmp_path / "text.wav").write_text("this is no audio")
    write_manifest(tmp_path / "valid.tsv", tmp_path, dict.fromkeys(names, SAMPLES))
    root = OmegaConf.create({"common": {"tpu": False, "seed": 1}})
    root.task = OmegaConf.merge(OmegaConf.structured(AudioTaskConfig), {"data": str(tmp_path), "bad_audio_limit": 1})
    task: Data2VecAudioPretrainingTask = Data2VecAudioPretrainingTask.setup_task(root.task)
    return task


def reduced(task: FairseqTask, logs: List[Dict[str, Any]], criterion: Any) -> Dict[str, float]:
    with metrics.aggregate(new_root=True) as aggregate:
        task.reduce_metrics(logs, criterion)
    values: Dict[str, float] = aggregate.get_smoothed_values()
    values.pop("wps", None)  # a speed
    return values


def test_speech_is_scored_by_its_good_clips(task: Data2VecAudioPretrainingTask) -> None:
    model = tiny_model()
    assert isinstance(model.method.masks.masker, SpanMasker)
    task.masks = LoaderMasks(model.audio.conv_layers, model.method.masks)
    task.load_dataset("valid")
    iterator = task.get_batch_iterator(task.dataset("valid"), max_sentences=1)
    criterion = Data2VecCriterion(Data2VecCriterionConfig(min_target_var=0.1, min_pred_var=0.01), task)
    samples = [*sorted(iterator.next_epoch_itr(shuffle=False), key=bool), iterator.first_batch]
    assert [len(sample.get("id", ())) for sample in samples] == [0, 1, 1, 1]
    logs = [task.valid_step(sample, model, criterion)[2] for sample in samples]
    assert reduced(task, logs, criterion) == reduced(task, logs[1:3], criterion)
    assert reduced(task, logs[:1], criterion) == {"loss": None}
    assert logs[3].keys() == logs[1].keys()  # processes add up their logs key by key


def test_a_stand_in_has_no_part_in_an_update(task: Data2VecAudioPretrainingTask) -> None:
    model = tiny_model()
    task.load_dataset("valid")
    stand_in = task.get_batch_iterator(task.dataset("valid"), max_sentences=1).first_batch
    criterion = Data2VecCriterion(Data2VecCriterionConfig(min_target_var=0.1, min_pred_var=0.01), task)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    optimizer.backward = lambda loss: loss.backward()  # type: ignore[attr-defined]
    loss, sample_size, log = task.train_step(stand_in, model, criterion, optimizer, 0, ignore_grad=True)
    assert (float(loss), sample_size, float(log["loss"]), log["sample_size"]) == (0, 0, 0, 0)
    assert all(not bool(p.grad.any()) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
def test_every_task_of_ours_takes_an_empty_batch(kind: Any) -> None:
    loss, sample_size, log = object.__new__(kind).valid_step({}, model=None, criterion=None)
    assert (float(loss), sample_size, set(log.values())) == (0, 0, {0})
