"""The recognition task: labels stay with their clips, and what does not fit is told."""

import json
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq.data import Dictionary
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
    with pytest.raises(ValueError, match=r"dict\.ltr\.txt does not exist; create it with `data2vec labels`"):
        _ = make_task(data).target_dictionary


def test_keys_that_only_the_stock_task_honours_are_refused(data: Path) -> None:
    with pytest.raises(ValueError, match=r"`task\.binarized_dataset` is True; .*`task\._name=audio_finetuning`"):
        make_task(data, binarized_dataset=True)


def test_ctc_models_are_decoded_greedily_and_others_by_fairseq(data: Path) -> None:
    class Ctc(torch.nn.Module):
        def get_logits(self) -> None: ...

    assert isinstance(make_task(data).build_generator([Ctc()], None), GreedyCtcGenerator)


def of_lines(*symbols: str) -> Dictionary:
    dictionary = Dictionary()
    for symbol in symbols:
        dictionary.add_symbol(symbol)
    return dictionary


def test_the_checkpoints_dictionary_spells_also_where_the_folders_was_given_out_before(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task(data)
    given = task.target_dictionary  # as fairseq-generate does before it loads the checkpoint
    task.load_state_dict({"target_dictionary": of_lines("C", "B", "A", "|", "Z")})
    task.load_dataset("train")
    assert given is task.target_dictionary
    batch = task.dataset("train").collater([task.dataset("train")[2]])
    assert given.string(batch["target"][0]) == "C |"
    assert batch["target"][0].tolist() == [4, 7]
    assert "dict.ltr.txt, line 1: symbol is '|', but the checkpoint's dictionary has 'C'" in caplog.text


def test_a_folder_with_the_checkpoints_dictionary_is_not_warned_of(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task(data)
    task.load_state_dict({"target_dictionary": of_lines("|", "A", "B", "C")})
    task.load_dataset("train")
    assert "dictionary" not in caplog.text


def test_a_label_that_the_checkpoint_cannot_spell_is_refused(data: Path) -> None:
    task = make_task(data)
    task.load_state_dict({"target_dictionary": of_lines("|", "A", "B")})
    with pytest.raises(ValueError, match=r"train\.ltr.*'C'.*the checkpoint's dictionary"):
        task.load_dataset("train")


def test_an_ensemble_shares_a_dictionary(data: Path) -> None:
    task = make_task(data)
    task.load_state_dict({"target_dictionary": of_lines("|", "A")})
    with pytest.raises(ValueError, match="different dictionaries"):
        task.load_state_dict({"target_dictionary": of_lines("A", "|")})


def test_a_clip_that_no_batch_can_hold_is_named_with_its_line_and_option(data: Path) -> None:
    task = make_task(data)
    task.load_dataset("train")
    limits = {"max_tokens": 9_000, "max_positions": task.max_positions()}
    with pytest.raises(ValueError, match=r"train\.tsv:2: .*a\.wav: 16,000 samples \(1\.0 s\), but .*`--max-tokens`"):
        # fairseq main cuts batches in the second call
        task.get_batch_iterator(task.dataset("train"), **limits).next_epoch_itr(shuffle=False)


def test_such_clips_are_left_out_and_counted_where_that_is_asked_for(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task(data)
    task.load_dataset("train")
    iterator = task.get_batch_iterator(
        task.dataset("train"), max_tokens=9_000, max_positions=task.max_positions(), ignore_invalid_inputs=True
    )
    ids = [int(index) for batch in iterator.next_epoch_itr(shuffle=False) for index in batch["id"]]
    assert sorted(ids) == [1, 2]
    assert "skipped 1 of 3 clips" in caplog.text


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
        (
            trainer_state({"model": {"_name": "data2vec_multi", "supported_modality": "IMAGE"}}, {}),
            r"of model `data2vec_multi` \(data2vec 2\.0 for image\); .* or from data2vec_multi for speech",
        ),
        ({"fc.weight": torch.ones(1)}, "1 weights without a configuration, such as `fc.weight`"),
        (None, "does not exist; use the .pt file of a training run"),
        (b"hello", "a text file"),
        (b"PK\x03\x04", "truncated or damaged"),
        (
            {"model_type": "data2vec-audio", "architectures": ["Data2VecAudioModel"]},
            "Hugging Face folder of `Data2VecA",
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
