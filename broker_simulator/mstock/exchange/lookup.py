"""Finds instruments as orders name them, by token or by symbol, on either exchange of a group."""

from __future__ import annotations

from broker_simulator.mstock.market import Instrument, Market

# Where the derivatives of a cash exchange trade; the books name the cash exchange (4.2).
DERIVATIVES = {"NSE": ("NFO", "CDS"), "BSE": ("BFO", "BCD")}
CASH = {there: here for here, others in DERIVATIVES.items() for there in others}


def find(market: Market, exchange: str, token: str) -> Instrument | None:
    """Return an instrument by token, given its exchange or the cash exchange the books name."""
    for name in (exchange, *DERIVATIVES.get(exchange, ())):
        if found := market.master.get(name, token):
            return found
    return None


def find_symbol(market: Market, exchange: str, symbol: str) -> Instrument | None:
    """Return an instrument by trading symbol: `INFY-EQ`, or bare `INFY` (6.6)."""
    for name in (symbol, symbol.removesuffix("-EQ")):
        if found := market.master.find(exchange, name):
            return found
    return None
