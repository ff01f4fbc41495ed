"""Candles of years and of months of minutes, row for row against the simulator's own market."""

from __future__ import annotations

import time as wall
from datetime import date, datetime, time, timedelta

from rich.console import Console

from broker._kit.clock import IST, SYSTEM_CLOCK
from broker._kit.secret import Secret
from broker._kit.sessions.trading_calendar import load_calendar
from broker.mstock.client.dialects import client_for
from broker.mstock.mapping.candles import MOST_ROWS, Candle
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data.history import history
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from broker_simulator.mstock.market import DAY
from broker_simulator.mstock.market.trading_calendar import session
from proofs import Rows, require

_NOW = datetime(2026, 11, 23, 11, 7, tzinfo=IST)
_INFY = InstrumentRow(
    "INFY", "INFY-EQ", "INFY", "NSE", "NSE", "1594", "", 0.0, 1, "EQ", 0.05
)  # fmt: skip
# Interval, minutes, trading days, and how many in the short form.
_RANGES = (("D", DAY, 2000, 300), ("1m", 1, 100, 7))


class _Clock:
    """The simulator's moment; waiting is real."""

    monotonic = staticmethod(SYSTEM_CLOCK.monotonic)
    sleep = staticmethod(SYSTEM_CLOCK.sleep)

    def now(self) -> datetime:
        return _NOW


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """A row for each type and range; raises `Broken` at the first candle that differs."""
    rows = []
    # Its clock stands still, and so would its count of calls in a second; the plugin keeps to one.
    with Simulator(seed=seed or 1, rate_limits=False) as box:
        box.clock.set(_NOW, frozen=True)
        for api_type in ("A", "B"):
            config, token = _log_in(box, api_type)
            for name, minutes, days, few in _RANGES:
                wanted_days = few if short else days
                first = _first_day(wanted_days)
                console.print(f"Type {api_type}: {name}, from {first}")
                before = len(box.journal)
                started = wall.perf_counter()
                found = history(
                    client_for(config), token, _INFY, name, first, _NOW.date(), load_calendar(),
                    _Clock(),
                )  # fmt: skip
                took = wall.perf_counter() - started
                calls = len(box.journal) - before
                wanted = _truth(box, minutes, first)
                require(len(found) == len(wanted), f"{len(found)} candles, not {len(wanted)}")
                for ours, theirs in zip(found, wanted, strict=True):
                    require(ours == theirs, f"{ours} is not the market's {theirs}")
                a_day = 1 if name == "D" else 375
                fewest = -(-wanted_days // ((MOST_ROWS - 1) // a_day)) + 1
                require(calls <= fewest, f"{calls} calls, where {fewest} are enough")
                rows.append(
                    {
                        "API type": api_type,
                        "Interval": name,
                        "Trading days": wanted_days,
                        "Candles, all as the market's": f"{len(found):,}",
                        "Calls": calls,
                        "Time": f"{took:.0f} s",
                    }
                )
    return rows


def _first_day(days: int) -> date:
    """The first of so many whole trading days before today."""
    day = _NOW.date()
    while days:
        day -= timedelta(days=1)
        days -= session(day) is not None
    return day


def _truth(box: Simulator, minutes: int, first: date) -> list[Candle]:
    market = box.world.market
    infy = market.master.get("NSE", "1594")
    require(infy is not None, "the market has no INFY")
    assert infy is not None
    found = market.candles(infy, minutes, datetime.combine(first, time.min, IST), _NOW)
    return [
        Candle(each.at, *map(float, (each.open, each.high, each.low, each.close)), each.volume)
        for each in found
    ]


def _log_in(box: Simulator, api_type: str) -> tuple[Config, Secret]:
    account, api = box.demo, api_type.lower()
    pending = box.world.login(api, account.client_code, account.password)
    ticket = None if api == "a" else pending.ticket
    session_ = box.world.finish_with_otp(api, account.api_key(api), str(pending.otp), ticket)
    settings = {
        "BROKER_API_KEY": account.client_code,
        "BROKER_API_SECRET": account.api_key(api),
        "MSTOCK_API_TYPE": api_type,
        "MSTOCK_REST_URL": box.rest_url,
    }
    return Config.from_env(settings), Secret(str(session_.token))
