"""One wall clock for simulator and host: libfaketime shows a process the time that a file says."""

from __future__ import annotations

import glob
import importlib.util
import os
import subprocess
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from broker._kit.sessions.trading_calendar import load_calendar
from broker_simulator.mstock import IST, Simulator

_PLACES = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib*/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)
_IN_PACKAGE = "vendor/libfaketime/src/libfaketime.so.1"
HOW_TO_GET_IT = (
    "no libfaketime, so the host's clock cannot be moved: apt-get install faketime, or "
    "pip install libfaketime, or OPENALGO_FAKETIME=/path/to/libfaketime.so.1"
)


def find_library() -> str:
    """The library, "" when there is none that works here."""
    named = os.environ.get("OPENALGO_FAKETIME")
    package = importlib.util.find_spec("libfaketime")
    inside = [str(Path(package.origin).parent / _IN_PACKAGE)] if package and package.origin else []
    found = [named] if named else [*inside, *(hit for place in _PLACES for hit in glob.glob(place))]
    return next((path for path in found if os.path.isfile(path) and _works(path)), "")


def _works(library: str) -> bool:
    asked = subprocess.run(
        ["date", "+%s"],
        env={"LD_PRELOAD": library, "FAKETIME": "@2001-01-01 00:00:00", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip().startswith("97830")


def ordinary_morning(after: datetime | None = None) -> datetime:
    """09:15 on a coming day that, like the one after it, mStock trades on.

    It lies ahead, so that no browser takes a cookie made there for an old one.
    """
    trades = load_calendar().is_trading_day
    day = (after or datetime.now(IST)).date() + timedelta(days=1)
    while not (trades(day) and trades(day + timedelta(days=1))):
        day += timedelta(days=1)
    return datetime.combine(day, time(9, 15), tzinfo=IST)


def until(happens: Callable[[], bool], seconds: float = 6) -> bool:
    """Wait for something that comes about by itself; whether it did, in real seconds."""
    end = monotonic() + seconds
    while not happens() and monotonic() < end:
        sleep(0.05)
    return happens()


class Hours:
    """Moves the host's clock and the simulator's together. Without the library both show the
    real time, and a test that moves them is skipped. `moves` is False where time is measured: the
    library slows threads that wait for each other."""

    def __init__(self, simulator: Simulator, folder: Path, moves: bool = True) -> None:
        self._simulator = simulator
        self._file = folder / "hours"
        self._library = find_library() if moves else ""
        if self._library:
            self.set(ordinary_morning())

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process look at this clock. Sleeping and waiting keep the real pace."""
        if not self._library:
            return {}
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def now(self) -> datetime:
        return self._simulator.clock.now()

    def set(self, when: datetime) -> None:
        """Show this time from here on."""
        if not self._library:
            pytest.skip(HOW_TO_GET_IT)
        self._simulator.clock.set(when)
        ahead = (when - datetime.now(IST)).total_seconds()
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead:+.3f}")
        new.replace(self._file)

    def go_on_to(self, clock: str) -> datetime:
        """Move on to the next time that the clock shows "HH:MM"."""
        now = self.now()
        when = datetime.combine(now.date(), time.fromisoformat(clock), tzinfo=IST)
        self.set(when if when > now else when + timedelta(days=1))
        return self.now()
