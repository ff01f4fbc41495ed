"""What can be said of a login between its two steps, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from broker._kit.secret import Secret


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a login may wait for its OTP and how often it may be tried; times in seconds."""

    life: float = 300
    tries: int = 5
    resends: int = 3
    resend_gap: float = 30
    capacity: int = 64


class Why(Enum):
    """Why a pending login is no longer open."""

    EXPIRED = "expired"
    REPLACED = "replaced"
    TRIED_OUT = "tried out"
    USED = "used"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Gone(Exception):
    """The login that the form belongs to is not open any more."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Busy(Exception):
    """A code or a resend of this login is at mStock right now."""


class TooSoon(Exception):
    """The next OTP may be asked for in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f}")
        self.seconds = seconds


class NoResendLeft(Exception):
    """All resends of this login are used."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a page may show of a pending login; nothing in it is secret."""

    login_id: str
    sent_to: str
    sent_at: datetime
    ends_at: datetime
    tries_left: int
    resends_left: int
    resend_from: datetime
    is_resent: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try or resend, taken before mStock is called; to be ended by `free`, `renew` or `close`.

    `secret` is the ticket for a try and the password for a resend; `turn` orders OTPs.
    """

    browser: str
    login_id: str
    secret: Secret
    is_try: bool
    turn: int
