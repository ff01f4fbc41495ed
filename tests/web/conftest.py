"""The standalone app over a fake mStock and a clock that tests set."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.token_guard import token_guard
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.pending_logins import PendingLogins
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.helpers import Browser, FakeMstock, settings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    engine = SimpleNamespace(time=lambda: fake.now().timestamp())
    monkeypatch.setattr("limits.storage.memory.time", engine)
    return fake


@pytest.fixture
def mstock() -> FakeMstock:
    token_guard.cache_clear()
    return FakeMstock()


@pytest.fixture
def config() -> Config:
    return Config.from_env(settings())


def flow_of(mstock: FakeMstock, clock: FakeClock, lock: LoginLock | None = None) -> LoginFlow:
    pending = PendingLogins(clock, later=lambda seconds, job: None)
    return LoginFlow(mstock.broker, clock, pending=pending, lock=lock)


@pytest.fixture
def flow(clock: FakeClock, mstock: FakeMstock) -> LoginFlow:
    return flow_of(mstock, clock)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(MSTOCK)


@pytest.fixture
def app_of(config: Config, clock: FakeClock, mstock: FakeMstock) -> Callable[..., Flask]:
    """The app over a store, as each start of the program makes it."""

    def make(store: MemoryStore, **more: Any) -> Flask:
        flow = flow_of(mstock, clock, LoginLock(store, clock))
        return create_app(mstock.broker, lambda: config, clock, flow=flow, store=store, **more)

    return make


@pytest.fixture
def app(config: Config, clock: FakeClock, flow: LoginFlow, mstock: FakeMstock) -> Flask:
    return create_app(
        mstock.broker, lambda: config, clock, phone_url="http://127.0.0.1:8/phone", flow=flow
    )


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def new_browser(app: Flask) -> Callable[..., Browser]:
    return lambda address="127.0.0.1": Browser(app, address)
