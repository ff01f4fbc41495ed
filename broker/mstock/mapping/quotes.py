"""mStock's quotes as the host wants them, both API types; pure.

Source: protocol 6.20, 6.21 and 7.20, contract 5.2. mStock gives no volume, bid, ask or open
interest here: those are left out, never a zero that looks like a figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.mstock.mapping.rows import price

Quote = dict[str, float]

_NAMES = {"open": "open", "high": "high", "low": "low", "close": "prev_close"}


def type_b_quotes(data: Any) -> dict[tuple[str, str], Quote]:
    """The quotes of an answer's `data`, by (mStock's exchange, token); a row without a price is
    no quote."""
    found = {}
    for row in _unwrapped(data).get("fetched") or ():
        if isinstance(row, Mapping):
            quote = _quote(row, row, "ltp")
            if quote:
                found[str(row.get("exchange")), str(row.get("symbolToken"))] = quote
    return found


def type_a_quotes(data: Any) -> dict[tuple[str, str], Quote]:
    """The quotes of an answer's `data`, by (mStock's exchange, token) and by (exchange, symbol).

    mStock names each by the requested symbol or by one with the series added, so that the number
    in the row tells whose it is; an index, whose number may be an old one, is known by its name.
    """
    found = {}
    for name, row in _unwrapped(data).items():
        if isinstance(row, Mapping):
            prices = row.get("ohlc")
            quote = _quote(row, prices if isinstance(prices, Mapping) else {}, "last_price")
            if quote:
                exchange, _, symbol = str(name).partition(":")
                found[exchange, symbol] = found[exchange, str(row.get("instrument_token"))] = quote
    return found


def _unwrapped(data: Any) -> Mapping[str, Any]:
    """The object, also out of a list of one (6.21); an empty one for anything else."""
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return data if isinstance(data, Mapping) else {}


def _quote(row: Mapping[str, Any], prices: Mapping[str, Any], last: str) -> Quote | None:
    """None without a last price. What is 0, as the open before the opening, is left out."""
    figures = {"ltp": price(row, last)}
    figures |= {ours: price(prices, theirs) for theirs, ours in _NAMES.items()}
    quote = {name: value for name, value in figures.items() if value > 0}
    return quote if "ltp" in quote else None
