"""Auto-login as a whole, over real sockets and by a clock that is set: mornings and crashes."""

from __future__ import annotations

from datetime import date

import pytest

from broker._kit.secret import Secret
from broker._kit.sessions import daily_login
from broker._kit.sessions.daily_login import RenewalState
from broker._kit.sessions.serialization import to_json
from broker._kit.sessions.store import Item
from broker._kit.sessions.stored_session import LoginMethod, load_session, save_session
from broker._kit.sessions.totp_login import longest_login
from broker.mstock.errors import (
    InputException,
)
from proofs import month
from tests.support.auto import Stage, at, staged

LOGIN, TOTP = "connect/login", "session/verifytotp"


class Killed(BaseException):
    """The process is killed at this place."""


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
            kept = load_session(stage.store, stage.account, stage.time.now())
            assert kept is not None
            assert kept.how is LoginMethod.AUTO
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
        save_session(stage.store, stage.account, Secret("a.b.c"), stage.time.now(), LoginMethod.OTP)
        assert stage.tick_until("09:00") == []
        stage.store.delete(stage.account, Item.TOKEN)  # the user logs out
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
            patch.setattr("broker._kit.sessions.daily_login.concluded", killed)
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
        record = to_json(daily_login.begun(RenewalState(enabled=True), stage.time.now()))
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
