"""A stand-in OpenAlgo with the plugin registered in it, over a fake mStock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from broker._kit.openalgo import register, services, views
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.settings import Account
from broker.mstock.client import login
from broker.mstock.settings import Config
from tests.host.openalgo import OpenAlgo, PatientClock
from tests.web.helpers import Browser, FakeMstock, settings


@pytest.fixture
def clock() -> PatientClock:
    return PatientClock()


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    for name, value in settings().items():
        monkeypatch.setenv(name, value)
    return Config.from_env()


@pytest.fixture
def openalgo(
    tmp_path: Path, clock: PatientClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenAlgo]:
    host = OpenAlgo(tmp_path, clock)
    host.install(monkeypatch)
    yield host
    host.db_session.remove()
    host.engine.dispose()


@pytest.fixture
def store(openalgo: OpenAlgo) -> OpenAlgoSessionStore:
    return OpenAlgoSessionStore(may_write=True)


@pytest.fixture
def mstock(monkeypatch: pytest.MonkeyPatch) -> FakeMstock:
    fake = FakeMstock()
    for name in ("send_otp", "verify_otp", "login_with_totp", "logout"):
        monkeypatch.setattr(login, name, getattr(fake, name))
    monkeypatch.setattr(views, "get_fund_summary", fake.get_fund_summary)
    return fake


class Ticking:
    """What auto-login was made with, and whether it ticks."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.is_on = False

    def make(self, store: Any, config_of: Any, clock: Any, **given: Any) -> Ticking:
        self.made = given
        return self

    def start(self, _auto: Any) -> Callable[[], None]:
        self.is_on = True
        return self.stop

    def stop(self) -> None:
        self.is_on = False

    def status(self, _account: Account) -> AutoLoginStatus:
        return AutoLoginStatus(False, None, "Auto-login is off.", None, "", "", (), "")


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    fake = Ticking()
    monkeypatch.setattr(services, "AutoLogin", fake.make)
    monkeypatch.setattr(services, "start_ticking", fake.start)
    monkeypatch.setattr(services, "teller", lambda *_: lambda notice: None)
    return fake


@pytest.fixture
def app(
    openalgo: OpenAlgo, clock: PatientClock, config: Config, mstock: FakeMstock, ticking: Ticking
) -> Iterator[Flask]:
    app = openalgo.app()
    register.register(app, clock)
    yield app
    app.extensions["mstock"].stop()


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody who has logged in to OpenAlgo and not yet to mStock."""
    browser = Browser(app)
    with browser.client.session_transaction() as inside:
        inside["user"] = "trader"
    return browser
