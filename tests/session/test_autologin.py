"""Auto-login as a whole, over real sockets and by a clock that is set."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import pytest
from apscheduler.triggers import interval

from broker.mstock.client.routes import Route
from broker.mstock.client.transport import Transport
from broker.mstock.clock import IST, SYSTEM_CLOCK
from broker.mstock.config import Account, Config
from broker.mstock.errors import (
    HostError,
    InputException,
    LoginUnderway,
    OutcomeUnknown,
    Unreachable,
    VaultError,
)
from broker.mstock.secret import Secret
from broker.mstock.session import renewal
from broker.mstock.session.autologin import start_ticking
from broker.mstock.session.held import How, forget, held, keep
from broker.mstock.session.ledger import Ledger
from broker.mstock.session.line import Line
from broker.mstock.session.login import login_with_totp, logout
from broker.mstock.session.record import to_json
from broker.mstock.session.renewal import RenewalState
from broker.mstock.session.store import Item, MemoryStore
from broker.mstock.session.unattended import longest_login
from proofs import Broken, month
from tests.support.auto import FRIDAY, MONDAY, Stage, at, staged
from tests.support.leaks import Leaks

LOGIN, TOTP = "connect/login", "session/verifytotp"


class Killed(BaseException):
    """The process is killed at this place."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as stage:
        yield stage


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
        with pytest.raises(InputException, match=words) as caught:
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
        assert stage.store.get(stage.account, Item.PASSWORD) is None
        assert stage.store.get(stage.account, Item.TOTP_SECRET) is None
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
    def test_logs_in_once_and_keeps_the_token(self, api_type: str, revision: str) -> None:
        with staged(api_type, revision=revision) as stage:
            stage.enable()
            assert stage.tick_until("15:00", every=120) == ["done"]
            kept = held(stage.store, stage.account, stage.time.now())
            assert kept is not None
            assert kept.how is How.AUTO
            assert kept.token.reveal() == stage.box.sessions[0].token
            assert (stage.calls(LOGIN), stage.calls(TOTP)) == (1, 1)
            status = stage.auto.status(stage.account)
            assert status.last is not None
            assert status.last.result == "done"
            assert status.next_at == at("08:35", date(2026, 11, 25))  # Tuesday is a holiday
            assert "Wednesday, 25 November" in status.next_words
            assert len(stage.audit) == 1

    def test_both_calls_go_out_on_one_connection(self, stage: Stage) -> None:
        stage.enable()
        stage.box.faults.set("b/session/verifytotp", "cold_bad_gateway")
        assert stage.tick_until("08:36") == ["done"]
        assert len({entry.remote_port for entry in stage.box.journal}) == 1

    def test_leaves_a_session_alone_that_lasts_for_the_day(self, stage: Stage) -> None:
        stage.enable()
        keep(stage.store, stage.account, Secret("a.b.c"), stage.time.now(), How.OTP)
        assert stage.tick_until("09:00") == []
        stage.store.delete(stage.account, Item.TOKEN)  # the user logs out
        assert stage.tick_until("15:00") == []
        assert len(stage.box.journal) == 0

    def test_renews_a_session_that_may_end_before_the_market_does(self, stage: Stage) -> None:
        stage.enable()
        keep(stage.store, stage.account, Secret("a.b.c"), at("02:00"), How.OTP)
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
        original = getattr(month.fresh_client(stage.config), method)

        def killed(*args: object) -> object:
            original(*args)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(
                f"broker.mstock.client.type_b.TypeB.{method}", lambda _self, *args: killed(*args)
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

    def test_a_crash_after_the_token_was_kept_is_no_loss(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage.enable()

        def killed(*_args: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr("broker.mstock.session.renewal.concluded", killed)
            with pytest.raises(Killed):
                stage.tick_until("08:36")
        stage.auto = stage.started()
        assert stage.tick_until("09:00") == []
        status = stage.auto.status(stage.account)
        assert status.last is not None
        assert (status.last.result, status.notice, stage.notices) == ("done", "", [])

    def test_a_killed_process_leaves_a_lease_that_ends_by_itself(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("08:35"))
        assert stage.store.lease(
            stage.account, "killed", stage.time.now(), longest_login(stage.config.timeouts)
        )
        record = to_json(renewal.begun(RenewalState(enabled=True), stage.time.now()))
        stage.store.set(stage.account, Item.RENEWAL, Secret(record))
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


class TestTesting:
    def test_logs_in_at_once_and_counts_as_the_days_login(self, stage: Stage) -> None:
        stage.enable()
        assert stage.auto.test(stage.config).result == "done"
        assert stage.tick_until("09:30") == []
        assert stage.calls() == 1

    def test_in_the_small_hours_does_not_stand_for_the_days_login(self, stage: Stage) -> None:
        stage.time.until(at("00:30", date(2026, 11, 25)))
        stage.enable()
        assert stage.auto.test(stage.config).result == "done"
        stage.time.until(at("10:00", date(2026, 11, 25)))
        assert [attempt.result for attempt in stage.auto.tick()] == ["done"]

    def test_raises_what_went_wrong_and_tells_nobody_else(self, stage: Stage) -> None:
        stage.enable("Simulated-0")
        with pytest.raises(InputException, match="9 attempts are left"):
            stage.auto.test(stage.config)
        assert stage.notices == []
        status = stage.auto.status(stage.account)
        assert "9 attempts are left" in status.blocked
        assert stage.tick_until("09:30") == []
        stage.box.demo.password = "Simulated-0"
        assert stage.auto.test(stage.config).result == "done"
        assert stage.auto.status(stage.account).blocked == ""

    def test_an_outage_in_a_test_leaves_the_morning_its_tries(self, stage: Stage) -> None:
        stage.enable()
        stage.box.faults.set("b/connect/login", "bad_gateway", times=1)
        with pytest.raises(OutcomeUnknown):
            stage.auto.test(stage.config)
        assert stage.tick_until("09:30") == ["done"]

    def test_does_not_send_the_code_again_that_the_user_has_just_entered(
        self, stage: Stage
    ) -> None:
        stage.enable()
        demo = stage.box.demo
        code = Secret(stage.box.totp_now(demo.client_code))
        token = login_with_totp(stage.config, Secret(demo.password), code)
        keep(stage.store, stage.account, token, stage.time.now(), How.TOTP)
        assert stage.auto.test(stage.config).result == "done"
        assert stage.calls(TOTP) == 2

    def test_nor_one_of_a_session_that_was_given_up_at_once(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("08:35"))
        demo = stage.box.demo
        code = Secret(stage.box.totp_now(demo.client_code))
        with Line(stage.store, stage.time).hold(stage.config) as keep:
            token = login_with_totp(stage.config, Secret(demo.password), code)
            keep(token, How.TOTP)
        logout(stage.config, token)
        forget(stage.store, stage.account, token)
        assert [attempt.result for attempt in stage.auto.tick()] == ["done"]

    def test_a_login_by_hand_keeps_nothing_of_auto_login_where_that_was_never_on(
        self, stage: Stage
    ) -> None:
        with Line(stage.store, stage.time).hold(stage.config):
            pass
        assert stage.store.accounts() == []

    def test_is_refused_while_off_and_while_another_login_is_under_way(self, stage: Stage) -> None:
        with pytest.raises(InputException, match="off"):
            stage.auto.test(stage.config)
        stage.enable()
        stage.store.lease(stage.account, "another", stage.time.now(), 60)
        with pytest.raises(LoginUnderway):
            stage.auto.test(stage.config)
        with pytest.raises(LoginUnderway):
            stage.enable()
        assert len(stage.box.journal) == 0
        stage.store.release(stage.account, "another")
        assert stage.auto.test(stage.config).result == "done"

    def test_nothing_listens_there(self, stage: Stage) -> None:
        stage.enable()
        stage.box.stop()
        with pytest.raises(Unreachable):
            stage.auto.test(stage.config)


class TestTogether:
    def test_two_processes_log_in_once(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("08:35"))
        autos = [stage.started() for _ in range(4)]
        start = threading.Barrier(len(autos))

        def tick(auto: object) -> None:
            start.wait()
            auto.tick()  # type: ignore[attr-defined]

        threads = [threading.Thread(target=tick, args=(auto,)) for auto in autos]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (stage.calls(LOGIN), len(stage.audit)) == (1, 1)

    def test_a_user_who_switches_off_in_the_middle_of_a_login_stays_off(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage.enable()
        other = stage.started()

        def switch_off(_config: Config, _token: Secret) -> None:
            other.disable(stage.account)

        stage.auto = stage.started(on_login=switch_off)
        assert stage.tick_until("08:36") == ["done"]
        status = stage.auto.status(stage.account)
        assert not status.enabled
        assert status.last is not None

    def test_another_process_switches_off_between_a_reading_and_its_writing(
        self, stage: Stage
    ) -> None:
        stage.enable()
        ledger = Ledger(stage.store, stage.time)

        def change(state: RenewalState) -> RenewalState:
            stage.started().disable(stage.account)
            return state._replace(notice="A login ended.")

        ledger.change(stage.account, change)
        assert not stage.auto.status(stage.account).enabled

    @pytest.mark.parametrize("path", [LOGIN, TOTP])
    def test_what_is_erased_in_the_middle_of_a_login_stays_erased(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        stage.enable()
        send = Transport.call

        def send_and_erase(self: Transport, route: Route, *more: Any, **options: Any) -> Any:
            answer = send(self, route, *more, **options)
            if route.path.endswith(path):
                stage.store.erase()
            return answer

        monkeypatch.setattr(Transport, "call", send_and_erase)
        assert stage.tick_until("09:30") == ["refused"]
        assert stage.store.accounts() == []
        assert stage.calls(TOTP) == (path == TOTP)
        assert not any(session.alive(stage.time.now()) for session in stage.box.sessions)

    def test_another_process_switches_off_while_the_day_is_settled(self) -> None:
        class Busy(MemoryStore):
            looks = 0

            def get(self, account: Account, name: Item) -> Secret | None:
                if name is Item.TOKEN:
                    self.looks += 1
                    if self.looks == 2:  # under the lease, after the state was read
                        stage.started().disable(account)
                return super().get(account, name)

        store = Busy()
        with staged(store=store) as stage:
            stage.enable()
            stage.time.until(at("08:36"))
            token = Secret("a.token.that-does-not-say")
            keep(store, stage.account, token, stage.time.now(), How.OTP)
            assert stage.auto.tick() == []
            assert store.looks >= 2
            assert not stage.auto.status(stage.account).enabled

    def test_an_account_without_settings_here_is_left_alone(self, stage: Stage) -> None:
        stage.enable()
        stage.account = stage.account._replace(client_code="MA0000009")
        assert stage.tick_until("09:30") == []
        assert len(stage.box.journal) == 0

    def test_the_token_goes_where_the_host_wants_it(self, stage: Stage) -> None:
        got: list[tuple[Config, Secret]] = []
        stage.auto = stage.started(on_login=lambda *pair: got.append(pair))
        stage.enable()
        assert stage.tick_until("08:36") == ["done"]
        assert [(config, token.reveal()) for config, token in got] == [
            (stage.config, stage.box.sessions[0].token)
        ]
        assert stage.store.get(stage.account, Item.TOKEN) is None

    @pytest.mark.parametrize(
        "error", [HostError("OpenAlgo 9.9 lacks upsert_auth."), ValueError("Simulated-1")]
    )
    def test_a_host_that_does_not_take_the_token_is_a_failure_told_once(
        self, stage: Stage, error: Exception
    ) -> None:
        def refuse(_config: Config, _token: Secret) -> None:
            raise error

        stage.auto = stage.started(on_login=refuse)
        stage.enable()
        assert stage.tick_until("15:00") == ["failed"]
        assert stage.calls() == 1
        assert len(stage.notices) == 1
        assert "Simulated-1" not in stage.notices[0].words


class BrokenStore(MemoryStore):
    """A store that cannot be read or written while `is_broken`."""

    is_broken = False

    def get(self, account: Account, name: Item) -> Secret | None:
        self._check()
        return super().get(account, name)

    def set(self, account: Account, name: Item, value: Secret) -> None:
        self._check()
        super().set(account, name, value)

    def _check(self) -> None:
        if self.is_broken:
            raise VaultError("The vault cannot be read.", "Put the key back.")


class TestTrouble:
    def test_a_vault_that_cannot_be_read_is_told_once_and_nothing_is_sent(self) -> None:
        store = BrokenStore()
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
        store = BrokenStore()
        with staged(store=store) as stage:
            stage.enable()
            stage.time.until(at("08:34"))

            def breaks(*_args: object) -> None:
                store.is_broken = True
                store._check()

            with monkeypatch.context() as patch:
                patch.setattr("broker.mstock.session.renewal.stepped", breaks)
                assert stage.tick_until("08:36") == []
            assert (stage.calls(LOGIN), stage.calls(TOTP)) == (1, 0)
            store.is_broken = False
            assert stage.tick_until("15:00") == []  # how it ended was not kept
            assert stage.calls(LOGIN) == 1

    def test_a_record_that_makes_no_sense_stops_logins_until_switched_on_again(
        self, stage: Stage
    ) -> None:
        stage.enable()
        stage.store.set(stage.account, Item.RENEWAL, Secret('{"enabled": "yes"}'))
        assert stage.tick_until("09:30") == []
        assert "Switch auto-login off and on again" in stage.auto.status(stage.account).notice
        assert len(stage.notices) == 1
        stage.enable()
        assert stage.auto.status(stage.account).notice == ""

    def test_a_listener_that_fails_stops_nothing(self, stage: Stage) -> None:
        def fails(_what: object) -> None:
            raise ValueError("no")

        stage.auto = stage.started(tell=fails, audit=fails)
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
        with pytest.raises(InputException) as caught:
            stage.auto.test(stage.config)
        leaks.show_error("test", caught.value)
        leaks.show("status", stage.auto.status(stage.account))
        leaks.show("auto", vars(stage.auto))
        leaks.show("audit", stage.audit)
        leaks.show("notices", stage.notices)
        record = stage.store.get(stage.account, Item.RENEWAL)
        assert record is not None
        leaks.show("record", record.reveal())
        leaks.show("log", caplog.text)
        assert "auto-login of MA" in caplog.text
        assert leaks.found() == []

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
        stop = start_ticking(auto, every=0.05)
        assert auto.came.wait(5)
        stop()
        stop()
        ticks = auto.ticks
        assert not threading.Event().wait(0.2)
        assert auto.ticks == ticks

    def test_goes_on_when_a_clock_that_was_a_day_ahead_is_put_right(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class DayAhead(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return SYSTEM_CLOCK.now().astimezone(tz) + timedelta(days=1)

        # The first tick is reckoned by the wrong clock; all that follows looks at the right one.
        monkeypatch.setattr(interval, "datetime", DayAhead)
        auto = Ticked()
        stop = start_ticking(auto, every=0.05)
        came = auto.came.wait(5)
        stop()
        assert came


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
