"""What a check comes to: fine, something to do, or not looked at and why."""

from __future__ import annotations

from typing import NamedTuple

from broker._kit.errors import BrokerError

OK, TODO, SKIPPED = "ok", "to do", "skipped"


class Check(NamedTuple):
    """One line of doctor's: `words` say what was found, `todo` what to do about it."""

    name: str
    state: str
    words: str
    todo: str = ""


def fine(name: str, words: str) -> Check:
    """Nothing to do."""
    return Check(name, OK, words)


def to_do(name: str, words: str, todo: str) -> Check:
    """Something is wrong, and this is how to put it right."""
    return Check(name, TODO, words, todo)


def skipped(name: str, why: str) -> Check:
    """It was not looked at."""
    return Check(name, SKIPPED, why)


def failed(name: str, error: BrokerError) -> Check:
    """What an error says, as a line."""
    code = f" (code {error.code})" if error.code else ""
    return Check(name, TODO, f"{error.message}{code}", error.next_step)
