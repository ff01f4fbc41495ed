"""A stand-in OpenAlgo with the plugin registered in it, over a fake mStock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from broker._kit.broker import Broker, LogoutResult
from broker._kit.openalgo import register, services
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
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
    return OpenAlgoSessionStore(MSTOCK, may_write=True)


@pytest.fixture
def mstock() -> FakeMstock:
    return FakeMstock()


@pytest.fixture
def logouts() -> list[Config]:
    """The settings of each logout at mStock."""
    return []


@pytest.fixture
def broker(mstock: FakeMstock, logouts: list[Config]) -> Broker:
    """mStock as the kit is handed it, over the fake; its session is checked by asking for funds."""

    def log_out(config: Config, token: Secret) -> LogoutResult:
        logouts.append(config)
        return mstock.logout(config, token)

    return replace(mstock.broker, check_session=mstock.fund_report, log_out=log_out)


class Ticking:
    """What auto-login was made with, and whether it ticks."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.is_on = False
        self.ticks = 0
        self.tick: Callable[[], object] = lambda: None

    def make(
        self, broker: Any, store: Any, config_of: Any, clock: Any, **given: Any
    ) -> Ticking.Auto:
        self.made = given
        return self.Auto(self)

    def start(self, tick: Callable[[], object]) -> Callable[[], None]:
        self.is_on = True
        self.tick = tick
        return self.stop

    def stop(self) -> None:
        self.is_on = False

    class Auto:
        """The auto-login."""

        def __init__(self, ticking: Ticking) -> None:
            self._ticking = ticking

        def tick(self) -> None:
            self._ticking.ticks += 1

        def status(self, _account: Account) -> AutoLoginStatus:
            return AutoLoginStatus(False, None, "Auto-login is off.")


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    fake = Ticking()
    monkeypatch.setattr(services, "AutoLogin", fake.make)
    monkeypatch.setattr(register, "start_ticking", fake.start)
    monkeypatch.setattr(services, "teller", lambda *_: lambda notice: None)
    return fake


@pytest.fixture
def app(
    openalgo: OpenAlgo, clock: PatientClock, config: Config, broker: Broker, ticking: Ticking
) -> Iterator[Flask]:
    app = openalgo.app()
    register.register(broker, app, clock)
    yield app
    app.extensions["mstock"].stop()


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody who has logged in to OpenAlgo and not yet to mStock."""
    browser = Browser(app)
    with browser.client.session_transaction() as inside:
        inside["user"] = "trader"
    return browser
