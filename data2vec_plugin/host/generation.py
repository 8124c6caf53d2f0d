"""Extends ``fairseq-generate``: its task knows that it decodes, the last line reports how, and processes end with
it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, Optional


class Generation:
    """One call of ``fairseq-generate``."""

    def __init__(self) -> None:
        self.description = ""
        """How it is decoded, in the words of the last line; empty: fairseq's own."""
        self.unlabelled = False
        """Whether nothing is compared with labels, since there are none."""
        self.closing = ExitStack()
        """What is to be ended with it, however it ends."""


_current: Optional[Generation] = None


def current_generation() -> Optional[Generation]:
    """The call of ``fairseq-generate`` that this process is in; None in training and elsewhere."""
    return _current


@contextmanager
def decoding() -> Iterator[Generation]:
    """Within it, this process decodes, as ``fairseq-generate`` does."""
    global _current
    generation, before = Generation(), _current
    _current = generation
    try:
        with generation.closing:
            yield generation
    finally:
        _current = before


class LastLine:
    """A stream whose line of results says how it was decoded, in place of the number of beams of ``--beam``."""

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
