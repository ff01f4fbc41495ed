"""A session and auto-login in one JSON shape and one set of words, for pages and commands; pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from broker._kit.broker import Broker
from broker._kit.clock import IST
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.sessions.record import Attempt, EndReason, LoginMethod, Result
from broker._kit.sessions.stored_session import StoredSession

Lines = list[tuple[str, str]]

METHOD_WORDS: dict[str, str] = {
    LoginMethod.OTP: "with an OTP",
    LoginMethod.TOTP: "with an authenticator code",
    LoginMethod.AUTO: "by auto-login",
    LoginMethod.ELSEWHERE: "by another program",
}
RESULT_WORDS: dict[str, str] = {
    Result.DONE: "Logged in",
    Result.RETRY: "Not reached",
    Result.REFUSED: "Refused",
    Result.UNKNOWN: "Not known",
    Result.FAILED: "Failed",
}
END_WORDS: dict[str, str] = {
    EndReason.EXPIRED: "the session ended {end}",
    EndReason.REFUSED: "the broker has ended the session",
    EndReason.LOGGED_OUT: "the session was logged out here",
    EndReason.LOGGED_OUT_ELSEWHERE: "the session was logged out elsewhere",
}


def date_time(moment: datetime) -> str:
    """20 Nov 2026, 09:15:07 IST."""
    there = moment.astimezone(IST)
    return f"{there.day} {there:%b %Y, %H:%M:%S} IST"


def day_time(moment: datetime, now: datetime) -> str:
    """today 08:35, Monday 08:35, or further off 7 December 08:35."""
    there = moment.astimezone(IST)
    ahead = there.date() - now.astimezone(IST).date()
    day = f"{there:%A}" if ahead < timedelta(7) else f"{there.day} {there:%B}"
    return f"{day if ahead else 'today'} {there:%H:%M}"


def until_words(ends_at: datetime, now: datetime) -> str:
    """The end of a session, in few words: midnight, or as `day_time`."""
    is_midnight = ends_at.astimezone(IST).time() == time()
    return "midnight" if is_midnight else day_time(ends_at, now)


def end_words(broker: Broker, reason: EndReason) -> str:
    """Why a session is over, as the rest of a sentence."""
    return END_WORDS[reason].format(end=broker.session_end_words)


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 with the offset of IST; None when the time is not known."""
    return None if moment is None else moment.astimezone(IST).isoformat(timespec="seconds")


def session_json(session: StoredSession | None) -> dict[str, Any] | None:
    """The session without its token; times are ISO 8601, None where they are not known."""
    if session is None:
        return None
    return {
        "is_over": session.is_over,
        "end_reason": str(session.end_reason or ""),
        "method": str(session.method),
        "logged_in_at": iso(session.logged_in_at or session.life.issued_at),
        "valid_until": iso(session.life.ends_at),
        "expected_until": iso(session.life.expected_until),
    }


def session_lines(broker: Broker, session: StoredSession | None, now: datetime) -> Lines:
    """The stored session as names and sentences."""
    if session is None:
        return [("Session", "None: nobody is logged in.")]
    life, at = session.life, session.logged_in_at or session.life.issued_at
    when = date_time(at) if at else "At an unknown time"
    lines = [("Logged in", f"{when}, {METHOD_WORDS[session.method]}")]
    if session.end_reason is not None:
        return [*lines, ("Session", f"Over: {end_words(broker, session.end_reason)}.")]
    if life.ends_at is None:
        return [*lines, ("Valid until", "Not known: the token does not say when it was made.")]
    lines.append(("Valid until", f"{date_time(life.ends_at)}, at the latest"))
    if life.expected_until is not None and life.expected_until < life.ends_at:
        late = "; it may end at any moment" if now >= life.expected_until else ""
        lines.append(("Expected until", f"{date_time(life.expected_until)}{late}"))
    return lines


def auto_login_json(status: AutoLoginStatus) -> dict[str, Any]:
    """Auto-login without its secrets; `history` is oldest first, `last` its newest attempt."""
    return {
        "state": state(status),
        "next_at": iso(status.next_at),
        "next": status.next_words,
        "notice": status.notice,
        "blocked": status.blocked,
        "calendar": status.calendar_words,
        "last": attempt_json(status.last) if status.last else None,
        "history": [attempt_json(each) for each in status.history],
    }


def auto_login_lines(status: AutoLoginStatus) -> Lines:
    """Auto-login as names and sentences: its state, what comes next, and what must be read."""
    lines = [
        ("Auto-login", state(status)),
        ("Next login", status.next_words if status.enabled or status.blocked else ""),
        ("Last attempt", attempt_line(status.last) if status.last else ""),
        ("Stopped because", status.blocked),
        ("Notice", status.notice),
        ("Calendar", status.calendar_words),
    ]
    return [(name, words) for name, words in lines if words]


def state(status: AutoLoginStatus) -> str:
    """ "on", "off", or "stopped": no login is attempted until the user has looked."""
    return "stopped" if status.blocked else "on" if status.enabled else "off"


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One attempt; `result` is a key of `RESULT_WORDS`, `code` the broker's own."""
    return {
        "at": iso(attempt.at),
        "result": str(attempt.result),
        "message": attempt.words,
        "code": attempt.code,
    }


def attempt_line(attempt: Attempt) -> str:
    """One attempt as a line: when, how it ended, why, the broker's code."""
    result = RESULT_WORDS[str(attempt.result)]
    words = attempt.words.removeprefix(f"{result}.").strip()
    code = f"(code {attempt.code})" if attempt.code else ""
    return " ".join(filter(None, (f"{date_time(attempt.at)}: {result}.", words, code)))
