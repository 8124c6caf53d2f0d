"""Corpus word and character error rates for ``fairseq-generate --scoring data2vec_asr``."""

import re
from typing import Any, List, Sequence

from fairseq.dataclass import FairseqDataclass
from fairseq.scoring import BaseScorer, register_scorer

UNKNOWN_OR_LETTER = re.compile(r"<<unk>>|<unk>|.")


@register_scorer("data2vec_asr", dataclass=FairseqDataclass)
class AsrScorer(BaseScorer):
    """Errors summed over the corpus, divided by its words or characters.

    Accepts letter transcripts as fairseq prints them (``H E L L O |``) or, after ``--post-process letter``, words. The
    word error rate equals the CTC criterion's. The character error rate may differ: letters show whether the last word
    was closed with ``|``, which the criterion counts, and words do not. Requires `editdistance`.
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self.word_errors = self.words = 0
        self.character_errors = self.characters = 0
        self.utterances = 0

    def add_string(self, ref: str, pred: str) -> None:
        """Count the errors of one utterance."""
        as_letters = "|" in ref
        reference, prediction = symbols(ref, as_letters), symbols(pred, as_letters)
        self.character_errors += distance(reference, prediction)
        self.characters += len(reference)
        self.word_errors += distance(words(reference), words(prediction))
        self.words += len(words(reference))
        self.utterances += 1

    def score(self) -> float:
        """Word error rate in percent."""
        return percent(self.word_errors, self.words)

    def result_string(self) -> str:
        """Both rates, with their counts."""
        return (
            f"WER {self.score():.2f} % ({self.word_errors} errors in {self.words} words) | "
            f"CER {percent(self.character_errors, self.characters):.2f} % "
            f"({self.character_errors} errors in {self.characters} characters) | {self.utterances} utterances"
        )


def symbols(text: str, as_letters: bool) -> List[str]:
    """Characters of a transcript, ``|`` after each word: from space-separated letters, or from plain words.

    An ``<unk>`` counts as one character; fairseq prints that of a reference as ``<<unk>>``.
    """
    if as_letters:
        return text.split()
    return [symbol for word in text.split() for symbol in (*UNKNOWN_OR_LETTER.findall(word), "|")]


def words(characters: Sequence[str]) -> List[str]:
    """Words of a list of characters."""
    return "".join(characters).replace("|", " ").split()


def distance(reference: Sequence[str], prediction: Sequence[str]) -> int:
    """Levenshtein distance of two sequences."""
    import editdistance

    return int(editdistance.eval(reference, prediction))


def percent(errors: int, total: int) -> float:
    """Rate in percent; 0 if there is nothing to compare with."""
    return 100 * errors / total if total else 0.0
