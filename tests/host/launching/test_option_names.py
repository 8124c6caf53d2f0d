"""What we raise and log names the options of the command that was typed."""

from __future__ import annotations

import logging
from types import ModuleType, SimpleNamespace
from typing import Any, Iterator, List

import fairseq_cli.generate
import fairseq_cli.train
import fairseq_cli.validate
import pytest

from data2vec_plugin.host.launching.option_names import TRAINING_GROUPS, as_options, name_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set `task.labels` (`--labels`)", "set `--labels`"),
        ("`dataset.max_tokens` (`--max-tokens`) is 7", "`--max-tokens` is 7"),
        ("add `+task.bad_files=3`", "add `--bad-files 3`"),
        ("`checkpoint.reset_dataloader=true`", "`--reset-dataloader`"),
        ("`task._name=speech_x` has it", "`--task speech_x` has it"),
        ("no key: task.labels, `task`, `other.key=1`", "no key: task.labels, `task`, `other.key=1`"),
        ("`model.w2v_path` is gone", "`model.w2v_path` is gone"),
    ],
)
def test_a_command_that_evaluates(text: str, expected: str) -> None:
    assert as_options(text) == expected


def test_a_command_that_trains() -> None:
    text = "`model._name=data2vec_audio`, `model.mask_prob`, `optimization.update_freq=2`"
    assert as_options(text, TRAINING_GROUPS) == "`--arch data2vec_audio`, `--mask-prob`, `--update-freq 2`"


OURS, STOCK = (SimpleNamespace(user_dir=name) for name in ("data2vec_plugin", None))


def raising(cfg: Any) -> None:
    logging.getLogger("data2vec_plugin.tasks").warning("lower `dataset.%s`", "max_tokens")
    logging.getLogger("fairseq.tasks").warning("lower `dataset.max_tokens`")
    try:
        raise KeyError("`task.data`")
    except KeyError as error:
        raise ValueError("correct `task.data`", 3) from error


@pytest.fixture
def told() -> Iterator[List[str]]:
    """What is logged."""
    lines: List[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign,assignment]
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)
    assert not handler.filters


def command() -> Any:
    module: Any = ModuleType("fairseq_cli.generate")
    module.main = raising
    assert name_options(module)
    return module.main


def test_errors_their_causes_and_our_warnings(told: List[str]) -> None:
    with pytest.raises(ValueError, match="correct `--data`") as caught:
        command()(OURS)
    assert caught.value.args[1] == 3
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.args == ("`--data`",)
    assert told == ["lower `--max-tokens`", "lower `dataset.max_tokens`"]


def test_others_configurations_and_hydras_keys_stay(monkeypatch: pytest.MonkeyPatch, told: List[str]) -> None:
    from hydra.core.global_hydra import GlobalHydra

    with pytest.raises(ValueError, match=r"correct `task\.data`"):
        command()(STOCK)
    monkeypatch.setattr(GlobalHydra, "is_initialized", lambda self: True)
    with pytest.raises(ValueError, match=r"correct `task\.data`"):
        command()(OURS)
    assert told == ["lower `dataset.max_tokens`"] * 4


def test_the_commands_are_wrapped_where_they_look_their_main_up() -> None:
    for module in (fairseq_cli.generate, fairseq_cli.train, fairseq_cli.validate):
        assert module.cli_main.__globals__["main"] is module.main
        assert module.main.__wrapped__.__module__ == module.__name__
