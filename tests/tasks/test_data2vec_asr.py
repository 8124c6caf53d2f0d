"""The recognition task: labels stay with their clips, and what does not fit is told."""

import json
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from models.tiny_text import trainer_state
from omegaconf import OmegaConf
from speech import ROOT, write_clip, write_manifest

from data2vec_plugin.decoding.greedy import GreedyCtcGenerator
from data2vec_plugin.tasks.audio_config import AsrTaskConfig
from data2vec_plugin.tasks.data2vec_asr import Data2VecAsrTask, check_masks


def make_task(data: Path, **settings: Any) -> Data2VecAsrTask:
    # as fairseq does before a task is set up: common.* is there to be interpolated
    root = OmegaConf.create({"common": {"tpu": False, "seed": 1}})
    root.task = OmegaConf.merge(OmegaConf.structured(AsrTaskConfig), {"data": str(data), **settings})
    task: Data2VecAsrTask = Data2VecAsrTask.setup_task(root.task)
    return task


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sizes = {"a.wav": 16_000, "short.wav": 300, "c.wav": 8_000}
    for name, size in sizes.items():
        write_clip(tmp_path / name, size)
    write_manifest(tmp_path / "train.tsv", tmp_path, sizes)
    (tmp_path / "train.ltr").write_text("A B |\nB |\nC |\n")
    (tmp_path / "dict.ltr.txt").write_text("| 3\nA 1\nB 2\nC 1\n")
    return tmp_path


def test_labels_stay_with_their_clips_when_a_short_one_is_left_out(data: Path) -> None:
    task = make_task(data)
    task.shortest_clip = 400
    task.load_dataset("train")
    dataset = task.dataset("train")
    batch = dataset.collater([dataset[0], dataset[1]])
    letters = {task.target_dictionary.string(row).replace("<pad>", "").strip() for row in batch["target"]}
    assert letters == {"C |", "A B |"}
    assert batch["net_input"]["padding_mask"].any()


def test_the_checkpoints_own_task_decides_about_normalisation(data: Path) -> None:
    task = make_task(data, normalize=False)
    task.load_dataset("train", task_cfg=OmegaConf.create({"normalize": True, "sample_rate": 16_000}))
    source = task.dataset("train")[0]["source"]
    assert source.mean().abs() < 1e-4
    assert source.std() == pytest.approx(1, rel=1e-2)


def test_a_missing_dictionary_says_how_to_make_one(data: Path) -> None:
    (data / "dict.ltr.txt").unlink()
    with pytest.raises(ValueError, match=r"dict\.ltr\.txt does not exist; make it with `data2vec labels`"):
        _ = make_task(data).target_dictionary


def test_keys_that_only_the_stock_task_honours_are_refused(data: Path) -> None:
    with pytest.raises(ValueError, match=r"`task\.binarized_dataset` is True; .*`task\._name=audio_finetuning`"):
        make_task(data, binarized_dataset=True)


def test_ctc_models_are_decoded_greedily_and_others_by_fairseq(data: Path) -> None:
    class Ctc(torch.nn.Module):
        def get_logits(self) -> None: ...

    assert isinstance(make_task(data).build_generator([Ctc()], None), GreedyCtcGenerator)


def start(path: Path, content: Any) -> None:
    """A file that recognition is to start from: a folder of Hugging Face's, bytes, or what torch saves."""
    if isinstance(content, dict) and "model_type" in content:
        path.mkdir()
        (path / "config.json").write_text(json.dumps(content))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            trainer_state({"model": {"_name": "roberta"}}, {}),
            r"of model `roberta` \(RoBERTa\); recognition starts from",
        ),
        (trainer_state({"model": {"_name": "data2vec_multi"}}, {}), "data2vec 2 is not supported yet by this version"),
        ({"fc.weight": torch.ones(1)}, "1 weights without a configuration, such as `fc.weight`"),
        (None, "does not exist; give the .pt file of a training"),
        (b"hello", "a text file"),
        (b"PK\x03\x04", "truncated or damaged"),
        (
            {"model_type": "data2vec-audio", "architectures": ["Data2VecAudioModel"]},
            "folder of Hugging Face's `Data2VecA",
        ),
        ({"model": Path("x")}, r"refused, because it holds `pathlib\.(_local\.)?PosixPath`.* could run code"),
    ],
    ids=["text", "second", "weights", "missing", "words", "cut", "folder", "malicious"],
)
def test_a_start_that_is_no_speech_model_is_told(data: Path, content: Any, message: str) -> None:
    start(data / "start.pt", content)
    with pytest.raises(ValueError, match=rf"`model\.w2v_path` is .*start\.pt: .*{message}") as caught:
        make_task(data).build_model(OmegaConf.create({"_name": "wav2vec_ctc", "w2v_path": str(data / "start.pt")}))
    assert "\n" not in str(caught.value)


def test_a_fault_that_is_not_the_checkpoints_stays_itself(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(trainer_state({"model": {"_name": "wav2vec2"}}, {}), data / "start.pt")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise KeyError("something else")

    monkeypatch.setattr("fairseq.tasks.audio_finetuning.AudioFinetuningTask.build_model", refuse)
    with pytest.raises(KeyError, match="something else"):
        make_task(data).build_model(OmegaConf.create({"_name": "wav2vec_ctc", "w2v_path": str(data / "start.pt")}))


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        ({"mask_prob": 50.0}, r"`model\.mask_prob` 50.0 with `model\.mask_length` 10 hides 100 % .*at most 95 %"),
        ({"mask_channel_prob": 60.0, "mask_channel_length": 64}, r"`model\.mask_channel_prob` 60.0 .* hides"),
    ],
)
def test_masks_that_leave_nothing_to_recognise_are_refused(data: Path, masks: Dict[str, Any], told: str) -> None:
    start = {"_name": "wav2vec_ctc", "w2v_path": "not-needed.pt", "mask_length": 10, **masks}
    with pytest.raises(ValueError, match=told):
        make_task(data).build_model(OmegaConf.create({**start, "apply_mask": True}))
    with pytest.raises(ValueError, match="does not exist"):
        make_task(data).build_model(OmegaConf.create({**start, "apply_mask": False}))


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("asr_*.yaml")), ids=lambda path: path.stem)
def test_the_masks_of_the_recipes_are_accepted(path: Path) -> None:
    check_masks(OmegaConf.load(path).model)
