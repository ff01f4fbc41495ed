"""Orders over OpenAlgo's REST API, from placing one to closing the position."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from broker_simulator.mstock import IST, Simulator

INFY = {"symbol": "INFY", "exchange": "NSE"}
ORDER = {**INFY, "strategy": "test", "action": "BUY", "product": "MIS"}


@pytest.fixture(scope="module")
def simulator() -> Any:
    with Simulator() as box:
        box.demo.totp_enabled = True
        box.clock.set(datetime(2026, 11, 23, 11, tzinfo=IST))
        yield box


def sent(simulator: Simulator) -> int:
    return sum("orders/" in entry.path and entry.method == "POST" for entry in simulator.journal)


def test_from_placing_to_closing(ask: Callable[..., Any], simulator: Simulator) -> None:
    placed = ask("placeorder", **ORDER, pricetype="MARKET", quantity=5)
    assert placed["status"] == "success", placed
    far = ask("placeorder", **ORDER, pricetype="LIMIT", price=1400, quantity=2)
    assert far["status"] == "success", far
    book = {row["orderid"]: row for row in ask("orderbook")["data"]["orders"]}
    assert (book[placed["orderid"]]["order_status"], book[placed["orderid"]]["symbol"]) == (
        "complete",
        "INFY",
    )
    assert book[far["orderid"]]["order_status"] == "open"
    status = ask("orderstatus", strategy="test", orderid=placed["orderid"])
    assert status["data"]["order_status"] == "complete"
    changed = ask(
        "modifyorder", **ORDER, orderid=far["orderid"], pricetype="LIMIT", price=1410, quantity=3,
        disclosed_quantity=0, trigger_price=0,
    )  # fmt: skip
    assert changed["status"] == "success", changed
    cancelled = ask("cancelorder", strategy="test", orderid=far["orderid"])
    assert cancelled["status"] == "success", cancelled
    (row,) = [row for row in ask("positionbook")["data"] if row["symbol"] == "INFY"]
    assert int(row["quantity"]) == 5
    opened = ask("openposition", strategy="test", **INFY, product="MIS")
    assert int(opened["quantity"]) == 5
    margin = ask(
        "margin",
        positions=[{**INFY, "action": "BUY", "product": "MIS", "pricetype": "MARKET",
                    "quantity": "10"}],
    )  # fmt: skip
    assert margin["status"] == "success", margin
    assert ask("tradebook")["data"][0]["symbol"] == "INFY"
    smart = ask("placesmartorder", **ORDER, pricetype="MARKET", quantity=2, position_size=7)
    assert smart["status"] == "success", smart
    closed = ask("closeposition", strategy="test")
    assert closed["status"] == "success", closed
    rows = [row for row in ask("positionbook")["data"] if row["symbol"] == "INFY"]
    assert all(int(row["quantity"]) == 0 for row in rows)


def test_a_lost_answer_is_found_in_the_book(ask: Callable[..., Any], simulator: Simulator) -> None:
    before = sent(simulator)
    simulator.faults.set("b/orders/place", "reset", times=1, when="after")
    placed = ask("placeorder", **ORDER, pricetype="MARKET", quantity=1)
    assert placed["status"] == "success", placed
    assert sent(simulator) == before + 1
    assert placed["orderid"] in {row["orderid"] for row in ask("orderbook")["data"]["orders"]}


def test_bad_input_is_refused_by_name(ask: Callable[..., Any], simulator: Simulator) -> None:
    before = sent(simulator)
    refused = ask("placeorder", **ORDER, pricetype="LIMIT", price=0, quantity=1)
    assert refused["status"] == "error"
    assert sent(simulator) == before
