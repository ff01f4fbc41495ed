"""`status`, `funds` and `logout` over a session's day: alive, late, dead, of the other type."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from broker._kit.broker import FundReport
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.sessions.stored_session import LoginMethod
from broker.mstock.broker import MSTOCK
from tests.cli.conftest import Person
from tests.conftest import settings_for


def pass_by(person: Person, **time: int) -> None:
    """Let time go by on both clocks."""
    delta = timedelta(**time)
    person.clock.advance(delta.total_seconds())
    person.box.clock.advance(delta)


class TestStatus:
    def test_it_is_one_line_and_asks_mstock_nothing(self, person: Person) -> None:
        person.is_logged_in()
        asked = len(person.box.journal)
        done = person.runs("status")
        assert (done.exit_code, done.stdout) == (0, "SIMULATOR: Logged in until midnight\n")
        assert len(person.box.journal) == asked

    @pytest.mark.parametrize("words", [("status", "-v"), ("-v", "status")])
    def test_with_v_it_tells_both_ends(self, person: Person, words: tuple[str, ...]) -> None:
        person.is_logged_in()
        asked = len(person.box.journal)
        done = person.runs(*words)
        assert done.exit_code == 0
        assert "SIMULATOR, API type B, client code MA••••01" in done.stdout
        assert "Valid until     24 Nov 2026, 00:00:00 IST" in done.stdout
        assert "Expected until  23 Nov 2026, 21:15:00 IST" in done.stdout
        assert person.box.demo.client_code not in done.stdout
        assert len(person.box.journal) == asked

    def test_after_twelve_hours_it_may_end_at_any_moment(self, person: Person) -> None:
        person.is_logged_in()
        pass_by(person, hours=12, minutes=1)
        done = person.runs("status")
        assert (done.exit_code, "may end at any moment" in done.stdout) == (0, True)

    def test_midnight_ends_it(self, person: Person) -> None:
        person.is_logged_in()
        pass_by(person, hours=15)
        code, body = person.asks("status")
        assert (code, body["logged_in"], body["session"]["is_over"]) == (3, False, True)
        assert person.runs("status").stdout.startswith("SIMULATOR: Not logged in: ")

    def test_without_a_session_it_says_how_to_log_in(self, person: Person) -> None:
        done = person.runs("status")
        assert done.exit_code == 3
        assert "Log in: mstock login" in done.stdout

    def test_a_changed_type_is_told(self, person: Person) -> None:
        person.is_logged_in("A")
        code, body = person.asks("status")
        assert (code, body["stored_for_other_api_types"], body["session"]) == (3, ["A"], None)
        words = person.runs("status").stdout
        assert "A session of API type A is stored, and MSTOCK_API_TYPE is now B" in words

    def test_an_old_session_of_the_other_type_is_no_news(self, person: Person) -> None:
        person.is_logged_in("A")
        pass_by(person, days=1)
        assert person.asks("status")[1]["stored_for_other_api_types"] == []

    def test_a_token_that_says_nothing_has_the_time_of_its_login(self, person: Person) -> None:
        account, now = person.config.account, person.clock.now()
        stored_session.save_session(
            person.store, account, Secret("no.jwt.at-all"), now, LoginMethod.OTP
        )
        code, body = person.asks("status")
        assert (code, body["session"]["valid_until"]) == (0, "2026-11-24T00:00:00+05:30")
        with person.store.update(account) as record:
            assert record.session
            record.session = record.session._replace(logged_in_at=None)
        code, body = person.asks("status")
        assert (code, body["session"]["valid_until"]) == (0, None)
        assert "not known" in person.runs("status").stdout

    def test_a_table_of_holidays_that_ends_is_told(self, person: Person) -> None:
        words = "The table of trading days ends soon."
        status = AutoLoginStatus(True, None, "", calendar_words=words)
        person.auto = SimpleNamespace(status=lambda _account: status)
        person.is_logged_in()
        assert person.runs("status").stdout.splitlines()[1:] == [words]
        assert words in person.runs("status", "-v").stdout

    def test_why_a_session_ended_is_told(self, person: Person) -> None:
        def why() -> str:
            return person.runs("status").stdout.splitlines()[0].removeprefix("SIMULATOR: ")

        person.is_logged_in()
        person.box.world.end_sessions()
        person.runs("funds")
        assert why() == "Not logged in: the broker has ended the session"
        person.is_logged_in()
        person.runs("logout")
        assert why() == "Not logged in: the session was logged out here"
        person.is_logged_in()
        pass_by(person, hours=15)
        assert why() == "Not logged in: the session ended at midnight IST"
        assert "midnight" in person.asks("funds")[1]["message"]

    def test_auto_logins_own_trouble_does_not_hide_the_session(self, person: Person) -> None:
        home = Path(person.settings["BROKER_HOME"])
        home.mkdir()
        (home / "trading-days.json").write_text("torn")
        person.is_logged_in()
        done = person.runs("status")
        assert done.exit_code == 0
        assert "trading-days.json is not a table of trading days" in done.stdout
        assert "error" in person.asks("status")[1]["auto_login"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("MSTOCK_API_TYPE", "C"), ("BROKER_API_KEY", ""), ("BROKER_STORE", "mysql://x")],
    )
    def test_an_unusable_setting_is_named(self, person: Person, name: str, value: str) -> None:
        person.settings[name] = value
        code, body = person.asks("funds")
        assert code == 5
        assert name in body["message"]


class TestFunds:
    def test_the_table_groups_digits_the_indian_way(self, person: Person) -> None:
        person.is_logged_in()
        done = person.runs("funds")
        assert done.exit_code == 0
        assert "₹3,12,450.75" in done.stdout
        assert "−₹2,315.25" in done.stdout
        assert "\x1b" not in done.stdout

    def test_figures_are_decimal_strings(self, person: Person) -> None:
        person.is_logged_in()
        code, body = person.asks("funds")
        assert (code, body["mode"], body["as_of"]) == (0, "SIMULATOR", "2026-11-23T09:15:00+05:30")
        assert len(body["funds"]) == 24
        figures = {k: v for k, v in body["funds"].items() if k not in ("limit_type", "seg")}
        assert all(isinstance(value, str) for value in figures.values())
        assert Decimal(figures["available_balance"]) == Decimal("364340.85")
        assert body["openalgo"]["availablecash"] == "312450.75"

    def test_without_a_session_mstock_is_not_asked(self, person: Person) -> None:
        assert person.asks("funds")[0] == 3
        assert len(person.box.journal) == 0

    def test_after_midnight_mstock_is_not_asked(self, person: Person) -> None:
        person.is_logged_in()
        pass_by(person, hours=14, minutes=45)
        code, body = person.asks("funds")
        assert code == 3
        assert "is over" in body["message"]
        assert person.calls("fundsummary") == 0

    def test_a_dead_token_is_confirmed_once_and_then_known(self, person: Person) -> None:
        person.is_logged_in()
        person.box.world.end_sessions()
        code, body = person.asks("funds")
        assert (code, body["kind"]) == (3, "TokenException")
        assert person.calls("fundsummary") == 2
        assert person.asks("funds")[0] == 3
        assert person.calls("fundsummary") == 2
        assert person.asks("status")[1]["session"]["is_over"] is True

    def test_a_refusal_that_is_not_confirmed_ends_nothing(self, person: Person) -> None:
        person.is_logged_in()
        person.box.faults.set("b/user/fundsummary", "dead_token", times=1)
        assert person.asks("funds")[0] == 6
        assert person.asks("funds")[0] == 0

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            ("garbage", 6),
            ("html_page", 6),
            ("json_scalar", 6),
            ("bad_gateway", 4),
            ("reset", 4),
            ("redirect", 4),
            ("too_many_requests_bare", 4),
            ("expired_key", 5),
            ("ip_refused", 5),
        ],
    )
    def test_what_goes_wrong_has_its_code_and_keeps_the_session(
        self, person: Person, fault: str, code: int
    ) -> None:
        person.is_logged_in()
        person.settings["BROKER_DEADLINE"] = "0.5"
        person.box.faults.set("b/user/fundsummary", fault)
        answer, body = person.asks("funds")
        assert (answer, body["status"], body["exit_code"]) == (code, "error", code)
        person.box.faults.clear()
        person.settings["BROKER_DEADLINE"] = "15"
        assert person.asks("funds")[0] == 0

    def test_an_unplugged_broker_is_told(self, person: Person) -> None:
        person.is_logged_in()
        person.settings["BROKER_DEADLINE"] = "0.3"
        person.box.stop()
        done = person.runs("funds")
        assert (done.exit_code, done.stdout) == (4, "")
        assert done.stderr.startswith("Error: mStock could not be reached.")

    def test_a_figure_that_is_none_is_named_and_no_zero(self, person: Person) -> None:
        person.is_logged_in()
        person.box.demo.funds["AVAILABLE_BALANCE"] = None
        code, body = person.asks("funds")
        assert (code, "AVAILABLE_BALANCE" in body["message"]) == (6, True)

    def test_a_fault_of_our_own_is_a_sentence(self, person: Person) -> None:
        def fail(_config: object, _token: object) -> FundReport:
            raise KeyError(person.box.demo.password)

        person.broker = replace(MSTOCK, fund_report=fail)
        person.is_logged_in()
        done = person.runs("funds")
        assert done.exit_code == 1
        assert "The broker plugin failed (KeyError in test_session_commands.py" in done.stderr


class TestLogout:
    def test_it_ends_the_session_here_and_there(self, person: Person) -> None:
        person.is_logged_in()
        code, body = person.asks("logout")
        assert (code, body["status"], body["confirmed"]) == (0, "success", True)
        assert person.context().session() is None
        assert not person.box.sessions[0].alive(person.box.clock.now())

    def test_without_a_session_there_is_nothing_to_end(self, person: Person) -> None:
        assert person.asks("logout")[0] == 3

    def test_yesterdays_is_forgotten_without_asking(self, person: Person) -> None:
        person.is_logged_in()
        pass_by(person, days=1)
        assert person.asks("logout")[0] == 0
        assert person.calls("logout") == 0
        assert person.context().session() is None

    @pytest.mark.parametrize("fault", ["timeout", "bad_gateway", "garbage", "reset"])
    def test_an_unconfirmed_one_is_forgotten_and_said(self, person: Person, fault: str) -> None:
        person.is_logged_in()
        person.settings |= {"BROKER_READ_TIMEOUT": "0.2", "BROKER_DEADLINE": "0.5"}
        person.box.faults.set("b/logout", fault)
        code, body = person.asks("logout")
        assert (code, body["status"], body["confirmed"]) == (6, "unconfirmed", False)
        assert "did not confirm" in body["message"]
        assert person.calls("logout") == 2  # mStock's description allows one more
        assert person.context().session() is None

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("api_type", ["A", "B"])
    def test_one_that_was_lost_is_sent_once_more(
        self, person: Person, api_type: str, when: str
    ) -> None:
        home = person.settings["BROKER_HOME"]
        person.settings = settings_for(person.box, api_type, BROKER_HOME=home)
        person.is_logged_in()
        person.box.faults.set(f"{api_type.lower()}/logout", "bad_gateway", times=1, when=when)
        code, body = person.asks("logout")
        assert (code, body["confirmed"]) == (0, True)
        assert person.calls("logout") == 2
        assert not person.box.sessions[0].alive(person.box.clock.now())
