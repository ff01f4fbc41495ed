"""Prices and candles as both dialects need them; what each calls them is its own affair."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final

from .checks import not_valid
from .clock import IST
from .market import DAY, Candle, Instrument, Market
from .refusals import Reason, Refused
from .settings import Settings
from .world import World

# The exchanges that the documents print for prices and candles (15 row 22); all have numbers (4.2).
SERVED: Final = ("NSE", "NFO", "BSE", "BFO")
EXCHANGE_IDS: Final = {"1": "NSE", "2": "NFO", "3": "CDS", "4": "BSE", "5": "BFO"}
HISTORY_CAP: Final = 1000
HOUR: Final = 60
HALF_HOUR: Final = timedelta(minutes=30)
MOVERS: Final = 10

# Section 4.3: minutes, Type A's word and Type B's.
INTERVALS: Final = (
    (1, "minute", "ONE_MINUTE"), (3, "3minute", "THREE_MINUTE"), (5, "5minute", "FIVE_MINUTE"),
    (10, "10minute", "TEN_MINUTE"), (15, "15minute", "FIFTEEN_MINUTE"),
    (30, "30minute", "THIRTY_MINUTE"), (HOUR, "60minute", "ONE_HOUR"), (DAY, "day", "ONE_DAY"),
)  # fmt: skip
INTERVALS_A: Final = {name: minutes for minutes, name, _ in INTERVALS}
INTERVALS_B: Final = {name: minutes for minutes, _, name in INTERVALS}

Row = list[Any]


def served(market: Market, exchange: str, token: str) -> Instrument:
    """Return the instrument that prices are asked of; Refused(NOT_FOUND) when there is none."""
    found = market.master.get(exchange, token) if exchange in SERVED else None
    if found is None:
        raise Refused(Reason.NOT_FOUND)
    return found


def history(
    world: World, settings: Settings, instrument: Instrument, interval: int, since: str, until: str
) -> list[Row]:
    """Return candles of past days, ascending, at most 1,000: the first ones of the range.

    `since` and `until` as sent (6.18, 7.18); Malformed when they are no dates.
    """
    midnight = datetime.combine(world.clock.now().date(), time.min, tzinfo=IST)
    candles = world.market.candles(
        instrument,
        interval,
        _moment("from", since),
        min(_moment("to", until), midnight - timedelta(microseconds=1)),
        HISTORY_CAP,
    )
    return [[f"{_stamp(c, interval, settings).isoformat()[:19]}+05", *_figures(c)] for c in candles]


def intraday(world: World, settings: Settings, instrument: Instrument, interval: int) -> list[Row]:
    """Return today's candles, the newest first (6.19)."""
    now = world.clock.now()
    midnight = datetime.combine(now.date(), time.min, tzinfo=IST)
    candles = world.market.candles(instrument, interval, midnight, now)
    return [
        [f"{_stamp(c, interval, settings):%Y-%m-%d %H:%M}", *_figures(c)] for c in candles[::-1]
    ]


def ohlc(market: Market, instrument: Instrument) -> dict[str, float]:
    """Return the figures of a quote as JSON numbers; `close` is the previous close."""
    quote = market.quote(instrument)
    return {name: float(getattr(quote, name)) for name in ("ltp", "open", "high", "low", "close")}


def movers(world: World, exchange_id: str, flag: str) -> list[dict[str, Any]]:
    """Return the rows of the day's gainers ("G") or losers ("L"), the strongest first (7.22)."""
    if flag not in ("G", "L"):
        raise not_valid("TypeFlag", flag)
    exchange, sign = EXCHANGE_IDS.get(exchange_id), 1 if flag == "G" else -1
    shares = [i for i in world.market.master.listed if (i.exchange, i.kind) == (exchange, "EQ")]
    rows = sorted(
        (_mover(world.market, share) for share in shares),
        key=lambda row: sign * row["per_change"],
        reverse=True,
    )
    return [row for row in rows if sign * row["per_change"] > 0][:MOVERS]


def _mover(market: Market, share: Instrument) -> dict[str, Any]:
    quote = market.quote(share)
    change = quote.ltp - quote.close
    return {
        "exchange": share.exchange,
        "segment": "E",
        "security_id": int(share.token),
        "ltp": float(quote.ltp),
        "Pclose": float(quote.close),
        "Open": float(quote.open),
        "TickSize": float(share.tick_size),
        "Multiplier": 1,
        "per_month_change": 0,
        "month_change": 0,
        "Price1": 0,
        "volume": quote.volume,
        "per_change": round(float(change / quote.close * 100), 2),
        "change": float(change),
        "Price": 0,
        "symbol_name": share.name,
        "isin": share.isin,
        "instrument": "EQUITY",
        "series": share.series,
        "lot_size": share.lot_size,
        "expiry_date": "01-01-0001 00:00:00",
        "strike_price": "",
        "option_type": "",
        "display_name": share.name,
        "symbol": share.name,
        "exchange_inst_name": share.series,
        "Message": "0",
    }


def _figures(candle: Candle) -> list[float | int]:
    return [*(float(price) for price in candle[1:5]), candle.volume]


def _stamp(candle: Candle, interval: int, settings: Settings) -> datetime:
    if interval == DAY:
        return datetime.combine(candle.at, time.fromisoformat(settings.daily_stamp), tzinfo=IST)
    # The mock's grid: 09:45, 10:45 ... 14:45, and 15:15 for the quarter that is left (6.18).
    last = candle.at.time() == time(15, 15)
    if interval == HOUR and settings.hour_grid == "09:45" and not last:
        return candle.at + HALF_HOUR
    return candle.at


def _moment(name: str, text: str) -> datetime:
    """Read a date, or a date and time, in IST; a bare date is its midnight."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=IST)
    except ValueError:
        raise not_valid(name, text) from None
