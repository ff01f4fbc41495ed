"""Faults on the order routes: before accepting, after accepting, while answering, a late book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import requests

from broker_simulator.mstock import IST, Simulator
from broker_simulator.mstock.exchange import OrderRequest
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side
from tests.support.stub_market import INFY, StubMarket
from tests.support.trading_clients import ClientA, ClientB, TradingClient

MOMENT = datetime(2025, 1, 1, 10, 0, tzinfo=IST)
PLACE, MODIFY, CANCEL = "orders/place", "orders/modify", "orders/cancel"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(market=StubMarket()) as sim:
        sim.clock.set(MOMENT, frozen=True)
        yield sim


@pytest.fixture(params=[ClientA, ClientB], ids=["A", "B"])
def client(request: pytest.FixtureRequest, sim: Simulator) -> TradingClient:
    return request.param(sim)


def set_fault(client: TradingClient, route: str, kind: str, **options: object) -> None:
    client.sim.faults.set(f"{client.prefix[-1]}/{route}", kind, times=1, **options)


def outcome(call: Callable[[], requests.Response]) -> requests.Response | None:
    """The answer, or None when the connection gave none that is whole."""
    try:
        return call()
    except requests.RequestException:
        return None


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("general_error", 200), ("service_unavailable", 503), ("too_many_requests", 429),
        ("dead_token", None), ("bad_gateway", 502), ("html_page", 200), ("reset", None),
    ],
)  # fmt: skip
def test_refused_before_accepting_leaves_no_order(client, kind, status):
    set_fault(client, PLACE, kind, when="before")
    answer = outcome(client.try_place)
    assert status is None or answer.status_code == status
    assert client.book() == []


@pytest.mark.parametrize(
    "kind",
    ["reset", "disconnect", "bad_gateway", "gateway_timeout", "html_page", "empty_body",
     "truncated_body", "reset_mid_body", "not_http", "no_order_id", "garbage"],
)  # fmt: skip
def test_dropped_after_accepting_leaves_exactly_one_order(client, kind):
    set_fault(client, PLACE, kind, when="after")
    answer = outcome(client.try_place)
    (row,) = client.book()
    order_id = row.get("order_id") or row["orderid"]
    assert answer is None or order_id not in answer.text


def test_a_timeout_after_accepting(client):
    set_fault(client, PLACE, "timeout", when="after", seconds=0.3)
    assert outcome(client.try_place) is None
    assert len(client.book()) == 1


def test_a_success_without_an_order_id_is_still_a_success(client):
    set_fault(client, PLACE, "no_order_id")
    (answer,) = client.try_place().json()
    assert str(answer["status"]).lower() in ("success", "true")
    assert not {"order_id", "orderid"} & answer["data"].keys()


def test_status_false_with_an_order_id(client):
    set_fault(client, PLACE, "false_with_order_id")
    (answer,) = client.try_place().json()
    assert answer["status"] == "false"
    assert {"order_id", "orderid"} & answer["data"].keys()
    assert len(client.book()) == 1


def test_an_answer_byte_by_byte(client):
    set_fault(client, PLACE, "drip_body", interval=0.001)
    assert client.place()


def test_modify_and_cancel_have_faults_of_their_own(client):
    order_id = client.place()
    set_fault(client, MODIFY, "bad_gateway", when="after")
    set_fault(client, CANCEL, "bad_gateway", when="before")
    assert client.modify(order_id).status_code == 502
    assert client.cancel(order_id).status_code == 502
    (row,) = client.book()
    assert row["status"] == "Pending"
    assert float(row["price"]) == 1241
    set_fault(client, CANCEL, "reset", when="after")
    assert outcome(lambda: client.cancel(order_id)) is None
    assert client.book()[0]["status"] == "Cancelled"


def test_a_fault_of_one_type_leaves_the_other_alone(sim):
    sim.faults.set("a/orders/place", "bad_gateway")
    ClientB(sim).place()
    assert ClientA(sim).try_place().status_code == 502


def shown(sim: Simulator, client: TradingClient, after: float) -> int:
    sim.clock.set(MOMENT + timedelta(seconds=after), frozen=True)
    return len(client.book())


def test_the_book_shows_an_accepted_order_late(sim, client):
    sim.exchange.behaviour.delay_book(20, 20)
    order_id = client.place(price="1250")
    assert shown(sim, client, after=0) == 0
    assert client.details(order_id) == []
    assert client.trades() == []
    assert len(client.positions()) == 1  # it has traded all the same
    assert shown(sim, client, after=19.9) == 0
    assert shown(sim, client, after=20) == 1
    assert [row["QUANTITY"] for row in client.trades()] == [10]
    assert client.details(order_id)


def test_the_delay_is_drawn_at_random_from_a_seed(sim, client):
    order = OrderRequest(INFY, Side.BUY, OrderType.LIMIT, Product.INTRADAY, 1, Decimal(1240))

    def delays(seed: int) -> list[float]:
        sim.exchange.behaviour.delay_book(0, 30, seed)
        placed = [sim.exchange.place(sim.demo.client_code, order) for _ in range(20)]
        return [(order.visible_at - order.placed_at).total_seconds() for order in placed]

    first = delays(seed=1)
    assert delays(seed=1) == first
    assert delays(seed=2) != first
    assert 0 <= min(first) < 15 < max(first) <= 30
    sim.clock.advance(timedelta(seconds=30))
    assert len(client.book()) == 60
    sim.exchange.behaviour.delay_book(0, 0)
    client.place()
    assert len(client.book()) == 61
