"""What is stored of one account, as one record: its secrets, its session, its auto-login."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.settings import Account


class LoginMethod(StrEnum):
    """How a session came about."""

    OTP = "otp"
    TOTP = "totp"
    AUTO = "auto-login"
    ELSEWHERE = "elsewhere"


class EndReason(StrEnum):
    """Why a session ended."""

    REFUSED = "refused"  # the broker refuses the token
    LOGGED_OUT = "logged_out"
    LOGGED_OUT_ELSEWHERE = "logged_out_elsewhere"
    EXPIRED = "expired"  # the time was over: it follows from the clock while there is a token


class SessionRecord(NamedTuple):
    """The account's newest session; `token` is None once it was logged out."""

    token: Secret | None = None
    logged_in_at: datetime | None = None
    method: LoginMethod = LoginMethod.ELSEWHERE
    end_reason: EndReason | None = None


class Result(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    RETRY = "retry"  # the connection failed; the same again may work
    REFUSED = "refused"  # the broker refused what was sent: never again without the user
    UNKNOWN = "unknown"  # whether the broker logged in is not known: a person looks first
    FAILED = "failed"  # anything else: not again today


class Attempt(NamedTuple):
    """One login without the user, written down before it is sent.

    `result` (a `Result`) is "" until its outcome is stored, `words` say it, `code` is the broker's.
    `step` is the TOTP step whose code was sent, `clock_ahead` the seconds by which this computer's
    clock was ahead of the broker's.
    """

    at: datetime
    result: str = ""
    words: str = ""
    code: str = ""
    ended_at: datetime | None = None
    step: int | None = None
    clock_ahead: int = 0


class AutoLoginState(NamedTuple):
    """An account's auto-login.

    `blocked` says why nothing is tried until the user switches on or tests again ("" when nothing
    blocks), `notice` what the user must read. On `closed_on` nothing is tried any more.
    `manual_step` is the TOTP step of the user's last login by hand. Attempts are oldest first.
    """

    enabled: bool = False
    accepted_at: datetime | None = None
    blocked: str = ""
    notice: str = ""
    closed_on: date | None = None
    manual_step: int | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def pending(self) -> Attempt | None:
        """The attempt that was begun and whose outcome is not stored."""
        return self.attempts[-1] if self.attempts and not self.attempts[-1].result else None

    @property
    def history(self) -> tuple[Attempt, ...]:
        """The attempts whose outcome is stored."""
        return tuple(attempt for attempt in self.attempts if attempt.result)


class KnownBrowser(NamedTuple):
    """A browser that has logged in here: the hash of the key that it keeps, and since when."""

    key_hash: str
    since: datetime


@dataclass
class AccountRecord:
    """All that is stored of an account; `auto_login` is None if it was never switched on."""

    password: Secret | None = None
    totp_secret: Secret | None = None
    api_key: Secret | None = None  # only where one store serves many accounts; else it is in .env
    session: SessionRecord | None = None
    auto_login: AutoLoginState | None = None
    browsers: tuple[KnownBrowser, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to store."""
        return self == AccountRecord()

    def described(self, account: Account) -> list[str]:
        """What is stored, a line each, in words that hold nothing of it."""
        parts = (
            (self.password, "password"),
            (self.totp_secret, "TOTP secret"),
            (self.api_key, "API key"),
            (self.session, "session"),
            (self.auto_login, "auto-login settings and history"),
            (self.browsers or None, "browsers that may go on with the session"),
        )
        return [described(account, name) for part, name in parts if part is not None]


def described(account: Account, what: str) -> str:
    """Something of an account's, with the client code masked."""
    return f"{what} of {account.words}"


def to_json(record: AccountRecord) -> str:
    """The record as one line of ASCII; holds its secrets in clear."""
    return json.dumps(_plain(vars(record)))


def from_json(text: str) -> AccountRecord:
    """The record of such a line; unknown names are ignored, missing ones have their default.

    Raises `ValueError` for anything else: a guess could send a refused password again.
    """
    try:
        return AccountRecord(**_fields(AccountRecord, json.loads(text)))
    except (ValueError, TypeError, RecursionError, OverflowError):
        pass
    raise ValueError("not an account's record")  # without the text, which holds secrets


_PARTS = (SessionRecord, AutoLoginState, Attempt, KnownBrowser)


def _plain(value: Any) -> Any:
    """As JSON has it; a None is left out."""
    if isinstance(value, _PARTS):
        value = value._asdict()
    match value:
        case Secret():
            return value.reveal()
        case date():
            return value.isoformat()
        case dict():
            return {name: _plain(part) for name, part in value.items() if part is not None}
        case tuple():
            return [_plain(part) for part in value]
    return value


_hints = cache(get_type_hints)


def _fields(kind: type, value: Any) -> dict[str, Any]:
    given = _typed(dict, value)
    return {name: _read(h, given[name]) for name, h in _hints(kind).items() if name in given}


def _read(hint: Any, value: Any) -> Any:
    kind = next(iter(get_args(hint)), hint)  # the T of `T | None` and of `tuple[T, ...]`
    if get_origin(hint) is tuple:
        return tuple(_read(kind, part) for part in _typed(list, value))
    if kind in _PARTS:
        return kind(**_fields(kind, value))
    if kind is Secret:
        return Secret(_typed(str, value))
    if kind is date:
        return date.fromisoformat(value)
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a time without its zone is a guess")
        return moment.astimezone(IST)
    return kind(value) if issubclass(kind, StrEnum) else _typed(kind, value)


def _typed(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected")
    return value
