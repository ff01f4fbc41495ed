"""Which browsers are logged in: until midnight in India, and only a few."""

from __future__ import annotations

from datetime import UTC, datetime

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.browser_sessions import BrowserSessions
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.support.clock import FakeClock


def test_midnight_is_midnight_in_india(clock: FakeClock, config: Config) -> None:
    browsers = BrowserSessions(MSTOCK, None, clock)
    clock.wall = datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC)
    key, day = browsers.put(Secret("t"), config)
    assert day.ends_at == datetime(2026, 11, 24, tzinfo=IST)
    clock.advance(1)
    assert browsers.get(key) is None


def test_the_oldest_browser_makes_room(clock: FakeClock, config: Config) -> None:
    browsers = BrowserSessions(MSTOCK, None, clock, capacity=3)
    keys = [browsers.put(Secret(f"t{n}"), config)[0] for n in range(10)]
    assert [browsers.get(key) is not None for key in keys] == [False] * 7 + [True] * 3


def test_a_double_click_gets_one_id(clock: FakeClock, config: Config) -> None:
    browsers = BrowserSessions(MSTOCK, None, clock, capacity=2)
    keys = {browsers.put(Secret("same"), config)[0] for _ in range(10)}
    assert len(keys) == 1
    key = keys.pop()
    session = browsers.get(key)
    assert session is not None
    browsers.drop(key, session)
    assert browsers.whose(key) is None
