"""Commands of docs/decoding.md are such as the programs take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import List

import pytest
from fairseq import options

from data2vec_plugin.cli.main import build_parser

pytestmark = pytest.mark.source

PAGE = Path(__file__).resolve().parents[1] / "docs" / "decoding.md"


def commands(program: str) -> List[List[str]]:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if line.startswith(f"{program} ")]
    assert found
    return found


@pytest.mark.parametrize("words", commands("data2vec"), ids=" ".join)
def test_commands_of_ours_are_understood(words: List[str]) -> None:
    build_parser(words[1]).parse_args(words[1:])


@pytest.mark.parametrize("words", commands("fairseq-generate"), ids=" ".join)
def test_commands_of_fairseq_are_understood(words: List[str]) -> None:
    given = ["data2vec_plugin" if word == "data2vec_plugin" else word for word in words[1:]]
    parsed = options.parse_args_and_arch(options.get_generation_parser(), given)
    assert parsed.decoding == "tuned/tuned.yaml"


def test_the_table_has_every_option() -> None:
    parser = options.get_generation_parser()
    known = {option for action in parser._actions for option in action.option_strings}
    of_page = set(re.findall(r"^\| `(--[a-z-]+)", PAGE.read_text("utf-8"), re.MULTILINE))
    ours = {"--lexicon", "--lm-model", "--word-score", "--sil-weight", "--beam-threshold", "--beam-size-token"}
    assert ours | {"--beam", "--nbest", "--lm-weight", "--decoding", "--decoding-processes"} <= of_page
    assert known >= {"--beam", "--nbest", "--lm-weight"}
