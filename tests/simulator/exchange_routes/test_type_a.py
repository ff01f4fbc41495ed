"""Type A's order routes over real sockets: its shapes and texts."""

from __future__ import annotations

import pytest

from tests.support.stub_market import INFY
from tests.support.trading_clients import ClientA

ORDER_ID = "21612501010001"
GONE = "Order Does not Exsist.Need to refresh orderbook / relogin in application "


def test_place_answers_in_a_list_and_the_book_has_the_documents_fields(a):
    assert a.try_place().json() == [{"status": "success", "data": {"order_id": ORDER_ID}}]
    (row,) = a.book()
    assert row == {
        "placed_by": "MA0000001", "order_id": ORDER_ID,
        "exchange_order_id": "1300000000000001", "parent_order_id": None,
        "status": "Pending", "status_message": "CONFIRMED", "status_message_raw": None,
        "order_timestamp": "01-01-2025 14:42:18", "exchange_update_timestamp": None,
        "exchange_timestamp": None, "variety": None, "modified": "false", "exchange": "NSE",
        "tradingsymbol": "INFY", "instrument_token": 1594, "order_type": "LIMIT",
        "transaction_type": "BUY", "validity": "DAY", "product": "INTRADAY", "quantity": 10,
        "disclosed_quantity": 0, "price": 1240, "trigger_price": 0, "average_price": 0,
        "filled_quantity": 0, "pending_quantity": 10, "cancelled_quantity": 0,
        "market_protection": 0, "meta": {"demat_consent": "physical"}, "tag": [], "guid": "",
    }  # fmt: skip


def test_details_are_the_history_latest_first(a, market):
    order_id = a.place(transaction_type="SELL", order_type="SL", price=1190, trigger_price=1200)
    market.set_price(INFY, 1199)
    rows = a.details(order_id)
    assert [(r["status"], r["status_message"], r["order_type"]) for r in rows] == [
        ("Traded", "TRADE CONFIRMED", "LIMIT"),
        ("Triggered", "STOPLOSS TRIGGER", "LIMIT"),
        ("Pending", "CONFIRMED", "SL"),
        ("Transit", "", "SL"),
    ]
    assert {r["order_timestamp"] for r in rows} == {"01-01-2025 02:42:18 PM"}
    assert all(r["modified"] is False and r["tag"] is None for r in rows)
    assert a.data("POST", "order/details", data={"order_no": "1", "segment": "E"}) is None


def test_a_risk_refusal_shows_in_the_book_only(a):
    order_id = a.place(quantity=100_000)
    (row,) = a.book()
    assert (row["order_id"], row["status"], row["exchange_order_id"]) == (
        order_id, "Rejected", "0",
    )  # fmt: skip
    assert row["status_message"].startswith(f"RMS:{order_id}:NSE,EQUITY,1594,INFY,INTRADAY,,EQ")


@pytest.mark.parametrize("symbol", ["INFY", "INFY-EQ"])
def test_symbols_with_and_without_their_series(a, symbol):
    a.place(tradingsymbol=symbol)
    assert a.book()[0]["instrument_token"] == 1594


@pytest.mark.parametrize(
    "change",
    [
        {"tradingsymbol": "NOSUCH"}, {"exchange": "NFO"}, {"order_type": "STOPLOSS_LIMIT"},
        {"quantity": "ten"}, {"quantity": -1}, {"price": "NaN"}, {"validity": "GTC"},
        {"product": "BO"}, {"variety": "iceberg"}, {"disclosed_quantity": 10},
    ],
)  # fmt: skip
def test_bad_input_is_an_input_exception_without_an_id(a, change):
    answer = a.try_place(**change)
    assert (answer.status_code, answer.json()["error_type"]) == (200, "InputException")
    assert answer.json()["message"]
    assert a.book() == []


def test_a_missing_field_gets_the_frameworks_body(a):
    form = a.order()
    del form["product"]
    answer = a.call("POST", "orders/regular", data=form)
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"product": ["The product field is required."]}


def test_outside_market_hours(sim, a):
    sim.clock.set(sim.clock.now().replace(hour=20), frozen=True)
    a = ClientA(sim)
    assert a.try_place().json() == {
        "status": "error",
        "message": "System is not connected to NSE Equity market",
        "error_type": "InputException",
        "data": None,
    }
    a.place("amo")
    assert a.book()[0]["status"] == "O-Pending"


def test_modify_and_cancel_of_an_unknown_order(a):
    for answer in (a.modify("21612501019999"), a.cancel("21612501019999")):
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "error", "message": GONE, "error_type": "InputException", "data": None,
        }  # fmt: skip


def test_node_puts_the_variety_into_the_path(a):
    order_id = a.place("co", order_type="LIMIT", trigger_price=1200)
    assert a.call("DELETE", f"orders/co/{order_id}").json()["status"] == "success"


def test_cover_order_has_a_parent(a):
    order_id = a.place("co", order_type="MARKET", price=0, trigger_price=1200)
    exit_, entry = a.book()
    assert (entry["parent_order_id"], exit_["parent_order_id"]) == (None, order_id)
    assert (exit_["order_type"], exit_["transaction_type"]) == ("SL", "SELL")


def test_conversion(a):
    a.place(price=1250)
    form = {
        "tradingsymbol": "INFY", "exchange": "NSE", "transaction_type": "BUY",
        "position_type": "DAY", "quantity": 10, "old_product": "MIS", "new_product": "CNC",
    }  # fmt: skip
    assert a.call("POST", "portfolio/convertposition", data=form).json() == {
        "status": "success", "data": None,
    }  # fmt: skip
    assert [(r["product"], r["quantity"]) for r in a.positions()] == [("CNC", 10)]
    answer = a.call("POST", "portfolio/convertposition", data=form).json()
    assert answer["error_type"] == "MiraeException"
    assert answer["message"] == (
        "NSE EQUITY 1594 EQ MA0000001 B 10 I INSUFICIENT QUANTITY TO CONVERT. "
        "INSUFICIENT QUANTITY: 10 AVAILABLE QUANTITY: 0"
    )


def test_positions_and_m2m(a, market):
    a.place(price=1250)
    market.set_price(INFY, 1260)
    (row,) = a.positions()
    assert (row["average_price"], row["value"], row["m2m"]) == (1250, 12500, 100)
    assert (row["pnl"], row["realised"], row["unrealised"]) == (0, 0, 0)
    assert a.data("GET", "portfolio/positions")["day"] is None


def test_margin(a):
    order = {
        "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY",
        "variety": "regular", "product": "CNC", "order_type": "MARKET", "quantity": 1,
        "price": 0, "trigger_price": 0,
    }  # fmt: skip
    data = a.data("POST", "margins/orders", json=order)
    assert (data["total"], data["tradingsymbol"], data["span"]) == (1250, "INFY", 0)


def test_trade_history_names_the_company_and_the_exchanges_order(a):
    a.place(price=1250)
    (row,) = a.data("POST", "trades", data={"fromdate": "01-01-2025", "todate": "01-01-2025"})
    assert (row["tradingsymbol"], row["instrument_token"]) == ("INFY LIMITED", 0)
    assert row["order_id"] == row["exchange_order_id"] == "1300000000000001"
    assert (row["order_timestamp"], row["fill_timestamp"]) == (
        "2025-01-01 14:42:18", "14:42:18",
    )  # fmt: skip
