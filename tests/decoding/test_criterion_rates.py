"""What `fairseq-generate` counts with our generator and scorer is what the CTC criterion counts in validation."""

from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from fairseq.criterions.ctc import CtcCriterion, CtcCriterionConfig
from fairseq.data import Dictionary
from fairseq.utils import post_process_prediction

from data2vec_plugin.decoding.greedy import GreedyCtcGenerator
from data2vec_plugin.scoring.data2vec_asr import AsrScorer

pytest.importorskip("editdistance")

LETTERS = Dictionary()
for letter in "|ACERST":
    LETTERS.add_symbol(letter)
BLANK = LETTERS.bos()
REFERENCES = ["THE", "A CAT RATES", "TEST CASE"]
# a word wrong, two words made one, a symbol that is repeated over a blank, an unknown one; "_" is a blank
PATHS = ["T_EE|__________", "AA|C_ART_RATEES|", "T<EST|CCAS_SE|_"]


def symbols(text: str) -> List[int]:
    return [{"_": BLANK, "<": LETTERS.unk()}.get(symbol, LETTERS.index(symbol)) for symbol in text]


class Fixed(torch.nn.Module):
    """A model with the same log-probabilities (T, B, V), whatever it hears; the third row ends two frames earlier."""

    def __init__(self) -> None:
        super().__init__()
        width = max(map(len, PATHS))
        self.padding_mask = torch.arange(width) >= torch.tensor([width, width, width - 2]).unsqueeze(1)
        scores = torch.randn(3, width, len(LETTERS), generator=torch.Generator().manual_seed(1))
        rows = torch.tensor([symbols(path.ljust(width, "_")) for path in PATHS])
        scores.scatter_(2, rows.unsqueeze(2), 8.0)
        scores[self.padding_mask] = 0.0
        scores[..., LETTERS.index("C")][self.padding_mask] = 9.0  # what padding says must not be read
        self.log_probs = scores.log_softmax(-1).transpose(0, 1)

    def forward(self, **net_input: Any) -> Dict[str, Any]:
        return {"padding_mask": self.padding_mask}

    def get_normalized_probs(self, output: Any, log_probs: bool) -> torch.Tensor:
        return self.log_probs


def sample() -> Dict[str, Any]:
    rows = [torch.tensor(symbols(text.replace(" ", "|") + "|")) for text in REFERENCES]
    target = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=LETTERS.pad())
    return {"id": torch.arange(3), "net_input": {}, "target": target}


def criterions_rate() -> float:
    """Word errors and words that fairseq counts, in percent."""
    task: Any = SimpleNamespace(target_dictionary=LETTERS, blank_symbol=LETTERS.bos_word)
    criterion = CtcCriterion(CtcCriterionConfig(zero_infinity=True, sentence_avg=False, post_process="letter"), task)
    _, _, log = criterion(Fixed().eval(), sample())
    return 100 * float(log["w_errors"]) / float(log["w_total"])


@pytest.mark.parametrize("post_process", [None, "letter"])
def test_word_error_rate_is_the_criterions(post_process: Any) -> None:
    generator, scorer = GreedyCtcGenerator(LETTERS, BLANK), AsrScorer(None)
    batch = sample()
    for (best,), target in zip(generator.generate([Fixed()], batch), batch["target"]):
        ignored = {*generator.symbols_to_strip_from_output, LETTERS.pad()}
        said = post_process_prediction(
            best["tokens"], "", None, None, LETTERS, post_process, extra_symbols_to_ignore=ignored
        )[1]
        meant = LETTERS.string(target, post_process, escape_unk=True, extra_symbols_to_ignore=ignored)
        scorer.add_string(meant, said)
    assert scorer.score() == pytest.approx(criterions_rate())
    assert 0 < scorer.score() < 100
