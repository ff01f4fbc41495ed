"""Auto-login in trouble, its ticks, and a fortnight of the simulated month."""

from __future__ import annotations

import logging
import threading
from datetime import date, timedelta

import pytest

from broker._kit.clock import IST
from broker._kit.errors import CorrectInput, StoreError
from broker._kit.sessions.record import AccountRecord, to_json
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.timers import start_ticking
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from proofs import Broken, month
from tests.support.auto import FRIDAY, MONDAY, Stage, at, staged
from tests.support.leaks import Leaks

LOGIN, TOTP = "connect/login", "session/verifytotp"


class BrokenStore(MemoryStore):
    """A store that cannot be read or written while `is_broken`."""

    is_broken = False

    def load(self, account: Account) -> AccountRecord:
        self._check()
        return super().load(account)

    def _check(self) -> None:
        if self.is_broken:
            raise StoreError("The vault cannot be read.", "Put the key back.")


class TestTrouble:
    def test_a_vault_that_cannot_be_read_is_told_once_and_nothing_is_sent(self) -> None:
        store = BrokenStore(MSTOCK)
        with staged(store=store) as stage:
            stage.enable()
            store.is_broken = True
            assert stage.tick_until("09:00") == []
            assert len(stage.box.journal) == 0
            assert ["cannot be read" in notice.words for notice in stage.notices] == [True]
            status = stage.auto.status(stage.account)
            assert "The vault cannot be read. Put the key back." in status.notice
            assert status.next_at is None
            store.is_broken = False
            assert stage.tick_until("09:10") == ["done"]

    def test_a_vault_that_breaks_in_the_middle_ends_the_login_before_the_code_goes_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = BrokenStore(MSTOCK)
        with staged(store=store) as stage:
            stage.enable()
            stage.time.until(at("08:34"))

            def breaks(*_args: object) -> None:
                store.is_broken = True
                store._check()

            with monkeypatch.context() as patch:
                patch.setattr("broker._kit.sessions.daily_login.code_sent", breaks)
                assert stage.tick_until("08:36") == []
            assert (stage.calls(LOGIN), stage.calls(TOTP)) == (1, 0)
            store.is_broken = False
            assert stage.tick_until("15:00") == []  # how it ended was not kept
            assert stage.calls(LOGIN) == 1

    def test_a_listener_that_fails_stops_nothing(self, stage: Stage) -> None:
        def fails(_what: object) -> None:
            raise ValueError("no")

        stage.auto = stage.started(tell=fails)
        stage.enable("Simulated-0")
        assert stage.tick_until("09:30") == ["refused"]

    def test_no_secret_is_shown_anywhere(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        leaks = Leaks()
        demo = stage.box.demo
        leaks.hide("password", demo.password)
        leaks.hide("TOTP secret", demo.totp_secret)
        leaks.hide("API key", demo.api_key_b)
        stage.enable()
        stage.box.faults.set("b/session/verifytotp", "bad_gateway", times=1)
        assert stage.tick_until("09:00") == ["retry", "done"]
        leaks.hide("token", stage.box.sessions[0].token)
        demo.password = "Simulated-2"
        leaks.hide("new password", demo.password)
        with pytest.raises(CorrectInput) as caught:
            stage.auto.test(stage.config)
        leaks.show_error("test", caught.value)
        leaks.show("status", stage.auto.status(stage.account))
        leaks.show("auto", vars(stage.auto))
        leaks.show("notices", stage.notices)
        state = stage.store.load(stage.account).auto_login
        leaks.show("state", to_json(AccountRecord(auto_login=state)))
        leaks.show("log", caplog.text)
        assert "auto-login of MA" in caplog.text
        assert leaks.found() == []

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(40, "40 s ahead of mStock's"), (-95, "95 s behind mStock's"), (20, "")],
    )
    def test_a_clock_that_is_wrong_is_named(
        self, stage: Stage, seconds: int, words: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        stage.time.error = timedelta(seconds=seconds)
        stage.enable()
        assert stage.tick_until("08:40") == ["done"]
        notice = stage.auto.status(stage.account).notice
        assert words in notice
        assert bool(notice) is bool(words)
        assert ("This computer's clock" in caplog.text) is bool(words)

    def test_the_end_of_the_table_of_holidays_is_told_in_time(self, stage: Stage) -> None:
        assert stage.auto.status(stage.account).calendar_words == ""
        stage.time.until(at("08:00", date(2026, 12, 15)))
        words = stage.auto.status(stage.account).calendar_words
        assert "ends on 31 December 2026" in words
        assert "trading-days.json" in words


class Ticked:
    def __init__(self) -> None:
        self.ticks = 0
        self.came = threading.Event()

    def tick(self) -> None:
        self.ticks += 1
        self.came.set()


class TestTicking:
    def test_ticks_until_it_is_stopped(self) -> None:
        auto = Ticked()
        stop = start_ticking(auto.tick, every=0.05)
        assert auto.came.wait(5)
        stop()
        stop()
        ticks = auto.ticks
        assert not threading.Event().wait(0.2)
        assert auto.ticks == ticks


def test_a_fortnight_of_the_simulated_month() -> None:
    days = month.lived(month.SHORT_FIRST, month.SHORT_LAST)
    rows = month.judged(days)
    assert sum(row["Logged in (IST)"] != "no" for row in rows) == 9
    by_day = {day.day: day for day in days}
    assert by_day[month.GATEWAY_DOWN].tries == 4
    assert by_day[month.REFUSES].tries == 3
    assert by_day[month.PASSWORD_CHANGED].logged_in_at is None
    moment = by_day[month.MUHURAT].logged_in_at
    assert moment is not None
    assert moment.astimezone(IST) - at("08:35", month.MUHURAT) < timedelta(minutes=1)


def test_a_day_without_a_login_is_noticed() -> None:
    day = month.Day(MONDAY, True, "", 1, 1, 0, 0, None, False)
    with pytest.raises(Broken, match="23 Nov 2026"):
        month.judged([day])


def test_days_are_what_they_are_taken_for() -> None:
    assert (MONDAY.weekday(), FRIDAY.weekday()) == (0, 4)
