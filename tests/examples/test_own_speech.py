"""The commands of examples/own_speech that make manifests and labels, on seconds of noise."""

import re
import shlex
from pathlib import Path

import numpy
import pytest
import soundfile
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
    for command in re.findall(r"^data2vec (.*)$", STEP, re.MULTILINE):
        assert main(shlex.split(command.replace("/path/to/recordings", "recordings"))) == 0
    for split in re.findall(r"dataset\.(?:train|valid)_subset=(\S+)", STEP):
        assert len(Path(f"data/{split}.tsv").read_text().splitlines()) == 2
        assert Path(f"data/{split}.ltr").read_text().strip()
