"""Type B's order routes over real sockets: its shapes and texts."""

from __future__ import annotations

import pytest

from tests.support.stub_market import ACC_FUT, NIFTY_CE
from tests.support.trading_clients import ClientB

ORDER_ID = "21612501010001"


def test_place_answers_in_a_list_and_the_book_has_strings_and_nulls(b):
    data = {"script": "INFY-EQ", "orderid": ORDER_ID, "uniqueorderid": ""}
    assert b.try_place().json() == [
        {"status": "true", "message": "SUCCESS", "errorcode": "", "data": data}
    ]
    (row,) = b.book()
    assert row == {
        "variety": None, "ordertype": "LIMIT", "producttype": "INTRADAY", "duration": "DAY",
        "price": "1240.00", "triggerprice": "0", "quantity": "10", "disclosedquantity": "0",
        "squareoff": "0", "stoploss": "0", "trailingstoploss": "0", "tradingsymbol": "INFY",
        "transactiontype": "BUY", "exchange": "NSE", "symboltoken": "1594",
        "instrumenttype": "EQUITY", "strikeprice": "0", "optiontype": "XX",
        "expirydate": "2025-Jan-01", "lotsize": "", "cancelsize": "0", "averageprice": "0",
        "filledshares": "0", "unfilledshares": "10", "orderid": ORDER_ID,
        "text": "CONFIRMED", "status": "Pending", "orderstatus": "Pending",
        "updatetime": "2025-Jan-01 14:42:18", "exchtime": "",
        "exchorderupdatetime": "2025-Jan-01 14:42:18", "fillid": "", "filltime": "",
        "parentorderid": "", "uniqueorderid": "", "exchangeorderid": "1300000000000001",
    }  # fmt: skip


def test_derivatives_come_back_under_the_cash_exchange(b):
    b.place(instrument=NIFTY_CE, quantity="25", producttype="CARRYFORWARD", price="810")
    b.place(instrument=ACC_FUT, quantity="300", producttype="CARRYFORWARD", price="2300")
    future, option = b.book()
    assert (option["exchange"], option["symboltoken"]) == ("NSE", "50374")
    assert (option["tradingsymbol"], option["instrumenttype"]) == (
        "NIFTY-30Jan2025-24000-CE", "OPTIDX",
    )  # fmt: skip
    assert (option["strikeprice"], option["optiontype"], option["expirydate"]) == (
        "24000", "CE", "2025-Jan-30",
    )  # fmt: skip
    assert (future["tradingsymbol"], future["instrumenttype"]) == (
        "ACC-30Jan2025-FUT",
        "FUTSTK",
    )
    assert (future["strikeprice"], future["optiontype"]) == ("-0.01", "XX")
    position = {row["symboltoken"]: row for row in b.positions()}["50374"]
    assert (position["tradingsymbol"], position["symbolname"]) == (
        "", "NIFTY-30Jan2025-24000-CE",
    )  # fmt: skip
    assert (position["expirydate"], position["lotsize"]) == ("30-Jan-2025", "25")


def test_the_sample_position_of_the_documents(b, market):
    """100 bought at 800.10, 600 sold at 799.97: net -500 at 799.94 (7.14)."""
    order = {"instrument": NIFTY_CE, "producttype": "INTRADAY", "ordertype": "MARKET"}
    b.sim.accounts["MA0000001"].funds = dict(b.sim.accounts["MA0000002"].funds)
    market.set_price(NIFTY_CE, "800.1")
    b.place(quantity="100", price="0", **order)
    market.set_price(NIFTY_CE, "799.97")
    b.place(quantity="600", price="0", transactiontype="SELL", **order)
    (row,) = b.positions()
    assert all(isinstance(value, str) for value in row.values())
    assert (row["buyqty"], row["sellqty"], row["netqty"]) == ("100", "600", "-500")
    assert (row["buyamount"], row["sellamount"]) == ("800.1", "799.97")
    assert (row["totalbuyvalue"], row["totalsellvalue"]) == ("80010", "479982")
    assert (row["netvalue"], row["avgnetprice"], row["netprice"]) == (
        "399972", "799.94", "799.94",
    )  # fmt: skip


