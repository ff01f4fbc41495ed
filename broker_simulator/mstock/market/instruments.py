"""What can be traded: the instruments of one day, listed by hand or computed by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import Final

from .filler import Filler
from .instrument import Instrument, with_series
from .listing import SMALLEST, listed_instruments

__all__ = ["Instrument", "InstrumentMaster", "build_master"]

# The series that a bare symbol means, best first, where a name has several (8.2).
SERIES_ORDER: Final = ("EQ", "BZ", "BE", "SM", "TB")


class InstrumentMaster:
    """All instruments of a day: the listed ones in memory, the filler computed when asked for."""

    def __init__(self, listed: Iterable[Instrument], filler: Filler) -> None:
        self._listed = tuple(listed)
        self._filler = filler
        self._by_token = {(i.exchange, i.token): i for i in self._listed}
        self._by_symbol = {(i.exchange, i.symbol): i for i in self._listed}
        self._contracts: dict[tuple[str, str], dict[date, list[Instrument]]] = {}
        for instrument in self._listed:
            if instrument.expiry:
                expiries = self._contracts.setdefault((instrument.exchange, instrument.name), {})
                expiries.setdefault(instrument.expiry, []).append(instrument)
        self._indices = {i.name: i for i in self._listed if i.kind == "INDEX"}

    def __len__(self) -> int:
        return len(self._listed) + len(self._filler)

    def __iter__(self) -> Iterator[Instrument]:
        yield from self._listed
        yield from self._filler

    @property
    def listed(self) -> tuple[Instrument, ...]:
        """The instruments that are listed by hand, the best known first."""
        return self._listed

    def get(self, exchange: str, token: str) -> Instrument | None:
        """Return the instrument of a token on an exchange; tokens repeat between exchanges."""
        found = self._by_token.get((exchange, token))
        return found or self._filler.get(exchange, token)

    def by_symbol(self, exchange: str, symbol: str) -> Instrument | None:
        """Return the instrument with exactly this trading symbol."""
        found = self._by_symbol.get((exchange, symbol))
        return found or self._filler.by_symbol(exchange, symbol)

    def find(self, exchange: str, words: str) -> Instrument | None:
        """Return what a client means by a symbol with or without its series (6.20)."""
        if exchange == "BSE":
            found = self.by_symbol(exchange, words) or self.by_symbol(
                exchange, words.rpartition("-")[0]
            )
            return found if found and words in (found.symbol, with_series(found)) else None
        tried = (words, *(f"{words}-{series}" for series in SERIES_ORDER))
        return next(filter(None, (self.by_symbol(exchange, symbol) for symbol in tried)), None)

    def underlying(self, contract: Instrument) -> Instrument | None:
        """Return the index or share that a contract is about; None for a currency."""
        return self._indices.get(contract.name) or self.by_symbol("NSE", f"{contract.name}-EQ")

    def underlying_of_token(self, exchange: str, token: str) -> Instrument | None:
        """Return the underlying with this token, for the derivatives of this exchange."""
        return self.get("BSE" if exchange == "BFO" else "NSE", token)

    def expiries(self, exchange: str) -> Iterator[tuple[str, list[date]]]:
        """Yield each underlying name of a derivatives exchange with its expiries, ascending."""
        for (venue, name), expiries in self._contracts.items():
            if venue == exchange:
                yield name, sorted(expiries)
        yield from self._filler.expiries(exchange)

    def contracts(self, exchange: str, name: str, expiry: date) -> list[Instrument]:
        """Return the futures and options of an underlying that expire on a day."""
        listed = self._contracts.get((exchange, name), {}).get(expiry)
        return listed or list(self._filler.contracts(exchange, name, expiry))


@lru_cache(maxsize=4)  # many simulators of one day share it: nothing in it changes
def build_master(size: int, seed: int, today: date) -> InstrumentMaster:
    """Return a master of exactly `size` instruments, indices included, as listed on a day.

    Whatever the size, the first 50 hold one of everything. About 5,000 are listed by hand;
    the rest is computed by number and never held. ValueError for a size below 50.
    """
    listed = listed_instruments(seed, today)
    if size < SMALLEST:
        raise ValueError(f"a master has {SMALLEST} rows or more")
    return InstrumentMaster(listed[:size], Filler(max(0, size - len(listed)), seed, today))
