"""`login` at the simulator: right, wrong, stopped, cut off; each thing is sent once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from broker._kit.broker import LoginReply
from broker._kit.errors import StoreError
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import LoginMethod
from broker.mstock.broker import MSTOCK
from tests.cli.conftest import Person
from tests.conftest import settings_for


@pytest.fixture
def typed(person: Person, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is typed, in turn: a callable's word of that moment, an exception instead of any."""
    lines: list[object] = []

    def prompt(words: str, **how: object) -> str:
        assert how.get("err"), "questions belong on standard error"
        line = lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        text = line() if callable(line) else line
        if "password" in words.lower() or "OTP" in words or "TOTP" in words:
            assert how["hide_input"]
        return str(text)

    monkeypatch.setattr("click.prompt", prompt)
    return lines


def wrong(person: Person) -> str:
    return f"{(int(person.otp()) + 7) % 1_000_000:06}"


@pytest.mark.parametrize("api_type", ["A", "B"])
def test_an_otp_login_is_kept(person: Person, typed: list[object], api_type: str) -> None:
    person.settings |= settings_for(person.box, api_type)
    typed += [person.box.demo.password, person.otp]
    code, body = person.asks("login", "--otp")
    assert (code, body["status"], body["mode"]) == (0, "success", "SIMULATOR")
    assert body["client_code"] == "MA••••01"
    assert body["session"]["method"] == "otp"
    assert body["session"]["valid_until"] == "2026-11-24T00:00:00+05:30"
    session = person.context().session()
    assert session is not None
    assert session.token.reveal() == person.box.sessions[0].token


def test_a_totp_login_is_kept(person: Person, typed: list[object]) -> None:
    person.box.demo.totp_enabled = True
    code = person.leaks.hide("code", person.box.totp_now(person.box.demo.client_code))
    typed += [person.box.demo.password, f"{code[:3]} {code[3:]}"]
    done = person.runs("login", "--totp")
    assert done.exit_code == 0
    assert "with an authenticator code" in done.stdout
    session = person.context().session()
    assert session is not None
    assert session.method is LoginMethod.TOTP


def test_the_way_is_asked_when_it_is_not_given(person: Person, typed: list[object]) -> None:
    typed += ["otp", person.box.demo.password, person.otp]
    assert person.runs("login").exit_code == 0
    assert not typed


def test_a_wrong_otp_is_entered_again_without_a_new_password(
    person: Person, typed: list[object]
) -> None:
    typed += [person.box.demo.password, "12 34", lambda: wrong(person), person.otp]
    done = person.runs("login", "--otp")
    assert done.exit_code == 0
    assert "must be six digits" in done.stderr
    assert "4 attempts left here" in done.stderr
    assert person.calls("connect/login") == 1
    assert person.calls("session/token") == 2


def test_the_tries_have_an_end(person: Person, typed: list[object]) -> None:
    typed += [person.box.demo.password, *[lambda: wrong(person)] * 9]
    done = person.runs("login", "--otp")
    assert done.exit_code == 1
    assert person.calls("session/token") == 5
    assert person.calls("connect/login") == 1
    assert person.context().session() is None


def test_another_otp_can_be_asked_for_when_the_first_had_time(
    person: Person, typed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait() -> str:
        person.clock.advance(31)
        return ""

    monkeypatch.setattr("click.confirm", lambda words, *, err: err)
    typed += [person.box.demo.password, "", wait, person.otp]
    done = person.runs("login", "--otp")
    assert done.exit_code == 0
    assert "ask again in" in done.stderr
    assert person.calls("connect/login") == 2


def test_an_otp_that_comes_too_late_is_not_sent(person: Person, typed: list[object]) -> None:
    def sleep() -> str:
        person.clock.advance(301)
        return person.otp()

    typed += [person.box.demo.password, sleep]
    done = person.runs("login", "--otp")
    assert (done.exit_code, person.calls("session/token")) == (1, 0)
    assert "not finished within 5 minutes" in done.stderr


def test_a_wrong_password_ends_it_and_the_last_attempt_is_told(
    person: Person, typed: list[object]
) -> None:
    person.box.demo.attempts_left = 2
    typed += [person.leaks.hide("wrong", "not-the-password")]
    code, body = person.asks("login", "--otp")
    assert (code, body["kind"], body["attempts_left"]) == (1, "InputException", 1)
    assert "Only 1 attempt is left" in body["message"]
    assert person.calls("connect/login") == 1


def test_an_empty_password_is_asked_again_and_not_sent(person: Person, typed: list[object]) -> None:
    typed += ["", "  ", "x" * 300, person.box.demo.password, person.otp]
    assert person.runs("login", "--otp").exit_code == 0
    assert person.calls("connect/login") == 1


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        ("timeout", 6, "OutcomeUnknown"),
        ("garbage", 6, "OutcomeUnknown"),
        ("bad_gateway", 6, "OutcomeUnknown"),
        ("too_many_requests", 4, "RateLimited"),
        ("ip_refused", 5, "APIKeyException"),
        ("general_error", 4, "GeneralException"),
    ],
)
def test_what_goes_wrong_has_its_code_and_nothing_is_repeated(
    person: Person, typed: list[object], fault: str, code: int, kind: str
) -> None:
    person.settings |= {"BROKER_READ_TIMEOUT": "0.1", "BROKER_DEADLINE": "0.3"}
    person.box.faults.set("b/connect/login", fault)
    typed += [person.box.demo.password]
    answer = person.asks("login", "--otp")
    assert (answer[0], answer[1]["kind"]) == (code, kind)
    assert person.calls("connect/login") == 1