def test_details_have_numbers_a_tag_and_no_exchange_order_id(b):
    order_id = b.place(ordertag="tag1")
    latest, first = b.details(order_id)
    assert (first["status"], latest["status"]) == ("Transit", "Pending")
    assert (latest["price"], latest["triggerprice"], latest["strikeprice"]) == (1240, 0, 0)
    assert latest["updatetime"] == "01-01-2025 02:42:18 PM"
    assert latest["ordertag"] == "tag1"
    assert "exchangeorderid" not in latest
    answer = b.call("GET", "order/details", json={"order_no": order_id})
    assert answer.json()["data"] == b.details(order_id)


def test_the_trade_book_row(a, b):
    order_id = b.place(price="1250", producttype="DELIVERY")
    (row,) = b.trades()
    assert row == {
        "ALGO_ID": "0", "BUY_SELL": "Buy", "CLIENT_ID": "MA0000001", "ENCASH_FLG": "N",
        "EXCHANGE": "NSE", "EXCH_ORDER_NUMBER": "1300000000000001", "EXPIRY_DATE": "0",
        "FULL_SYMBOL": "INFY LIMITED", "GTC_FLG": "N", "INSTRUMENT_NAME": "EQUITY",
        "MKT_PROTECT_FLG": "N", "MKT_PROTECT_VAL": 0, "MKT_TYPE": "NL", "OPT_TYPE": "XX",
        "ORDER_DATE_TIME": "01-01-2025 14:42:18", "ORDER_NUMBER": order_id,
        "ORDER_TYPE": "LIMIT", "PAN_NO": "AAAAA0000A", "PARTICIPANT_TYPE": "B",
        "PRICE": 1250, "PRODUCT": "CNC", "QUANTITY": 10, "R": 1, "REMARKS1": "NA",
        "REMARKS2": "NA", "SEC_ID": "1594", "SEGMENT": "E", "SETTLOR": "90144",
        "SOURCE_FLG": "WEB", "STRIKE_PRICE": 0, "SYMBOL": "INFY",
        "TRADE_NUMBER": "206000001", "TRADE_VALUE": 12500,
    }  # fmt: skip


def test_a_risk_refusal_comes_at_once_or_in_the_book(start):
    for at_once in (True, False):
        b = ClientB(start(refuse_at_once=at_once))
        answer = b.try_place(quantity="100000").json()
        (row,) = b.book()
        assert row["status"] == "Rejected"
        if at_once:
            assert (answer["status"], answer["errorcode"]) == ("false", "RS-0111")
            assert answer["message"] == row["text"]
        else:
            assert answer[0]["data"]["orderid"] == row["orderid"]


@pytest.mark.parametrize(
    ("change", "errorcode"),
    [
        ({"symboltoken": "99"}, "IA400"), ({"exchange": "BSE"}, "IA400"),
        ({"ordertype": "SL"}, "IA400"), ({"variety": "ROBO"}, "IA400"),
        ({"producttype": "BO"}, "400"), ({"disclosedquantity": "10"}, "IA400"),
        ({"ordertag": "a" * 20}, "IA400"), ({"ordertag": "a b"}, "IA400"),
        ({"ordertype": "STOPLOSS_LIMIT", "triggerprice": "0"}, "IA400"),
    ],
)  # fmt: skip
def test_bad_input_has_a_code_and_no_id(b, change, errorcode):
    answer = b.try_place(**change)
    assert (answer.status_code, answer.json()["errorcode"]) == (400, errorcode)
    assert answer.json()["message"]
    assert b.book() == []


def test_numbers_for_strings_are_for_the_tolerant_profile(start):
    assert ClientB(start()).try_place(quantity=10).status_code == 400
    ClientB(start(profile="tolerant")).place(quantity=10)


