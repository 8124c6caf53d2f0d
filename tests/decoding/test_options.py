"""Options of beam search: out of arguments, out of an overlay, out of range."""

import argparse
from pathlib import Path
from typing import Any, Dict, List

import pytest

from data2vec_plugin.decoding.greedy import GreedyCtcDecoder
from data2vec_plugin.decoding.options import BeamOptions, add_beam_arguments, beam_options, build_decoder
from data2vec_plugin.decoding.overlay import overlay_text
from data2vec_plugin.files.unusable import UnusableFileError


def parsed(*words: str) -> Dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_beam_arguments(parser)
    return vars(parser.parse_args(list(words)))


@pytest.mark.parametrize("words", [[], ["--beam", "1"]])
def test_without_options_it_is_greedy(words: List[str]) -> None:
    options = beam_options(parsed(*words))
    assert options is None
    assert isinstance(build_decoder(options, ["_", "A"], 0), GreedyCtcDecoder)


def test_each_option_asks_for_a_beam() -> None:
    assert beam_options(parsed("--nbest", "3")) == BeamOptions(nbest=3)
    assert beam_options(parsed("--word-score", "-0.5", "--lexicon", "l")) == BeamOptions(
        lexicon=Path("l"), word_score=-0.5
    )


def test_an_overlay_gives_what_is_not_given(tmp_path: Path) -> None:
    path = tmp_path / "tuned.yaml"
    path.write_text(overlay_text({"beam": 20, "lexicon": Path("l.txt"), "word_score": 0.5, "nbest": None}, ["found"]))
    options = beam_options(parsed("--decoding", str(path), "--beam", "30"))
    assert options == BeamOptions(beam=30, lexicon=tmp_path / "l.txt", word_score=0.5)
    assert options.summary() == "beam=30, lexicon=l.txt, word_score=0.5"


@pytest.mark.parametrize("text", ["task: {lexikon: x}", "- 1", "model: {beam: 3}", "a: [", ""])
def test_what_is_no_overlay_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(text)
    with pytest.raises(UnusableFileError, match=str(path)):
        beam_options({"decoding": path})


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"beam": 0}, "`--beam` is 0; expected at least 1"),
        ({"beam": 5, "nbest": 6}, "`--nbest` is 6; expected at most `--beam`"),
        ({"beam_size_token": 0}, "`--beam-size-token` is 0"),
        ({"beam_threshold": -1.0}, "`--beam-threshold` is -1; expected 0 or more"),
        ({"lm_weight": -1.0}, "`--lm-weight` is -1; expected 0 or more"),
        ({"lm_weight": 1.0}, "there is no language model: give `--lm-model`"),
        ({"word_score": 1.0}, "only a lexicon has words: give `--lexicon`"),
        ({"sil_weight": float("nan")}, "`--sil-weight` is nan; expected a number"),
    ],
)
def test_what_cannot_be_is_told_by_its_option(options: Dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        BeamOptions(**options)
