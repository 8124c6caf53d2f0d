"""`data2vec`: bad input told in a line, help for every command, and a start that imports nothing heavy."""

from typing import Any

import pytest

from data2vec_plugin.cli import doctor, main


def test_bad_input_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refuse(args: Any) -> int:
        raise ValueError("`root` is no folder")

    monkeypatch.setattr(doctor, "run", refuse)
    assert main.main(["doctor"]) == 1
    assert capsys.readouterr().err == "data2vec doctor: `root` is no folder\n"


@pytest.mark.parametrize("command", sorted(main.COMMANDS))
def test_every_command_has_help(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as done:
        main.main([command, "--help"])
    assert done.value.code == 0
    assert main.COMMANDS[command].help in capsys.readouterr().out
