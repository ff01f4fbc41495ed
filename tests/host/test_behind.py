"""What goes on behind the host's pages: logouts, dead tokens, a renewal and yesterday's tab."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from flask import Flask

from broker._kit.errors import HostError
from broker._kit.openalgo import host, register, services
from broker._kit.openalgo.register import Room
from broker._kit.openalgo.services import Joined
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.session_sync import is_the_server
from broker._kit.secret import Secret
from broker._kit.sessions import token_guards
from broker._kit.sessions.store import Item
from broker._kit.sessions.stored_session import LoginMethod, load_session
from broker._kit.settings import Account
from broker._kit.web import blueprints
from broker.mstock.client import login
from broker.mstock.settings import Config
from tests.host.conftest import Ticking
from tests.host.openalgo import OpenAlgo, PatientClock, next_morning, until
from tests.web.helpers import Browser, FakeMstock

NEW = Secret("eyJ.renewed.c2lnbmF0dXJl")


@pytest.fixture
def joined(app: Flask) -> Joined:
    room = app.extensions["mstock"]
    assert isinstance(room, Room)
    return room.joined()


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
        self, browser: Browser, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Config] = []

        def logout(config: Config, _token: Secret) -> None:
            asked.append(config)
            raise HostError("enough seen", "")

        browser.log_in()
        monkeypatch.setattr(login, "logout", logout)
        browser.raw("/auth/logout")
        until(lambda: bool(asked))
        assert asked[0].timeouts.deadline <= 5 < config.timeouts.deadline

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


class TestDeadTokens:
    def test_a_session_that_mstock_has_ended_is_revoked_in_the_host_once(
        self, browser: Browser, openalgo: OpenAlgo, config: Config, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        dead = Secret(openalgo.token())
        token_guards.the_watch().on_dead(config.account, dead)
        row = openalgo.row()
        assert (row.is_revoked, row.broker) == (True, "mstock")
        assert browser.raw("/auth/session-status").json["broker_session_expired"] is True
        no_logout(mstock)  # it is over there already

    def test_a_late_refusal_of_yesterdays_token_does_not_end_todays(
        self, browser: Browser, openalgo: OpenAlgo, config: Config
    ) -> None:
        browser.log_in()
        token = openalgo.token()
        token_guards.the_watch().on_dead(config.account, Secret("eyJ.yesterdays.c2ln"))
        other = Account("http://127.0.0.1:9", "A", config.client_code)
        token_guards.the_watch().on_dead(other, Secret(token))
        assert openalgo.token() == token

    def test_a_database_in_trouble_is_told_and_not_raised(
        self, browser: Browser, openalgo: OpenAlgo, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser.log_in()
        token = openalgo.token()
        with monkeypatch.context() as torn:
            torn.setattr("database.auth_db.upsert_auth", lambda **_: 1 / 0)
            token_guards.the_watch().on_dead(config.account, Secret(token))
            assert openalgo.token() == token
            assert browser.get().step == "password"  # and no way back to the dashboard
        assert browser.raw("/auth/session-status").json["broker_session_expired"] is True


class TestRenewal:
    def renew(self, joined: Joined, config: Config, token: Secret = NEW) -> None:
        joined.keeper.renewed(config, token)

    def test_yesterdays_tab_does_not_revoke_the_new_token(
        self,
        browser: Browser,
        openalgo: OpenAlgo,
        joined: Joined,
        clock: PatientClock,
        config: Config,
        store: OpenAlgoSessionStore,
    ) -> None:
        browser.log_in()
        next_morning(clock, 8, 35)
        openalgo.calls.clear()
        self.renew(joined, config)
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
        assert (kept.how, kept.is_over) == (LoginMethod.AUTO, False)

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
        joined: Joined,
        clock: PatientClock,
        config: Config,
    ) -> None:
        browser.log_in()
        next_morning(clock, 4, 0)
        browser.get("/dashboard")
        assert openalgo.row().broker == ""
        self.renew(joined, config)
        assert openalgo.token() == NEW.reveal()

    def test_our_devices_do_not_drive_out_the_users(
        self, browser: Browser, openalgo: OpenAlgo, joined: Joined, config: Config
    ) -> None:
        browser.log_in()
        for n in range(7):
            self.renew(joined, config, Secret(f"eyJ.{n}.c2lnbmF0dXJl"))
        assert [each["device_info"] == host.DEVICE for each in openalgo.devices] == [False, True]

    def test_a_list_of_instruments_that_is_fresh_is_only_loaded(
        self, browser: Browser, openalgo: OpenAlgo, joined: Joined, config: Config
    ) -> None:
        browser.log_in()
        openalgo.is_contract_due = False
        self.renew(joined, config)
        until(lambda: openalgo.contract_status[-1] == "loaded")

    def test_nobody_to_renew_for(self, joined: Joined, config: Config, openalgo: OpenAlgo) -> None:
        with pytest.raises(HostError, match="no user"):
            self.renew(joined, config)
        assert openalgo.calls == []

    def test_only_the_account_in_force_is_renewed(
        self, joined: Joined, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert joined.keeper.config_of(config.account) == config
        monkeypatch.setenv("MSTOCK_API_TYPE", "A")
        assert joined.keeper.config_of(config.account) is None
        monkeypatch.delenv("BROKER_API_SECRET")
        assert joined.keeper.config_of(config.account) is None

    def test_it_ticks_and_stops(self, joined: Joined, ticking: Ticking) -> None:
        assert ticking.is_on
        assert ticking.made["on_login"] == joined.keeper.renewed
        joined.stop()
        assert not ticking.is_on


class TestWhere:
    @pytest.mark.parametrize(
        ("main", "env", "expected"),
        [
            ("/opt/openalgo/app.py", {}, True),
            ("/opt/openalgo/app.py", {"FLASK_DEBUG": "True"}, False),
            ("/opt/openalgo/app.py", {"FLASK_DEBUG": "1", "WERKZEUG_RUN_MAIN": "true"}, True),
            ("/usr/bin/gunicorn", {"FLASK_DEBUG": "True"}, True),
        ],
    )
    def test_one_process_renews(
        self, main: str, env: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.modules", {"__main__": type("M", (), {"__file__": main})})
        assert is_the_server(env) is expected

    def test_a_child_made_for_some_work_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
        assert not is_the_server({})


class TestARegisterThatFails:
    def broken(self, *_: object, **__: object) -> None:
        raise RuntimeError("secret-in-a-text")

    @pytest.mark.parametrize(
        ("where", "name", "what"),
        [
            (blueprints, "login_door", "the login page"),
            (blueprints, "auto_login_door", "the auto-login page"),
            (blueprints, "finished", "the funds page"),
            (host, "on_revoked", "the logout at mStock"),
            (host, "when_session_ends", "the end of a session that mStock refuses"),
            (threading.Thread, "start", "auto-login"),
        ],
    )
    def test_it_never_stops_the_host(
        self,
        where: object,
        name: str,
        what: str,
        openalgo: OpenAlgo,
        config: Config,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(where, name, self.broken)
        app = openalgo.app()
        register.register(app)
        app.extensions["mstock"].stop()
        assert f"OpenAlgo runs without {what}" in caplog.text
        assert "secret-in-a-text" not in caplog.text
        assert Browser(app).raw("/zerodha/callback", method="GET").status_code == 200

    def test_without_a_rule_of_ours_the_hosts_own_serves(
        self, openalgo: OpenAlgo, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blueprints, "login_door", self.broken)
        app = openalgo.app()
        register.register(app)
        app.extensions["mstock"].stop()
        assert Browser(app).raw(method="GET").text == "generic page of mstock"

    @pytest.mark.parametrize("part", ["OpenAlgoViews", "LoginPage", "OpenAlgoSessionStore", "Kept"])
    def test_a_page_that_cannot_be_made_leaves_the_hosts_own(
        self,
        part: str,
        browser: Browser,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with monkeypatch.context() as torn:
            torn.setattr(services, part, self.broken)
            assert browser.raw(method="GET").text == "generic page of mstock"
            assert browser.raw("/mstock/funds", method="GET").status_code == 500
            assert browser.raw("/auth/session-status").status_code == 200
        assert "OpenAlgo runs without the login page" in caplog.text
        assert "secret-in-a-text" not in caplog.text
        assert browser.get().step == "password"  # it is tried again

    def test_logins_by_hand_work_without_auto_login(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "AutoLogin", self.broken)
        assert browser.log_in().text == "the dashboard"
        page = browser.get("/mstock/auto-login")
        assert "Auto-login could not be made ready" in page.alert

    def test_a_host_without_its_table(
        self, openalgo: OpenAlgo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.delattr("database.auth_db.Auth")
        app = openalgo.app()
        register.register(app)
        app.extensions["mstock"].stop()
        assert "without the logout at mStock" in caplog.text
        assert "version 2.0.2.1) has no usable database.auth_db.Auth" in caplog.text


class TestTheStart:
    def test_it_loads_next_to_nothing(self) -> None:
        """Nine modules, as many as the plugin that OpenAlgo ships."""
        code = (
            "import flask, sys\n"
            "import broker.mstock.streaming.mstock_adapter as adapter\n"
            "import broker._kit.openalgo.register\n"
            "adapter.MstockWebSocketAdapter\n"
            "app = flask.Flask('host')\n"
            "app.extensions['csrf'] = object()\n"
            "broker._kit.openalgo.register.register(app)\n"
            "print(len([name for name in sys.modules if name.startswith('broker.mstock')]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert int(done.stdout) <= 9

    def test_nothing_is_loaded_for_a_user_of_another_broker(
        self, browser: Browser, ticking: Ticking, clock: PatientClock
    ) -> None:
        at = clock.now().isoformat()
        with browser.client.session_transaction() as inside:
            inside.update(logged_in=True, broker="zerodha", login_time=at)
        assert browser.raw("/auth/session-status").status_code == 200
        assert not ticking.is_on

    def test_auto_login_is_loaded_when_somebody_has_switched_it_on(
        self,
        openalgo: OpenAlgo,
        config: Config,
        ticking: Ticking,
        store: OpenAlgoSessionStore,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(register, "_LOOK_AFTER", 0.01)
        room = Room(None)
        room.start()
        openalgo.upsert_auth("trader", NEW.reveal(), "mstock")
        for thread in threading.enumerate():
            if thread.name == "mstock-start":
                thread.join(5)
        assert not ticking.is_on
        store.set(config.account, Item.RENEWAL, Secret("{}"))
        room.start()
        until(lambda: ticking.is_on)
        room.stop()
        assert not ticking.is_on
