"""Where the day's tokens are kept: until midnight in India, and only a few."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.browser_sessions import BrowserSessions
from broker.mstock.settings import Config
from tests.support.clock import FakeClock


def test_midnight_is_midnight_in_india(clock: FakeClock, config: Config) -> None:
    shelf = BrowserSessions(clock, later=lambda seconds, job: None)
    clock.wall = datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC)
    key, held = shelf.put(Secret("t"), config)
    assert held.ends_at == datetime(2026, 11, 24, tzinfo=IST)
    clock.advance(1)
    assert shelf.get(key) is None


def test_tokens_go_at_midnight_although_nobody_calls(clock: FakeClock, config: Config) -> None:
    jobs: list[tuple[float, Callable[[], None]]] = []
    shelf = BrowserSessions(clock, later=lambda seconds, job: jobs.append((seconds, job)))
    shelf.put(Secret("t"), config)
    looks = 0
    while jobs:
        seconds, job = jobs.pop()
        clock.advance(seconds)
        job()
        looks += 1
    assert looks == 15 * 12
    assert len(shelf) == 0
    assert clock.now() - datetime(2026, 11, 24, tzinfo=IST) < timedelta(seconds=2)
    shelf.put(Secret("t"), config)
    assert jobs


def test_the_shelf_is_bounded(clock: FakeClock, config: Config) -> None:
    shelf = BrowserSessions(clock, capacity=3, later=lambda seconds, job: None)
    keys = [shelf.put(Secret(f"t{n}"), config)[0] for n in range(10)]
    assert [shelf.get(key) is not None for key in keys] == [False] * 7 + [True] * 3


def test_a_token_takes_one_place_however_often_it_is_put(clock: FakeClock, config: Config) -> None:
    shelf = BrowserSessions(clock, capacity=2, later=lambda seconds, job: None)
    other, _ = shelf.put(Secret("other"), config)
    keys = {shelf.put(Secret("same"), config)[0] for _ in range(10)}
    assert len(keys) == 1
    assert shelf.get(other) is not None
    assert shelf.drop(keys.pop()) is not None
    assert len(shelf) == 1
