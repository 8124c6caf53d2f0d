"""Every weight of wav2vec 2.0 and HuBERT is taken or left by name; every weight of a student comes from somewhere."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from models.test_speech_start import MAKE, original
from models.tiny import tiny_model

from data2vec_plugin.interop.fairseq.speech_start import LEFT, SETTINGS, student_start
from data2vec_plugin.models.audio_config import Data2VecAudioConfig


@pytest.mark.parametrize("name", LEFT)
def test_nothing_is_dropped_and_nothing_is_made_up(name: str) -> None:
    weights, own = original(name, MAKE).state_dict(), tiny_model(**MAKE).state_dict()
    start = student_start(name, weights, own)
    assert start.state.keys() == own.keys()
    left = {key for key in weights if key.startswith(LEFT[name])}
    for key, value in start.state.items():
        assert value is (own if key.startswith("final_proj.") else weights)[key]
    assert weights.keys() - start.state.keys() == {key for key in left if not key.startswith("final_proj.")}
    assert start.left == sorted({key.partition(".")[0] for key in left})


def test_what_the_student_has_not_is_an_error() -> None:
    weights: Any = original("wav2vec2", MAKE).state_dict()
    weights["encoder.adapter.weight"] = torch.zeros(1)
    del weights["mask_emb"]
    with pytest.raises(ValueError, match=r"it lacks `mask_emb`; it holds `encoder\.adapter\.weight`"):
        student_start("wav2vec2", weights, tiny_model(**MAKE).state_dict())


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_is_one_of_ours(key: str) -> None:
    assert hasattr(Data2VecAudioConfig(), key)
