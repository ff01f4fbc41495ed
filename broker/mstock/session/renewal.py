"""Decides what auto-login does next; pure: it looks at what it is given and touches nothing."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import NamedTuple

from broker.mstock.session.calendar import Calendar
from broker.mstock.session.held import Held


class Result(StrEnum):
    """How an attempt ended; equal to the plain texts."""

    DONE = "done"
    RETRY = "retry"  # the connection failed; the same again may work
    REFUSED = "refused"  # mStock refused what was sent: never again without the user
    UNKNOWN = "unknown"  # whether mStock logged in is not known: a person looks first
    FAILED = "failed"  # anything else: not again today


class Attempt(NamedTuple):
    """One login without the user: when, how it ended (a `Result`), in words, mStock's code."""

    at: datetime
    result: str
    words: str
    code: str = ""


class Tally(NamedTuple):
    """What was done on one day: tries begun, no next one before a time, or none at all."""

    day: date
    tries: int = 0
    not_before: datetime | None = None
    is_closed: bool = False


class RenewalState(NamedTuple):
    """What is kept of an account's auto-login.

    `at` is the time (IST) of the first try; `blocked` says why nothing is tried until the user
    switches on again ("" when nothing blocks); `notice` what the user must read; `begun_at` is set
    from before an attempt's first byte until its outcome is kept.
    """

    enabled: bool = False
    accepted_at: datetime | None = None
    at: time = time(8, 35)
    blocked: str = ""
    notice: str = ""
    begun_at: datetime | None = None
    steps: tuple[int, ...] = ()
    tallies: tuple[Tally, ...] = ()
    history: tuple[Attempt, ...] = ()

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.history[-1] if self.history else None


class Do(StrEnum):
    """What a step asks for."""

    WAIT = "wait"
    LOG_IN = "log in"
    SETTLE = "settle"  # today's need is met by a login that the user made
    GIVE_UP = "give up"  # today's tries are over
    CLEAR_UP = "clear up"  # an attempt was begun and its end is not known


class Step(NamedTuple):
    """What to do now; when (for a wait) and in words what comes next."""

    do: Do
    at: datetime | None
    words: str


def next_step(state: RenewalState, now: datetime, calendar: Calendar, session: Held | None) -> Step:
    """What auto-login does at this moment."""
    raise NotImplementedError
