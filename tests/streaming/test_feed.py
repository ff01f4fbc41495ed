"""The feed over real sockets: what it asks for, and how it heals."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from struct import pack

import pytest
import websocket

from broker._kit.errors import LogInAgain
from broker._kit.secret import Secret
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import Feed, FeedListener, FeedState, FeedTiming
from broker.mstock.streaming.packets import DEPTH, LTP, Tick
from broker.mstock.streaming.requests import DIALECTS, Instrument
from tests.streaming.server import Client, FeedServer

QUICK = FeedTiming(
    connect=2,
    read=1,
    login=0.5,
    ping_every=0.2,
    dead_after=0.8,
    stall_after=0.8,
    first_wait=0.02,
    longest_wait=0.2,
    look_for_token=0.05,
    resend_after=0.3,
)
INFY, ACC = Instrument(1, "1594"), Instrument(1, "22")
TOKEN = "a-token-that-must-not-be-seen"


def ltp(token: str, price: int = 137_330) -> bytes:
    return pack("<BB25sqqq", 1, 1, token.encode(), 7, 0, price)


class Bench:
    """A feed, its server and what was heard."""

    def __init__(self) -> None:
        self.server = FeedServer()
        self.token = TOKEN
        self.ticks: list[Tick] = []
        self.texts: list[str] = []
        self.gaps = 0
        self.is_open = True
        self.is_open_at: Callable[[datetime], bool] = lambda _now: self.is_open
        self.feeds: list[Feed] = []
        self.feed = self.make()

    def make(self, api_type: str = "B") -> Feed:
        listener = FeedListener(self.ticks.append, self.texts.append, self._on_gap)
        feed = Feed(
            DIALECTS[api_type],
            self._login,
            listener,
            is_market_open=lambda now: self.is_open_at(now),
            timing=QUICK,
        )
        self.feeds.append(feed)
        return feed

    def _on_gap(self) -> None:
        self.gaps += 1

    def _login(self) -> FeedLogin:
        if not self.token:
            raise LogInAgain("There is no session.")
        return FeedLogin(self.server.url, Secret("key/with=signs"), Secret(self.token))

    def close(self) -> None:
        for feed in self.feeds:
            feed.stop()
        self.server.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def until(what: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def asked(client: Client) -> dict[str, int]:
    """What stands subscribed after all requests of a connection, token by token."""
    found: dict[str, int] = {}
    for each in client.requests:
        for group in each["params"]["tokenList"]:
            for token in group["tokens"]:
                if each["action"]:
                    found[token] = each["params"]["mode"]
                else:
                    found.pop(token, None)
    return found


def end(client: Client) -> None:
    """End a connection as soon as it has logged in."""
    with contextlib.suppress(OSError):
        client.sock.shutdown(2)


class TestSubscriptions:
    def test_made_before_the_start_are_asked_for_in_one_batch_a_mode(self, bench: Bench) -> None:
        many = {Instrument(1, str(n)): LTP for n in range(1000, 1200)}
        bench.feed.subscribe({**many, INFY: DEPTH})
        bench.feed.start()
        until(lambda: bench.server.clients and len(asked(bench.server.clients[0])) == 201)
        assert len(bench.server.clients[0].requests) == 2
        assert bench.server.clients[0].texts[0] == f"LOGIN:{TOKEN}"
        assert bench.server.clients[0].query["API_KEY"] == ["key/with=signs"]

    def test_who_is_new_is_answered_of_an_instrument_that_flows_already(self, bench: Bench) -> None:
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: bench.server.clients and asked(bench.server.clients[0]) == {"1594": LTP})
        client = bench.server.clients[0]
        client.send(ltp("1594"))
        until(lambda: bench.feed.status().flowing == 1)
        before = len(client.requests)
        bench.feed.subscribe({INFY: LTP})
        until(lambda: len(client.requests) == before + 1)
        bench.feed.subscribe({INFY: LTP})
        bench.feed.unsubscribe([INFY])
        until(lambda: not asked(client))

    @pytest.mark.parametrize(
        ("answer", "is_refused"),
        [
            ('{"type":"login","status":"success","error":null}', False),
            ('{"status":true,"error":""}', False),
            ("connected", False),
            ("true", False),
            ('{"type":"error","data":"Invalid token"}', True),
            ('{"error":"Invalid token"}', True),
            ('{"status": "Error", "message": "Invalid token"}', True),
        ],
    )
    def test_an_answer_to_the_login_that_names_no_error_is_none(
        self, bench: Bench, answer: str, is_refused: bool
    ) -> None:
        bench.server.login_answer = answer
        bench.feed.start()
        wanted = FeedState.WAITING if is_refused else FeedState.CONNECTED
        until(lambda: bench.feed.status().state is wanted)
        assert (bench.feed.status().connections == 0) is is_refused

    def test_nothing_is_asked_before_the_login_is_answered(self, bench: Bench) -> None:
        bench.server.answers_login = False
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: len(bench.server.attempts) > 1)
        assert not any(client.requests for client in bench.server.clients)
        assert bench.feed.status().sent == 0

    def test_survive_a_drop_and_what_changed_meanwhile_counts(self, bench: Bench) -> None:
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: bench.feed.status().sent == 1)
        bench.server.upgrade_status = 502
        bench.server.drop()
        until(lambda: bench.feed.status().state is FeedState.WAITING)
        assert bench.feed.status().sent == 0
        bench.feed.subscribe({ACC: DEPTH})
        bench.feed.unsubscribe([INFY])
        bench.server.upgrade_status = 101
        until(lambda: asked(bench.server.clients[-1]) == {"22": DEPTH})
        until(lambda: bench.gaps == 1)

    def test_one_that_never_ticks_is_asked_for_once_more(self, bench: Bench) -> None:
        bench.is_open = False
        bench.feed.subscribe({INFY: LTP, ACC: LTP})
        bench.feed.start()
        until(lambda: bench.server.clients and asked(bench.server.clients[0]))
        bench.server.clients[0].send(ltp("1594"))
        until(lambda: bench.feed.status().flowing == 1)
        until(lambda: len(bench.server.clients[0].requests) == 2)
        tokens = bench.server.clients[0].requests[1]["params"]["tokenList"][0]["tokens"]
        assert tokens == ["22"]
        time.sleep(0.5)
        assert len(bench.server.clients[0].requests) == 2

    def test_a_late_tick_of_what_nobody_wants_any_more_does_not_count(self, bench: Bench) -> None:
        bench.is_open = False
        bench.feed.subscribe({INFY: LTP, ACC: LTP})
        bench.feed.start()
        until(lambda: bench.server.clients and len(asked(bench.server.clients[0])) == 2)
        bench.feed.unsubscribe([INFY])
        until(lambda: asked(bench.server.clients[0]) == {"22": LTP})
        bench.server.clients[0].send(ltp("1594"))
        until(lambda: bench.ticks)
        assert bench.feed.status().flowing == 0

    def test_type_a_asks_in_its_own_words(self, bench: Bench) -> None:
        feed = bench.make("A")
        feed.subscribe({Instrument(0, "22"): DEPTH})
        feed.start()
        until(lambda: bench.server.clients and len(bench.server.clients[0].requests) == 2)
        first, second = bench.server.clients[0].requests
        assert first == {"a": "subscribe", "v": [22]}
        assert second == {"a": "mode", "v": ["full", [22]]}


class TestHealing:
    def test_a_drop_in_the_middle_of_a_frame(self, bench: Bench) -> None:
        def cut(client: Client) -> None:
            client.sock.sendall(b"\x82\x33" + ltp("1594")[:20])
            client.sock.shutdown(2)

        bench.server.script = cut
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: len(bench.server.clients) == 2)
        bench.server.script = lambda client: client.send(ltp("1594"))
        until(lambda: bench.ticks)

    def test_a_socket_on_which_nothing_comes_any_more(self, bench: Bench) -> None:
        bench.server.answers_pings = False
        bench.is_open = False
        bench.feed.start()
        until(lambda: len(bench.server.clients) == 2)

    def test_a_stall_while_the_market_is_open(self, bench: Bench) -> None:
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: len(bench.server.clients) == 2)

    def test_silence_before_the_opening_is_no_stall_after_it(self, bench: Bench) -> None:
        before = 0.6 * QUICK.stall_after
        opens, opens_at = time.monotonic() + before, time.time() + before
        bench.is_open_at = lambda now: now.timestamp() >= opens_at
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: len(bench.server.clients) == 2)
        assert bench.server.attempts[1] >= opens + QUICK.stall_after

    def test_no_stall_while_the_market_is_closed(self, bench: Bench) -> None:
        bench.is_open = False
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        time.sleep(1.5)
        assert len(bench.server.clients) == 1

    def test_a_refused_token_is_not_tried_again_until_there_is_another(self, bench: Bench) -> None:
        bench.server.upgrade_status = 401
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: bench.feed.status().state is FeedState.NO_SESSION)
        time.sleep(0.3)
        assert len(bench.server.attempts) == 1
        bench.server.upgrade_status, bench.token = 101, "a-newer-token"
        until(lambda: bench.feed.is_connected)
        until(lambda: asked(bench.server.clients[-1]) == {"1594": LTP})

    def test_without_a_session_it_waits_for_one(self, bench: Bench) -> None:
        bench.token = ""
        bench.feed.start()
        until(lambda: bench.feed.status().state is FeedState.NO_SESSION)
        assert not bench.server.attempts
        bench.token = TOKEN
        until(lambda: bench.feed.is_connected)

    def test_one_that_is_taken_and_ended_at_once_is_not_made_without_a_pause(
        self, bench: Bench
    ) -> None:
        bench.server.script = lambda _client: bench.server.drop()
        bench.feed._timing = QUICK._replace(first_wait=0.1, longest_wait=10)
        bench.feed.start()
        until(lambda: len(bench.server.attempts) == 5)
        gaps = [b - a for a, b in pairwise(bench.server.attempts)]
        assert gaps[3] > 2 * gaps[1] > 2 * gaps[0] / 2 > 0.04

    def test_what_cannot_be_read_is_counted_and_the_rest_read(self, bench: Bench) -> None:
        bench.feed.start()
        until(lambda: bench.feed.is_connected)
        for message in (b"senseless", ltp("1594")):
            bench.server.clients[0].send(message)
        until(lambda: bench.ticks)
        assert bench.feed.status().dropped == 1

    def test_the_pause_is_never_longer_than_its_limit(self, bench: Bench) -> None:
        bench.server.upgrade_status = 502
        bench.feed._timing = QUICK._replace(first_wait=0.05, longest_wait=0.1)
        bench.feed._jitter = lambda: 1.0
        bench.feed.start()
        until(lambda: len(bench.server.attempts) == 10)
        assert FeedTiming().longest_wait <= 30

    def test_two_feeds_do_not_come_back_in_step(self, bench: Bench) -> None:
        bench.server.upgrade_status = 502
        bench.feed._timing = QUICK._replace(first_wait=1.0, longest_wait=1.0)
        bench.feed._jitter = lambda: 0.0
        bench.feed.start()
        until(lambda: len(bench.server.attempts) == 2)
        first, second = bench.server.attempts
        assert 0.4 < second - first < 0.9

    def test_a_slow_listener_is_no_silence(self, bench: Bench) -> None:
        heard: list[Tick] = []

        def slow(tick: Tick) -> None:
            time.sleep(2 * QUICK.dead_after / 20)
            heard.append(tick)

        bench.feed._listener = FeedListener(slow)
        bench.server.script = lambda client: [client.send(ltp("1594")) for _ in range(20)] and None
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: len(heard) == 20)
        time.sleep(QUICK.stall_after / 2)
        assert bench.feed.is_connected
        assert len(bench.server.attempts) == 1

    def test_threads_and_sockets_stay_the_same_over_a_thousand_reconnects(
        self, bench: Bench
    ) -> None:
        bench.server.script = end
        bench.feed._timing = QUICK._replace(first_wait=0.0005, settled_after=0)
        bench.feed.start()

        def held() -> tuple[int, int]:
            """Threads of the feed, and this process's sockets but the server's."""
            threads = sum(each.name == "mstock-feed" for each in threading.enumerate())
            return threads, len(os.listdir("/proc/self/fd"))

        def reconnects(count: int) -> None:
            until(lambda: bench.feed.status().connections >= count, 90)
            bench.server.clients.clear()

        reconnects(10)
        before = held()
        for count in range(100, 1001, 100):
            reconnects(count)
        threads, sockets = held()
        assert threads == before[0] == 1
        assert sockets < before[1] + 10  # the server's own come and go


class TestStopping:
    def test_is_prompt_and_a_start_goes_on(self, bench: Bench) -> None:
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: bench.feed.status().sent == 1)
        began = time.monotonic()
        bench.feed.stop()
        assert time.monotonic() - began < 0.2
        assert bench.feed.status().state is FeedState.STOPPED
        bench.feed.start()
        until(lambda: len(bench.server.clients) == 2)
        until(lambda: asked(bench.server.clients[1]) == {"1594": LTP})

    def test_a_dying_thread_touches_nothing(self, bench: Bench) -> None:
        bench.feed.start()
        until(lambda: bench.feed.is_connected)
        for _ in range(20):
            bench.feed.stop()
            bench.feed.start()
        until(lambda: bench.feed.is_connected)
        bench.feed.subscribe({INFY: LTP})
        until(lambda: bench.feed.status().sent == 1)
        until(lambda: sum(each.name == "mstock-feed" for each in threading.enumerate()) == 1, 10)

    @pytest.mark.parametrize("has_session", [True, False])
    def test_one_that_was_reading_its_session_does_not_touch_the_next(
        self, bench: Bench, has_session: bool
    ) -> None:
        may_go_on, is_over = threading.Event(), threading.Event()
        first = [True]

        def login() -> FeedLogin:
            if first.pop() if first else False:
                may_go_on.wait(5)
                is_over.set()
                if not has_session:
                    raise LogInAgain("There was no session.")
            return bench._login()

        bench.feed._login = login
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: not first)
        bench.feed.stop()
        bench.feed.start()
        until(lambda: bench.feed.status().sent == 1)
        may_go_on.set()
        until(lambda: sum(each.name == "mstock-feed" for each in threading.enumerate()) == 1)
        assert is_over.is_set()
        assert bench.feed.status()[:4] == (FeedState.CONNECTED, "", 1, 1)
        assert [bool(client.texts) for client in bench.server.clients] in ([True], [True, False])

    def test_one_that_was_telling_a_tick_does_not_forget_what_the_next_has_asked_for(
        self, bench: Bench
    ) -> None:
        is_telling, may_go_on = threading.Event(), threading.Event()

        def slow(_tick: Tick) -> None:
            is_telling.set()
            may_go_on.wait(5)

        bench.feed._listener = FeedListener(slow)
        bench.feed.subscribe({INFY: LTP})
        bench.feed.start()
        until(lambda: bench.feed.status().sent == 1)
        bench.server.clients[0].send(ltp("1594"))
        assert is_telling.wait(5)
        bench.feed.stop()
        bench.feed.start()
        until(lambda: bench.feed.status().sent == 1)
        may_go_on.set()
        until(lambda: sum(each.name == "mstock-feed" for each in threading.enumerate()) == 1)
        assert bench.feed.status()[:4] == (FeedState.CONNECTED, "", 1, 1)


def test_no_token_is_in_any_log_or_reason(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    websocket.enableTrace(True, logging.NullHandler())
    try:
        with caplog.at_level(logging.DEBUG):
            bench.feed.start()
            until(lambda: bench.feed.is_connected)
            bench.server.upgrade_status = 401
            bench.server.drop()
            until(lambda: bench.feed.status().state is FeedState.NO_SESSION)
    finally:
        websocket.enableTrace(False)
    seen = caplog.text + repr(bench.feed.status()) + repr(bench.feed)
    assert "request header" in seen  # the library did trace
    assert TOKEN not in seen
    assert "key/with" not in seen
    assert "key%2Fwith" not in seen
