"""Auto-login in a trader's words: the status as a page, a banner or a script shows it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from broker._kit.clock import session_end
from broker._kit.sessions.stored_session import LoginMethod, StoredSession
from broker._kit.web import formatting

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import Attempt, AutoLoginStatus

ON, OFF, STOPPED = "on", "off", "stopped"

_HOW = {
    LoginMethod.OTP: "with an OTP",
    LoginMethod.TOTP: "with an authenticator code",
    LoginMethod.AUTO: "by auto-login",
    LoginMethod.ELSEWHERE: "by another program",
}
# An attempt's result: what the table calls it, and its tone.
RESULTS = {
    "done": ("Logged in", "gain"),
    "retry": ("Not reached", ""),
    "refused": ("Refused", "loss"),
    "unknown": ("Not known", "loss"),
    "failed": ("Failed", "loss"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line on the login and funds pages; `is_trouble` when the user has to do something."""

    words: str
    is_trouble: bool
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt in the table."""

    when: str
    result: str
    tone: str
    words: str
    code: str


def state_of(status: AutoLoginStatus) -> str:
    """`ON`, `OFF`, or `STOPPED`: it tries nothing until the user has looked."""
    if status.blocked:
        return STOPPED
    return ON if status.enabled else OFF


def trouble_of(status: AutoLoginStatus) -> str:
    """What the user must read; "" when all is well."""
    return status.blocked or status.notice


def line_of(status: AutoLoginStatus, url: str) -> Line:
    """The status in one line."""
    trouble = trouble_of(status)
    if trouble:
        return Line(trouble, True, url)
    if not status.enabled:
        return Line("Auto-login is off: you log in yourself each day.", False, url)
    return Line(f"Auto-login is on. {status.next_words}", False, url)


def rows(history: tuple[Attempt, ...]) -> list[Row]:
    """The attempts, newest first."""
    return [_row(each) for each in reversed(history)]


def _row(attempt: Attempt) -> Row:
    result, tone = RESULTS.get(str(attempt.result), (str(attempt.result), ""))
    words = "" if attempt.words.rstrip(".") == result else attempt.words
    return Row(formatting.date_time(attempt.at), result, tone, words, attempt.code)


def session_lines(kept: StoredSession | None, now: datetime) -> list[tuple[str, str]]:
    """The kept session as names and values."""
    if kept is None:
        return [("Session", "None: nobody is logged in.")]
    lines = []
    if kept.logged_in_at is not None:
        lines.append(("Logged in", f"{formatting.date_time(kept.logged_in_at)}, {_HOW[kept.how]}"))
    if kept.is_over:
        return [*lines, ("Session", "Over: mStock ends every session at midnight IST at latest.")]
    ends_at = kept.life.ends_at or session_end(now)
    lines.append(("Valid until", f"{formatting.date_time(ends_at)} (midnight) at the latest"))
    expected = kept.life.expected_until
    if expected is not None and expected < ends_at:
        # mStock's newer wording: twelve hours or midnight, whichever comes first.
        lines.append(("Expected until", f"{formatting.date_time(expected)}, 12 hours after login"))
    return lines


def to_json(status: AutoLoginStatus, kept: StoredSession | None) -> dict[str, Any]:
    """The status for a script; times are ISO 8601 with the zone, None where there is none."""
    return {
        "state": state_of(status),
        "next_at": _iso(status.next_at),
        "next": status.next_words,
        "notice": trouble_of(status),
        "calendar": status.calendar_words,
        "session": None if kept is None else _session_json(kept),
        "history": [attempt_json(each) for each in reversed(status.history)],
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One attempt for a script."""
    return {
        "at": _iso(attempt.at),
        "result": str(attempt.result),
        "message": attempt.words,
        "code": attempt.code,
    }


def _session_json(kept: StoredSession) -> dict[str, Any]:
    return {
        "is_over": kept.is_over,
        "logged_in_at": _iso(kept.logged_in_at),
        "how": kept.how.value,
        "valid_until": _iso(kept.life.ends_at),
        "expected_until": _iso(kept.life.expected_until),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment is not None else None
