"""What a process shares: one socket, more where the settings allow them, and a cap."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from broker._kit.clock import IST
from broker._kit.errors import CorrectInput
from broker._kit.secret import Secret
from broker._kit.sessions.trading_calendar import USERS_FILE
from broker.mstock.settings import Config
from broker.mstock.streaming import shared_feed
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import Feed, FeedListener, FeedState, FeedStatus
from broker.mstock.streaming.packets import DEPTH, LTP, Tick
from broker.mstock.streaming.requests import Instrument
from broker.mstock.streaming.shared_feed import (
    SharedFeed,
    has_feed,
    join_feed,
    leave_feed,
)
from tests.streaming.server import Client, FeedServer
from tests.streaming.test_feed import TOKEN, asked, ltp, until
from tests.web.helpers import settings

INFY, ACC, TCS = Instrument(1, "1594"), Instrument(1, "22"), Instrument(1, "11536")


class Listener:
    """Somebody who wants prices."""

    def __init__(self, server: FeedServer, **more: str) -> None:
        self.ticks: list[Tick] = []
        self.texts: list[str] = []
        self.gaps = 0
        self.states: list[FeedStatus] = []
        self.token = TOKEN
        self.config = Config.from_env({**settings(**more), "MSTOCK_WS_URL": server.url})
        self.subscriber = FeedListener(
            self.ticks.append, self.texts.append, self._on_gap, self.states.append
        )
        self.feed: SharedFeed | None = None

    def join(self) -> SharedFeed:
        login = lambda: FeedLogin.of(self.config, Secret(self.token))  # noqa: E731
        self.feed = join_feed(self.config, self.subscriber, login)
        return self.feed

    def leave(self) -> None:
        if self.feed is not None:
            leave_feed(self.feed, self.subscriber)

    def want(self, instrument: Instrument, mode: int = LTP) -> None:
        assert self.feed is not None
        self.feed.subscribe(self.subscriber, instrument, mode, "NSE")

    def _on_gap(self) -> None:
        self.gaps += 1


@pytest.fixture
def server() -> Iterator[FeedServer]:
    made = FeedServer()
    yield made
    made.close()


@pytest.fixture
def listeners() -> Iterator[list[Listener]]:
    made: list[Listener] = []
    yield made
    for each in made:
        each.leave()
    for each in made:
        assert not has_feed(each.config)


def joined(server: FeedServer, listeners: list[Listener], **more: str) -> Listener:
    listener = Listener(server, **more)
    listeners.append(listener)
    listener.join()
    return listener


def all_asked(server: FeedServer) -> list[dict[str, int]]:
    return [asked(client) for client in server.clients]


CAP = {"MSTOCK_WS_MAX_INSTRUMENTS": "2"}


def test_over_the_cap_one_is_refused_by_name_and_the_others_flow(
    server: FeedServer, listeners: list[Listener]
) -> None:
    one = joined(server, listeners, **CAP)
    one.want(INFY)
    one.want(ACC)
    with pytest.raises(CorrectInput, match=r"MSTOCK_WS_MAX_INSTRUMENTS.*MSTOCK_WS_SOCKETS"):
        one.want(TCS)
    one.want(INFY, DEPTH)  # no new instrument
    until(lambda: all_asked(server) == [{"1594": DEPTH, "22": LTP}])
    assert one.feed is not None
    one.feed.unsubscribe(one.subscriber, ACC)
    one.want(TCS)
    until(lambda: all_asked(server) == [{"1594": DEPTH, "11536": LTP}])


def test_an_instrument_that_others_have_needs_no_room(
    server: FeedServer, listeners: list[Listener]
) -> None:
    one = joined(server, listeners, **CAP)
    one.want(INFY)
    one.want(ACC)
    two = joined(server, listeners, **CAP)
    two.want(ACC, DEPTH)
    until(lambda: all_asked(server) == [{"1594": LTP, "22": DEPTH}])
    two.leave()
    until(lambda: all_asked(server) == [{"1594": LTP, "22": LTP}])


def test_a_second_socket_where_the_settings_allow_it_and_only_while_it_is_needed(
    server: FeedServer, listeners: list[Listener]
) -> None:
    one = joined(server, listeners, **CAP, MSTOCK_WS_SOCKETS="2")
    for each in (INFY, ACC):
        one.want(each)
    until(lambda: len(server.clients) == 1)
    one.want(TCS)
    until(lambda: all_asked(server) == [{"1594": LTP, "22": LTP}, {"11536": LTP}])
    feed = one.feed
    assert feed is not None
    until(lambda: feed.is_connected and feed.status().sent == 3)

    def say(client: Client) -> None:
        for token in asked(client):
            client.send(ltp(token))
        client.send('{"order_status":"order"}')

    for client in server.clients:
        say(client)
    until(lambda: len(one.ticks) == 3)
    until(lambda: len(one.texts) == 1)  # an order update is told once
    server.upgrade_status = 502
    server.clients[1].sock.shutdown(2)
    until(lambda: not feed.is_connected)
    server.upgrade_status = 101
    until(lambda: feed.is_connected)
    feed.unsubscribe(one.subscriber, TCS)
    until(lambda: feed.status()[:3] == (FeedState.CONNECTED, "", 2))
    assert feed.status().connections == 1
    one.want(TCS)
    until(lambda: len(server.clients) == 4)


def test_one_socket_for_whoever_joins_and_the_last_to_leave_ends_it(
    server: FeedServer, listeners: list[Listener]
) -> None:
    one, two = (joined(server, listeners) for _ in range(2))
    assert one.feed is two.feed
    one.want(INFY)
    two.want(INFY)
    until(lambda: all_asked(server) == [{"1594": LTP}])
    one.leave()
    assert has_feed(one.config)
    server.clients[0].send(ltp("1594"))
    until(lambda: two.ticks)
    assert len(server.clients) == 1


def test_who_has_left_can_want_nothing(server: FeedServer, listeners: list[Listener]) -> None:
    one, two = (joined(server, listeners) for _ in range(2))
    one.leave()
    one.want(INFY)  # by a thread that does not know yet
    two.want(ACC)
    until(lambda: all_asked(server) == [{"22": LTP}])


def test_the_session_is_asked_of_whoever_is_still_there(
    server: FeedServer, listeners: list[Listener]
) -> None:
    one, two = (joined(server, listeners) for _ in range(2))
    two.token = "the-newer-token"
    feed = two.feed
    assert feed is not None
    until(lambda: feed.is_connected)
    one.leave()
    server.drop()
    until(lambda: len(server.clients) == 2)
    assert server.clients[1].query["ACCESS_TOKEN"] == ["the-newer-token"]
    until(lambda: two.gaps == 1)
    assert one.gaps == 0


def test_one_that_fails_costs_the_others_no_tick_and_does_not_fill_the_log(
    server: FeedServer, listeners: list[Listener], caplog: pytest.LogCaptureFixture
) -> None:
    failing, other = Listener(server), Listener(server)

    def fail(_news: object) -> None:
        raise RuntimeError("my strategy's secret")

    failing.subscriber = failing.subscriber._replace(on_tick=fail, on_state=fail, on_text=fail)
    for each in (failing, other):
        listeners.append(each)
        each.join()
        each.want(INFY)
    until(lambda: all_asked(server) == [{"1594": LTP}])
    server.clients[0].send("{}")
    for price in range(1, 51):
        server.clients[0].send(ltp("1594", 100 * price))
    until(lambda: [tick.values["ltp"] for tick in other.ticks] == list(range(1, 51)))
    assert other.texts[-1:] == ["{}"]
    assert caplog.text.count("a listener of the feed failed (RuntimeError in ") == 1
    assert "secret" not in caplog.text


def test_a_session_that_the_user_has_written_down_is_watched_for_stalls(
    server: FeedServer,
    listeners: list[Listener],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    saturday = {"name": "Special session", "opens": "10:00", "closes": "11:00"}
    table = {"special_sessions": {"2026-08-22": saturday}}
    (tmp_path / USERS_FILE).write_text(json.dumps(table))
    monkeypatch.setenv("BROKER_HOME", str(tmp_path))
    monkeypatch.setenv("BROKER_API_KEY", "MA0000001")  # the settings come from the environment
    asked_of: list[Callable[[datetime], bool]] = []

    def make(*given: Any, is_market_open: Callable[[datetime], bool]) -> Feed:
        asked_of.append(is_market_open)
        return Feed(*given, is_market_open=is_market_open)

    monkeypatch.setattr(shared_feed, "Feed", make)
    joined(server, listeners)
    assert asked_of[0](datetime(2026, 8, 22, 10, 30, tzinfo=IST))
    assert not asked_of[0](datetime(2026, 8, 22, 11, 30, tzinfo=IST))
