"""What this plugin cannot do yet, in the words that every door, page and installer shares."""

from __future__ import annotations

from broker._kit.errors import ManualCheckRequired

STREAMING = "Streaming is not available yet with this mStock plugin."

IN_THE_APP = "Use the mStock app or website for it."


class NotYet(ManualCheckRequired, NotImplementedError):
    """A door was opened behind which nothing is built; mStock was not asked.

    It is a `NotImplementedError` too, which OpenAlgo's margin service answers with 501.
    """

    def __init__(self, words: str, next_step: str = IN_THE_APP) -> None:
        super().__init__(words, next_step)
