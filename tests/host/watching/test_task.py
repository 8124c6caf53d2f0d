"""What a run is told of a batch that does not fit into memory."""

from __future__ import annotations

import logging
from typing import Any, Dict

import pytest
import torch
from fairseq.tasks import FairseqTask
from visible_models import COPIES, visible_model

from data2vec_plugin.host.watching.task import WatchedTask


class Full(FairseqTask):
    """A step for which there is never memory."""

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


class Watched(WatchedTask, Full):
    pass


@pytest.mark.parametrize("copies", [COPIES, 1])
def test_masks_of_an_input_are_among_what_to_lower(copies: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    model = visible_model("TEXT", clone_batch=copies)
    sample: Dict[str, Any] = {"id": torch.arange(2), "net_input": {"source": torch.zeros(2, 9)}}
    with pytest.raises(RuntimeError, match="out of memory"):
        Watched(None).train_step(sample, model, None)
    assert ("masked 3 times (`model.clone_batch`)" in caplog.text) == (copies > 1)
    assert "`dataset.max_tokens`" in caplog.text
