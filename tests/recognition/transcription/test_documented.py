"""What docs/transcribe.md says can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from recognition.recognisers import first_method
from speech import write_clip

from data2vec_plugin.cli.main import build_parser

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "transcribe.md").read_text("utf-8")
COMMANDS = re.findall(r"^data2vec (transcribe .*)$", PAGE, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str) -> None:
    args = build_parser("transcribe").parse_args(shlex.split(command))
    assert args.command == "transcribe"


def test_options_are_there() -> None:
    named = set(re.findall(r"(?<!\w)--[a-z][a-z-]+", PAGE))
    parser = build_parser("transcribe")
    (commands,) = [action for action in parser._actions if action.choices]
    known = set(commands.choices["transcribe"]._option_string_actions)  # type: ignore[index, call-overload]
    assert named - known == set()
    assert len(COMMANDS) == 2


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    first_method(tmp_path / "checkpoint_best.pt")
    write_clip(tmp_path / "talk.flac", 3000)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    exec(compile(code, "docs/transcribe.md", "exec"), {})
    text, *words = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in words] == text.split()
