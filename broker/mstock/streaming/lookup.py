"""A symbol of OpenAlgo's as the feed asks mStock for it."""

from __future__ import annotations

from broker._kit.errors import CorrectInput
from broker.mstock.database.instruments import Instruments
from broker.mstock.streaming.packets import SEGMENTS
from broker.mstock.streaming.requests import Instrument

_SEGMENTS = {**SEGMENTS, "NSE_INDEX": SEGMENTS["NSE"], "BSE_INDEX": SEGMENTS["BSE"]}


def find_instrument(
    instruments: Instruments, api_type: str, symbol: str, exchange: str
) -> Instrument:
    """The instrument of a symbol. Raises `CorrectInput` when it has no live prices."""
    segment = _SEGMENTS.get(exchange)
    if segment is None:
        raise CorrectInput(
            f"mStock has no live prices for {exchange}.",
            f"Exchanges with live prices: {', '.join(_SEGMENTS)}.",
        )
    found = instruments.find(symbol, exchange)
    if found is None or not found.token.isdigit():
        raise CorrectInput(
            f"{symbol} on {exchange} is not in mStock's list of instruments.",
            "Check the symbol, or download the list of instruments again.",
        )
    # Type A's packets carry no segment.
    return Instrument(segment if api_type == "B" else 0, found.token)
