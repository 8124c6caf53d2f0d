"""Where flashlight-text is missing: one line with what to do, and greedy decoding as ever."""

import sys
from typing import Tuple

import pytest
import torch

from data2vec_plugin.decoding.options import BeamOptions, build_decoder


@pytest.mark.parametrize(
    ("version", "advice"),
    [((3, 12), "pip install flashlight-text"), ((3, 13), "no wheel for Python 3.13; use Python 3.9 to 3.12")],
)
def test_a_beam_is_refused_in_one_line(version: Tuple[int, int], advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flashlight.lib.text.decoder", None)
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    with pytest.raises(ValueError, match=f"beam search requires flashlight-text.*{advice}") as refused:
        build_decoder(BeamOptions(), ["_", "A"], 0)
    assert "\n" not in str(refused.value)
    assert build_decoder(None, ["_", "A"], 0).decode(torch.eye(2))[0].tokens == [1]
