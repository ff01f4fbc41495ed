"""The adapter as the host's proxy uses it: over real sockets, on a stand-in for its base class."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from broker.mstock.database import instruments as master
from broker.mstock.streaming import host_adapter, lookup, shared_feed
from broker.mstock.streaming.host_adapter import HostStream
from tests.streaming.server import Client, FeedServer
from tests.streaming.test_feed import TOKEN, asked, ltp, until
from tests.streaming.test_packets import b_quote, b_snap
from tests.web.helpers import settings

TOKENS = {("INFY", "NSE"): "1594", ("ACC", "NSE"): "22", ("ACC", "BSE"): "22"}


class Adapter:
    """What the host's base class gives."""

    def __init__(self, pooled: bool = True) -> None:
        self._uses_shared_zmq = pooled
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.token: str | None = TOKEN

    def publish_market_data(self, topic: str, data: dict[str, Any]) -> None:
        self.published.append((topic, data))

    def get_auth_token_for_user(self, user_id: str, bypass_cache: bool = False) -> str | None:
        assert bypass_cache
        return self.token

    @property
    def topics(self) -> list[str]:
        return [topic for topic, _ in self.published]


class Master:
    def find(self, symbol: str, exchange: str) -> Any:
        token = TOKENS.get((symbol, exchange))
        if token is None:
            return None
        return master.InstrumentRow(
            symbol, symbol, symbol, exchange, exchange, token, "", 0.0, 1, "EQ", 0.05
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    made = FeedServer()
    for name, value in {**settings(), "MSTOCK_WS_URL": made.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(host_adapter, "instruments", Master)
    yield made
    made.close()


@pytest.fixture
def streams(server: FeedServer) -> Iterator[list[HostStream]]:
    made: list[HostStream] = []
    yield made
    for stream in made:
        stream.disconnect()
    assert server.url not in [url for _account, url in shared_feed._shared]


def connected(adapter: Adapter, streams: list[HostStream]) -> HostStream:
    stream = HostStream(adapter)
    streams.append(stream)
    stream.initialize("trader")
    assert stream.connect()["status"] == "success"
    return stream


def test_ticks_come_out_once_under_the_hosts_topic(
    server: FeedServer, streams: list[HostStream]
) -> None:
    server.script = lambda client: client.send(b_quote())
    adapter = Adapter()
    stream = connected(adapter, streams)
    assert stream.subscribe("INFY", "NSE", 2)["status"] == "success"
    until(lambda: stream.connected)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 2})
    server.clients[0].send(b_quote())
    until(lambda: adapter.published)
    topic, data = adapter.published[-1]
    assert topic == "NSE_INFY_QUOTE"
    assert (data["ltp"], data["symbol"], data["exchange"], data["mode"]) == (
        1573.45,
        "INFY",
        "NSE",
        2,
    )
    assert data["ltt"] >= data["timestamp"] > 1_700_000_000_000


def test_a_snap_is_published_in_every_mode_that_was_asked_for(
    server: FeedServer, streams: list[HostStream]
) -> None:
    adapter = Adapter(pooled=False)
    stream = connected(adapter, streams)
    for mode in (1, 3):
        stream.subscribe("INFY", "NSE", mode)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 3})
    server.clients[0].send(b_snap())
    until(lambda: len(adapter.published) == 2)
    assert adapter.topics == ["NSE_INFY_DEPTH", "NSE_INFY_LTP"]
    assert set(adapter.published[1][1]) == {"ltp", "ltt", "timestamp", "symbol", "exchange", "mode"}
    assert len(adapter.published[0][1]["depth"]["buy"]) == 5


def test_a_packet_of_a_lower_mode_is_not_published_in_a_higher_one(
    server: FeedServer, streams: list[HostStream]
) -> None:
    adapter = Adapter()
    stream = connected(adapter, streams)
    for mode in (1, 3):
        stream.subscribe("INFY", "NSE", mode)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 3})
    server.clients[0].send(ltp("1594"))
    until(lambda: adapter.published)
    assert adapter.topics == ["NSE_INFY_LTP"]


def test_a_number_that_another_symbol_has_now_gives_its_prices_to_that_one_alone(
    server: FeedServer, streams: list[HostStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = Adapter()
    stream = connected(adapter, streams)
    stream.subscribe("INFY", "NSE", 1)
    monkeypatch.setitem(TOKENS, ("ACC", "NSE"), "1594")
    stream.subscribe("ACC", "NSE", 1)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 1})
    stream.unsubscribe("INFY", "NSE", 1)
    server.clients[0].send(ltp("1594"))
    until(lambda: adapter.published)
    assert adapter.topics == ["NSE_ACC_LTP"]
    stream.unsubscribe("ACC", "NSE", 1)
    until(lambda: asked(server.clients[0]) == {})


@pytest.mark.parametrize(("pooled", "left"), [(True, {}), (False, {"1594": 1})])
def test_what_the_highest_mode_leaves_behind(
    server: FeedServer, streams: list[HostStream], pooled: bool, left: dict[str, int]
) -> None:
    adapter = Adapter(pooled)
    stream = connected(adapter, streams)
    stream.subscribe("INFY", "NSE", 1)
    stream.subscribe("INFY", "NSE", 3)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 3})
    assert stream.unsubscribe("INFY", "NSE", 3)["status"] == "success"
    until(lambda: asked(server.clients[0]) == left)


