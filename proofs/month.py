"""A month of trading days in a minute: does auto-login have its user in before the market opens?

The plugin and the simulator talk over real sockets, by a clock that is set; the store is an SQLite
file. Only time is not real: 22 trading days between 28 October and 27 November 2026, in which a
Sunday has a special session, a Tuesday is a holiday, and daylight saving ends elsewhere.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time as system_time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from rich.console import Console

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.notices import Notice
from broker._kit.sessions.store import open_store
from broker._kit.sessions.stored_session import load_session
from broker._kit.sessions.trading_calendar import load_calendar
from broker._kit.settings import ServiceSettings
from broker.mstock.broker import MSTOCK
from broker.mstock.client.dialects import client_for
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from proofs import Rows, require
from proofs.simulated import SimulatedTime

FIRST, LAST = date(2026, 10, 28), date(2026, 11, 27)
SHORT_FIRST, SHORT_LAST = date(2026, 10, 30), date(2026, 11, 12)
GATEWAY_DOWN, REFUSES = date(2026, 10, 30), date(2026, 11, 6)
CLOCK_WRONG, MUHURAT, PASSWORD_CHANGED = date(2026, 11, 5), date(2026, 11, 8), date(2026, 11, 12)
DAYLIGHT_SAVING_ENDS = date(2026, 11, 1)

EVENTS = {
    GATEWAY_DOWN: "502 until 08:50",
    REFUSES: "connections refused until 08:40",
    CLOCK_WRONG: "this computer's clock 40 s ahead",
    MUHURAT: "Sunday with a special session",
    PASSWORD_CHANGED: "password changed at mStock",
    DAYLIGHT_SAVING_ENDS: "daylight saving ends in New York",
}
_NEW_PASSWORD = "Simulated-2"
_EVERY = 20  # seconds between two ticks, as in life
_RESTARTS = (time(8, 20), time(8, 36), time(8, 50), time(12, 0))


class Day(NamedTuple):
    """What one day brought: tries, logins at mStock, refusals, notices.

    `logged_in_at` is None when nobody is in at 09:15; `is_as_claimed` is the day's verdict.
    """

    day: date
    is_trading_day: bool
    event: str
    tries: int
    asked: int
    refused: int
    notices: int
    logged_in_at: datetime | None
    is_as_claimed: bool


class Month:
    """One account, its user's computer and mStock, from day to day."""

    def __init__(self, simulator: Simulator, home: str) -> None:
        self._simulator = simulator
        self._account = simulator.demo
        self._account.totp_enabled = True
        self._settings = ServiceSettings(home=home)
        self._calendar = load_calendar(home)
        self._tries = 0
        self._notices: list[Notice] = []
        self._time = SimulatedTime(simulator, datetime.combine(FIRST, time(0, 5), IST))
        self._config = Config.from_env(
            {
                "BROKER_API_KEY": self._account.client_code,
                "BROKER_API_SECRET": self._account.api_key_b,
                "MSTOCK_REST_URL": simulator.rest_url,
            }
        )
        self._auto = self._started()
        self._switch_on()

    def live(self, day: date) -> Day:
        """One day, from five past midnight to the evening."""
        event = EVENTS.get(day, "")
        plan = self._plan(day)
        self._time.until(_at(day, time(0, 5)))
        self._tries = 0
        self._notices.clear()
        self._simulator.journal.clear()
        for moment in _moments(day):
            self._time.until(moment)
            for due in [each for each in plan if each[0] <= moment]:
                plan.remove(due)
                due[1]()
            self._tries += len(self._auto.tick())
            if moment == _at(day, time(9, 15)):
                logged_in_at = self._logged_in_at()
        return self._verdict(day, event, logged_in_at)

    def _plan(self, day: date) -> list[tuple[datetime, Callable[[], None]]]:
        """What happens to the user on this day besides the ticks."""
        todo: list[tuple[time, Callable[[], None]]] = [(at, self._restart) for at in _RESTARTS]
        faults = self._simulator.faults
        if day == GATEWAY_DOWN:
            todo += [
                (time(8, 30), lambda: faults.set("*", "bad_gateway")),
                (time(8, 50), faults.clear),
            ]
        if day == REFUSES:
            todo += [(time(8, 30), self._simulator.stop), (time(8, 40), self._plug_in)]
        if day == CLOCK_WRONG:
            todo += [(time(1), lambda: self._set_wrong(40)), (time(18), lambda: self._set_wrong(0))]
        if day == PASSWORD_CHANGED:
            todo += [(time(7), self._change_password), (time(16), self._switch_on)]
        return sorted(((_at(day, at), act) for at, act in todo), key=lambda each: each[0])

    def _started(self) -> AutoLogin:
        open_store.cache_clear()
        return AutoLogin(
            MSTOCK,
            open_store(MSTOCK, self._settings),
            lambda account: self._config if account == self._config.account else None,
            self._time,
            calendar=self._calendar,
            tell=self._notices.append,
        )

    def _restart(self) -> None:
        """The process ends and begins again: nothing is known but what was kept."""
        self._auto = self._started()

    def _switch_on(self) -> None:
        password, secret = Secret(self._account.password), Secret(self._account.totp_secret)
        self._auto.enable(self._config, password, secret, accepted=True)

    def _change_password(self) -> None:
        self._account.password = _NEW_PASSWORD

    def _set_wrong(self, seconds: int) -> None:
        self._time.error = timedelta(seconds=seconds)

    def _plug_in(self) -> None:
        self._simulator.start()

    def _logged_in_at(self) -> datetime | None:
        """When the session began that the store holds and that mStock answers to; None without."""
        kept = load_session(
            open_store(MSTOCK, self._settings), self._config.account, self._time.now()
        )
        if kept is None or kept.is_over:
            return None
        client_for(self._config, self._time).fund_summary(kept.token)
        sessions = self._simulator.sessions
        return next(s.since for s in sessions if s.token == kept.token.reveal())

    def _verdict(self, day: date, event: str, logged_in_at: datetime | None) -> Day:
        is_trading_day = self._calendar.is_trading_day(day)
        logins = [entry for entry in self._simulator.journal if entry.route == "b/connect/login"]
        refused = sum("refused" in entry.verdict for entry in logins)
        found = (len(logins), refused, len(self._notices))
        if day == PASSWORD_CHANGED:
            is_as_claimed = found == (1, 1, 1) and logged_in_at is None
        elif is_trading_day:
            is_as_claimed = logged_in_at is not None and found[1:] == (0, 0)
        else:
            is_as_claimed = found == (0, 0, 0) and logged_in_at is None
        return Day(day, is_trading_day, event, self._tries, *found, logged_in_at, is_as_claimed)


