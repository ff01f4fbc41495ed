"""One exchange behind both types' order routes, and a client of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from broker_simulator.mstock import IST, Simulator
from tests.support.stub_market import StubMarket
from tests.support.trading_clients import ClientA, ClientB

MOMENT = datetime(2025, 1, 1, 14, 42, 18, tzinfo=IST)


@pytest.fixture
def market() -> StubMarket:
    return StubMarket()


@pytest.fixture
def start(market: StubMarket) -> Iterator[Callable[..., Simulator]]:
    running: list[Simulator] = []

    def start(**settings: object) -> Simulator:
        sim = Simulator(market=market, **settings).start()  # type: ignore[arg-type]
        running.append(sim)
        sim.clock.set(MOMENT, frozen=True)
        return sim

    yield start
    for sim in running:
        sim.stop()


@pytest.fixture
def sim(start) -> Simulator:
    return start()


@pytest.fixture
def a(sim: Simulator) -> ClientA:
    return ClientA(sim)


@pytest.fixture
def b(sim: Simulator) -> ClientB:
    return ClientB(sim)
