"""Every command in README, CONTRIBUTING, docs/ and the examples is one that its program accepts.

`tests/examples/test_commands.py` composes the trainings among them; end-to-end tests and quickstarts run many.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Set

import pytest
from fairseq.dataclass.configs import FairseqConfig
from fairseq.models import MODEL_DATACLASS_REGISTRY
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY
from written_commands import ROOT, Command, check, commands, documents

pytestmark = pytest.mark.source

FILES_AND_CODE = {"model.py", "task.py", "model.method", "model.safetensors"}
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


KEY = re.compile(r"(?<![\w./])\+?((?:\w+_)?[a-z]+)\.([a-z]\w*)(?=[\s=`,;:)]|$)")


@lru_cache(maxsize=1)
def registered_keys() -> Dict[str, Set[str]]:
    """The keys of fairseq's sections, and of all models, tasks, criterions, … that are registered, by section."""
    known = {each.name: names_of(each.type) for each in fields(FairseqConfig) if is_dataclass(each.type)}
    registered = {"task": TASK_DATACLASS_REGISTRY, "model": MODEL_DATACLASS_REGISTRY}
    registered.update({name: entry["dataclass_registry"] for name, entry in REGISTRIES.items()})
    for section, dataclasses in registered.items():
        names = {name for each in dataclasses.values() for name in names_of(each)}
        known[section] = known.get(section, set()) | names | {"_name"}
    return known


def names_of(kind: Any) -> Set[str]:
    return {field.name for field in fields(kind)}


@pytest.mark.parametrize(
    "document", [path for path in documents() if path.suffix == ".md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_keys_that_a_document_names_exist(document: Path) -> None:
    known = registered_keys()
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", document.read_text("utf-8"), re.DOTALL))
    unknown = {found[0] for found in KEY.finditer(code) if found[1] in known and found[2] not in known[found[1]]}
    assert not unknown - FILES_AND_CODE