def run(console: Console, short: bool) -> Rows:
    """Live through the month (short: a fortnight of it); a row for each day on which something was
    to happen. Raises `Broken` when a day is not as claimed."""
    days = lived(SHORT_FIRST, SHORT_LAST) if short else lived(FIRST, LAST)
    trading = [day for day in days if day.is_trading_day]
    console.print(
        f"{sum(day.logged_in_at is not None for day in trading)} of {len(trading)} trading days "
        f"logged in before 09:15; {sum(day.tries for day in days)} tries, "
        f"{sum(day.asked for day in days)} of them reached mStock; "
        f"{sum(day.refused for day in days)} refused, {sum(day.notices for day in days)} notices."
    )
    return judged(days)


def judged(days: list[Day]) -> Rows:
    """The table's rows. Raises `Broken`, which names the days that are not as claimed."""
    wrong = [f"{day.day:%d %b %Y}" for day in days if not day.is_as_claimed]
    require(not wrong, f"not as claimed: {', '.join(wrong)}")
    return [_row(day) for day in days if day.is_trading_day or day.event]


def lived(first: date, last: date) -> list[Day]:
    """The days from the first to the last, both included."""
    with (
        tempfile.TemporaryDirectory() as home,
        _new_york(),
        # A port of its own, so that mStock is at the same address after it was away.
        Simulator(port=_free_port()) as simulator,
    ):
        month = Month(simulator, os.path.join(home, "home"))
        count = (last - first).days + 1
        return [month.live(first + timedelta(days=n)) for n in range(count)]


def _moments(day: date) -> Iterator[datetime]:
    """When ticks are due: every 20 seconds around the morning, every hour otherwise."""
    yield from (_at(day, time(hour, 10)) for hour in range(8))
    moment = _at(day, time(8, 10))
    while moment <= _at(day, time(9, 15)):
        yield moment
        moment += timedelta(seconds=_EVERY)
    yield from (_at(day, time(hour, 10)) for hour in range(10, 24))


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, IST)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _new_york() -> Iterator[None]:
    """This computer's own time zone is one with daylight saving, where the system lets us."""
    before = os.environ.get("TZ")
    if not hasattr(system_time, "tzset"):
        yield
        return
    try:
        os.environ["TZ"] = "America/New_York"
        system_time.tzset()
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        system_time.tzset()


def _row(day: Day) -> dict[str, object]:
    return {
        "Day": f"{day.day:%a %d %b %Y}",
        "What happens": day.event or ("" if day.is_trading_day else "no trading"),
        "Tries": day.tries,
        "Logged in (IST)": f"{day.logged_in_at:%H:%M:%S}" if day.logged_in_at else "no",
        "Refused": day.refused,
        "Notices": day.notices,
    }
