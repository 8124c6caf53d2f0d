"""The quickstart's corpus: deterministic, without overlap, resumable."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy
import pytest
import soundfile

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
SMALL = ("--unlabelled-minutes=0.15", "--labelled-minutes=0.05", "--train-voices=2", "--valid-unlabelled-minutes=0.1")
OPTIONS = (*SMALL, "--labelled-voices=1", "--valid-utterances=2", "--test-utterances=4")


@pytest.fixture(scope="module")
def synthesise() -> Iterator[ModuleType]:
    pytest.importorskip("espeakng_loader")
    sys.path.insert(0, str(QUICKSTART))
    import synthesise

    yield synthesise
    sys.path.remove(str(QUICKSTART))


@pytest.fixture(scope="module")
def corpus(synthesise: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quickstart") / "corpus"
    assert synthesise.main(["--out", str(out), *OPTIONS]) == 0
    return out


def contents(folder: Path) -> "dict[str, bytes]":
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def texts(folder: Path) -> "list[str]":
    files = sorted(folder.rglob("*.trans.txt"))
    return [line.split(" ", 1)[1] for file in files for line in file.read_text().splitlines()]


def test_layout_rate_and_level(corpus: Path) -> None:
    assert sorted(path.name for path in corpus.iterdir()) == [
        "corpus.json", "test", "train-labelled", "train-unlabelled", "valid", "valid-unlabelled",
    ]  # fmt: skip
    clip = corpus / "test" / "301" / "1" / "301-1-0000.flac"
    samples, rate = soundfile.read(clip)
    assert rate == 16000
    assert samples.ndim == 1
    assert len(samples) > 0.5 * rate
    assert 0.01 < numpy.sqrt(numpy.mean(samples**2)) < 0.5
    assert len(texts(corpus / "test")) == len(list((corpus / "test").rglob("*.flac"))) == 4
    assert not texts(corpus / "train-unlabelled")
    assert all(3 <= len(text.split()) <= 6 for text in texts(corpus))


def test_unlabelled_recordings_hold_several_sentences(corpus: Path) -> None:
    seconds = {
        split: [soundfile.info(clip).duration for clip in (corpus / split).rglob("*.flac")]
        for split in ("train-unlabelled", "train-labelled")
    }
    assert min(seconds["train-unlabelled"]) >= 10
    assert max(seconds["train-labelled"]) < 5


def test_one_process_or_two_and_a_resumed_run_give_the_same_bytes(
    synthesise: ModuleType, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    arguments = ["--out", str(tmp_path / "again"), "--processes=1", *OPTIONS]
    assert synthesise.main(arguments) == 0
    assert contents(tmp_path / "again") == contents(corpus)
    spoken = tmp_path / "again" / "test" / "302"
    spoken.rename(spoken.with_name("302.part"))  # as a run cut short leaves it
    assert synthesise.main(arguments) == 0
    assert "skipped 8 of 9 voices" in capfd.readouterr().out
    assert contents(tmp_path / "again") == contents(corpus)


def test_other_settings_in_the_same_folder_are_refused(
    synthesise: ModuleType, corpus: Path, capsys: pytest.CaptureFixture
) -> None:
    assert synthesise.main(["--out", str(corpus), *OPTIONS, "--seed=2"]) == 2
    said = capsys.readouterr().err
    assert "error: " in said
    assert "corpus.json has seed = 1, now it is 2" in said


@pytest.mark.parametrize("seed", [1, 2])
def test_no_sentence_and_no_voice_is_in_two_splits(synthesise: ModuleType, seed: int) -> None:
    jobs = synthesise.plan(synthesise.Settings(seed=seed), Path("corpus"))
    said: dict[str, set[str]] = {"train": set(), "valid": set(), "test": set()}
    voices: dict[str, set[str]] = {"train": set(), "valid": set(), "test": set()}
    for job in jobs:
        split = job.folder.parent.name.split("-")[0]
        said[split].update(job.sentences)
        voices[split].add(job.voice.name.partition("+")[2] or job.voice.name)
    for kinds in (said, voices):
        assert not kinds["train"] & kinds["valid"]
        assert not kinds["train"] & kinds["test"]
        assert not kinds["valid"] & kinds["test"]
    transcribed = [job for job in jobs if job.folder.parent.name == "valid"]
    assert sum(len(job.sentences) for job in transcribed) == 60
    assert len(said["test"]) == 100
    pools = synthesise.sentences_by_split(seed)
    assert sum(map(len, pools.values())) == len(set().union(*pools.values())) == 37044


def test_seeds_give_other_sentences(synthesise: ModuleType) -> None:
    first, second = (synthesise.sentences_by_split(seed)["test"] for seed in (1, 2))
    assert first == synthesise.sentences_by_split(1)["test"]
    assert set(first) != set(second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_voices": 99}, "--train-voices is 99; expected 1 to 12"),
        ({"train_voices": 2}, "--labelled-voices is 12; expected 1 to 2"),
        ({"labelled_minutes": 0.0}, "--labelled-minutes is 0.0; expected more than 0"),
        ({"test_utterances": 10**6}, "--test-utterances is 1000000, but only"),
    ],
)
def test_settings_out_of_range_are_refused(synthesise: ModuleType, change: "dict[str, float]", message: str) -> None:
    settings = dataclasses.replace(synthesise.Settings(), **change)
    with pytest.raises(ValueError, match=message):
        synthesise.plan(settings, Path("corpus"))
