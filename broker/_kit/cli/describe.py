"""What there is to say about a session and about auto-login: as JSON, and as lines; pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from broker._kit.broker import BrokerSettings
from broker._kit.cli.output import moment
from broker._kit.secret import masked
from broker._kit.sessions.stored_session import LoginMethod, StoredSession
from broker._kit.web.formatting import date_time

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLoginStatus
    from broker._kit.sessions.daily_login import Attempt

Rows = list[tuple[str, str]]

LOG_IN = "python -m broker.mstock login"
HOW_WORDS = {
    LoginMethod.OTP: "with an OTP",
    LoginMethod.TOTP: "with an authenticator code",
    LoginMethod.AUTO: "by auto-login",
    LoginMethod.ELSEWHERE: "by another program",
}
RESULT_WORDS = {
    "done": "logged in",
    "retry": "mStock could not be reached",
    "refused": "refused",
    "unknown": "outcome unknown",
    "failed": "failed",
}


def account_json(config: BrokerSettings) -> dict[str, Any]:
    """`mode` ("LIVE" or "SIMULATOR"), `client_code` (masked), `api_type`."""
    return {
        "mode": mode(config),
        "client_code": masked(config.client_code),
        "api_type": config.api_type,
    }


def mode(config: BrokerSettings) -> str:
    """Whether this is mStock itself."""
    return "LIVE" if config.is_live else "SIMULATOR"


def session_json(session: StoredSession | None) -> dict[str, Any] | None:
    """The session's times, ISO 8601 or null where they are not known; nothing of its token."""
    if session is None:
        return None
    life = session.life
    return {
        "is_over": session.is_over,
        "how": session.how.value,
        "logged_in_at": moment(session.logged_in_at or life.issued_at),
        "valid_until": moment(life.ends_at),
        "expected_until": moment(life.expected_until),
        "token_says": moment(life.claimed_end),
    }


def session_rows(session: StoredSession | None, now: datetime) -> Rows:
    """How the kept session stands."""
    if session is None:
        return [("Session", f"none is kept. Log in: {LOG_IN}")]
    life = session.life
    if session.is_over:
        return [
            ("Session", f"over: mStock sessions end at midnight IST. Log in: {LOG_IN}"),
            _logged_in(session),
        ]
    rows = [("Session", "kept; mStock was not asked"), _logged_in(session)]
    if life.ends_at is None:
        return [*rows, ("Valid until", "not known: the token does not say when it was made")]
    expected = life.expected_until or life.ends_at
    is_late = now >= expected
    rows += [
        ("Valid until", f"{date_time(life.ends_at)}, the midnight after the login"),
        (
            "Expected until",
            f"{date_time(expected)}, by mStock's newer wording: twelve hours or midnight"
            + ("; it may end at any moment" if is_late else ""),
        ),
    ]
    if life.claimed_end is not None:
        claimed = f"{date_time(life.claimed_end)}; shown only, it is not trusted"
        rows.append(("The token's own end", claimed))
    return rows


def _logged_in(session: StoredSession) -> tuple[str, str]:
    at = session.logged_in_at or session.life.issued_at
    when = date_time(at) if at else "at a time that is not known"
    return ("Logged in", f"{when}, {HOW_WORDS[session.how]}")


def auto_json(status: AutoLoginStatus) -> dict[str, Any]:
    """How auto-login stands; `last` and `history` are attempts, the newest last."""
    return {
        "enabled": status.enabled,
        "next_at": moment(status.next_at),
        "next": status.next_words,
        "last": attempt_json(status.last) if status.last else None,
        "blocked": status.blocked,
        "notice": status.notice,
        "calendar": status.calendar_words,
        "history": [attempt_json(each) for each in status.history],
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """`at`, `result` ("done", "retry", "refused", "unknown", "failed"), `words`, `code`."""
    return {
        "at": moment(attempt.at),
        "result": str(attempt.result),
        "words": attempt.words,
        "code": attempt.code,
    }


def auto_rows(status: AutoLoginStatus) -> Rows:
    """How auto-login stands, what it did last and what it does next."""
    rows = [("Auto-login", "on" if status.enabled else "off")]
    if status.last is not None:
        rows.append(("Last renewal", attempt_words(status.last)))
    if status.enabled or status.blocked:
        rows.append(("Next renewal", status.next_words or "none planned"))
    for name, words in (
        ("Blocked", status.blocked),
        ("Notice", status.notice),
        ("Calendar", status.calendar_words),
    ):
        if words:
            rows.append((name, words))
    return rows


def attempt_words(attempt: Attempt) -> str:
    """One attempt on one line."""
    result = RESULT_WORDS.get(str(attempt.result), str(attempt.result))
    words = attempt.words if result == RESULT_WORDS["done"] else f"{result}. {attempt.words}"
    code = f" (code {attempt.code})" if attempt.code else ""
    return f"{date_time(attempt.at)}: {words}{code}".rstrip()
