"""The multimodal quickstart: its memes, its digits, its commands, how captions are read, the report."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torchvision")
pytest.importorskip("sklearn")

from documented_commands import composed
from examples.scripts import scripts
from runs.log_lines import log_lines
from speech import ROOT

from data2vec_plugin.data.multimodal.memes import SIDECAR, Memes
from data2vec_plugin.files.media.audio import read_samples
from data2vec_plugin.files.multimodal.clip_tables import read_clips
from data2vec_plugin.files.text.manifests import manifest_entries
from data2vec_plugin.runs.stages import Record, Runner, Stage, shown

COUNTS = {"train": 16, "valid": 8, "test": 12}


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    names = ("memes", "digits", "digit_stages", "small_models", "read_captions", "report_multimodal", "run")
    with scripts("multimodal", *names) as found:
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


def digit_commands(example: SimpleNamespace) -> list[Stage]:
    stages: list[Stage] = example.digit_stages.digit_stages(example.digit_stages.DigitProfile(), 1, "out", ROOT)
    return stages


def test_nothing_is_trained_or_chosen_on_the_test_clips(example: SimpleNamespace) -> None:
    names = {stage.name for stage in digit_commands(example) if any("test.tsv" in word for word in stage.command)}
    assert names == {f"predict-{name}" for name in ("fusion", "vision", "text", "audio")}
    trained = [stage for stage in digit_commands(example) if stage.name.startswith("mtag-")]
    assert all("dataset.valid_subset=valid" in stage.command for stage in trained)
    different = {frozenset(word for word in stage.command if "mtag-" not in word) for stage in trained}
    common = frozenset.intersection(*different)
    assert {tuple(words - common) for words in different} == {  # each alone is trained as all three are
        (f"+model.modalities='{streams}'",) for streams in ("vision,text,audio", "vision", "text", "audio")
    }


@pytest.mark.parametrize("name", ["digits-image", "digits-text", "digits-audio", "mtag-fusion", "mtag-audio"])
def test_trainings_on_digits_compose(example: SimpleNamespace, name: str) -> None:
    [command] = [stage.command for stage in digit_commands(example) if stage.name == name]
    cfg = composed(shown(command))
    assert cfg.common.cpu


@pytest.fixture(scope="module")
def clips(example: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("digits")
    for split in ("train", "valid", "test"):
        for digit in range(3):
            path = folder / "pictures" / split / str(digit) / f"{split}{digit}.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(example.digits, "SPOKEN", (("train", 5), ("valid", 1), ("test", 2)))
        counts = {"train": 54, "valid": 27, "test": 27}
        example.digits.write_digits(folder / "pictures", folder / "digits", counts, seed=1)
    return folder / "digits"


@pytest.mark.parametrize("split", ["train", "test"])
def test_neither_one_stream_nor_two_tell_the_sum(example: SimpleNamespace, clips: Path, split: str) -> None:
    table = read_clips(clips / f"{split}.tsv")
    labels = [tuple(map(int, (clip.label or "").split())) for clip in table.clips]
    assert all(sum(label[:3]) % 3 == label[3] for label in labels)
    for kept in ((0, 1), (0, 2), (1, 2)):  # whatever two streams show, each sum is as frequent
        found = Counter((label[kept[0]], label[kept[1]], label[3]) for label in labels)
        assert len(found) == 27
        assert len(set(found.values())) == 1
    for clip, label in zip(table.clips, labels):  # the label is what is in the clip
        assert f"/{label[0]}/" in clip.sources["vision"]
        letters = clip.sources["text"].split()
        assert "".join(letter for letter, _ in groupby(letters)) == example.digits.NAMES[label[1]]
        assert f"{split}-{label[2]}-" in clip.sources["audio"]


def test_recordings_are_heard_and_are_in_one_split(clips: Path) -> None:
    heard = {}
    for split, count in (("train", 15), ("valid", 3), ("test", 6)):
        entries = list(manifest_entries(clips / "audio" / f"{split}.tsv"))
        assert len(entries) == count
        for entry in entries:
            samples, rate = read_samples(str(clips / "audio" / entry.path))
            assert (rate, len(samples)) == (16_000, entry.frames)
            assert float(np.abs(samples).max()) > 0.05
            heard[samples.tobytes()] = split
    assert len(heard) == 24


def test_scans_that_are_not_there_are_told(example: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds no image; write them with pictures\.py"):
        example.digits.scanned(tmp_path, "train", tmp_path)


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
    assert "captions were not read" in example.report_multimodal.ocr_summary(found)


def test_writes_the_report(example: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("matplotlib")
    runner = Runner(tmp_path, tmp_path)
    runner.records["memes"] = Record("x", True, 60.0, 1.5)
    for folder in ("logs", "memes-report", "captions"):
        (tmp_path / folder).mkdir()
    for name, accuracy in {"fusion": 0.95, "vision": 0.32, "text": 0.33, "audio": 0.34}.items():
        metrics = {"accuracy_sum": accuracy, **dict.fromkeys(("accuracy_scanned", "accuracy_written"), 0.9)}
        (tmp_path / f"predicted-{name}").mkdir()
        (tmp_path / f"predicted-{name}" / "predictions.json").write_text(
            json.dumps({"metrics": {**metrics, "accuracy_spoken": 0.8}, "predicted": 1620})
        )
    for name in ("image", "text", "digits-audio"):
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
    digits = json.loads((tmp_path / "report.json").read_text())["digits"]
    assert digits["accuracy_fusion"] == 0.95
    assert digits["accuracy_single"] == {"vision": 0.32, "text": 0.33, "audio": 0.34}
    assert digits["accuracy_of_its_own_digit"] == {"vision": 0.9, "text": 0.9, "audio": 0.8}
    assert digits["clips"] == 1620
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "25.0 % of characters wrong" in capsys.readouterr().out
