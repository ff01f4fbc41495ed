"""What orders and books need of the instrument master: instruments by symbol, symbols by token."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from broker._kit.openalgo.symbols import freeze_quantity
from broker.mstock.database.symbol_table import Instruments
from broker.mstock.errors import InputException
from broker.mstock.mapping.orders import SymbolOf
from broker.mstock.mapping.transform_data import Instrument

_EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX")


class Lookup:
    """Finds instruments."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def instrument(self, symbol: str, exchange: str) -> Instrument:
        """What an order for that symbol needs. Raises `InputException` for an unknown one."""
        row = self._instruments.find(symbol, exchange)
        if row is None:
            todo = "Check its spelling, and that the instrument list of today was downloaded."
            if others := [each for each in _EXCHANGES if self._instruments.find(symbol, each)]:
                todo = f"Its exchange is {' or '.join(others)}, as in {others[0]}:{symbol}."
            raise InputException(
                f"symbol {symbol} is not known on {exchange}. Nothing was sent.", todo
            )
        return self._instrument(row)

    def by_token(self, token: str, exchange: str) -> Instrument | None:
        """The same by token; None when the master lacks it."""
        row = self._instruments.by_token(token, exchange)
        return None if row is None else self._instrument(row)

    @property
    def symbol_of(self) -> SymbolOf:
        """The host's symbol by token and exchange."""

        def symbol(token: str, exchange: str) -> str | None:
            row = self._instruments.by_token(token, exchange)
            return None if row is None else str(row.symbol)

        return symbol

    def _instrument(self, row: Any) -> Instrument:
        # A field that the master does not fill is 0, -1 or None.
        tick = Decimal(str(row.tick_size or 0))
        lot = int(row.lotsize or 0)
        return Instrument(
            str(row.token),
            row.brsymbol or row.symbol,
            row.brexchange or row.exchange,
            lot if lot > 0 else None,
            tick if tick > 0 else None,
            freeze_quantity(row.symbol, row.exchange),
        )
