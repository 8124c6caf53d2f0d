"""docs/when-something-goes-wrong.md quotes messages that the code has, word for word."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from typing import List, NamedTuple

import pytest
from messages import PLACEHOLDER, Message, messages
from page_code import DOCS

pytestmark = pytest.mark.source

PAGE = DOCS / "when-something-goes-wrong.md"
ROW = re.compile(r"^\| `` (.+?) `` \|(.+)\|(.+)\|$")


class Quote(NamedTuple):
    line: int
    text: str
    cause: str
    remedy: str


def quotes() -> List[Quote]:
    lines = enumerate(PAGE.read_text("utf-8").splitlines(), 1)
    found = ((at, ROW.match(line)) for at, line in lines)
    return [Quote(at, row[1].rstrip(PLACEHOLDER + " "), row[2].strip(), row[3].strip()) for at, row in found if row]


@lru_cache(maxsize=1)
def known() -> List[Message]:
    return [message._replace(text=flat(message.text)) for message in messages("data2vec_plugin", "data2vec_compat")]


def flat(text: str) -> str:
    """One space between words, one mark for placeholders that follow each other."""
    return re.sub(rf"{PLACEHOLDER}+", PLACEHOLDER, " ".join(text.split()))


def nearest(quote: str) -> Message:
    """The message that shares most words with a quote."""
    words = set(re.findall(r"[\w`.]+", quote))
    return max(known(), key=lambda message: len(words & set(re.findall(r"[\w`.]+", message.text))))


@pytest.mark.parametrize("quote", quotes(), ids=lambda quote: f"line {quote.line}")
def test_a_message_on_the_page_is_in_the_code(quote: Quote) -> None:
    if any(flat(quote.text) in message.text for message in known()):
        return
    like = nearest(quote.text)
    different = "\n".join(difflib.ndiff([quote.text], [like.text]))
    pytest.fail(
        f"{PAGE.name}:{quote.line} quotes a message that no module has any more. Quote a stretch of the new one; "
        f"perhaps it is {like.path}:{like.line}:\n{different}"
    )


def test_the_page_has_all_its_rows() -> None:
    found = quotes()
    assert len(found) >= 40
    assert len({quote.text for quote in found}) == len(found)
    assert [quote for quote in found if len(quote.text) < 12 or not quote.cause or not quote.remedy] == []
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ``")]
    assert len(rows) == len(found), "a row has other columns"


def test_a_message_that_nobody_raises_is_noticed() -> None:
    assert not any("is not what anybody ever says" in message.text for message in known())
    assert nearest("training has collapsed: … Resume from an earlier checkpoint with another one").text.startswith(
        "training has collapsed: "
    )
