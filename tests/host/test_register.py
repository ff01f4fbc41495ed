"""How the plugin joins OpenAlgo: what fails costs a part and never the start."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from flask import Flask

from broker._kit.broker import Broker
from broker._kit.errors import SettingError
from broker._kit.openalgo import auth_table, register, services
from broker._kit.openalgo.register import is_serving_process
from broker._kit.sessions.trading_calendar import Calendar
from broker._kit.web.pages import Pages
from broker.mstock.settings import Config
from tests.host.conftest import Ticking
from tests.host.openalgo import OpenAlgo, PatientClock
from tests.web.helpers import Browser


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
        assert is_serving_process(env) is expected

    def test_a_child_made_for_some_work_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
        assert not is_serving_process({})


class TestARegisterThatFails:
    def broken(self, *_: object, **__: object) -> None:
        raise RuntimeError("secret-in-a-text")

    @pytest.mark.parametrize(
        ("where", "name", "what"),
        [
            (Pages, "form_blueprint", "the login page"),
            (Pages, "form_blueprint", "the auto-login page"),
            (Pages, "blueprint", "the funds page"),
            (auth_table, "on_revoked", "the logout at the broker"),
            (auth_table, "on_stored", "what follows a login"),
            (register, "start_ticking", "auto-login"),
        ],
    )
    def test_it_never_stops_the_host(
        self,
        where: object,
        name: str,
        what: str,
        openalgo: OpenAlgo,
        config: Config,
        broker: Broker,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(where, name, self.broken)
        app = openalgo.app()
        register.register(broker, app)
        app.extensions["mstock"].stop()
        assert f"OpenAlgo 2.0.2.1 runs without {what}" in caplog.text
        assert "secret-in-a-text" not in caplog.text
        assert Browser(app).raw("/zerodha/callback", method="GET").status_code == 200

    def test_without_a_rule_of_ours_the_hosts_own_serves(
        self, openalgo: OpenAlgo, config: Config, broker: Broker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Pages, "form_blueprint", self.broken)
        app = openalgo.app()
        register.register(broker, app)
        app.extensions["mstock"].stop()
        assert Browser(app).raw(method="GET").text == "generic page of mstock"

    @pytest.mark.parametrize("part", ["OpenAlgoViews", "LoginPage", "OpenAlgoSessionStore"])
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
        assert "OpenAlgo 2.0.2.1 runs without the login page" in caplog.text
        assert "secret-in-a-text" not in caplog.text
        assert browser.get().step == "password"  # it is tried again

    def test_logins_by_hand_work_without_auto_login(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(home: str | None) -> Calendar:
            raise SettingError("trading-days.json cannot be used.", "Correct it.")

        monkeypatch.setattr(services, "load_calendar", load)
        assert browser.log_in().text == "the dashboard"
        page = browser.get("/mstock/auto-login")
        assert "trading-days.json cannot be used." in page.alert

    def test_a_wrong_setting_for_notices_costs_only_the_notices(
        self, browser: Browser, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BROKER_NOTIFY_URL", "nowhere")
        assert browser.log_in().text == "the dashboard"
        ticking.tick()
        assert ticking.ticks == 1

    def test_a_host_without_its_table(
        self,
        openalgo: OpenAlgo,
        broker: Broker,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.delattr("database.auth_db.Auth")
        app = openalgo.app()
        register.register(broker, app)
        app.extensions["mstock"].stop()
        assert "without the logout at the broker" in caplog.text
        assert "version 2.0.2.1) has no usable database.auth_db.Auth" in caplog.text


class TestTheStart:
    def test_it_loads_no_page_and_reads_no_database(self) -> None:
        """What OpenAlgo loads anyway is there before; of ours only what hangs the rules."""
        code = (
            "import flask, sys\n"
            "from broker._kit.openalgo.register import register\n"
            "from broker.mstock.broker import MSTOCK\n"
            "app = flask.Flask('host')\n"
            "app.extensions['csrf'] = object()\n"
            "register(MSTOCK, app)\n"
            "late = ('services', 'views', 'login_page', 'auto_login', 'stored_session')\n"
            "print([name for name in sys.modules if name.rpartition('.')[2] in late])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n"

    def test_nothing_is_made_for_a_user_of_another_broker(
        self,
        browser: Browser,
        ticking: Ticking,
        clock: PatientClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("REDIRECT_URL", "http://127.0.0.1:5000/zerodha/callback")
        monkeypatch.setattr(services, "Services", lambda *_: pytest.fail("made"))
        at = clock.now().isoformat()
        with browser.client.session_transaction() as inside:
            inside.update(logged_in=True, broker="zerodha", login_time=at)
        assert browser.raw("/auth/session-status").status_code == 200
        ticking.tick()
        assert ticking.ticks == 0

    def test_auto_login_ticks_and_stops(self, app: Flask, ticking: Ticking) -> None:
        ticking.tick()
        assert ticking.ticks == 1
        assert ticking.made["on_login"] == app.extensions["mstock"].get().store_renewed
        app.extensions["mstock"].stop()
        assert not ticking.is_on

    def test_a_new_token_of_this_broker_is_followed_up(
        self, openalgo: OpenAlgo, broker: Broker
    ) -> None:
        seen: list[str] = []
        auth_table.on_stored(broker, lambda: seen.append("stored"))
        for token in ("one", "two"):
            openalgo.upsert_auth("trader", token, "mstock")
        openalgo.upsert_auth("trader", "", "mstock", revoke=True)
        openalgo.upsert_auth("trader", "three", "zerodha")
        assert seen == ["stored"] * 2

    def test_what_follows_a_login_follows_it(
        self, openalgo: OpenAlgo, broker: Broker, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        followed = threading.Event()
        monkeypatch.setattr(register, "_COMMITTED_AFTER_S", 0.0)
        app = openalgo.app()
        register.register(replace(broker, after_login=followed.set), app)
        app.extensions["mstock"].stop()
        openalgo.upsert_auth("trader", "one", "mstock")
        assert followed.wait(5)

    def test_a_tick_before_the_hosts_tables_are_there_is_harmless(
        self, app: Flask, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "Services", lambda *_: 1 / 0)
        ticking.tick()
        assert ticking.ticks == 0
