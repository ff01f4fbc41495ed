"""Candles of any length of time: past days in chunks under mStock's cap, today's from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta

from broker._kit.clock import Clock
from broker._kit.secret import Secret
from broker._kit.sessions.trading_calendar import Calendar
from broker.mstock.client import data_calls
from broker.mstock.client.dialects import Client
from broker.mstock.errors import InputException
from broker.mstock.mapping import candles as mapping
from broker.mstock.mapping.candles import INTERVALS, MOST_ROWS, Candle
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data.paced import paced

# Today's candle of a day is built from these.
_FOR_TODAY = INTERVALS["15m"]


def parse_day(value: object, name: str) -> date:
    """A day as the host gives it: a date, or YYYY-MM-DD. Raises `InputException`."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise InputException(
            f"{name} must be a date such as 2026-08-31; nothing was sent.", "Correct it."
        ) from None


def history(
    client: Client,
    token: Secret,
    row: InstrumentRow,
    name: str,
    first: date,
    last: date,
    calendar: Calendar,
    clock: Clock,
) -> list[Candle]:
    """The candles of `INTERVALS[name]`, ascending, from the first day to the last, both included.

    Weeks and months are whole ones. Raises `BrokerError`; nothing comes back unless all of it does.
    """
    interval = INTERVALS.get(name)
    if interval is None:
        raise InputException(
            f"{name} is no interval that mStock's candles come in or can be built for; nothing "
            "was sent.",
            f"Use one of {', '.join(INTERVALS)}.",
        )
    if last < first:
        raise InputException("The end date lies before the start date.", "Correct one of them.")
    first, last = mapping.whole_periods(name, first, last)
    exchange = wire_exchange(row.exchange)
    now = clock.now()
    today = now.date()
    api_type = "A" if data_calls.is_type_a(client) else "B"

    def past(begin: date, end: date) -> list[Candle]:
        data = paced(
            lambda: data_calls.historical(
                client, token, exchange, row.token, interval.words[api_type], begin, end
            ),
            clock,
        )
        rows = mapping.rows(data)
        if len(rows) < MOST_ROWS:
            found = mapping.candles(rows, is_daily=not interval.minutes)
            return [candle for candle in found if begin <= candle.start.date() <= end]
        return mapping.join(past(*half) for half in mapping.halves(begin, end))

    def todays() -> list[Candle]:
        asked = interval if interval.minutes else _FOR_TODAY
        word = asked.words[api_type]
        data = paced(lambda: data_calls.intraday(client, token, exchange, row.token, word), clock)
        found = mapping.candles(mapping.rows(data), is_daily=False)
        of_today = [candle for candle in found if candle.start.date() == today]
        return of_today if interval.minutes else mapping.day_candle(of_today)

    minutes = mapping.SESSION_MINUTES.get(row.exchange, mapping.STOCK_MINUTES)
    ranges = mapping.chunks(
        interval.minutes, first, min(last, today - timedelta(days=1)), calendar.is_trading_day,
        minutes,
    )  # fmt: skip
    parts = [past(*each) for each in ranges]
    opening = _opening(row.exchange, calendar)
    # Before the opening the route for today may still hold yesterday, or an error.
    has_begun = calendar.is_trading_day(today) and now.time() >= (opening(today) or mapping.OPENS)
    if first <= today <= last and has_begun:
        parts.append(todays())
    return mapping.build(mapping.join(parts), interval, opening)


def _opening(exchange: str, calendar: Calendar) -> Callable[[date], time | None]:
    early = mapping.EARLY_OPENS.get(exchange)
    return (lambda _day: early) if early else calendar.opening


def wire_exchange(exchange: str) -> str:
    """mStock's exchange for the host's: an index is asked for on its own exchange."""
    return exchange.removesuffix("_INDEX")
