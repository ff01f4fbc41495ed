"""A look at the depth that finds none: words, and never zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker._kit.errors import BrokerError, LogInAgain, Unreachable
from broker._kit.secret import Secret
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.depth import look_at_depth
from broker.mstock.streaming.feed import FeedListener
from broker.mstock.streaming.packets import DEPTH, LTP
from broker.mstock.streaming.requests import Instrument
from broker.mstock.streaming.shared_feed import has_feed, join_feed, leave_feed
from tests.streaming.server import FeedServer
from tests.streaming.test_feed import TOKEN, asked, ltp, until
from tests.streaming.test_host_adapter import Master
from tests.streaming.test_packets import b_snap
from tests.web.helpers import settings


@pytest.fixture
def server() -> Iterator[FeedServer]:
    made = FeedServer()
    yield made
    made.close()


@pytest.fixture
def config(server: FeedServer) -> Iterator[Config]:
    made = Config.from_env({**settings(), "MSTOCK_WS_URL": server.url})
    yield made
    assert not has_feed(made)


def look(config: Config, seconds: float = 5) -> dict[str, Any]:
    master: Any = Master()
    login = lambda: FeedLogin.of(config, Secret(TOKEN))  # noqa: E731
    return look_at_depth(config, login, master, "INFY", "NSE", seconds=seconds)


def test_nothing_came(config: Config) -> None:
    with pytest.raises(Unreachable, match=r"no market depth of INFY on NSE within 0\.5 seconds"):
        look(config, 0.5)


def test_no_connection(server: FeedServer, config: Config) -> None:
    server.upgrade_status = 502
    with pytest.raises(Unreachable, match="could not be reached"):
        look(config, 0.3)


def test_a_refused_session_is_said_at_once(server: FeedServer, config: Config) -> None:
    server.upgrade_status = 401
    with pytest.raises(LogInAgain) as caught:
        look(config, 60)
    assert TOKEN not in str(caught.value)


def test_over_the_cap_it_is_refused(server: FeedServer, config: Config) -> None:
    full = config._replace(most_instruments=1)
    ticks = FeedListener(lambda _tick: None)
    shared = join_feed(full, ticks, lambda: FeedLogin.of(full, Secret(TOKEN)))
    try:
        shared.subscribe(ticks, Instrument(1, "22"), LTP, "NSE")
        with pytest.raises(BrokerError, match="MSTOCK_WS_MAX_INSTRUMENTS"):
            look(full)
        assert shared.status().desired == 1
    finally:
        leave_feed(shared, ticks)


def test_who_wants_the_price_alone_gets_that_again_afterwards(
    server: FeedServer, config: Config
) -> None:
    heard: list[Any] = []
    ticks = FeedListener(heard.append)
    shared = join_feed(config, ticks, lambda: FeedLogin.of(config, Secret(TOKEN)))

    def answer(_client: Any) -> None:
        until(lambda: asked(server.clients[0]) == {"1594": 3})
        server.clients[0].send(ltp("1594"))  # from before the change: not a look's answer
        server.clients[0].send(b_snap())

    server.script = answer
    try:
        shared.subscribe(ticks, Instrument(1, "1594"), LTP, "NSE")
        assert look(config)["bids"][0]["price"] > 0
        until(lambda: asked(server.clients[0]) == {"1594": LTP})
        assert len(server.clients) == 1
        assert len(heard) == 2
    finally:
        leave_feed(shared, ticks)


def test_of_an_instrument_whose_depth_is_watched_already(
    server: FeedServer, config: Config
) -> None:
    ticks = FeedListener(lambda _tick: None)
    shared = join_feed(config, ticks, lambda: FeedLogin.of(config, Secret(TOKEN)))

    def answer(client: Any) -> None:
        until(lambda: len(client.requests) == 2)  # mStock sends nothing else: nobody trades it
        client.send(b_snap())

    server.script = answer
    try:
        shared.subscribe(ticks, Instrument(1, "1594"), DEPTH, "NSE")
        until(lambda: server.clients and asked(server.clients[0]) == {"1594": DEPTH})
        assert look(config)["bids"][0]["price"] > 0
    finally:
        leave_feed(shared, ticks)