def test_modify_and_cancel_of_dead_orders(b):
    order_id = b.place(price="1250")
    text = "Order is Cancelled.Kindly refresh your OrderBook"
    for answer, code in ((b.modify(order_id), "RS-0034"), (b.cancel(order_id), "RS-00093")):
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "false", "message": text, "errorcode": code, "data": None,
        }  # fmt: skip


def test_trigger_prices_of_a_modification(b):
    order_id = b.place()
    blank = b.modify(order_id, triggerprice="")
    assert (blank.json()["errorcode"], blank.json()["message"]) == (
        "IA400", "Trigger price can not be blank.",
    )  # fmt: skip
    wrong = b.modify(order_id, ordertype="STOPLOSS_LIMIT", triggerprice="1200")
    assert (wrong.status_code, wrong.json()["errorcode"], wrong.json()["message"]) == (
        401, "400", "Enter valid trigger price.",
    )  # fmt: skip


def test_get_on_place_is_405(b):
    assert b.call("GET", "orders/regular").status_code == 405


def test_token_and_key_refusals_by_route(b):
    b.http.headers["Authorization"] = "Bearer dead"
    for path, status in (("orders", 400), ("portfolio/positions", 401)):
        answer = b.call("GET", path)
        assert (answer.status_code, answer.json()["errorcode"]) == (status, "IA401")
        assert answer.json()["status"] is False
    assert b.call("POST", "margins/orders", json={"orders": []}).status_code == 200
    b.http.headers["X-PrivateKey"] = "unknown"
    answer = b.call("GET", "orders")
    assert (answer.status_code, answer.json()["errorcode"]) == (400, "IA403")


def test_margin_sums_up_and_needs_orders(b):
    order = {
        "product_type": "DELIVERY", "transaction_type": "BUY", "quantity": "5",
        "price": "2250", "exchange": "NSE", "symbol_name": "ACC", "token": "22",
        "trigger_price": 0,
    }  # fmt: skip
    future = order | {
        "product_type": "CARRYFORWARD", "exchange": "NFO", "token": ACC_FUT.token,
        "quantity": 300, "price": 2260,
    }  # fmt: skip
    data = b.data("POST", "margins/orders", json={"orders": [order, future]})
    assert data["summary"]["total_charges"] == 11250 + 101700
    amounts = {part["name"]: part["amount"] for part in data["charges"][1]["breakup"]}
    assert (amounts["SPANMARGIN"], amounts["EXPOMARGIN"]) == (81360, 20340)
    assert [charge["total_charges"] for charge in data["charges"]] == [11250, 101700]
    answer = b.call("POST", "margins/orders", json={})
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"orders": ["The orders field is required."]}


def test_conversion_of_a_derivative_under_the_cash_exchange(b):
    b.place(instrument=NIFTY_CE, quantity="25", producttype="CARRYFORWARD", price="810")
    body = {
        "exchange": "NSE", "symboltoken": NIFTY_CE.token, "oldproducttype": "CARRYFORWARD",
        "newproducttype": "INTRADAY", "tradingsymbol": NIFTY_CE.symbol,
        "symbolname": "NIFTY", "transactiontype": "BUY", "quantity": 25, "type": "DAY",
    }  # fmt: skip
    assert b.data("POST", "portfolio/convertposition", json=body) is None
    assert [row["producttype"] for row in b.positions()] == ["INTRADAY"]
    answer = b.call("POST", "portfolio/convertposition", json=body).json()
    assert (answer["errorcode"], answer["status"]) == ("MA0034", "false")


def test_after_market_order(sim):
    sim.clock.set(sim.clock.now().replace(hour=20), frozen=True)
    b = ClientB(sim)
    assert b.try_place().json()["message"] == "System is not connected to NSE Equity market"
    order_id = b.place(variety="AMO")
    b.modify(order_id, price="1230")
    assert b.book()[0]["status"] == "O-Modified"
    b.cancel(order_id)
    assert b.book()[0]["orderstatus"] == "O-Cancelled"
