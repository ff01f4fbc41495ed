"""The standalone app as it is started: with a real vault, real ticks, and mStock in a box."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.store import open_store
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.sessions.token_guard import token_guard
from broker._kit.settings import ServiceSettings
from broker._kit.web import standalone_app
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from broker_simulator.mstock import IST, Simulator
from tests.conftest import settings_for
from tests.support.stage import morning_box
from tests.web.helpers import AUTO_LOGIN as RULE
from tests.web.helpers import Browser, Page


class BoxTime:
    """The box's clock; no time passes in a sleep."""

    def __init__(self, box: Simulator) -> None:
        self.box = box

    def now(self) -> datetime:
        return self.box.clock.now()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        pass


class Catcher:
    """In the place of a server: takes the app that it is given."""

    app: Flask

    def start(self, app: Flask) -> None:
        self.app = app


@pytest.fixture
def box() -> Iterator[Simulator]:
    with morning_box() as simulator:
        simulator.demo.totp_enabled = True
        yield simulator
        token_guard.cache_clear()


@pytest.fixture
def config(box: Simulator) -> Config:
    return Config.from_env(settings_for(box))


@pytest.fixture
def started(box: Simulator, config: Config) -> Iterator[Callable[..., Browser]]:
    stops: list[Callable[[], None]] = []

    def start(upkeep: ServiceSettings) -> Browser:
        server: Any = Catcher()
        stops.append(
            standalone_app.start(MSTOCK, lambda: config, upkeep, server, BoxTime(box), every=0.05)
        )
        return Browser(server.app)

    yield start
    for stop in stops:
        stop()


def log_in(browser: Browser, box: Simulator) -> Page:
    form = {**browser.get().form("login"), "method": "totp", "password": box.demo.password}
    return browser.post({**form, "totp": box.totp_now(box.demo.client_code)})


def logins(box: Simulator) -> int:
    return sum(entry.route.endswith("connect/login") for entry in box.journal)


def test_it_logs_in_on_the_next_trading_day(
    started: Callable[..., Browser], box: Simulator, config: Config, tmp_path: Path
) -> None:
    upkeep = ServiceSettings(str(tmp_path / "home"))
    browser = started(upkeep)
    assert log_in(browser, box).heading == "Funds"
    page = browser.get(RULE)
    entry = {"password": box.demo.password, "totp_secret": box.demo.totp_secret}
    page = browser.post({**page.form("enable"), **entry, "accepted": "yes"}, RULE)
    assert "Auto-login is on." in page.alert
    # Tuesday is a holiday. The next day's session is there without anybody's doing.
    box.clock.set(datetime(2026, 11, 25, 8, 35, 2, tzinfo=IST))
    until = time.monotonic() + 5
    while logins(box) < 2 or browser.get("/funds").heading != "Funds":
        assert time.monotonic() < until
        time.sleep(0.02)
    kept = stored_session.load_session(open_store(MSTOCK, upkeep), config.account, box.clock.now())
    assert kept is not None
    assert kept.method is LoginMethod.AUTO
    assert "by auto-login" in browser.get(RULE).text
    assert logins(box) == 2
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert box.demo.totp_secret.encode() not in path.read_bytes()


def test_a_session_that_mstock_has_ended_is_marked(
    started: Callable[..., Browser], box: Simulator, config: Config, tmp_path: Path
) -> None:
    upkeep = ServiceSettings(str(tmp_path))
    browser = started(upkeep)
    log_in(browser, box)
    store = open_store(MSTOCK, upkeep)
    kept = stored_session.load_session(store, config.account, box.clock.now())
    assert kept is not None
    assert not kept.is_over
    box.world.end_sessions()
    assert browser.get("/funds").step == "password"
    kept = stored_session.load_session(store, config.account, box.clock.now())
    assert kept is not None
    assert kept.is_over


@pytest.mark.parametrize("what", ["store", "calendar"])
def test_without_its_upkeep_the_app_starts_and_says_why(
    started: Callable[..., Browser], box: Simulator, tmp_path: Path, what: str
) -> None:
    if what == "store":
        upkeep = ServiceSettings(str(tmp_path), store_url=Secret("postgresql+none://127.0.0.1:9/x"))
    else:
        (tmp_path / "trading-days.json").write_text("{nonsense")
        upkeep = ServiceSettings(str(tmp_path))
    browser = started(upkeep)
    page = browser.get(RULE)
    assert (page.status, page.heading) == (500, "Auto-login is not available")
    assert ("BROKER_STORE" if what == "store" else "trading-days.json") in page.alert
    page = log_in(browser, box)
    assert page.heading == "Funds"
    assert "Auto-login needs you." in page.alert


def test_a_torn_vault_is_said_and_logging_in_by_hand_still_works(
    started: Callable[..., Browser], box: Simulator, tmp_path: Path
) -> None:
    upkeep = ServiceSettings(str(tmp_path))
    log_in(started(upkeep), box)
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    for path in files:
        if path.stat().st_size > 64:
            path.write_bytes(path.read_bytes()[:-20])
    browser = started(upkeep)
    assert "vault" in browser.get(RULE).alert.lower()
    box.clock.set(datetime(2026, 11, 23, 9, 16, 1, tzinfo=IST))
    assert log_in(browser, box).heading == "Funds"
    assert browser.get(RULE).status == 200
