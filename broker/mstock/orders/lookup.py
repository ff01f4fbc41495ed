"""What orders and books need of the instrument master: instruments by symbol, symbols by token."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any, Protocol

from broker._kit.errors import HostError
from broker._kit.openalgo import host
from broker.mstock.errors import InputException
from broker.mstock.mapping.orders import SymbolOf
from broker.mstock.mapping.transform_data import Instrument


class InstrumentList(Protocol):
    """The part of `database.instruments.Instruments` that orders use."""

    def find(self, symbol: str, exchange: str) -> Any: ...
    def by_token(self, token: str, exchange: str) -> Any: ...


def instrument_list() -> InstrumentList:
    """The host's table of instruments inside OpenAlgo, the local file elsewhere."""
    found: InstrumentList = import_module("broker.mstock.database.instruments").instruments()
    return found


class Lookup:
    """Finds instruments; `freeze_quantity` is (symbol, exchange) to the exchange's, or None."""

    def __init__(
        self,
        instruments: InstrumentList,
        freeze_quantity: Callable[[str, str], int | None] | None = None,
    ) -> None:
        self._instruments = instruments
        self._freeze_quantity = freeze_quantity or host_freeze_quantity

    def instrument(self, symbol: str, exchange: str) -> Instrument:
        """What an order for that symbol needs. Raises `InputException` for an unknown one."""
        row = self._instruments.find(symbol, exchange)
        if row is None:
            raise InputException(
                f"symbol {symbol} is not known on {exchange}. Nothing was sent.",
                "Check its spelling, and that the instrument list of today was downloaded.",
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
            self._freeze_quantity(row.symbol, row.exchange),
        )


def host_freeze_quantity(symbol: str, exchange: str) -> int | None:
    """The exchange's largest order as OpenAlgo's table has it; None without one.

    The host answers 1 where it has none.
    """
    if exchange not in ("NFO", "BFO", "CDS", "BCD", "MCX") or not host.is_present():
        return None
    try:
        found = int(host.call("database.qty_freeze_db", "get_freeze_qty", symbol, exchange))
    except (HostError, TypeError, ValueError):
        return None
    return found if found > 1 else None
