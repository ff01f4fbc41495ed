"""A session and auto-login as JSON and as lines, from records alone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.sessions.record import Attempt, EndReason, LoginMethod, Result
from broker._kit.sessions.stored_session import StoredSession
from broker._kit.sessions.token_guard import Life
from broker.mstock.broker import MSTOCK

MORNING = datetime(2026, 11, 23, 9, 15, tzinfo=IST)
MIDNIGHT = datetime(2026, 11, 24, tzinfo=IST)
LIFE = Life(MORNING, MIDNIGHT, MORNING + timedelta(hours=12))
SESSION = StoredSession(Secret("the-token"), LIFE, MORNING, LoginMethod.OTP)
REFUSED = Attempt(MORNING, Result.REFUSED, "Wrong password.", "MA500")
OFF = AutoLoginStatus(False, None, "Auto-login is off.")
ON = OFF._replace(enabled=True, next_at=MORNING, next_words="Soon.")


def test_a_sessions_json_has_its_times_and_no_token() -> None:
    body = report.session_json(SESSION)
    assert body == {
        "is_over": False,
        "end_reason": "",
        "method": "otp",
        "logged_in_at": "2026-11-23T09:15:00+05:30",
        "valid_until": "2026-11-24T00:00:00+05:30",
        "expected_until": "2026-11-23T21:15:00+05:30",
    }
    assert "the-token" not in json.dumps(body) + str(report.session_lines(MSTOCK, SESSION, MORNING))
    assert report.session_json(None) is None


def test_what_is_not_known_is_null_and_said() -> None:
    session = SESSION._replace(life=Life(), logged_in_at=None)
    body = report.session_json(session)
    assert body is not None
    assert body["logged_in_at"] is body["valid_until"] is body["expected_until"] is None
    assert "Not known" in dict(report.session_lines(MSTOCK, session, MORNING))["Valid until"]


def test_a_late_session_may_end_at_any_moment() -> None:
    def expected(now: datetime) -> str:
        return dict(report.session_lines(MSTOCK, SESSION, now))["Expected until"]

    assert expected(MORNING) == "23 Nov 2026, 21:15:00 IST"
    assert "any moment" in expected(MORNING + timedelta(hours=12))


def test_an_end_is_told_with_its_reason() -> None:
    over = SESSION._replace(end_reason=EndReason.REFUSED)
    body = report.session_json(over)
    assert body is not None
    assert (body["is_over"], body["end_reason"]) == (True, "refused")
    words = dict(report.session_lines(MSTOCK, over, MORNING))["Session"]
    assert words == "Over: the broker has ended the session."


@pytest.mark.parametrize(
    ("status", "state"),
    [(OFF, "off"), (ON, "on"), (ON._replace(blocked="Wrong password."), "stopped")],
)
def test_the_state_is_one_word(status: AutoLoginStatus, state: str) -> None:
    assert report.auto_login_json(status)["state"] == state
    assert dict(report.auto_login_lines(status))["Auto-login"] == state


def test_auto_logins_json_has_the_newest_attempt_last() -> None:
    done = Attempt(MORNING + timedelta(days=1), Result.DONE, "Logged in.")
    body = report.auto_login_json(ON._replace(history=(REFUSED, done)))
    assert body["last"] == body["history"][-1]
    assert body["history"][0] == {
        "at": "2026-11-23T09:15:00+05:30",
        "result": "refused",
        "message": "Wrong password.",
        "code": "MA500",
    }
    keys = "state next_at next notice blocked calendar last history"
    assert list(body) == keys.split()


@pytest.mark.parametrize(
    ("attempt", "line"),
    [
        (REFUSED, "23 Nov 2026, 09:15:00 IST: Refused. Wrong password. (code MA500)"),
        (Attempt(MORNING, Result.DONE, "Logged in."), "23 Nov 2026, 09:15:00 IST: Logged in."),
    ],
)
def test_an_attempt_is_one_line(attempt: Attempt, line: str) -> None:
    assert report.attempt_line(attempt) == line


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (report.METHOD_WORDS, LoginMethod),
        (report.RESULT_WORDS, Result),
        (report.END_WORDS, EndReason),
    ],
)
def test_every_kind_has_words(words: dict[str, str], kinds: Any) -> None:
    assert set(words) == {str(each) for each in kinds}
