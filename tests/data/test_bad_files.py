"""Files that cannot be used: named at once, or left out, counted and named, up to a limit."""

import logging
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import soundfile
import torch
from speech import write_clip, write_manifest
from torch.utils.data import DataLoader

from data2vec_plugin.data.audio.clips import AudioFileError, SeededAudioDataset
from data2vec_plugin.data.bad_files import BadFiles
from data2vec_plugin.data.sample_seeds import SampleSeeds

LENGTH = 30_000
FAULTS = {
    "text.wav": "cannot be read",
    "empty.wav": "cannot be read",
    "cut.wav": "2000 samples on disk but 30000 in the manifest",
    "nan.wav": "NaN",
    "silent.wav": "is silent",
    "slow.wav": "8000, expected 16000",
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """One good clip, and one of each fault."""
    write_clip(tmp_path / "good.wav", LENGTH)
    (tmp_path / "text.wav").write_text("this is no audio")
    (tmp_path / "empty.wav").touch()
    write_clip(tmp_path / "cut.wav", 2_000)
    broken = np.full(LENGTH, 0.1, dtype="float32")
    broken[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "silent.wav", np.zeros(LENGTH, dtype="float32"), 16_000)
    write_clip(tmp_path / "slow.wav", LENGTH, rate=8_000)
    return write_manifest(tmp_path / "train.tsv", tmp_path, dict.fromkeys(["good.wav", *FAULTS], LENGTH))


def dataset(manifest: Path, **options: Any) -> SeededAudioDataset:
    return SeededAudioDataset(str(manifest), 16_000, SampleSeeds(1), None, normalize=True, **options)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_names_manifest_line_and_file(manifest: Path, name: str) -> None:
    index = 1 + list(FAULTS).index(name)
    with pytest.raises(AudioFileError, match=rf"train\.tsv:{index + 2}: .*{name}: .*{FAULTS[name]}.*bad_audio_limit"):
        dataset(manifest)[index]


def test_up_to_the_limit_they_are_left_out_of_their_batch(manifest: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = dataset(manifest, bad_limit=len(FAULTS))
    batch = data.collater([data[index] for index in range(len(data))])
    assert batch["id"].tolist() == [0]
    assert batch["net_input"]["source"].shape == (1, LENGTH)
    assert data.collater([data[1], data[2]]) == {}
    for name in FAULTS:
        assert name in caplog.text


def test_one_more_stops_the_run_and_names_all(manifest: Path) -> None:
    data = dataset(manifest, bad_limit=2)
    for index in (1, 2, 1, 2):  # a file counts once, however often it is met
        assert data[index]["source"] is None
    with pytest.raises(AudioFileError, match=r"(?s)cut\.wav.*`task\.bad_audio_limit` = 2.*text\.wav.*empty\.wav"):
        data[3]


def test_workers_count_together(manifest: Path) -> None:
    data = dataset(manifest, bad_limit=len(FAULTS))
    batches = [[index] for index in range(len(data))]
    loader = DataLoader(data, batch_sampler=batches, num_workers=2, collate_fn=data.collater)
    kept: list[Dict[str, Any]] = [batch for batch in loader if batch]
    assert [batch["id"].tolist() for batch in kept] == [[0]]
    assert data.bad_files.indices == list(range(1, len(data)))
    assert "skipped so far: 6 of 7 files" in data.bad_files.summary()


def _note_and_forget(known: torch.Tensor) -> None:
    while True:
        known[::3] = True
        known[::3] = False


def test_they_are_counted_while_another_worker_notes_one() -> None:
    bad_files = BadFiles(5_000, 10, str, ValueError, "bad_audio_limit")
    worker = get_context("fork").Process(target=_note_and_forget, args=(bad_files._known,), daemon=True)
    worker.start()
    noted = set(range(0, 5_000, 3))
    try:
        for _ in range(5_000):
            assert noted.issuperset(bad_files.indices)
    finally:
        worker.terminate()


def test_stereo_is_averaged_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sizes = {"a.wav": LENGTH, "b.wav": LENGTH}
    for name in sizes:
        write_clip(tmp_path / name, LENGTH, channels=2)
    data = dataset(write_manifest(tmp_path / "train.tsv", tmp_path, sizes))
    caplog.set_level(logging.WARNING)
    assert data[0]["source"].shape == (LENGTH,)
    assert data[1]["source"].shape == (LENGTH,)
    assert caplog.text.count("2 channels, averaged into one") == 1
    assert "train.tsv:2: " in caplog.text
