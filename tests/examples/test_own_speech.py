"""The commands of examples/own_speech that make manifests and labels, on seconds of noise."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import soundfile
from documented_commands import composed
from examples.scripts import scripts
from speech import ROOT

from data2vec_plugin.cli.main import main

README = (ROOT / "examples" / "own_speech" / "README.md").read_text(encoding="utf-8")
STEP = README.split("## 3. ")[1]


def test_the_table_that_is_shown_gives_the_splits_that_are_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [table] = re.findall(r"^path,text,split\n(?:.+\n)+(?=```)", STEP, re.MULTILINE)
    Path("transcripts.csv").write_text(table, encoding="utf-8")
    for line in table.splitlines()[1:]:
        clip = Path("recordings", line.split(",")[0])
        clip.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(clip), numpy.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    for command in re.findall(r"^data2vec ((?:manifest|labels) .*)$", STEP, re.MULTILINE):
        if "--units" in command:  # two lines make no 500 units
            continue
        assert main(shlex.split(command.replace("/path/to/recordings", "recordings"))) == 0
    for split in re.findall(r"dataset\.(?:train|valid)_subset=(\S+)", STEP):
        assert len(Path(f"data/{split}.tsv").read_text().splitlines()) == 2
        assert Path(f"data/{split}.ltr").read_text().strip()


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    with scripts("own_speech", "run", "join_digits", "speak_hindi") as found:
        yield found


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits of three speakers: a tone of each digit's own length, at 8 kHz."""
    folder = tmp_path_factory.mktemp("recordings")
    for speaker, pitch in (("ann", 200), ("bob", 120), ("cem", 160)):
        for digit, take in itertools.product(range(10), range(10)):
            clip = folder / speaker / f"{digit}_{take:02d}.flac"
            clip.parent.mkdir(exist_ok=True)
            time = numpy.arange(1000 + 100 * digit + take) / 8000
            soundfile.write(str(clip), 0.1 * numpy.sin(2 * numpy.pi * pitch * time), 8000)
    return folder


def test_joined_digits_are_the_recordings_and_no_speaker_is_in_training_and_test(
    example: SimpleNamespace, recordings: Path, tmp_path: Path
) -> None:
    sizes = ["--unlabelled-minutes=0.5", "--valid-unlabelled-minutes=0.2", "--train=6", "--valid=4", "--test=5"]
    words = example.join_digits.WORDS
    for name in ("one", "again"):
        assert example.join_digits.main([str(recordings), "--out", str(tmp_path / name), *sizes]) == 0
    files = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.flac")}
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    assert {file.parts[1] for file in files if file.parts[0] == "test"} == {"cem"}
    assert {file.parts[1] for file in files if file.parts[0] != "test"} == {"ann", "bob"}
    [transcripts] = (tmp_path / "one" / "test").rglob("*.trans.txt")
    lines = [line.split() for line in transcripts.read_text().splitlines()]
    assert len(lines) == 5
    for name, *said in lines:
        samples, rate = soundfile.read(str(transcripts.parent / f"{name}.flac"))
        spoken = sum(1000 + 100 * words.index(word.lower()) for word in said)
        pauses = (len(samples) - spoken) / rate
        assert rate == 8000
        assert 3 <= len(said) <= 6
        assert 0.03 * (len(said) + 1) <= pauses <= 0.26 * (len(said) + 1)


def test_digits_of_valid_and_of_the_labelled_files_are_takes_of_their_own(example: SimpleNamespace) -> None:
    takes = [example.join_digits.Take(Path(), "ann", 1, number) for number in range(50)]
    labelled = {take.take for take in takes if example.join_digits.is_labelled(take)}
    valid = {take.take for take in takes if example.join_digits.is_for_valid(take)}
    assert not labelled & valid
    assert len(valid) == 10
    assert len(labelled) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no recording is named SPEAKER/DIGIT_NN.flac"),
        (["", "--test-speakers=dan"], "no speaker dan; the speakers are ann, bob, cem"),
        (["", "--test-speakers=ann,bob,cem"], "no speaker is left for training"),
        (["ann/.."], "already exists"),
    ],
)
def test_folders_and_speakers_that_cannot_be_used(
    example: SimpleNamespace, recordings: Path, tmp_path: Path, words: "list[str]", said: str, capsys: Any
) -> None:
    out = tmp_path / "out"
    if said == "already exists":
        out.mkdir()
    (recordings / "nowhere").mkdir(exist_ok=True)
    arguments = [str(recordings / words[0]), "--out", str(out), *words[1:]]
    assert example.join_digits.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_hindi_is_labelled_alike_however_it_was_typed(
    example: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("sentencepiece")
    hindi = example.speak_hindi
    monkeypatch.setattr(hindi, "TRAIN_VOICES", hindi.TRAIN_VOICES[:1])
    sizes = ["--unlabelled-minutes=0.05", "--valid-unlabelled-minutes=0.05", "--labelled-minutes=1"]
    counts = ["--valid-utterances=4", "--test-utterances=6"]
    corpus, data = tmp_path / "corpus", tmp_path / "data"
    assert hindi.main(["--out", str(corpus), *sizes, *counts]) == 0
    raw = {split: transcripts(corpus / split) for split in ("train-labelled", "test")}
    assert "\u095c" in raw["train-labelled"]
    assert "\u095c" not in raw["test"]
    assert "\u093c" in raw["test"]
    splits = [str(data / f"{split}.tsv") for split in ("train-labelled", "valid", "test")]
    assert main(["manifest", str(corpus), "--out", str(data)]) == 0
    assert main(["labels", *splits]) == 0
    assert main(["labels", *splits, "--units", "bpe", "--size", "60"]) == 0
    letters = {line.split()[0] for line in (data / "dict.ltr.txt").read_text("utf-8").splitlines()}
    assert {"\u0921", "\u093c", "\u0902", "|"} <= letters
    assert "\u095c" not in letters
    words = (data / "test.wrd").read_text("utf-8").splitlines()
    subwords = (data / "test.bpe").read_text("utf-8").splitlines()
    assert ["".join(line.split()).replace("\u2581", " ").strip() for line in subwords] == words


def transcripts(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in folder.rglob("*.trans.txt"))


def test_both_corpora_take_the_steps_of_the_readme(example: SimpleNamespace) -> None:
    for words in (["digits", "recordings"], ["hindi"]):
        args = example.run.build_parser().parse_args(words)
        commands = {
            stage.name: " ".join(stage.command) for stage in example.run.stages(example.run.corpus_of(args), 1, "out")
        }
        scratch = commands["finetune"].replace("out/finetune", "out/scratch")
        assert commands["scratch"] == f"{scratch} model.no_pretrained_weights=true"
        assert ("--resample-to out/16k" in commands["manifest"]) is (words[0] == "digits")
        units = {"digits": "words", "hindi": "subwords"}[words[0]]
        scratch = commands[units].replace(f"out/{units}", f"out/{units}-scratch")
        assert commands[f"{units}-scratch"] == f"{scratch} model.no_pretrained_weights=true"
        assert commands[f"generate-{units}"].endswith(f"--labels {'wrd' if units == 'words' else 'bpe'}")
        assert commands["transcribe"].startswith("data2vec transcribe out/finetune/checkpoint_best.pt")
    composed(commands["pretrain"])
    composed(commands["subwords"])
