"""Quotes of both types: what mStock does not give is left out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.mstock.mapping.quotes import type_a_quotes, type_b_quotes

B_ROW = {
    "exchange": "NSE",
    "tradingSymbol": "SBIN-EQ",
    "symbolToken": "3045",
    "ltp": Decimal("571.75"),
    "open": Decimal("568.75"),
    "high": Decimal("573.5"),
    "low": Decimal("567.2"),
    "close": Decimal("566.5"),
}
QUOTE = {"ltp": 571.75, "open": 568.75, "high": 573.5, "low": 567.2, "prev_close": 566.5}


def test_type_b() -> None:
    assert type_b_quotes({"fetched": [B_ROW], "unfetched": []}) == {("NSE", "3045"): QUOTE}


def test_type_a_by_the_number_in_the_row() -> None:
    row = {"instrument_token": 22, "last_price": 1373.3, "ohlc": {"open": 1390, "close": 1383.2}}
    data = {"NSE:ACC-EQ": row, "BSE:ACC": {"instrument_token": 500410, "last_price": "1374.6"}}
    found = type_a_quotes(data)
    assert found["NSE", "22"] == {"ltp": 1373.3, "open": 1390.0, "prev_close": 1383.2}
    assert found["BSE", "500410"] == {"ltp": 1374.6}
    assert found["NSE", "ACC-EQ"] == found["NSE", "22"]
    assert type_a_quotes([data]) == found


@pytest.mark.parametrize("price", [None, "", 0, "None", "nan", -1, True])
def test_a_row_without_a_price_is_no_quote(price: Any) -> None:
    assert type_b_quotes({"fetched": [B_ROW | {"ltp": price}]}) == {}


def test_a_zero_of_mstocks_before_the_opening_is_no_figure() -> None:
    zeros = dict.fromkeys(("open", "high", "low"), 0)
    (quote,) = type_b_quotes({"fetched": [B_ROW | zeros]}).values()
    assert quote == {"ltp": 571.75, "prev_close": 566.5}
    row = {"instrument_token": 22, "last_price": 1373.3, "ohlc": {**zeros, "close": 1383.2}}
    assert type_a_quotes({"NSE:ACC": row})["NSE", "22"] == {"ltp": 1373.3, "prev_close": 1383.2}


@pytest.mark.parametrize("data", [None, [], {}, {"fetched": None}, {"fetched": [3]}, "success"])
def test_odd_answers_hold_no_quotes(data: Any) -> None:
    assert type_b_quotes(data) == {}
    assert type_a_quotes({"NSE:X": None} if data == {} else data) == {}
