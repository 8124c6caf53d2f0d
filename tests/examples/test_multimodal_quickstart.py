"""The multimodal quickstart: the memes that it draws, its commands, how captions are read, the report."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torchvision")
pytest.importorskip("sklearn")

from examples.scripts import scripts
from runs.log_lines import log_lines

from data2vec_plugin.data.multimodal.memes import SIDECAR, Memes
from data2vec_plugin.runs.stages import Record, Runner

COUNTS = {"train": 16, "valid": 8, "test": 12}


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    with scripts("multimodal", "memes", "read_captions", "report_multimodal", "run") as found:
        yield found


@pytest.fixture(scope="module")
def folder(example: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memes") / "memes"
    example.memes.write_memes(folder, COUNTS, seed=1)
    return folder


@pytest.mark.parametrize("split", COUNTS)
def test_neither_digit_nor_caption_tells_the_label(example: SimpleNamespace, folder: Path, split: str) -> None:
    memes = Memes.of(folder, split).with_texts(SIDECAR)
    assert len(memes.items) == COUNTS[split]
    friendly = [bool(set(caption.split()) & set(example.memes.FRIENDLY)) for caption in memes.captions]
    unfriendly = [bool(set(caption.split()) & set(example.memes.UNFRIENDLY)) for caption in memes.captions]
    assert [not kind for kind in friendly] == unfriendly
    labels = memes.labels.astype(bool).tolist()
    for kind in (True, False):  # as many of either label for either kind of caption
        found = [label for label, is_friendly in zip(labels, friendly) if is_friendly is kind]
        assert sum(found) * 2 == len(found)
    # what is not in the caption is in the digit
    nought = [label != is_friendly for label, is_friendly in zip(labels, friendly)]
    assert sum(nought) * 2 == len(nought)


def test_no_scan_is_in_two_splits(example: SimpleNamespace) -> None:
    import random

    parts = example.memes.shares(example.memes.scans(), random.Random(1))
    seen = [scan.tobytes() for part in parts.values() for kind in part.values() for scan in kind]
    assert len(seen) > 300
    owners: dict[bytes, set[str]] = {}
    for name, part in parts.items():
        for kind in part.values():
            for scan in kind:
                owners.setdefault(scan.tobytes(), set()).add(name)
    assert max(map(len, owners.values())) == 1


def test_the_dictionary_has_every_word(folder: Path) -> None:
    known = {line.split()[0] for line in (folder / "text" / "dict.txt").read_text().splitlines()}
    for name in ("train", "valid"):
        assert set((folder / "text" / f"{name}.txt").read_text().split()) <= known


def test_nothing_is_trained_or_chosen_on_the_test_memes(example: SimpleNamespace) -> None:
    for stage in example.run.stages(example.run.Profile(), 1, "out"):
        told = [word for word in stage.command if word == "test" or word.endswith("subset=test")]
        assert bool(told) == (stage.name == "report"), stage.name


def test_errors_are_counted_in_characters(example: SimpleNamespace) -> None:
    pytest.importorskip("editdistance")
    assert example.read_captions.error_rate(["abcd", ""], ["abxd", "abcd"]) == pytest.approx(5 / 8)
    assert example.read_captions.error_rate([], []) == 0


def test_an_engine_that_is_missing_is_said(
    example: SimpleNamespace, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = example.read_captions.measure(folder, "test", 3, tmp_path)
    assert found["character_error_rate"] is None
    assert "the program tesseract" in found["missing"]
    assert "captions were not read" in example.report_multimodal.told_of(found)


def test_writes_the_report(example: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("matplotlib")
    runner = Runner(tmp_path, tmp_path)
    runner.records["memes"] = Record("x", True, 60.0, 1.5)
    for folder in ("logs", "memes-report", "captions"):
        (tmp_path / folder).mkdir()
    for name in ("image", "text"):
        runner.log(name).write_text(log_lines(100, loss=2.0))
    scores = {"accuracy": 0.5, "average_precision": 0.5}
    memes = {"accuracy": 0.97, "average_precision": 0.99, "modalities": ["image", "text"], "memes": 600}
    memes["fitted_alike"] = {"both": {**scores, "accuracy": 0.96}, "image": scores, "text": scores}
    memes.update(accuracy_smoothed_best=0.9, smoothing=0.6)
    (tmp_path / "memes-report" / "report.json").write_text(json.dumps(memes))
    read = {"character_error_rate": 0.25, "read_exactly": 0.5, "pictures": 40, "options": "--oem 1"}
    (tmp_path / "captions" / "ocr.json").write_text(json.dumps(read))
    example.report_multimodal.write_report(runner, {"seed": 1}, tmp_path / "none", 61.0)
    found = json.loads((tmp_path / "report.json").read_text())["memes"]
    assert found["accuracy_fusion"] == 0.97
    assert found["accuracy_single"] == {"image": 0.5, "text": 0.5}
    assert found["ocr"] == read
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "25.0 % of characters wrong" in capsys.readouterr().out
