"""Orders over OpenAlgo's REST API and by its pages' requests, the P&L tracker, the analyzer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker_simulator.mstock import IST, Simulator
from tests.support.openalgo.checkout import Checkout
from tests.support.openalgo.host import Host
from tests.support.openalgo.visitor import Visitor

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


def held(ask: Callable[..., Any]) -> int:
    rows = [row for row in ask("positionbook")["data"] if row["symbol"] == "INFY"]
    return sum(int(row["quantity"]) for row in rows)


def statuses(ask: Callable[..., Any]) -> dict[str, str]:
    rows = ask("orderbook")["data"]["orders"]
    return {row["orderid"]: row["order_status"] for row in rows}


def test_basket_split_and_cancel_all(ask: Callable[..., Any], simulator: Simulator) -> None:
    before = sent(simulator)
    far = {**INFY, "action": "BUY", "product": "MIS", "pricetype": "LIMIT", "price": 1400}
    legs = [{**far, "quantity": 1}, {**far, "quantity": 2}, {**far, "symbol": "NO", "quantity": 1}]
    basket = ask("basketorder", strategy="test", orders=legs)
    assert [leg["status"] for leg in basket["results"]].count("success") == 2, basket
    split = ask("splitorder", strategy="test", **far, quantity=25, splitsize=10)
    assert split["status"] == "success", split
    ids = {leg["orderid"] for leg in (*basket["results"], *split["results"]) if "orderid" in leg}
    book = {row["orderid"]: row for row in ask("orderbook")["data"]["orders"]}
    assert sorted(int(book[each]["quantity"]) for each in ids) == [1, 2, 5, 10, 10]
    assert sent(simulator) == before + 5
    cancelled = ask("cancelallorder", strategy="test")
    assert cancelled["status"] == "success", cancelled
    assert ids <= set(cancelled["canceled_orders"])
    assert {statuses(ask)[each] for each in ids} == {"cancelled"}


def press(trader: Visitor, door: str, **fields: Any) -> Any:
    """What a button of the order and position pages sends."""
    return trader.ask("POST", door, json=fields, headers={"X-CSRFToken": trader.csrf()}).json()


def test_the_buttons_of_the_pages(ask: Callable[..., Any], trader: Visitor) -> None:
    resting = ask("placeorder", **ORDER, pricetype="LIMIT", price=1400, quantity=2)["orderid"]
    changed = press(
        trader, "/modify_order", **INFY, orderid=resting, action="BUY", product="MIS",
        pricetype="LIMIT", price="1410", quantity="3", disclosed_quantity="0", trigger_price="0",
        strategy="UI",
    )  # fmt: skip
    assert changed["status"] == "success", changed
    assert press(trader, "/cancel_order", orderid=resting)["status"] == "success"
    assert statuses(ask)[resting] == "cancelled"
    for quantity in (2, 3):
        ask("placeorder", **ORDER, pricetype="LIMIT", price=1400, quantity=quantity)
    assert "2 orders" in press(trader, "/cancel_all_orders")["message"]
    ask("placeorder", **ORDER, pricetype="MARKET", quantity=4)
    closed = press(trader, "/close_position", **INFY, product="MIS")
    assert (closed["status"], held(ask)) == ("success", 0), closed
    ask("placeorder", **ORDER, pricetype="MARKET", quantity=4)
    closed = press(trader, "/close_all_positions")
    assert (closed["status"], held(ask)) == ("success", 0), closed


def test_the_pnl_tracker_reckons_with_the_trades(
    ask: Callable[..., Any], trader: Visitor, host: Host
) -> None:
    ask("placeorder", **ORDER, pricetype="MARKET", quantity=4)
    host.hours.set(host.hours.now() + timedelta(minutes=5))  # it goes by candles of a minute
    found = press(trader, "/pnltracker/api/pnl")
    assert found["status"] == "success", found
    assert found["data"]["pnl_series"]
    (row,) = [row for row in ask("positionbook")["data"] if row["symbol"] == "INFY"]
    last = found["data"]["pnl_series"][-1]["value"]
    # The tracker values by the minute's candle, the positions by the last trade.
    assert last == pytest.approx(row["pnl"], abs=4 * 1500 * 0.05)
    assert press(trader, "/close_all_positions")["status"] == "success"


def test_the_analyzer_is_left_to_openalgo(ask: Callable[..., Any], simulator: Simulator) -> None:
    before = sent(simulator)
    assert ask("analyzer/toggle", mode=True)["status"] == "success"
    try:
        placed = ask("placeorder", **ORDER, pricetype="MARKET", quantity=4)
        assert (placed["status"], placed["mode"]) == ("success", "analyze"), placed
        assert sent(simulator) == before
    finally:
        assert ask("analyzer/toggle", mode=False)["status"] == "success"
    assert ask("orderbook").get("mode") != "analyze"


def test_the_hosts_own_test_of_smart_orders(checkout: Checkout, copy: Path, tmp_path: Path) -> None:
    own = checkout.home / "test" / "test_smartorder_logic.py"
    if not own.is_file():
        pytest.skip(f"{own} is not there: OPENALGO_HOME is a copy without OpenAlgo's tests")
    shutil.copy(own, tmp_path)
    words = ["-m", "pytest", "-q", "-k", "mstock", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [checkout.python, *words, f"--rootdir={tmp_path}", str(tmp_path / own.name)],
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
