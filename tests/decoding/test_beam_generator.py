"""Beam search as fairseq-generate asks for it: options, batches ahead, several readings."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.dataclass.configs import GenerationConfig

from data2vec_plugin.decoding.beam_generator import BatchesAhead, BeamCtcGenerator
from data2vec_plugin.decoding.decoded import Decoded
from data2vec_plugin.decoding.for_fairseq import OF_TASK, asked_options, check_decodable, refuse_ctc_options
from data2vec_plugin.decoding.options import BeamOptions
from data2vec_plugin.decoding.overlay import overlay_text
from data2vec_plugin.decoding.processes import DecodingProcesses


def task(**given: Any) -> Any:
    return SimpleNamespace(**{**dict.fromkeys(OF_TASK), **given})


def generation(**given: Any) -> GenerationConfig:
    return GenerationConfig(**given)


@pytest.mark.parametrize("given", [{}, {"beam": 1}])
def test_a_call_of_before_is_greedy(given: Dict[str, Any]) -> None:
    assert asked_options(task(), generation(**given)) is None


@pytest.mark.parametrize(
    ("of_task", "of_generation", "expected"),
    [
        ({"lexicon": "l"}, {}, BeamOptions(5, lexicon=Path("l"))),
        ({"lexicon": "l"}, {"beam": 1}, BeamOptions(1, lexicon=Path("l"))),
        ({}, {"nbest": 3}, BeamOptions(5, nbest=3)),
        ({}, {"beam": 20}, BeamOptions(20)),
        ({"lm_model": "m"}, {"lm_weight": 0.5}, BeamOptions(5, lm_model=Path("m"), lm_weight=0.5)),
        ({"beam_size_token": 9}, {}, BeamOptions(5, beam_size_token=9)),
    ],
)
def test_each_option_asks_for_a_beam(
    of_task: Dict[str, Any], of_generation: Dict[str, Any], expected: BeamOptions
) -> None:
    assert asked_options(task(**of_task), generation(**of_generation)) == expected


def test_an_overlay_gives_what_the_line_does_not(tmp_path: Path) -> None:
    path = tmp_path / "tuned.yaml"
    path.write_text(overlay_text({"beam": 30, "lm_weight": 1.5, "lm_model": tmp_path / "m"}, []))
    assert asked_options(task(decoding=str(path)), generation()) == BeamOptions(
        30, lm_model=tmp_path / "m", lm_weight=1.5
    )
    assert asked_options(task(decoding=str(path)), generation(beam=7, lm_weight=2.0)) == BeamOptions(
        7, lm_model=tmp_path / "m", lm_weight=2.0
    )


@pytest.mark.parametrize(
    ("of_task", "of_generation", "fault"),
    [
        ({"lm_model": "m"}, {}, "`--lm-weight` is 0.*give a weight"),
        ({}, {"lm_weight": 1.0}, "give `--lm-model`"),
        ({}, {"lm_path": "lm.pt"}, "`--lm-path` lm.pt is for models with a decoder"),
        ({"lexicon": "l"}, {"nbest": 9}, "`--nbest` is 9; expected at most `--beam`"),
    ],
)
def test_what_would_count_for_nothing_is_refused(
    of_task: Dict[str, Any], of_generation: Dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        asked_options(task(**of_task), generation(**of_generation))


def test_models_that_say_no_symbols_and_options_of_others_are_refused() -> None:
    with pytest.raises(ValueError, match="holds a Linear, which has no output symbols"):
        check_decodable([torch.nn.Linear(1, 1)])
    with pytest.raises(ValueError, match="`--word-score` is for CTC models"):
        refuse_ctc_options(task(word_score=1.0))


LETTERS = Dictionary()
for letter in "AB":
    LETTERS.add_symbol(letter)
A, B = LETTERS.index("A"), LETTERS.index("B")


class Says(torch.nn.Module):
    """A model that says of each row the one symbol that the row holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: List[int] = []

    def forward(self, source: torch.Tensor) -> Dict[str, Any]:
        self.seen.append(int(source[0]))
        return {"padding_mask": None, "source": source}

    def get_normalized_probs(self, output: Dict[str, Any], log_probs: bool) -> torch.Tensor:
        return torch.eye(len(LETTERS))[output["source"]].clamp_min(0.01).log().unsqueeze(0)


class Counts:
    """A decoder of two readings."""

    def decode(self, emissions: torch.Tensor) -> List[Decoded]:
        best = int(emissions[0].argmax())
        return [Decoded([best], [0], [1], [-0.5], -1.0), Decoded([], [], [], [], -2.0)]


def sample(*symbols: int) -> Dict[str, Any]:
    return {"id": torch.tensor(symbols), "net_input": {"source": torch.tensor(symbols)}}


@pytest.mark.parametrize("count", [0, 1])
def test_batches_come_in_order_with_the_encoder_ahead(count: int) -> None:
    batches = BatchesAhead([sample(A, B), {}, sample(B), sample(A)])
    assert len(batches) == 4
    model = Says()
    with DecodingProcesses(Counts(), count) as processes:
        generator = BeamCtcGenerator(LETTERS, processes, 0, "beam=2", batches)
        found = [generator.generate([model], each) if each else None for each in batches]
    assert found[1] is None
    tokens = [[[h["tokens"].tolist() for h in row] for row in rows] for rows in found if rows]
    assert tokens == [[[[A], []], [[B], []]], [[[B], []]], [[[A], []]]]
    assert [h["score"] for h in found[0][0]] == [-1.0, -2.0]  # type: ignore[index]
    assert model.seen == [A, B, A]
    assert found[0][0][0]["positional_scores"].tolist() == [-0.5]  # type: ignore[index]


def test_without_batches_it_decodes_what_it_is_given() -> None:
    with DecodingProcesses(Counts(), 0) as processes:
        generator = BeamCtcGenerator(LETTERS, processes, 0, "beam=2")
        assert [len(row) for row in generator.generate([Says()], sample(A))] == [2]
        with pytest.raises(ValueError, match="--prefix-size"):
            generator.generate([Says()], sample(A), prefix_tokens=torch.zeros(1, 1))
