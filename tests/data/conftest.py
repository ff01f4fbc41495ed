"""A simulator with a market, the demo account logged in to it, and a stand-in for OpenAlgo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from broker._kit.clock import IST
from broker._kit.http.rate_limits import Rate
from broker._kit.secret import Secret
from broker._kit.sessions import token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.routes import RATE_LIMITS
from broker.mstock.database import master_contract_db
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support.clock import FakeClock
from tests.support.stage import morning_box

NOW = datetime(2026, 11, 23, 11, 7, 33, tzinfo=IST)


def token_of(box: Simulator, api_type: str) -> str:
    """The demo account's token, from a login made behind the counter."""
    account, api = box.demo, api_type.lower()
    pending = box.world.login(api, account.client_code, account.password)
    ticket = None if api == "a" else pending.ticket
    return str(box.world.finish_with_otp(api, account.api_key(api), str(pending.otp), ticket).token)


class Desk:
    """One account at one simulator: its settings, its token, and the time of both sides."""

    def __init__(self, box: Simulator, api_type: str) -> None:
        self.box = box
        self.api_type = api_type
        self.clock = FakeClock(NOW)
        self.set_time(NOW)
        self.env = settings_for(box, api_type)
        self.config = Config.from_env(self.env)
        self.token = token_of(box, api_type)
        self.secret = Secret(self.token)

    def set_time(self, moment: datetime) -> None:
        self.box.clock.set(moment, frozen=True)
        self.clock.wall = moment


@pytest.fixture
def revision() -> str:
    return "older"


@pytest.fixture
def simulator(revision: str) -> Iterator[Simulator]:
    with morning_box(revision=revision, rate_limits=False) as box:
        yield box


@pytest.fixture
def desk(
    simulator: Simulator, api_type: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Desk:
    """Logged in, with the settings in the environment and a home of its own."""
    found = Desk(simulator, api_type)
    # The simulator's day, whatever this machine's: its tokens are of that day.
    monkeypatch.setattr(token_guard.token_guard(MSTOCK), "_clock", found.clock)
    # The simulator keeps no limits either, unless a test wants them.
    monkeypatch.setitem(RATE_LIMITS, "data", (Rate(1000, 1),))
    monkeypatch.setattr(master_contract_db, "SYSTEM_CLOCK", found.clock)
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BROKER_HOME", str(tmp_path / "home"))
    return found
