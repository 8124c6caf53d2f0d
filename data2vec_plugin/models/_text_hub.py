"""fairseq's hub interface for text: RoBERTa's, with the subwords of the checkpoint's task."""

from __future__ import annotations

from typing import Any, List

from fairseq.models.roberta.hub_interface import RobertaHubInterface


class TextHub(RobertaHubInterface):
    """``encode``, ``decode``, ``extract_features`` and ``predict`` of a loaded text model.

    ``loaded`` is the result of :func:`fairseq.hub_utils.from_pretrained`. Raises ValueError if ``bpe`` was not given
    and the task does not define how text is split into symbols, since every word would silently be unknown.
    """

    bpe: Any

    def __init__(self, loaded: Any) -> None:
        super().__init__(loaded["args"], loaded["task"], loaded["models"][0])
        if self.bpe is not None:
            return
        if not hasattr(self.task, "hub_subwords"):
            raise ValueError(
                f"task `{loaded['args'].task._name}` does not define how text is split into the dictionary's symbols: "
                "pass `bpe`, such as bpe='sentencepiece' with sentencepiece_model=FILE"
            )
        self.bpe = _Joined(self.task.hub_subwords())

    @property
    def models(self) -> List[Any]:
        """The model, in a list, as fairseq's other hub interfaces have it."""
        return [self.model]


class _Joined:
    """Subwords in the form of fairseq's encoders: symbols separated by spaces."""

    def __init__(self, subwords: Any) -> None:
        self.subwords = subwords

    def encode(self, text: str) -> str:
        """Text -> symbols."""
        return " ".join(self.subwords.encode(text))

    def decode(self, symbols: str) -> str:
        """Symbols -> text."""
        return str(self.subwords.decode(symbols.split()))
