"""The stub market's instruments as the plugin's instrument master has them."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.stub_market import StubInstrument, StubMaster


class StubRow(NamedTuple):
    """The fields of a row that orders use."""

    symbol: str
    brsymbol: str
    exchange: str
    brexchange: str
    token: str
    lotsize: int
    tick_size: float


def host_symbol(instrument: StubInstrument) -> str:
    """OpenAlgo's symbol: shares without their series."""
    return instrument.symbol.removesuffix("-EQ")


class StubInstruments:
    """Finds rows by symbol and by token."""

    def __init__(self, master: StubMaster) -> None:
        self._rows = [
            StubRow(
                host_symbol(each), each.symbol, each.exchange, each.exchange, each.token,
                each.lot_size, float(each.tick_size),
            )
            for each in master.listed
        ]  # fmt: skip

    def find(self, symbol: str, exchange: str) -> StubRow | None:
        wanted = (symbol, exchange)
        return next((row for row in self._rows if (row.symbol, row.exchange) == wanted), None)

    def by_token(self, token: str, exchange: str) -> StubRow | None:
        wanted = (token, exchange)
        return next((row for row in self._rows if (row.token, row.exchange) == wanted), None)
