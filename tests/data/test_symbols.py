"""mStock's masters as the host's symbols: sample rows, awkward names, and every contract."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.mstock.mapping.symbols import COLUMNS, INDICES, Normaliser, parse_symbol

TODAY = date(2026, 11, 23)


def b_row(**changed: Any) -> dict[str, str]:
    return {
        "token": "9552",
        "symbol": "RVNL",
        "name": "RVNL-EQ",
        "expiry": "",
        "strike": "",
        "lotsize": "1",
        "instrumenttype": "EQ",
        "exch_seg": "NSE",
        "tick_size": "0.05",
    } | changed


def a_row(**changed: str) -> dict[str, str]:
    return {
        "instrument_token": "22",
        "exchange_token": "22",
        "tradingsymbol": "ACC",
        "name": "ACC LIMITED",
        "last_price": "",
        "expiry": "",
        "strike": "",
        "tick_size": "0.5",
        "lot_size": "1",
        "instrument_type": "EQ",
        "segment": "EQ",
        "exchange": "NSE",
    } | changed


def only(api_type: str, row: dict[str, str], today: date = TODAY) -> dict[str, Any]:
    (found,) = Normaliser(api_type, today).rows([row])
    return dict(zip(COLUMNS, found, strict=True))


B_OPTION = b_row(
    token="877966",
    symbol="SENSEX",
    name="SENSEX25O2382700CE",
    expiry="23Oct2025",
    strike="82700",
    lotsize="20",
    instrumenttype="OPTIDX",
    exch_seg="BFO",
)


def test_the_protocols_share() -> None:
    assert only("B", b_row()) == {
        "symbol": "RVNL",
        "brsymbol": "RVNL-EQ",
        "name": "RVNL",
        "exchange": "NSE",
        "brexchange": "NSE",
        "token": "9552",
        "expiry": "",
        "strike": 0.0,
        "lotsize": 1,
        "instrumenttype": "EQ",
        "tick_size": 0.05,
    }


def test_the_protocols_option() -> None:
    row = only("B", B_OPTION, date(2025, 10, 1))
    assert (row["symbol"], row["exchange"]) == ("SENSEX23OCT2582700CE", "BFO")
    assert (row["expiry"], row["strike"], row["lotsize"]) == ("23-OCT-25", 82700.0, 20)
    assert row["instrumenttype"] == "CE"


@pytest.mark.parametrize("name", ["M&M", "BAJAJ-AUTO", "360ONE", "NAM-INDIA"])
def test_awkward_names(name: str) -> None:
    assert only("B", b_row(symbol=name, name=f"{name}-EQ"))["symbol"] == name
    assert only("A", a_row(tradingsymbol=name))["symbol"] == name
    assert only("A", a_row(tradingsymbol=f"{name}-EQ"))["symbol"] == name


@pytest.mark.parametrize("series", ["BE", "BZ", "SM", "TB"])
def test_other_series_keep_theirs(series: str) -> None:
    rows = [b_row(), b_row(token="9553", name=f"RVNL-{series}")]
    found = Normaliser("B", TODAY).rows(rows)
    assert [row[0] for row in found] == ["RVNL", f"RVNL-{series}"]
    assert only("A", a_row(instrument_type=series))["symbol"] == f"ACC-{series}"


@pytest.mark.parametrize(
    ("exchange", "kind", "expected"),
    [("NSE", "FUTCUR", "CDS"), ("BSE", "FUTCUR", "BCD"), ("NSE", "FUTIDX", "NFO"),
     ("NFO", "FUTSTK", "NFO"), ("BFO", "FUTIDX", "BFO")],
)  # fmt: skip
def test_derivatives_stand_on_the_hosts_exchange(exchange: str, kind: str, expected: str) -> None:
    row = b_row(symbol="USDINR", name="USDINR26NOVFUT", expiry="27Nov2026", instrumenttype=kind)
    found = only("B", row | {"exch_seg": exchange})
    assert (found["symbol"], found["exchange"]) == ("USDINR27NOV26FUT", expected)
    assert found["brexchange"] == exchange


@pytest.mark.parametrize(
    ("strike", "words"), [("82.25", "82.25"), ("82.50", "82.5"), ("100.00", "100"), ("7", "7")]
)
def test_strikes_keep_real_decimals_only(strike: str, words: str) -> None:
    row = b_row(symbol="USDINR", name="X26NOVCE", expiry="27Nov2026", strike=strike,
                instrumenttype="OPTCUR")  # fmt: skip
    assert only("B", row)["symbol"] == f"USDINR27NOV26{words}CE"


def test_one_token_on_two_exchanges_is_two_rows() -> None:
    rows = [b_row(token="22"), b_row(token="22", exch_seg="BSE", name="RVNL")]
    assert len(Normaliser("B", TODAY).rows(rows)) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"token": ""},
        {"token": "12a"},
        {"name": ""},
        {"exch_seg": "LSE"},
        {"instrumenttype": "OPTIDX", "expiry": "soon", "strike": "1", "name": "XCE"},
        {"instrumenttype": "OPTIDX", "expiry": "27Nov2026", "strike": "-1", "name": "XCE"},
        {"instrumenttype": "FUTIDX", "expiry": "20Nov2026"},
        {"token": "²"},
        {"token": 9552},
        {"instrumenttype": None},
        {"tick_size": None},
    ],
)
def test_what_cannot_be_understood_or_has_expired_is_counted(changed: dict[str, Any]) -> None:
    normaliser = Normaliser("B", TODAY)
    assert normaliser.rows([b_row(**changed)]) == []
    assert normaliser.left_out == 1


@pytest.mark.parametrize("odd", [{}, {"token": "1"}, 5, "text", None, []])
@pytest.mark.parametrize(("api_type", "good"), [("A", a_row()), ("B", b_row())])
def test_a_row_that_is_none_costs_no_other(api_type: str, good: Any, odd: Any) -> None:
    normaliser = Normaliser(api_type, TODAY)
    assert len(normaliser.rows([odd, good, odd])) == 1
    assert normaliser.left_out == 2


def test_indices_stand_once_under_the_hosts_names() -> None:
    normaliser = Normaliser("B", TODAY)
    found = normaliser.indices()
    assert [row[0] for row in found] == [index[0] for index in INDICES]
    rows = normaliser.rows(
        [
            b_row(token="51", symbol="SENSEX", name="SENSEX", exch_seg="BSE"),
            b_row(token="47", symbol="SNSX50", name="SNSX50", exch_seg="BSE"),
        ]
    )
    assert [(row[0], row[3]) for row in rows] == [("SENSEX50", "BSE_INDEX")]


def test_no_symbol_and_no_token_stands_twice() -> None:
    rows = [b_row(), b_row(), b_row(token="1"), b_row(name="RVNL2-EQ", symbol="RVNL2")]
    normaliser = Normaliser("B", TODAY)
    assert len(normaliser.rows(rows)) == 1
    assert normaliser.left_out == 3


names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ&-", min_size=2, max_size=12).filter(
    lambda name: name[0].isalpha() and name[-1].isalpha()
)


@given(
    name=names,
    days=st.integers(0, 2000),
    strike=st.decimals("0.01", 200000, places=2),
    kind=st.sampled_from(["FUT", "CE", "PE"]),
    api_type=st.sampled_from(["A", "B"]),
)
def test_every_host_symbol_parses_back_to_the_same_contract(
    name: str, days: int, strike: Decimal, kind: str, api_type: str
) -> None:
    expiry = TODAY + timedelta(days=days)
    price = "" if kind == "FUT" else str(strike)
    if api_type == "B":
        given = "FUTSTK" if kind == "FUT" else "OPTSTK"
        row = b_row(symbol=name, name=f"{name}X{kind}", expiry=f"{expiry:%d%b%Y}", strike=price,
                    instrumenttype=given, exch_seg="NFO")  # fmt: skip
    else:
        row = a_row(name=name, tradingsymbol=f"{name}X", expiry=f"{expiry}", strike=price,
                    instrument_type=kind, exchange="NFO")  # fmt: skip
    contract = parse_symbol(only(api_type, row)["symbol"])
    is_option = kind != "FUT"
    assert contract == (name, expiry, strike if is_option else None, kind if is_option else None)
