"""Auto-login beside its user, other processes and the host: tests, other logins, switching off."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import pytest

from broker._kit.errors import (
    CorrectInput,
    HostError,
    LoginInProgress,
    OutcomeUnknown,
    Unreachable,
)
from broker._kit.http.routes import Route
from broker._kit.http.transport import Transport
from broker._kit.secret import Secret
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import LoginMethod, delete_session, save_session
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from broker.mstock.client.login import login_with_totp, logout
from broker.mstock.settings import Config
from tests.support.auto import Stage, at, staged

LOGIN, TOTP = "connect/login", "session/verifytotp"


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
        with pytest.raises(CorrectInput, match="9 attempts are left"):
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
        save_session(stage.store, stage.account, token, stage.time.now(), LoginMethod.TOTP)
        assert stage.auto.test(stage.config).result == "done"
        assert stage.calls(TOTP) == 2

    def test_nor_one_of_a_session_that_was_given_up_at_once(self, stage: Stage) -> None:
        stage.enable()
        stage.time.until(at("08:35"))
        demo = stage.box.demo
        code = Secret(stage.box.totp_now(demo.client_code))
        with LoginLock(stage.store, stage.time).hold(stage.config) as keep:
            token = login_with_totp(stage.config, Secret(demo.password), code)
            keep(token, LoginMethod.TOTP)
        logout(stage.config, token)
        delete_session(stage.store, stage.account, token)
        assert [attempt.result for attempt in stage.auto.tick()] == ["done"]

    def test_a_login_by_hand_keeps_nothing_of_auto_login_where_that_was_never_on(
        self, stage: Stage
    ) -> None:
        with LoginLock(stage.store, stage.time).hold(stage.config):
            pass
        assert stage.store.accounts() == []

    def test_is_refused_while_off_and_while_another_login_is_under_way(self, stage: Stage) -> None:
        with pytest.raises(CorrectInput, match="off"):
            stage.auto.test(stage.config)
        stage.enable()
        stage.store.acquire_lease(stage.account, "another", stage.time.now(), 60)
        with pytest.raises(LoginInProgress):
            stage.auto.test(stage.config)
        with pytest.raises(LoginInProgress):
            stage.enable()
        assert len(stage.box.journal) == 0
        stage.store.release_lease(stage.account, "another")
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
        assert stage.calls(LOGIN) == 1

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

    def test_another_process_switches_off_between_the_look_and_the_lease(self) -> None:
        class Busy(MemoryStore):
            def acquire_lease(self, account: Account, *more: Any) -> bool:
                if stage.time.now() > at("08:30"):
                    stage.started().disable(account)
                return super().acquire_lease(account, *more)

        with staged(store=Busy(MSTOCK)) as stage:
            stage.enable()
            assert stage.tick_until("09:30") == []
            assert not stage.auto.status(stage.account).enabled
            assert len(stage.box.journal) == 0

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
        assert stage.store.load(stage.account).session is None

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
