"""What a recogniser says of a clip: alone, among others, and as fairseq's own model does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
import torch
from convert.made import convert
from fairseq.checkpoint_utils import load_model_ensemble
from features.made import ctc_checkpoint, speech_checkpoint
from recognition.recognisers import MADE, PARITY, changed, clips, first_method, letters, second_method
from torch import Tensor
from torch.nn import functional as F

from data2vec_plugin.recognition.recogniser import open_recogniser


@pytest.mark.parametrize("kind", MADE)
def test_a_clip_among_others_is_as_alone(kind: str, tmp_path: Path) -> None:
    MADE[kind](tmp_path / kind)
    recogniser = open_recogniser(tmp_path / kind, device="cpu")
    sizes = tuple(recogniser.shortest * factor // 2 for factor in (30, 7, 2, 12, 30))
    together = recogniser.emissions(clips(sizes))
    for clip, found in zip(clips(sizes), together):
        (alone,) = recogniser.emissions([clip])
        torch.testing.assert_close(found, alone, atol=1e-5, rtol=0)
        assert alone.shape == (1 + (len(clip) - recogniser.shortest) // recogniser.hop, len(recogniser.symbols))
        torch.testing.assert_close(alone.exp().sum(-1), torch.ones(len(alone)))


def by_fairseq(path: Path, waveforms: List[Any]) -> List[Tensor]:
    """The log-probabilities that `fairseq-generate` decodes, of each waveform."""
    (model,), _ = load_model_ensemble([str(path)], arg_overrides={"data": str(path.parent)})
    model.eval()
    found = []
    for waveform in waveforms:
        source = torch.from_numpy(waveform)
        with torch.no_grad():
            out = model(source=F.layer_norm(source, source.shape).unsqueeze(0), padding_mask=None)
        found.append(model.get_normalized_probs(out, log_probs=True)[:, 0])
    return found


@pytest.mark.parametrize("made", [first_method, second_method], ids=["v1", "v2"])
@pytest.mark.parametrize(
    "blank", [{}, {"blank_weight": 1.5}, {"blank_weight": -0.5, "blank_mode": "set"}], ids=["", "add", "set"]
)
def test_emissions_are_those_that_fairseq_decodes(made: Any, blank: Any, tmp_path: Path) -> None:
    made(tmp_path / "model.pt")
    path = changed(tmp_path / "model.pt", **blank)
    if made is first_method:
        lines = [f"{letter} 1\n" for letter in letters().symbols[letters().nspecial :]]
        (tmp_path / "dict.ltr.txt").write_text("".join(lines), "utf-8")
    waveforms = clips((9000, 3000))
    for ours, theirs in zip(open_recogniser(path, "cpu").emissions(waveforms), by_fairseq(path, waveforms)):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_the_dictionary_is_inside_or_lies_beside_or_is_given(tmp_path: Path) -> None:
    inside = open_recogniser(PARITY / "official_style_audio_ctc" / "checkpoint.pt", "cpu")
    assert inside.symbols[inside.blank] == "<s>"
    assert "|" in inside.symbols
    second_method(tmp_path / "model.pt")
    beside = open_recogniser(tmp_path / "model.pt", "cpu")
    moved = (tmp_path / "dict.ltr.txt").rename(tmp_path / "other.txt")
    with pytest.raises(ValueError, match=r"holds no dictionary; give the one of its labels with `--dict FILE`"):
        open_recogniser(tmp_path / "model.pt", "cpu")
    given = open_recogniser(tmp_path / "model.pt", "cpu", moved)
    assert (given.symbols, given.digest) == (beside.symbols, beside.digest)


def test_what_a_recogniser_says_of_itself(tmp_path: Path) -> None:
    first_method(tmp_path / "first.pt")
    recogniser = open_recogniser(tmp_path / "first.pt", "cpu")
    assert recogniser.symbols == list(letters().symbols)
    assert (recogniser.name, recogniser.blank, recogniser.sample_rate) == ("wav2vec_ctc", 0, 16_000)
    assert recogniser.normalize
    assert not recogniser.like_only
    other = open_recogniser(changed(tmp_path / "first.pt", blank_weight=1.0), "cpu")
    assert other.digest != recogniser.digest


def test_a_clip_that_gives_no_frame_is_told(tmp_path: Path) -> None:
    first_method(tmp_path / "first.pt")
    recogniser = open_recogniser(tmp_path / "first.pt", "cpu")
    short = np.zeros(recogniser.shortest - 1, "float32")
    with pytest.raises(ValueError, match=rf"{len(short)} samples; one frame of this model requires"):
        recogniser.emissions([short])
    assert recogniser.emissions([]) == []


def test_what_is_no_recogniser_is_told(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "pretrained.pt")
    with pytest.raises(ValueError, match=r"of model `data2vec_audio` .*expected `wav2vec_ctc` .*fine-tuned on"):
        open_recogniser(tmp_path / "pretrained.pt", "cpu")
    ctc_checkpoint(tmp_path / "half.pt")
    (tmp_path / "one.txt").write_text("| 1\n", "utf-8")
    with pytest.raises(ValueError, match=r"lacks `w2v_encoder.proj.bias`"):
        open_recogniser(tmp_path / "half.pt", "cpu", tmp_path / "one.txt")
    with pytest.raises(ValueError, match=r"does not exist"):
        open_recogniser(tmp_path / "nowhere.pt", "cpu")
    first_method(tmp_path / "first.pt")
    with pytest.raises(ValueError, match=r"`model.blank_mode` is 'scale'; expected add or set"):
        open_recogniser(changed(tmp_path / "first.pt", blank_mode="scale"), "cpu")


def test_a_folder_that_is_no_recogniser_is_told(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "pretrained.pt")
    with pytest.raises(ValueError, match=r"Data2VecAudioModel; expected a CTC recogniser, Data2VecAudioForCTC"):
        open_recogniser(convert(tmp_path / "pretrained.pt", tmp_path / "folder"), "cpu")
    with pytest.raises(ValueError, match=r"holds no config.json"):
        open_recogniser(tmp_path, "cpu")
