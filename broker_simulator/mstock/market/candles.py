"""One-minute bars put together to candles of any length."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Final, NamedTuple

from .instrument import Instrument
from .ticks import MINUTE, TickSource, in_rupees
from .trading_calendar import Session

# The interval of a daily candle, in minutes.
DAY: Final = 24 * 60


class Candle(NamedTuple):
    """A candle: aware start in IST (midnight for a day), rupees, units; `oi` None for a spot."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    oi: int | None


# Minute of the session, then open, high, low and close in ticks, and volume.
Row = tuple[int, int, int, int, int, int]


def session_rows(
    ticks: TickSource, instrument: Instrument, hours: Session, interval: int, now: datetime
) -> list[Row]:
    """Return a session's candles in ticks as far as it has come, the running one included."""
    bars = ticks.bars(instrument, hours)
    done = min(hours.minutes, max(0, (now - hours.start) // MINUTE))
    running = []
    if hours.start <= now < hours.end:
        running = [ticks.partial(instrument, hours, now)]
    opens, highs, lows, closes, volumes = (
        [*values[:done], *(row[place] for row in running)] for place, values in enumerate(bars)
    )
    rows: list[Row] = []
    for begin in range(0, len(opens), interval):
        part = slice(begin, begin + interval)
        rows.append((
            begin, opens[begin], max(highs[part]), min(lows[part]), closes[part][-1],
            sum(volumes[part]),
        ))  # fmt: skip
    return rows


def to_candle(
    row: Row, instrument: Instrument, hours: Session, interval: int, oi: int | None
) -> Candle:
    """Return a row as a candle in rupees."""
    at = hours.start + row[0] * MINUTE
    if interval == DAY:
        at = datetime.combine(at.date(), time.min, tzinfo=at.tzinfo)
    first, high, low, last = (in_rupees(ticks, instrument) for ticks in row[1:5])
    return Candle(at, first, high, low, last, row[5], oi)