def test_an_unplugged_broker_is_told_and_no_session_kept(
    person: Person, typed: list[object]
) -> None:
    person.box.stop()
    typed += [person.box.demo.password]
    done = person.runs("login", "--otp")
    assert done.exit_code == 4
    assert "Nothing was sent" in done.stderr


def test_an_outage_between_the_steps_leaves_the_otp_good(
    person: Person, typed: list[object]
) -> None:
    person.box.faults.set("b/session/token", "too_many_requests", times=1)
    typed += [person.box.demo.password, person.otp, person.otp]
    done = person.runs("login", "--otp")
    assert done.exit_code == 0
    assert "mStock asks for fewer calls" in done.stderr


def test_a_lost_answer_to_an_otp_ends_it(person: Person, typed: list[object]) -> None:
    person.box.faults.set("b/session/token", "reset", when="after")
    typed += [person.box.demo.password, person.otp]
    assert person.asks("login", "--otp")[0] == 6
    assert person.calls("session/token") == 1


def test_ctrl_c_at_a_question_stops_quietly(person: Person, typed: list[object]) -> None:
    typed += [KeyboardInterrupt()]
    done = person.runs("login", "--otp")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (130, "Stopped.")
    assert person.calls("connect/login") == 0


def test_ctrl_c_while_mstock_is_asked_says_that_the_outcome_is_unknown(
    person: Person, typed: list[object]
) -> None:
    def stop(*_: object) -> LoginReply:
        raise KeyboardInterrupt

    person.broker = replace(MSTOCK, send_otp=stop)
    typed += [person.box.demo.password]
    done = person.runs("login", "--otp")
    assert done.exit_code == 6
    assert "whether it was carried out is unknown" in done.stderr
    account = person.config.account
    assert person.store.acquire_lease(account, "the next one", person.clock.now(), 1)


def test_nobody_at_a_terminal_is_asked_nothing(person: Person) -> None:
    person.is_at_terminal = False
    done = person.runs("login", "--otp", types=[person.box.demo.password])
    assert done.exit_code == 2
    assert "asked at a terminal" in done.stderr
    assert len(person.box.journal) == 0


def test_a_terminal_that_cannot_hide_gets_no_password(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    import getpass
    import warnings

    def prompt(words: str, **_: object) -> str:
        warnings.warn("shown", getpass.GetPassWarning, stacklevel=1)
        return "never"

    monkeypatch.setattr("click.prompt", prompt)
    done = person.runs("login", "--otp")
    assert done.exit_code == 2
    assert "cannot hide" in done.stderr


def test_a_login_that_another_is_making_is_left_to_it(person: Person, typed: list[object]) -> None:
    person.store.acquire_lease(person.config.account, "auto-login", person.clock.now(), 60)
    typed += [person.box.demo.password]
    assert person.asks("login", "--otp")[0] == 4
    assert person.calls("connect/login") == 0


def test_a_session_that_cannot_be_kept_is_ended_again(person: Person, typed: list[object]) -> None:
    class Full(MemoryStore):
        def update(self, account: object) -> Any:
            raise StoreError("The disk is full.", "Make room.")

    person.store = Full(MSTOCK)
    typed += [person.box.demo.password, person.otp]
    code, body = person.asks("login", "--otp")
    assert (code, body["kind"]) == (5, "StoreError")
    assert "The disk is full." in body["message"]
    assert not person.box.sessions[0].alive(person.box.clock.now())


def test_a_store_that_cannot_be_read_is_told_before_anything_is_sent(person: Person) -> None:
    class Torn(MemoryStore):
        def load(self, account: object) -> Any:
            raise StoreError("The stored data is damaged.", "Erase it.")

    person.store = Torn(MSTOCK)
    assert person.runs("login", "--otp").exit_code == 5
    assert len(person.box.journal) == 0


def test_a_second_login_takes_the_place_of_the_first(person: Person, typed: list[object]) -> None:
    first = person.is_logged_in()
    person.box.clock.advance(timedelta(minutes=1))
    person.clock.advance(60)
    typed += [person.box.demo.password, person.otp]
    assert person.runs("login", "--otp").exit_code == 0
    session = person.context().session()
    assert session is not None
    assert session.token != first
