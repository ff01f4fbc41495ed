"""What follows OpenAlgo's logins and logouts: revoked and renewed sessions, yesterday's tab."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from broker._kit.broker import Broker
from broker._kit.errors import HostError, SessionExpired, Unreachable
from broker._kit.openalgo.services import Services
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import account_source
from broker._kit.sessions.stored_session import LoginMethod, load_session
from broker._kit.sessions.token_guard import token_guard
from broker.mstock.errors import TokenException
from broker.mstock.settings import Config
from tests.host.openalgo import OpenAlgo, PatientClock, next_morning, until
from tests.web.helpers import Browser, FakeMstock

NEW = Secret("eyJ.renewed.c2lnbmF0dXJl")


@pytest.fixture
def sync(app: Flask) -> Services:
    found = app.extensions["mstock"].get()
    assert isinstance(found, Services)
    return found


def no_logout(mstock: FakeMstock) -> None:
    """Nothing is on its way to mStock, and nothing has gone."""
    for thread in threading.enumerate():
        if thread.name == "mstock-logout":
            thread.join(5)
    assert "logout" not in mstock.calls


class TestLogouts:
    def test_a_logout_in_the_host_logs_out_at_mstock(
        self, browser: Browser, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        browser.raw("/auth/logout")
        until(lambda: "logout" in mstock.calls)

    def test_a_silent_mstock_delays_nothing(self, browser: Browser, mstock: FakeMstock) -> None:
        browser.log_in()
        may_answer = threading.Event()
        mstock.before = lambda name: None if name != "logout" else bool(may_answer.wait(5)) and None
        assert browser.raw("/auth/logout").text == "logged out"
        may_answer.set()
        until(lambda: "logout" in mstock.calls)

    def test_it_does_not_wait_as_long_as_a_trader_may(
        self, browser: Browser, config: Config, logouts: list[Config]
    ) -> None:
        browser.log_in()
        browser.raw("/auth/logout")
        until(lambda: bool(logouts))
        assert logouts[0].timeouts.deadline <= 5 < config.timeouts.deadline

    def test_the_nightly_one_too(
        self, browser: Browser, mstock: FakeMstock, clock: PatientClock, openalgo: OpenAlgo
    ) -> None:
        browser.log_in()
        next_morning(clock, 3, 1)
        browser.raw("/dashboard")
        assert openalgo.token() == ""
        until(lambda: "logout" in mstock.calls)

    def test_a_new_login_leaves_the_old_token_alone(
        self, browser: Browser, mstock: FakeMstock, openalgo: OpenAlgo
    ) -> None:
        browser.log_in()
        openalgo.upsert_auth("trader", "another", "mstock")
        no_logout(mstock)

    def test_another_brokers_logout_is_none_of_ours(
        self, app: Flask, mstock: FakeMstock, openalgo: OpenAlgo
    ) -> None:
        openalgo.upsert_auth("trader", "a zerodha token", "zerodha")
        openalgo.upsert_auth("trader", "", "", revoke=True)
        no_logout(mstock)

    def test_what_the_host_takes_back_is_not_logged_out(
        self, browser: Browser, mstock: FakeMstock, openalgo: OpenAlgo
    ) -> None:
        browser.log_in()
        row = openalgo.row()
        row.auth, row.is_revoked = "", True
        openalgo.db_session.flush()
        openalgo.db_session.rollback()
        no_logout(mstock)

    def test_a_fault_of_ours_does_not_reach_the_host(
        self, browser: Browser, openalgo: OpenAlgo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser.log_in()
        monkeypatch.setattr(threading.Thread, "start", lambda self: 1 / 0)
        openalgo.upsert_auth("trader", "", "", revoke=True)
        assert openalgo.row().is_revoked


class TestRevokedTokens:
    """mStock has ended the session: API traffic reads so until a logged-in browser asks."""

    STATUS = "/auth/session-status"

    def refuse(self, mstock: FakeMstock, times: int) -> None:
        errors = [TokenException("mStock has ended the session.") for _ in range(times)]
        mstock.will_fail("fund_report", *errors)

    def api_call(self, broker: Broker, config: Config, token: str) -> object:
        secret = Secret(token)
        return token_guard(broker).run(config, secret, lambda: broker.fund_report(config, secret))

    @pytest.fixture
    def token(
        self,
        browser: Browser,
        openalgo: OpenAlgo,
        broker: Broker,
        config: Config,
        mstock: FakeMstock,
    ) -> str:
        """One that a strategy was refused with."""
        browser.log_in()
        token = openalgo.token()
        self.refuse(mstock, 2)
        with pytest.raises(TokenException):
            self.api_call(broker, config, token)
        mstock.calls.clear()
        return token

    def test_api_traffic_goes_on_reading_that_it_is_over(
        self, token: str, openalgo: OpenAlgo, broker: Broker, config: Config, mstock: FakeMstock
    ) -> None:
        for _ in range(3):
            with pytest.raises(SessionExpired):
                self.api_call(broker, config, token)
        assert mstock.calls == []
        assert openalgo.token() == token

    @pytest.mark.parametrize("path", [STATUS, "/auth/dashboard-data", "/auth/broker"])
    def test_a_browser_that_asks_ends_it_in_the_host(
        self, token: str, browser: Browser, openalgo: OpenAlgo, mstock: FakeMstock, path: str
    ) -> None:
        self.refuse(mstock, 1)
        browser.raw(path)
        row = openalgo.row()
        assert (row.is_revoked, row.broker) == (True, "mstock")
        no_logout(mstock)  # it is over there already
        assert mstock.calls == ["fund_report"]
        assert browser.get().step == "password"

    def test_a_browser_without_a_broker_login_does_not(
        self, token: str, app: Flask, openalgo: OpenAlgo, mstock: FakeMstock
    ) -> None:
        assert Browser(app).raw(self.STATUS).status_code == 200
        assert mstock.calls == []
        assert openalgo.token() == token

    def test_one_that_mstock_answers_after_all_goes_on(
        self, token: str, browser: Browser, openalgo: OpenAlgo, broker: Broker, config: Config
    ) -> None:
        assert browser.raw(self.STATUS).json["broker_session_expired"] is False
        assert openalgo.token() == token
        assert self.api_call(broker, config, token)

    def test_mstock_that_cannot_be_asked_changes_nothing(
        self, token: str, browser: Browser, openalgo: OpenAlgo, mstock: FakeMstock
    ) -> None:
        mstock.will_fail("fund_report", Unreachable("mStock is unreachable."))
        assert browser.raw(self.STATUS).json["broker_session_expired"] is False
        assert openalgo.token() == token
        assert browser.get().step == "password"  # and no way back to the dashboard
        self.refuse(mstock, 1)
        assert browser.raw(self.STATUS).json["broker_session_expired"] is True

    def test_a_late_refusal_of_an_old_token_does_not_end_the_new_session(
        self,
        token: str,
        browser: Browser,
        openalgo: OpenAlgo,
        broker: Broker,
        config: Config,
        mstock: FakeMstock,
    ) -> None:
        openalgo.upsert_auth("trader", NEW.reveal(), "mstock", user_id=config.client_code)
        self.refuse(mstock, 1)
        assert browser.raw(self.STATUS).json["broker_session_expired"] is False
        assert openalgo.token() == NEW.reveal()

    def test_a_new_login_between_question_and_answer_stays(
        self, token: str, browser: Browser, openalgo: OpenAlgo, mstock: FakeMstock
    ) -> None:
        def log_in(name: str) -> None:
            if name == "fund_report":
                mstock.before = lambda name: None
                openalgo.upsert_auth("trader", NEW.reveal(), "mstock")

        self.refuse(mstock, 1)
        mstock.before = log_in
        browser.raw(self.STATUS)
        assert openalgo.token() == NEW.reveal()

    def test_a_database_in_trouble_does_not_reach_the_host(
        self,
        token: str,
        browser: Browser,
        openalgo: OpenAlgo,
        mstock: FakeMstock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as torn:
            torn.setattr("database.auth_db.upsert_auth", lambda **_: 1 / 0)
            self.refuse(mstock, 1)
            assert browser.raw(self.STATUS).status_code == 200
        self.refuse(mstock, 1)
        assert browser.raw(self.STATUS).json["broker_session_expired"] is True


class TestRenewal:
    def renew(self, sync: Services, config: Config, token: Secret = NEW) -> None:
        sync.store_renewed(config, token)

    def test_yesterdays_tab_does_not_revoke_the_new_token(
        self,
        browser: Browser,
        openalgo: OpenAlgo,
        sync: Services,
        clock: PatientClock,
        config: Config,
        store: OpenAlgoSessionStore,
    ) -> None:
        browser.log_in()
        next_morning(clock, 8, 35)
        openalgo.calls.clear()
        self.renew(sync, config)
        assert openalgo.calls == ["register_session", "upsert_auth", "init_broker_status"]
        until(lambda: openalgo.contract_status[-1] == "downloading")
        next_morning(clock, 9, 5)
        clock.wall = clock.wall.replace(day=clock.wall.day - 1)
        assert browser.get("/dashboard").text == "the dashboard"
        with browser.client.session_transaction() as inside:
            assert "logged_in" not in inside
        assert openalgo.token() == NEW.reveal()
        kept = load_session(store, config.account, clock.now())
        assert kept is not None
        assert (kept.method, kept.is_over) == (LoginMethod.AUTO, False)

    def test_without_its_device_the_token_would_be_gone(
        self, browser: Browser, openalgo: OpenAlgo, clock: PatientClock, config: Config
    ) -> None:
        """The rule of the host that the test above relies on."""
        browser.log_in()
        next_morning(clock, 9, 5)
        openalgo.upsert_auth("trader", NEW.reveal(), "mstock")
        browser.get("/dashboard")
        assert openalgo.token() == ""

    def test_after_a_night_in_which_the_tab_revoked_the_old_one(
        self,
        browser: Browser,
        openalgo: OpenAlgo,
        sync: Services,
        clock: PatientClock,
        config: Config,
    ) -> None:
        browser.log_in()
        next_morning(clock, 4, 0)
        browser.get("/dashboard")
        assert openalgo.row().broker == ""
        self.renew(sync, config)
        assert openalgo.token() == NEW.reveal()

    def test_our_devices_do_not_drive_out_the_users(
        self, browser: Browser, openalgo: OpenAlgo, sync: Services, config: Config
    ) -> None:
        browser.log_in()
        for n in range(7):
            self.renew(sync, config, Secret(f"eyJ.{n}.c2lnbmF0dXJl"))
        assert [each["device_info"] == "mStock auto-login" for each in openalgo.devices] == [
            False,
            True,
        ]

    def test_a_list_of_instruments_that_is_fresh_is_only_loaded(
        self, browser: Browser, openalgo: OpenAlgo, sync: Services, config: Config
    ) -> None:
        browser.log_in()
        openalgo.is_contract_due = False
        self.renew(sync, config)
        until(lambda: openalgo.contract_status[-1] == "loaded")

    def test_nobody_to_renew_for(self, sync: Services, config: Config, openalgo: OpenAlgo) -> None:
        with pytest.raises(HostError, match="no user"):
            self.renew(sync, config)
        assert openalgo.calls == []

    def test_only_the_account_in_force_is_renewed(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config_of = account_source(Config.from_env)
        assert config_of(config.account) == config
        monkeypatch.setenv("MSTOCK_API_TYPE", "A")
        assert config_of(config.account) is None
        monkeypatch.delenv("BROKER_API_SECRET")
        assert config_of(config.account) is None
