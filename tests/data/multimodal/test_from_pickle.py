"""MulT's pickles: read without running them, cut to their frames, refused where they are something else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multimodal_files import DIMS, SAMPLES, mult_arrays, write_pickle

from data2vec_plugin.data.multimodal.from_pickle import convert_pickle
from data2vec_plugin.files.multimodal.mult_pickle import read_mult_pickle
from data2vec_plugin.files.multimodal.sequences import read_samples
from data2vec_plugin.files.unusable import UnusableFileError


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("emotions", [False, True])
def test_every_sample_with_a_frame_is_written(tmp_path: Path, emotions: bool, protocol: int) -> None:
    counts = convert_pickle(write_pickle(tmp_path / "data.pkl", emotions, protocol), tmp_path / "out")
    assert counts == {split: (count - 1, 1) for split, count in SAMPLES.items()}
    arrays = mult_arrays(emotions)["train"]
    labels = (tmp_path / "out" / "train.label").read_text().splitlines()
    second = labels[1].split()  # the sample of nothing is gone, with its label
    if emotions:
        assert list(map(int, second)) == arrays["labels"][2, :, 1].astype(int).tolist()
    else:
        assert float(second[0]) == arrays["labels"][2, 0, 0]
    samples = read_samples(tmp_path / "out" / "train.tsv")
    assert [sample.name for sample in samples[:2]] == ["clip_0_0", "clip_2_0"]
    assert samples[1].lengths[0] == 0


def test_padding_goes_gaps_stay_and_minus_infinity_becomes_zero(tmp_path: Path) -> None:
    path, arrays = write_pickle(tmp_path / "data.pkl"), mult_arrays()["train"]
    convert_pickle(path, tmp_path / "out")
    found = np.load(tmp_path / "out" / "features" / "train" / "000000.npz")
    rows = np.flatnonzero(np.abs(arrays["vision"][0]).sum(1))
    assert np.array_equal(found["vision"], arrays["vision"][0][: rows[-1] + 1])
    assert not found["vision"][2].any()
    assert found["audio"][1, 0] == 0
    front = np.load(tmp_path / "out" / "features" / "train" / "000003.npz")["text"]
    assert np.array_equal(front[0], arrays["text"][3, 1])
    convert_pickle(path, tmp_path / "padded", keep_padding=True)
    whole = np.load(tmp_path / "padded" / "features" / "train" / "000003.npz")["text"]
    assert np.array_equal(whole, arrays["text"][3])


def test_statistics_are_those_of_training_frames(tmp_path: Path) -> None:
    convert_pickle(write_pickle(tmp_path / "data.pkl"), tmp_path / "out")
    stats, files = np.load(tmp_path / "out" / "stats.npz"), sorted((tmp_path / "out/features/train").iterdir())
    for name in DIMS:
        rows = np.concatenate([np.load(file)[name] for file in files if name in np.load(file)])
        assert stats[f"{name}_mean"] == pytest.approx(rows.mean(0), abs=1e-5)
        assert stats[f"{name}_std"] == pytest.approx(rows.std(0), abs=1e-5)


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("touch harmed",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps({**mult_arrays(), "extra": Harmful()}))
    with pytest.raises(UnusableFileError, match=r"data\.pkl: refused .*system is not allowed.*could run code"):
        read_mult_pickle(path)
    assert not (tmp_path / "harmed").exists()


def test_nan_is_named_by_sample_and_place(tmp_path: Path) -> None:
    arrays = mult_arrays()
    arrays["valid"]["text"][4, 2, 5] = np.nan
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(arrays))
    with pytest.raises(UnusableFileError, match=r"`valid, text, sample 4` is nan at index \[2, 5\]"):
        convert_pickle(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a pickle, or damaged"),
        (b"text", "is not a pickle, or damaged|refused"),
        (pickle.dumps([1, 2]), "holds list; expected a dict of train, valid, test"),
        (pickle.dumps({"train": {"text": np.zeros((1, 2, 3))}}), "`train` has text; expected vision, too"),
        (
            pickle.dumps({"train": dict.fromkeys(("vision", "text", "audio", "labels"), np.zeros((2, 3)))}),
            r"shape \(2, 3\)",
        ),
    ],
)
def test_what_is_no_such_pickle(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "data.pkl"
    path.write_bytes(content)
    with pytest.raises(UnusableFileError, match=message):
        read_mult_pickle(path)
    with pytest.raises(UnusableFileError, match="no such file"):
        read_mult_pickle(tmp_path / "none.pkl")
