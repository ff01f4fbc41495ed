"""What orders, market data and streaming stand on in OpenAlgo."""

from __future__ import annotations

from broker._kit.openalgo.host.modules import call, is_present

_SYMBOLS = "database.token_db"


def instrument_token(symbol: str, exchange: str) -> str | None:
    """mStock's number of an instrument; None when it is not known, or without a host."""
    return _look_up("get_token", symbol, exchange)


def broker_symbol(symbol: str, exchange: str) -> str | None:
    """mStock's own name of an instrument; None when it is not known, or without a host."""
    return _look_up("get_br_symbol", symbol, exchange)


def openalgo_symbol(token: str, exchange: str) -> str | None:
    """OpenAlgo's name of an instrument number; None when it is not known, or without a host."""
    return _look_up("get_symbol", token, exchange)


def _look_up(function: str, what: str, exchange: str) -> str | None:
    found = call(_SYMBOLS, function, what, exchange) if is_present() else None
    return str(found) if found else None
