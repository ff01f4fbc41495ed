"""Auto-login as a whole, over real sockets and by a clock that is set: mornings and crashes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.errors import CorrectInput
from broker._kit.secret import Secret
from broker._kit.sessions import daily_login
from broker._kit.sessions.record import AccountRecord, AutoLoginState
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import (
    LoginMethod,
    delete_session,
    load_session,
    save_session,
)
from broker._kit.sessions.totp_login import longest_login
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from proofs import month
from tests.support.auto import Stage, at, staged

LOGIN, TOTP = "connect/login", "session/verifytotp"


class Killed(BaseException):
    """The process is killed at this place."""


TOUCHES = 7  # of the store, by a tick that logs in


class DoomedStore(MemoryStore):
    """Notes what is asked of it, and kills the process before or after it has done so."""

    is_dead = False
    _doom: tuple[int, bool] | None = None

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.touches: list[str] = []

    def doom(self, nth: int, is_done: bool) -> None:
        self.touches.clear()
        self._doom = (nth, is_done)

    @contextlib.contextmanager
    def touched(self, name: str) -> Iterator[None]:
        self.touches.append(name)
        now = self._doom is not None and len(self.touches) == self._doom[0]
        if self.is_dead or (now and self._doom and not self._doom[1]):
            self.is_dead = True
            raise Killed
        yield
        if now:
            self.is_dead = True
            raise Killed

    def load(self, account: Account) -> AccountRecord:
        with self.touched("load"):
            return super().load(account)

    @contextlib.contextmanager
    def update(self, account: Account) -> Iterator[AccountRecord]:
        with self.touched("update"), self._lock:
            record = MemoryStore.load(self, account)
            yield record
            self._records[account] = record

    def accounts(self) -> list[Account]:
        with self.touched("accounts"):
            return super().accounts()

    def acquire_lease(self, *given: Any) -> bool:
        with self.touched("acquire_lease"):
            return super().acquire_lease(*given)

    def release_lease(self, *given: Any) -> None:
        with self.touched("release_lease"):
            super().release_lease(*given)


class TestSwitching:
    def test_off_until_switched_on(self, stage: Stage) -> None:
        assert stage.tick_until("09:30") == []
        status = stage.auto.status(stage.account)
        assert (status.enabled, status.next_at, status.next_words) == (
            False,
            None,
            "Auto-login is off.",
        )
        assert len(stage.box.journal) == 0

    def test_switching_on_sends_nothing_and_says_when_it_logs_in(self, stage: Stage) -> None:
        stage.enable()
        status = stage.auto.status(stage.account)
        assert status.enabled
        assert status.next_at == at("08:35")
        assert "today at 08:35 IST" in status.next_words
        assert (status.last, status.blocked, status.notice, status.history) == (None, "", "", ())
        assert len(stage.box.journal) == 0

    @pytest.mark.parametrize(
        ("password", "secret", "accepted", "words"),
        [
            ("right", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", False, "not accepted"),
            (" ", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", True, "password is empty"),
            ("right", "", True, "not a TOTP secret"),
            ("right", "123456", True, "not a TOTP secret"),
            ("right", "JBSWY3DP", True, "not a TOTP secret"),
            ("right", "not base32!", True, "not a TOTP secret"),
        ],
    )
    def test_what_cannot_work_is_refused_by_name_and_not_kept(
        self, stage: Stage, password: str, secret: str, accepted: bool, words: str
    ) -> None:
        with pytest.raises(CorrectInput, match=words) as caught:
            stage.auto.enable(stage.config, Secret(password), Secret(secret), accepted=accepted)
        assert caught.value.next_step
        assert stage.store.accounts() == []

    def test_the_totp_secret_may_be_typed_as_an_authenticator_shows_it(self, stage: Stage) -> None:
        typed = Secret("jbsw y3dp-ehpk 3pxp jbsw y3dp ehpk 3pxp")
        stage.auto.enable(stage.config, Secret(stage.box.demo.password), typed, accepted=True)
        assert stage.tick_until("08:36") == ["done"]

    def test_switching_off_removes_both_secrets_and_says_so(self, stage: Stage) -> None:
        stage.enable()
        removed = stage.auto.disable(stage.account)
        assert len(removed) == 2
        assert "password of MA" in removed[0]
        assert "TOTP secret of MA" in removed[1]
        record = stage.store.load(stage.account)
        assert (record.password, record.totp_secret) == (None, None)
        assert stage.tick_until("09:30") == []
        assert stage.auto.disable(stage.account) == []
        assert not stage.auto.status(stage.account).enabled

    def test_whoever_switches_on_at_noon_is_logged_in_on_the_next_trading_day(
        self, stage: Stage
    ) -> None:
        stage.time.until(at("12:00"))
        stage.enable()
        assert stage.auto.status(stage.account).next_at == at("08:35", date(2026, 11, 25))
        assert stage.tick_until("15:00") == []


class TestAMorning:
    @pytest.mark.parametrize("api_type", ["A", "B"])
    @pytest.mark.parametrize("revision", ["older", "newer"])
    def test_logs_in_once_and_stores_the_token(
        self, api_type: str, revision: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        with staged(api_type, revision=revision) as stage:
            stage.enable()
            assert stage.tick_until("15:00", every=120) == ["done"]
            kept = load_session(stage.store, stage.account, stage.time.now())
            assert kept is not None
            assert kept.method is LoginMethod.AUTO
            assert kept.token.reveal() == stage.box.sessions[0].token
            assert (stage.calls(LOGIN), stage.calls(TOTP)) == (1, 1)
            status = stage.auto.status(stage.account)
            assert status.last is not None
            assert status.last.result == "done"
            assert status.next_at == at("08:35", date(2026, 11, 25))  # Tuesday is a holiday
            assert "Wednesday, 25 November" in status.next_words
            assert caplog.text.count("auto-login of MA") == 1

    def test_both_calls_go_out_on_one_connection(self, stage: Stage) -> None:
        stage.enable()
        stage.box.faults.set("b/session/verifytotp", "cold_bad_gateway")
        assert stage.tick_until("08:36") == ["done"]
        assert len({entry.remote_port for entry in stage.box.journal}) == 1

    def test_leaves_a_session_alone_that_lasts_for_the_day(self, stage: Stage) -> None:
        stage.enable()
        save_session(stage.store, stage.account, Secret("a.b.c"), stage.time.now(), LoginMethod.OTP)
        assert stage.tick_until("09:00") == []
        delete_session(stage.store, stage.account)  # the user logs out
        assert stage.tick_until("15:00") == []
        assert len(stage.box.journal) == 0

    def test_renews_a_session_that_may_end_before_the_market_does(self, stage: Stage) -> None:
        stage.enable()
        save_session(stage.store, stage.account, Secret("a.b.c"), at("02:00"), LoginMethod.OTP)
        assert stage.tick_until("09:00") == ["done"]

    def test_an_outage_is_waited_out_with_growing_pauses(self, stage: Stage) -> None:
        stage.enable()
        stage.box.faults.set("b/connect/login", "bad_gateway", times=3)
        assert stage.tick_until("09:20", every=20) == ["retry", "retry", "retry", "done"]
        status = stage.auto.status(stage.account)
        assert [f"{each.at:%H:%M}" for each in status.history] == [
            "08:35",
            "08:37",
            "08:43",
            "08:57",
        ]
        assert stage.notices == []
        assert status.notice == ""

    @pytest.mark.parametrize("fault", ["bad_gateway", "service_unavailable", "reset"])
    @pytest.mark.parametrize("route", [LOGIN, TOTP])
    def test_a_long_outage_ends_in_four_tries_and_one_notice(
        self, stage: Stage, fault: str, route: str
    ) -> None:
        stage.enable()
        stage.box.faults.set(f"b/{route}", fault)
        assert stage.tick_until("15:00") == ["retry"] * 4
        assert stage.calls(route) == 4
        assert [notice.account for notice in stage.notices] == [stage.account]
        assert "does not try again today" in stage.notices[0].words
        assert stage.auto.status(stage.account).notice == stage.notices[0].words
        stage.box.faults.clear()
        wednesday = date(2026, 11, 25)
        stage.time.until(at("08:35", wednesday))
        assert [attempt.result for attempt in stage.auto.tick()] == ["done"]
        assert stage.auto.status(stage.account).notice == ""

    def test_silence_is_looked_into_before_anything_else_is_sent(self, stage: Stage) -> None:
        stage.config = stage.config._replace(
            timeouts=stage.config.timeouts._replace(read=0.3, deadline=0.6)
        )
        stage.enable()
        stage.box.faults.set("b/connect/login", "timeout", times=1)
        assert stage.tick_until("15:00") == ["unknown"]
        assert stage.calls() == 1
        assert len(stage.notices) == 1
        assert "not known" in stage.notices[0].words

    @pytest.mark.parametrize(
        ("fault", "route", "result"),
        [
            ("expired_key", TOTP, "refused"),
            ("ip_refused", LOGIN, "refused"),
            ("too_many_requests", LOGIN, "failed"),
            ("general_error", LOGIN, "failed"),
            ("html_page", LOGIN, "unknown"),
            ("redirect", TOTP, "unknown"),
        ],
    )
    def test_what_is_no_outage_is_not_tried_again_that_day(
        self, stage: Stage, fault: str, route: str, result: str
    ) -> None:
        stage.enable()
        stage.box.faults.set(f"b/{route}", fault)
        assert stage.tick_until("15:00") == [result]
        assert stage.calls() == 1
        assert len(stage.notices) == 1
        assert bool(stage.auto.status(stage.account).blocked) is (result == "refused")

    def test_a_refused_password_is_never_sent_again_until_the_user_has_looked(
        self, stage: Stage
    ) -> None:
        stage.enable("Simulated-0")
        assert stage.tick_until("15:00") == ["refused"]
        left = stage.box.demo.attempts_left
        for day in (25, 26, 27):
            stage.time.until(at("08:30", date(2026, 11, day)))
            assert stage.tick_until("09:30", date(2026, 11, day)) == []
        assert stage.box.demo.attempts_left == left == 9
        assert stage.calls() == 1
        assert len(stage.notices) == 1
        status = stage.auto.status(stage.account)
        assert "9 attempts are left" in status.blocked
        assert status.next_at is None
        stage.enable()
        monday = date(2026, 11, 30)
        stage.time.until(at("08:35", monday))
        assert [attempt.result for attempt in stage.auto.tick()] == ["done"]
        assert stage.auto.status(stage.account).blocked == ""

    def test_a_computer_that_is_started_late_tries_once(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("10:30"))
        stage.box.faults.set("b/connect/login", "bad_gateway", times=1)
        assert stage.tick_until("15:00") == ["retry"]
        assert len(stage.notices) == 1

    def test_after_the_close_and_on_holidays_nothing_is_done(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("15:30"))
        assert stage.tick_until("23:50", every=600) == []
        tuesday = date(2026, 11, 24)
        assert stage.tick_until("23:50", tuesday, every=600) == []
        assert len(stage.box.journal) == 0


class TestCrashes:
    @pytest.mark.parametrize("route", [LOGIN, TOTP])
    def test_a_login_that_was_broken_off_is_not_repeated_that_day(
        self, stage: Stage, route: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage.enable()
        method = {LOGIN: "login", TOTP: "verify_totp"}[route]
        original = getattr(month.client_for(stage.config), method)

        def killed(*args: object) -> object:
            original(*args)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(
                f"broker.mstock.client.dialects.TypeB.{method}", lambda _self, *args: killed(*args)
            )
            with pytest.raises(Killed):
                stage.tick_until("08:36")
        stage.auto = stage.started()
        assert stage.tick_until("15:00") == []
        assert stage.calls() == 1
        assert len(stage.notices) == 1
        status = stage.auto.status(stage.account)
        assert status.last is not None
        assert status.last.result == "unknown"
        assert "in the middle of a login" in status.notice
        assert status.next_at == at("08:35", date(2026, 11, 25))

    def test_a_crash_after_the_host_took_the_token_is_no_loss(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def save(config: BrokerSettings, token: Secret) -> None:
            save_session(stage.store, config.account, token, stage.time.now(), LoginMethod.AUTO)

        def killed(*_args: object) -> None:
            raise Killed

        stage.auto = stage.started(on_login=save)
        stage.enable()
        with monkeypatch.context() as patch:
            patch.setattr("broker._kit.sessions.daily_login.attempt_finished", killed)
            with pytest.raises(Killed):
                stage.tick_until("08:36")
        stage.auto = stage.started(on_login=save)
        assert stage.tick_until("09:00") == []
        status = stage.auto.status(stage.account)
        assert status.last is not None
        assert (status.last.result, status.notice, stage.notices) == ("done", "", [])

    @pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("nth", range(1, 9))
    def test_killed_at_any_touch_of_the_store_nothing_is_sent_twice(
        self, nth: int, is_done: bool
    ) -> None:
        store = DoomedStore(MSTOCK)
        with staged(store=store) as stage:
            stage.enable()
            stage.time.until(at("08:35"))
            store.doom(nth, is_done)
            with contextlib.suppress(Killed):
                stage.auto.tick()
            assert store.is_dead is (nth <= TOUCHES)
            store.is_dead = False
            store.doom(0, is_done)
            stage.auto = stage.started()
            stage.tick_until("15:00")
            assert stage.calls(LOGIN) <= 1
            assert len(stage.box.demo.used_totp_steps) == stage.calls(TOTP)
            status = stage.auto.status(stage.account)
            assert status.last is not None
            kept = load_session(stage.store, stage.account, stage.time.now())
            assert (status.last.result == "done") is (kept is not None)

    def test_a_tick_reads_once_and_writes_once_for_each_change(self) -> None:
        store = DoomedStore(MSTOCK)
        with staged(store=store) as stage:
            stage.enable()
            store.touches.clear()
            assert stage.tick_until("08:34") == []
            assert set(store.touches) == {"accounts", "load"}
            store.touches.clear()
            stage.time.until(at("08:35"))
            assert [attempt.result for attempt in stage.auto.tick()] == ["done"]
            # The look; under the lease the start, the code, the session with the outcome.
            assert store.touches == [
                *("accounts", "load", "acquire_lease", "update", "update", "update"),
                "release_lease",
            ]
            assert len(store.touches) == TOUCHES

    def test_a_killed_process_leaves_a_lease_that_ends_by_itself(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("08:35"))
        assert stage.store.acquire_lease(
            stage.account, "killed", stage.time.now(), longest_login(stage.config.timeouts)
        )
        with stage.store.update(stage.account) as record:
            on = AutoLoginState(enabled=True)
            record.auto_login = daily_login.attempt_started(on, stage.time.now())
        assert stage.tick_until("08:37") == []
        assert stage.notices == []  # it may still be at work
        assert stage.tick_until("15:00") == []
        assert len(stage.notices) == 1
        assert len(stage.box.journal) == 0

    def test_no_step_is_used_twice_across_processes(self, stage: Stage) -> None:
        stage.enable()
        stage.auto.test(stage.config)
        stage.auto = stage.started()
        stage.auto.test(stage.config)
        stage.auto.test(stage.config)
        assert len(stage.box.demo.used_totp_steps) == 3
        assert stage.calls(TOTP) == 3  # mStock refused none
