"""The host's orders, whatever types they come in, as mStock's; and what is refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.mstock.errors import InputException
from broker.mstock.mapping.transform_data import (
    Instrument,
    OrderRequest,
    check_order,
    modify_body,
    order_body,
    read_order,
    variety,
)

ACC = Instrument("22", "ACC-EQ", "NSE", 1, Decimal("0.05"))
NIFTY = Instrument("50374", "NIFTY2692229450CE", "NFO", 75, Decimal("0.05"))


def order(**changed: Any) -> dict[str, Any]:
    return {
        "symbol": "ACC",
        "exchange": "NSE",
        "action": "BUY",
        "quantity": 10,
        "pricetype": "LIMIT",
        "product": "MIS",
        "price": 2400.5,
    } | changed


@pytest.mark.parametrize("quantity", ["75", 75, 75.0, "75.0", Decimal(75)])
def test_numbers_come_in_any_type(quantity: Any) -> None:
    request = read_order(order(quantity=quantity, price="2400.50", action="buy"))
    assert (request.quantity, request.price, request.action) == (75, Decimal("2400.50"), "BUY")


@pytest.mark.parametrize("price", ["2400.05", 2400.05, " 2400.05 ", Decimal("2400.05")])
def test_a_price_is_the_decimal_that_was_written(price: Any) -> None:
    assert str(read_order(order(price=price)).price) == "2400.05"


def test_what_is_absent_has_the_hosts_default() -> None:
    request = read_order({"symbol": "ACC", "exchange": "NSE", "action": "SELL", "quantity": "1"})
    assert request == OrderRequest("ACC", "NSE", "SELL", 1, "MARKET", "MIS")


@pytest.mark.parametrize("action", ["BUY", "SELL"])
def test_a_stop_may_trigger_at_its_own_price(action: str) -> None:
    data = order(action=action, pricetype="SL", price="2400.5", trigger_price=2400.5)
    assert read_order(data).trigger_price == Decimal("2400.5")


def test_a_market_order_sends_no_price() -> None:
    assert read_order(order(pricetype="MARKET", trigger_price=5)).price == 0


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"symbol": ""}, "symbol"),
        ({"exchange": None}, "exchange"),
        ({"action": "HOLD"}, "action"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -5}, "quantity"),
        ({"quantity": "1.5"}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": float("nan")}, "quantity"),
        ({"pricetype": "ICEBERG"}, "pricetype"),
        ({"product": "BNPL"}, "product"),
        ({"price": 0}, "price"),
        ({"price": "cheap"}, "price"),
        ({"price": float("inf")}, "price"),
        ({"pricetype": "SL", "trigger_price": 0}, "trigger_price"),
        ({"pricetype": "SL", "trigger_price": 2401}, "trigger_price"),
        ({"pricetype": "SL", "action": "SELL", "trigger_price": 2400}, "trigger_price"),
        ({"pricetype": "SL-M"}, "trigger_price"),
        ({"disclosed_quantity": 2}, "disclosed_quantity"),
        ({"disclosed_quantity": 10}, "disclosed_quantity"),
        ({"validity": "GTC"}, "validity"),
    ],
)
def test_bad_input_is_refused_by_name(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InputException, match=rf"^{field} ") as caught:
        read_order(order(**changed))
    assert "Nothing was sent." in str(caught.value)


@pytest.mark.parametrize("disclosed", [0, 3, 9])
def test_a_disclosed_quantity_of_three_tenths_is_taken(disclosed: int) -> None:
    assert read_order(order(disclosed_quantity=disclosed)).disclosed_quantity == disclosed


class TestAgainstTheMaster:
    def option(self, **changed: Any) -> OrderRequest:
        fields = {"symbol": "N", "exchange": "NFO", "quantity": 75, "product": "NRML"}
        return read_order(order(**fields | changed))

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"quantity": 80}, "quantity"),
            ({"price": "100.03"}, "price"),
            ({"product": "CNC"}, "product"),
            ({"product": "MTF"}, "product"),
        ],
    )
    def test_what_the_master_says_is_refused_by_name(
        self, changed: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InputException, match=rf"^{field} "):
            check_order(self.option(**changed), NIFTY)

    def test_what_the_master_leaves_open_is_left_to_mstock(self) -> None:
        bare = Instrument("50374", "N", "NFO")
        check_order(self.option(quantity=80, price="100.03"), bare)

    def test_delivery_is_for_shares_and_carry_forward_for_derivatives(self) -> None:
        check_order(read_order(order(product="CNC")), ACC)
        with pytest.raises(InputException, match=r"^product "):
            check_order(read_order(order(product="NRML")), ACC)


class TestBodies:
    def test_type_a(self) -> None:
        request = read_order(order(pricetype="SL", trigger_price="2400", disclosed_quantity=3))
        assert order_body("A", request, ACC, "tag1") == {
            "tradingsymbol": "ACC-EQ",
            "exchange": "NSE",
            "transaction_type": "BUY",
            "order_type": "SL",
            "quantity": "10",
            "product": "MIS",
            "validity": "DAY",
            "price": "2400.5",
            "trigger_price": "2400",
            "disclosed_quantity": "3",
            "tag": "tag1",
        }

    def test_type_b(self) -> None:
        request = read_order(order(pricetype="SL-M", trigger_price=2400, product="CNC"))
        assert order_body("B", request, ACC, "tag1") == {
            "variety": "STOPLOSS",
            "tradingsymbol": "ACC-EQ",
            "symboltoken": "22",
            "exchange": "NSE",
            "transactiontype": "BUY",
            "ordertype": "STOPLOSS_MARKET",
            "quantity": "10",
            "producttype": "DELIVERY",
            "price": "0",
            "triggerprice": "2400",
            "squareoff": "0",
            "stoploss": "0",
            "trailingStopLoss": "",
            "disclosedquantity": "0",
            "duration": "DAY",
            "ordertag": "tag1",
        }

    def test_a_modification_never_sends_a_blank_trigger(self) -> None:
        body = modify_body("B", "21612506101476", read_order(order()), ACC)
        assert (body["triggerprice"], body["orderid"]) == ("0", "21612506101476")
        assert "ordertag" not in body

    def test_type_a_modifies_with_what_the_official_client_sends(self) -> None:
        body = modify_body("A", "1", read_order(order()), ACC)
        assert set(body) == {
            "order_type",
            "quantity",
            "price",
            "validity",
            "trigger_price",
            "disclosed_quantity",
        }

    def test_varieties(self) -> None:
        request = read_order(order())
        after_market = request._replace(is_after_market=True)
        cover = request._replace(is_cover=True)
        assert variety("A", request) == "regular"
        assert (variety("A", after_market), variety("B", after_market)) == ("amo", "AMO")
        assert variety("A", cover) == "co"
        with pytest.raises(InputException, match=r"^variety "):
            variety("B", cover)

    def test_large_and_small_prices_are_written_plainly(self) -> None:
        body = order_body("A", read_order(order(price="100000")), ACC, "")
        assert body["price"] == "100000"
