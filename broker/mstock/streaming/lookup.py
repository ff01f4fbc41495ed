"""A symbol of OpenAlgo's as the feed asks mStock for it."""

from __future__ import annotations

from collections.abc import Callable

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import CorrectInput
from broker.mstock.database.instruments import Instruments
from broker.mstock.database.symbol_table import SymbolTable
from broker.mstock.streaming.packets import SEGMENTS
from broker.mstock.streaming.requests import Instrument

_FRESH_S = 5.0
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
            f"{symbol} on {exchange} is not in mStock's instrument list.",
            "Check the symbol, or download the instrument list again.",
        )
    # Type A's packets carry no segment.
    return Instrument(segment if api_type == "B" else 0, found.token)


class InstrumentLookup:
    """Finds many instruments one after the other, in one thread at a time.

    The host asks symbol by symbol on its event loop (contract 8.2). So the table is checked every
    few seconds only, and its connection stays open until `close`.
    """

    def __init__(self, open_table: Callable[[], Instruments]) -> None:
        self._open_table = open_table
        self._table: Instruments | None = None
        self._checked_at = 0.0

    def find(self, api_type: str, symbol: str, exchange: str) -> Instrument:
        """As `find_instrument`. Raises also `NoInstruments`."""
        now = SYSTEM_CLOCK.monotonic()
        if self._table is None or now - self._checked_at > _FRESH_S:
            self.close()
            self._table, self._checked_at = self._open_table(), now
            if isinstance(self._table, SymbolTable):
                self._table.keep_open()
        try:
            return find_instrument(self._table, api_type, symbol, exchange)
        except CorrectInput:
            raise
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the table."""
        table, self._table = self._table, None
        if isinstance(table, SymbolTable):
            table.close()
