"""Stock fairseq's own toy tasks, trained beside us: what they do and log is what they do and log without us."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import forks
import pytest
import torch

from data2vec_compat.patches.torch import GARBAGE

pytestmark = pytest.mark.xdist_group("stock runs")

COMMON = (
    "--dict-size 96 --dataset-size 12 --batch-size 4 --optimizer adam --lr 0.001 --cpu --log-format simple "
    "--log-interval 1 --save-interval-updates 2 --keep-interval-updates 1 --no-epoch-checkpoints --dropout 0.1 "
    "--num-workers 0 --restore-file {restore} --save-dir {out} --max-update {updates}"
)
LANGUAGE = f"--task dummy_lm --tokens-per-sample 8 --arch transformer_lm_gpt2_tiny {COMMON}"
TRANSLATION = (
    "--task dummy_mt --arch transformer --src-len 6 --tgt-len 6 --encoder-layers 1 --decoder-layers 1 "
    "--encoder-embed-dim 8 --decoder-embed-dim 8 --encoder-ffn-embed-dim 8 --decoder-ffn-embed-dim 8 "
    f"--encoder-attention-heads 2 --decoder-attention-heads 2 {COMMON}"
)
RUNS = [
    LANGUAGE.format(restore="nothere.pt", out="language", updates=5),  # which fairseq passes over
    LANGUAGE.format(restore="checkpoint_last.pt", out="language", updates=8),
    LANGUAGE.format(restore="checkpoint_last.pt", out="language", updates=8),  # it makes one more update, and saves
    TRANSLATION.format(restore="checkpoint_last.pt", out="translation", updates=4),
]
PROGRAM = """
import sys
{first}
from fairseq_cli.train import cli_main
for run in {runs}:
    sys.argv = ["fairseq-train", *run.split()]
    cli_main()
"""
FIRST = {
    "absent": f"import torch\nif torch.__version__.startswith({GARBAGE!r}): torch.backends.mkldnn.enabled = False",
    "installed": "import data2vec_compat; data2vec_compat.install()",
    "imported": "import data2vec_plugin",
}
"""What comes first. On torch 2.1 our patch turns off oneDNN, which rounds otherwise and sometimes computes garbage."""
TIMES = re.compile(r"\b(wps|ups|wpb|train_wall|wall|gb_free|cuda_gb\w*)[ =:]+'?[\d.]+'?|[\d.]+ seconds|0x[0-9a-f]+")


UNSET = "decoder.embed_positions._float_tensor"
"""A buffer that fairseq saves without ever having set it."""


class Done(NamedTuple):
    """What a process left and said."""

    files: List[Tuple[str, int]]
    log: List[str]
    weights: Dict[str, Any]


def python(code: str, folder: Path, patched: bool) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATA2VEC_COMPAT": str(int(patched)), "CUDA_VISIBLE_DEVICES": ""}
    return forks.python(["-W", "ignore", "-c", code], imported="torch", cwd=folder, env=environment)


def train(folder: Path, how: str) -> Done:
    folder.mkdir()
    ended = python(PROGRAM.format(first=FIRST[how], runs=RUNS), folder, patched=how != "absent")
    assert ended.returncode == 0, ended.stderr[-3000:]
    files = sorted((str(path.relative_to(folder)), path.stat().st_nlink) for path in folder.rglob("*.pt"))
    lines = [line.partition(" | ")[2] for line in (ended.stdout + ended.stderr).splitlines()]
    weights = torch.load(folder / "language" / "checkpoint_last.pt", weights_only=False)["model"]
    return Done(files, [TIMES.sub("", line.replace(str(folder), "")) for line in lines], weights)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """With what lets fairseq start, and nothing else of ours."""
    return train(tmp_path_factory.mktemp("stock") / "installed", "installed")


def test_a_run_is_fairseqs_own_with_us_installed(installed: Done) -> None:
    """As fairseq 0.12.2 and its main branch are written."""
    names = [name.rpartition("/")[2] for name, links in installed.files]
    assert "checkpoint_previous.pt" not in names
    assert {links for _, links in installed.files} == {1}
    log = "\n".join(installed.log)
    assert "No existing checkpoint found nothere.pt" in log
    assert "num_updates': '9'" in log or "num_updates 9" in log, "a finished run makes one more update"
    assert "data2vec" not in log


@pytest.mark.parametrize("how", ["absent", "imported"])
def test_it_is_the_same_without_us_and_with_the_plugin_imported(how: str, installed: Done, tmp_path: Path) -> None:
    if how == "absent" and python("import fairseq", tmp_path, patched=False).returncode:
        pytest.skip("on this host fairseq does not start without data2vec_compat")
    done = train(tmp_path / how, how)
    assert done.files == installed.files
    assert done.log == installed.log
    assert done.weights.keys() == installed.weights.keys()
    differing = [name for name, value in done.weights.items() if not torch.equal(value, installed.weights[name])]
    assert set(differing) <= {UNSET}
