"""`data2vec preflight` before trainings and decodings, and the same checks by themselves."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
from forked_commands import run
from recognition.recognisers import first_method
from speech import write_clip, write_manifest

from data2vec_plugin.host.examining.before_runs import SWITCH, before_decoding, trained_on

TINY = (
    *("data2vec", "preflight", "--config-dir", "configs", "--config-name", "audio_base", "+run=cpu"),
    *("+size/audio=tiny", "optimization.max_update=5", "dataset.max_tokens=64000", "task.min_sample_size=null"),
)


def corpus(folder: Path, **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(3):
        write_clip(folder / f"{number}.wav", 32_000, seed=number, **options)
    write_manifest(folder / "train.tsv", folder, {"0.wav": 32_000, "1.wav": 32_000})
    write_manifest(folder / "valid.tsv", folder, {"2.wav": 32_000})
    return folder


def checked(data: Path, *more: str, expect: int = 0) -> str:
    save = f"checkpoint.save_dir={data / 'saved'}"
    return run([*TINY, f"task.data={data}", save, *more], expect=expect)


def test_a_recipe_that_can_be_trained_passes_and_its_needs_are_told(tmp_path: Path) -> None:
    said = checked(corpus(tmp_path / "data"))
    for start in ("memory: 0.0", "disk: about 0.", "time: roughly 1 minutes for 5 updates of 4 s of speech"):
        assert any(line.startswith(start) for line in said.splitlines()), said
    assert said.splitlines()[-1] == "0 errors, 0 warnings"
    assert not (tmp_path / "data" / "saved").exists()


def test_all_faults_are_listed_at_once_with_their_remedies(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data", rate=8_000)
    write_manifest(data / "valid.tsv", data, {"1.wav": 32_000})
    missing = "checkpoint.restore_file=nowhere.pt"
    said = checked(data, "+task.bad_audio_limit=0", missing, "dataset.valid_subset='valid,more'", expect=1)
    for part in (
        "error: " + f"{data}/train.tsv:2: {data}/0.wav: sample rate 8000, expected 16000",
        "error: " + f"{data}/more.tsv: no such manifest",
        "nowhere.pt",
        "warning: 1 of the 1 files of `valid` are in `train` too",
    ):
        assert part in said, said
    assert said.splitlines()[-1] == "4 errors, 1 warning"


def test_a_decoding_is_checked_against_its_checkpoint(tmp_path: Path) -> None:
    first_method(tmp_path / "first.pt")
    data = corpus(tmp_path / "data", rate=8_000)
    command = ["data2vec", "preflight", str(tmp_path / "first.pt"), str(data / "valid.tsv")]
    said = run(command, expect=1)
    assert f"error: {data}/valid.tsv:2: {data}/2.wav: sample rate 8000, expected 16000" in said
    said = run([*command[:2], str(data / "0.wav"), command[3]], expect=1)
    assert said.splitlines()[-1] == "1 error, 0 warnings"


def task_of(data: Path, split: str) -> Any:
    from data2vec_plugin.data.audio.clips import CheckedAudioDataset

    audio = CheckedAudioDataset(str(data / f"{split}.tsv"), 16_000)
    return SimpleNamespace(datasets={split: audio})


def test_decoding_what_a_model_was_trained_on_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = corpus(tmp_path)
    write_manifest(data / "valid.tsv", data, {"1.wav": 32_000})
    model: List[Any] = [SimpleNamespace(modules=list)]
    training = trained_on({"data": str(data), "train_split": "train"})
    with caplog.at_level(logging.WARNING):
        before_decoding(task_of(data, "train"), model, training)
        before_decoding(task_of(data, "valid"), model, trained_on({}))
        monkeypatch.setenv(SWITCH, "0")
        before_decoding(task_of(data, "valid"), model, training)
        assert not caplog.records
        monkeypatch.delenv(SWITCH)
        before_decoding(task_of(data, "valid"), model, training)
    (record,) = caplog.records
    assert record.getMessage().startswith("preflight: 1 of the 1 files of `valid` are in `")


def test_a_decoding_that_cannot_be_is_refused_before_it_starts(tmp_path: Path) -> None:
    data = corpus(tmp_path, rate=8_000)
    with pytest.raises(ValueError, match="sample rate 8000, expected 16000"):
        before_decoding(task_of(data, "valid"), [SimpleNamespace(modules=list)], None)