def test_two_adapters_of_one_user_share_a_socket(
    server: FeedServer, streams: list[HostStream]
) -> None:
    first, second = Adapter(), Adapter()
    one, two = connected(first, streams), connected(second, streams)
    one.subscribe("INFY", "NSE", 1)
    two.subscribe("INFY", "NSE", 1)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 1})
    server.clients[0].send(ltp("1594"))
    until(lambda: first.published and second.published)
    one.disconnect()
    server.clients[0].send(ltp("1594"))
    until(lambda: len(second.published) == 2)
    assert len(server.clients) == 1


def test_what_cannot_be_subscribed_is_said(server: FeedServer, streams: list[HostStream]) -> None:
    stream = connected(Adapter(), streams)
    for symbol, exchange, words in (
        ("NOSUCH", "NSE", "not in mStock's instrument list"),
        ("GOLD", "MCX", "no live prices for MCX"),
    ):
        answer = stream.subscribe(symbol, exchange, 1)
        assert answer["status"] == "error"
        assert words in answer["message"]
    assert stream.unsubscribe("NOSUCH", "NSE", 1)["status"] == "success"


@pytest.mark.parametrize("symbol", ["NIFTY29DEC2624010CE", "NIFTY29DEC2640300CE"])
def test_a_strike_is_not_taken_for_the_end_of_the_session(
    server: FeedServer, streams: list[HostStream], symbol: str
) -> None:
    stream = connected(Adapter(), streams)
    words = stream.subscribe(symbol, "NFO", 1)["message"]
    assert "not in mStock's instrument list" in words
    assert symbol in words.replace("\N{WORD JOINER}", "")
    # What the host looks for in a text, anywhere in it.
    assert not any(each in words for each in ("401", "403"))


def test_five_levels_are_served_whatever_was_asked_for(
    server: FeedServer, streams: list[HostStream]
) -> None:
    stream = connected(Adapter(), streams)
    answer = stream.subscribe("INFY", "NSE", 3, 50)
    assert (answer["status"], answer["actual_depth"]) == ("success", 5)


def test_a_list_that_has_come_in_the_place_of_ours_is_not_used(
    server: FeedServer, streams: list[HostStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_ours() -> Master:
        raise master.NoInstruments("The instrument list of mStock's API type B is not here yet.")

    stream = connected(Adapter(), streams)
    monkeypatch.setattr(stream._lookup, "_open_table", not_ours)
    monkeypatch.setattr(lookup, "_FRESH_S", 0.1)
    assert "not here yet" in stream.subscribe("INFY", "NSE", 1)["message"]
    monkeypatch.setattr(stream._lookup, "_open_table", Master)
    assert stream.subscribe("INFY", "NSE", 1)["status"] == "success"
    monkeypatch.setattr(stream._lookup, "_open_table", not_ours)
    time.sleep(0.15)
    assert "not here yet" in stream.subscribe("ACC", "NSE", 1)["message"]


def test_over_the_cap_the_answer_names_the_setting(
    server: FeedServer, streams: list[HostStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSTOCK_WS_MAX_INSTRUMENTS", "1")
    stream = connected(Adapter(), streams)
    assert stream.subscribe("INFY", "NSE", 1)["status"] == "success"
    answer = stream.subscribe("ACC", "NSE", 1)
    assert answer["status"] == "error"
    assert "MSTOCK_WS_MAX_INSTRUMENTS" in answer["message"]
    # Nothing of it is left: it may be asked for again, and unsubscribed.
    assert stream.unsubscribe("ACC", "NSE", 1)["status"] == "success"
    assert stream.unsubscribe("INFY", "NSE", 1)["status"] == "success"
    assert stream.subscribe("ACC", "NSE", 1)["status"] == "success"


def test_disconnecting_twice_and_connecting_again(
    server: FeedServer, streams: list[HostStream]
) -> None:
    stream = connected(Adapter(), streams)
    until(lambda: stream.connected)
    stream.disconnect()
    stream.disconnect()
    assert not stream.connected
    assert stream.subscribe("INFY", "NSE", 1)["status"] == "error"
    assert stream.connect()["status"] == "success"
    assert stream.subscribe("INFY", "NSE", 1)["status"] == "success"
    until(lambda: stream.connected)


def test_type_a_refuses_a_number_that_stands_on_another_exchange(
    server: FeedServer, streams: list[HostStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSTOCK_API_TYPE", "A")
    stream = connected(Adapter(), streams)
    assert stream.subscribe("ACC", "NSE", 1)["status"] == "success"
    answer = stream.subscribe("ACC", "BSE", 1)
    assert answer["status"] == "error"
    assert "already subscribed on NSE" in answer["message"]


def test_without_a_session_connect_says_so(server: FeedServer, streams: list[HostStream]) -> None:
    adapter = Adapter()
    adapter.token = None
    stream = HostStream(adapter)
    stream.initialize("trader")
    answer = stream.connect()
    assert answer["code"] == "CONNECTION_FAILED"
    assert "Log in to mStock" in answer["message"]


def test_no_price_is_no_tick_but_depth_still_is(
    server: FeedServer, streams: list[HostStream]
) -> None:
    adapter = Adapter()
    stream = connected(adapter, streams)
    stream.subscribe("INFY", "NSE", 2)
    until(lambda: server.clients and asked(server.clients[0]) == {"1594": 2})

    def both(client: Client) -> None:
        client.send(b_quote(ltp=0))
        client.send(b_quote())

    both(server.clients[0])
    until(lambda: adapter.published)
    assert [data["ltp"] for _, data in adapter.published] == [1573.45]
