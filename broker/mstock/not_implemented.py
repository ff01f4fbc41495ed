"""What this plugin cannot do yet, in the words that every door, page and installer shares."""

from __future__ import annotations

from typing import Any, NoReturn

from broker._kit.errors import ManualCheckRequired

# For whoever holds something: the one consequence that costs money.
OPEN_POSITIONS = (
    "A position that is open at mStock cannot be closed from OpenAlgo: use the mStock app or "
    "website for it."
)

ORDERS = "Orders are not available yet with this mStock plugin, so nothing was sent to mStock."
BOOKS = (
    "Order book, trade book, positions and holdings are not available yet with this mStock plugin."
)
MARGIN = "The margin calculator is not available yet with this mStock plugin."
STREAMING = "Streaming is not available yet with this mStock plugin."

IN_THE_APP = "Use the mStock app or website for it."


class NotYet(ManualCheckRequired, NotImplementedError):
    """A door was opened behind which nothing is built; mStock was not asked.

    It is a `NotImplementedError` too, which OpenAlgo's margin service answers with 501.
    """

    def __init__(self, words: str, next_step: str = IN_THE_APP) -> None:
        super().__init__(words, next_step)


def refuse_books(*_: Any, **__: Any) -> NoReturn:
    """Stands for everything that reads or turns a book. Raises `NotYet`."""
    raise NotYet(BOOKS)
