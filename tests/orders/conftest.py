"""An account at the simulator's exchange, with the doors of `api/order_api.py` before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.api import margin_api, order_api
from broker.mstock.broker import MSTOCK
from broker.mstock.mapping.orders import Order
from broker.mstock.orders.journal import Journal, file_url
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService
from broker.mstock.settings import Config
from broker_simulator.mstock import IST, Simulator
from proofs.simulated import SimulatedTime
from tests.conftest import settings_for
from tests.support.stub_instruments import StubInstruments
from tests.support.stub_market import StubMarket
from tests.support.trading_clients import ClientA, ClientB, TradingClient

MOMENT = datetime(2025, 1, 1, 10, 0, tzinfo=IST)
CLIENTS: dict[str, type[TradingClient]] = {"A": ClientA, "B": ClientB}


@dataclass
class Trader:
    """One account behind the doors; time stands still but for what is slept."""

    sim: Simulator
    market: StubMarket
    config: Config
    client: TradingClient
    clock: SimulatedTime
    journal_url: Secret
    background: list[Callable[[], None]] = field(default_factory=list)
    journals: list[Journal] = field(default_factory=list)

    @property
    def auth(self) -> str:
        """The token, as the host gives it."""
        return str(self.client.http.headers["Authorization"]).split()[-1].split(":")[-1]

    def service(self, token: str | None = None, **more: Any) -> OrderService:
        """A service of its own, as another process would have it."""
        journal = Journal(self.journal_url, self.config.account, self.clock)
        self.journals.append(journal)
        guard = TokenGuard(MSTOCK, self.clock)
        given = {
            "guard": guard,
            "clock": self.clock,
            "spawn": self.background.append,
            **more,
        }
        return OrderService(
            self.config, Secret(self.auth if token is None else token), journal, **given
        )

    def fault(self, route: str, kind: str, times: int | None = 1, **options: Any) -> None:
        self.sim.faults.set(f"{self.config.api_type.lower()}/{route}", kind, times=times, **options)

    def sent(self, path: str = "/orders/regular", method: str = "POST") -> int:
        """How many calls of that kind reached mStock."""
        calls = (each for each in self.sim.journal if each.method == method)
        return sum(path in each.path for each in calls)

    def orders(self) -> list[Any]:
        """What the exchange really has, whatever its book shows."""
        return [order for _, order in self.sim.exchange.all_orders()]

    def book(self) -> list[Order]:
        return self.service().order_book()


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(market=StubMarket(), rate_limits=False) as box:
        yield box


@pytest.fixture
def journal_url(tmp_path: Path) -> Secret:
    return file_url(str(tmp_path))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> Secret:
    """Each of the journal's places, empty."""
    if request.param == "sqlite":
        return file_url(str(tmp_path))
    url = str(request.getfixturevalue("postgres_server"))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS mstock_orders")
    return Secret(url)


@pytest.fixture
def trader(
    sim: Simulator, api_type: str, journal_url: Secret, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Trader]:
    clock = SimulatedTime(sim, MOMENT)
    for name, value in settings_for(sim, api_type, BROKER_READ_TIMEOUT="0.5").items():
        monkeypatch.setenv(name, value)
    market = sim.world.market
    assert isinstance(market, StubMarket)
    found = Trader(sim, market, Config.from_env(), CLIENTS[api_type](sim), clock, journal_url)
    service = found.service()
    lookup = Lookup(StubInstruments(market.master))
    for module in (order_api, margin_api):
        monkeypatch.setattr(
            module,
            "order_service",
            lambda _config, token: service if token.reveal() else found.service(""),
        )
        monkeypatch.setattr(module, "lookup", lambda: lookup)
    monkeypatch.setattr(order_api, "lookup_or_none", lambda: lookup)
    yield found
    for journal in found.journals:
        journal.close()


@pytest.fixture
def order() -> Callable[..., dict[str, Any]]:
    """Order data as the host's REST door gives it."""

    def make(**fields: Any) -> dict[str, Any]:
        return {
            "apikey": "x", "strategy": "test", "symbol": "INFY", "exchange": "NSE",
            "action": "BUY", "quantity": 10, "pricetype": "LIMIT", "product": "MIS",
            "price": 1240.0, "trigger_price": 0.0, "disclosed_quantity": 0, **fields,
        }  # fmt: skip

    return make
