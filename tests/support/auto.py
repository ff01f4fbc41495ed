"""Auto-login over a simulator whose clock is the plugin's own, as its tests set it up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.notices import Notice
from broker._kit.sessions.store import MemoryStore, Store
from broker._kit.sessions.trading_calendar import load_calendar
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from proofs.simulated import SimulatedTime
from tests.conftest import settings_for

MONDAY = date(2026, 11, 23)  # a trading day; the Tuesday after it is a holiday
FRIDAY = date(2026, 11, 20)


def at(clock: str, day: date = MONDAY) -> datetime:
    """A moment in IST, from a text such as 08:35."""
    return datetime.combine(day, time.fromisoformat(clock), IST)


class Stage:
    """A user's computer and mStock, at 08:00 on a Monday."""

    def __init__(self, box: Simulator, api_type: str = "B", store: Store | None = None) -> None:
        self.box = box
        self.box.demo.totp_enabled = True
        self.time = SimulatedTime(box, at("08:00"))
        self.config = Config.from_env(settings_for(box, api_type))
        self.account = self.config.account
        self.store: Store = store if store is not None else MemoryStore(MSTOCK)
        self.notices: list[Notice] = []
        self.auto = self.started()

    def started(self, **more: object) -> AutoLogin:
        """Another process on the same store."""
        options: dict[str, object] = {
            "calendar": load_calendar(),
            "tell": self.notices.append,
            **more,
        }
        return AutoLogin(MSTOCK, self.store, self.config_of, self.time, **options)  # type: ignore[arg-type]

    def config_of(self, account: Account) -> Config | None:
        return self.config if account == self.account else None

    def enable(self, password: str | None = None, accepted: bool = True) -> None:
        demo = self.box.demo
        self.auto.enable(
            self.config,
            Secret(demo.password if password is None else password),
            Secret(demo.totp_secret),
            accepted=accepted,
        )

    def tick_until(self, clock: str, day: date = MONDAY, every: float = 60.0) -> list[str]:
        """Tick up to a moment; the results of the attempts."""
        results: list[str] = []
        while self.time.now() <= at(clock, day):
            results += [attempt.result for attempt in self.auto.tick()]
            self.time.advance(every)
        return results

    def calls(self, path: str = "connect/login") -> int:
        return sum(entry.route.endswith(path) for entry in self.box.journal)


@contextmanager
def staged(api_type: str = "B", store: Store | None = None, **options: object) -> Iterator[Stage]:
    with Simulator(**options) as box:  # type: ignore[arg-type]
        yield Stage(box, api_type, store)
