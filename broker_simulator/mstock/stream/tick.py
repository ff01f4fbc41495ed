"""What a packet is made of: one instrument's figures at a moment, in the wire's units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final

from broker_simulator.mstock.clock import IST
from broker_simulator.mstock.market import Instrument, Level, Quote
from broker_simulator.mstock.market.market import LEVELS

EPOCH: Final = datetime(1980, 1, 1, tzinfo=IST)
NO_LEVEL: Final = Level(Decimal(0), 0, 0)


class Mode(IntEnum):
    """How much of an instrument is sent; Type B's numbers (11.1)."""

    LTP = 1
    QUOTE = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Tick:
    """A quote with what only the stream tells. `at`: when the exchange said so."""

    instrument: Instrument
    quote: Quote
    at: datetime
    oi_at_open: int | None
    year_high: Decimal
    year_low: Decimal


def paise(rupees: Decimal | None) -> int:
    """Return a price as it goes over the wire: rupees times 100, whole; 0 for none."""
    return 0 if rupees is None else round(rupees * 100)


def seconds(moment: datetime) -> int:
    """Return a time as seconds since 1980 by the clocks of India (15, row 16)."""
    return int((moment - EPOCH).total_seconds())


def five(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """Return five levels, the missing ones empty."""
    return (*levels, *(NO_LEVEL,) * (LEVELS - len(levels)))
