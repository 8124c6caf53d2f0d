"""Every command in README, CONTRIBUTING, docs/ and the examples is one that its program accepts.

`tests/examples/test_commands.py` composes the trainings among them; end-to-end tests and quickstarts run many.
"""

from __future__ import annotations

import pytest
from written_commands import ROOT, Command, check, commands, documents

WRITTEN = [command for document in documents() for command in commands(document)]


def place(command: Command) -> str:
    return f"{command.document.relative_to(ROOT)}:{command.line}: {command.text[:40]}"


@pytest.mark.parametrize("command", WRITTEN, ids=place)
def test_a_written_command_is_accepted(command: Command) -> None:
    check(command)


def test_all_documents_are_read() -> None:
    assert len(WRITTEN) > 150
    assert sum(not command.inline for command in WRITTEN) > 60


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("data2vec manifests DIR", "no command manifests"),
        ("data2vec manifest DIR --outt data", "is not accepted"),
        ("data2vec lm build", "is not accepted"),
        ("fairseq-hydra-train task.data=data", "without --config-name"),
        ("fairseq-generate data --path model.pt --no-such-option", "is not accepted"),
        ("make quickstart-music", "no target quickstart-music"),
        ("make quickstart METHODS=2", "no variable METHODS"),
        ("python examples/text/runs.py", "there is no examples/text/runs.py"),
        ("python examples/text/run.py --sead 2", "no option --sead"),
        ("python -m benchmarks speed", "no benchmark speed"),
        ("pip install 'data2vec-fairseq[lmm]'", "no extra lmm"),
        ("pytest tests/test_nothing.py", "there is no tests/test_nothing.py"),
        ("16 GPUs × 1", "write ```text"),
    ],
)
def test_a_wrong_command_is_noticed(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        check(Command(ROOT / "README.md", 1, text, inline=False))


def test_a_part_of_a_command_is_checked_too() -> None:
    check(Command(ROOT / "README.md", 1, "data2vec labels … --units bpe", inline=True))
    with pytest.raises(ValueError, match="data2vec has no option --unit-kind"):
        check(Command(ROOT / "README.md", 1, "data2vec labels … --unit-kind bpe", inline=True))
