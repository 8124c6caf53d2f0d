"""Extends ``fairseq-generate``: its task knows that it decodes, its last line says how, its processes end with it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, Optional


class Generation:
    """One call of ``fairseq-generate``."""

    def __init__(self) -> None:
        self.description = ""
        """How the call decodes, for the last line; if empty, the line is fairseq's own."""
        self.unlabelled = False
        """Whether there are no labels to compare with."""
        self.closing = ExitStack()
        """Resources that are released when the call ends, even by an error."""


_current: Optional[Generation] = None


def current_generation() -> Optional[Generation]:
    """Return the call of ``fairseq-generate`` that this process is in; None in training and elsewhere."""
    return _current


@contextmanager
def decoding() -> Iterator[Generation]:
    """Context in which this process decodes, as ``fairseq-generate`` does."""
    global _current
    generation, before = Generation(), _current
    _current = generation
    try:
        with generation.closing:
            yield generation
    finally:
        _current = before


class LastLine:
    """A stream whose line of results states how the data was decoded, instead of the number of ``--beam``."""

    def __init__(self, stream: Any, stock: str, ours: Callable[[], str]) -> None:
        self._stream, self._stock, self._ours = stream, stock, ours

    def write(self, text: str) -> int:
        """Write a text, as `print` does: a line at a time."""
        ours = self._ours()
        if ours and text.startswith(self._stock):
            text = ours + text[len(self._stock) :]
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def generate(stock: Any, cfg: Any, output_file: Any) -> Any:
    """fairseq's ``_main`` of ``fairseq-generate``, which writes hypotheses and results to a stream."""
    start = f"Generate {cfg.dataset.gen_subset} with"
    with decoding() as generation:

        def ours() -> str:
            return f"{start} {generation.description}: " if generation.description else ""

        scorer = stock(cfg, LastLine(output_file, f"{start} beam={cfg.generation.beam}: ", ours))
    if generation.unlabelled:
        print(f"{ours()}no labels, so no error rates", file=output_file)
    return scorer
