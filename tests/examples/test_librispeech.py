"""The commands of examples/librispeech, on archives of the official layout with a few seconds in them."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Dict, List

import pytest
from speech import ROOT, write_clip

README = (ROOT / "examples" / "librispeech" / "README.md").read_text(encoding="utf-8")
SPLITS = ("train-clean-100", "train-clean-360", "train-other-500", "dev-clean", "dev-other", "test-clean", "test-other")
LIMITED = ("1h/0/clean", "1h/0/other", "1h/1/clean", "9h/clean", "9h/other")


def chapter(folder: Path, speaker: int) -> None:
    """Two utterances and their transcripts, named as LibriSpeech names them."""
    names = [f"{speaker}-7-{number:04d}" for number in range(2)]
    for number, name in enumerate(names):
        write_clip(folder / str(speaker) / "7" / f"{name}.flac", 16_000, seed=speaker + number)
    transcripts = "".join(f"{name} IT'S A TEST\n" for name in names)
    (folder / str(speaker) / "7" / f"{speaker}-7.trans.txt").write_text(transcripts)


def commands(heading: str) -> Dict[str, str]:
    """The table below a heading: what is listed, and its command."""
    section = README.split(f"## {heading}")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| ([^|`]+?) \| `(.+)` \|$", section, re.MULTILINE))


def shell(command: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-ec", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archives unpacked by the README's own lines, and all commands of its table run."""
    made, folder = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("work")
    for speaker, split in enumerate(SPLITS):
        chapter(made / "LibriSpeech" / split, 100 + speaker)
        with tarfile.open(folder / f"{split}.tar.gz", "w:gz") as archive:
            archive.add(made / "LibriSpeech" / split, f"LibriSpeech/{split}")
    for speaker, part in enumerate(LIMITED):
        chapter(made / "librispeech_finetuning" / part, 200 + speaker)
    with tarfile.open(folder / "librispeech_finetuning.tgz", "w:gz") as archive:
        archive.add(made / "librispeech_finetuning", "librispeech_finetuning")
    unpack = re.search(r"## Data\n\n```\n(.+?)```", README, re.DOTALL)
    assert unpack is not None
    shell(unpack[1], folder)
    for command in commands("Data").values():
        shell(command, folder)
    return folder


def clips(manifest: Path) -> List[str]:
    return manifest.read_text().splitlines()[1:]


def test_every_folder_has_its_manifest(folder: Path) -> None:
    assert {path.stem for path in (folder / "data").glob("*.tsv")} == {*SPLITS, "train-960"}
    assert len(clips(folder / "data" / "train-960.tsv")) == 6


@pytest.mark.parametrize(("name", "count"), [("10m", 4), ("1h", 6), ("10h", 10)])
def test_limited_splits_hold_the_right_parts(folder: Path, name: str, count: int) -> None:
    assert len(clips(folder / "data" / name / "train.tsv")) == count
    assert not (folder / "data" / name / "valid.tsv").exists()


def test_labels_belong_to_the_clips(folder: Path) -> None:
    data = folder / "data"
    assert (data / "train-960.ltr").read_text().splitlines() == ["I T ' S | A | T E S T |"] * 6
    assert (data / "test-other.wrd").read_text().splitlines() == ["IT'S A TEST"] * 2
    assert (data / "dict.ltr.txt").read_text().split()[::2]
