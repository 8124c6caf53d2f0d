"""Warnings about fairseq's own calls are left out, all others are not; whoever asks for warnings gets them."""

from __future__ import annotations

import logging
import sys
import warnings
from types import ModuleType

import pytest

from data2vec_compat.patches.foreign_warnings import leave_out, leave_out_notices

GIVEN = {
    "\nThe version_base parameter is not specified.\nHydra will assume": "fairseq_cli.hydra_train",
    "\n'audio_base' is validated against ConfigStore schema with the same name.\n": "hydra._internal.hydra",
    "Future Hydra versions will no longer change working directory at job runtime": "hydra._internal.hydra",
    "\nThe strict flag in the compose API is deprecated.\nSee https://hydra.cc/": "hydra.compose",
    "hydra.experimental.compose() is no longer experimental. Use hydra.compose()": "hydra.experimental.compose",
    "`torch.cuda.amp.autocast(args...)` is deprecated. Please use": "fairseq.tasks.fairseq_task",
    "'pin_memory' argument is set as true but no accelerator is found, then": "torch.utils.data.dataloader",
}


def shown(message: str, module: str) -> bool:
    """Whether the warning would be printed, the filters being what they are."""
    with warnings.catch_warnings(record=True) as found:
        warnings.warn_explicit(message, UserWarning, "file.py", 1, module=module, registry={})
    return bool(found)


def test_what_nobody_can_act_on_is_left_out_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert all(shown(message, module) for message, module in GIVEN.items())
        assert leave_out(ModuleType("fairseq"))
        assert not any(shown(message, module) for message, module in GIVEN.items())
        assert all(shown(message, "my_training") for message in GIVEN)
        assert shown("lr is 0", "fairseq.trainer")


def test_whoever_asks_for_warnings_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert not leave_out(ModuleType("fairseq"))
        assert all(shown(message, module) for message, module in GIVEN.items())


def test_a_notice_about_speech_synthesis_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("fairseq.tasks.text_to_speech")
    before = list(logger.filters)
    try:
        assert leave_out_notices(logging)
        with caplog.at_level(logging.INFO):
            logger.info("Please install tensorboardX: pip install tensorboardX")
            logger.info("a voice is learned")
    finally:
        logger.filters[:] = before
    assert caplog.messages == ["a voice is learned"]
