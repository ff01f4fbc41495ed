"""The WebSocket's faults, slow readers, sockets that evict each other, and bursts."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from decimal import Decimal

import pytest
import requests
import websocket

from broker_simulator.mstock.stream import KINDS
from tests.simulator.conftest import TRADING
from tests.support.stream_client import Closed, StreamClient, new_token, verdicts, wait_for

GONE = (websocket.WebSocketConnectionClosedException, ConnectionError)


@pytest.fixture
def sim(trading):
    """In trading hours, and prices stand still until a test moves them."""
    return trading


@pytest.fixture
def ticking(client, infy):
    """Subscribed to one share, and its first tick read."""
    client.subscribe(infy)
    client.ticks()
    return client


@pytest.fixture
def move(sim, infy):
    """Move the share's price by so many paise above 1,500 rupees."""

    def set_price(paise: int) -> Decimal:
        price = Decimal(150_000 + paise) / 100
        sim.world.market.set_price(infy, price)
        return price

    return set_price


class TestUpgrade:
    @pytest.mark.parametrize(
        ("fault", "status"),
        [("bad_gateway", 502), ("service_unavailable", 503), ("unauthorized", 401)],
    )
    def test_refused_so_often_and_then_let_in(self, sim, api, fault, status):
        token = new_token(sim, api)
        sim.stream.faults.set(fault, times=2)
        for _ in range(2):
            with pytest.raises(websocket.WebSocketBadStatusException) as caught:
                StreamClient(sim, api, token=token)
            assert caught.value.status_code == status
        StreamClient(sim, api, token=token)
        assert verdicts(sim)[:3] == [f"fault {fault}"] * 2 + ["upgraded"]
        assert sim.stream.faults.active == []

    def test_a_bad_gateway_is_the_gateways_page(self, sim, api):
        sim.stream.faults.set("bad_gateway")
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            StreamClient(sim, api)
        assert b"502 Bad Gateway" in caught.value.resp_body

    def test_no_answer(self, sim, api):
        sim.stream.faults.set("upgrade_silent", times=1)
        with pytest.raises(websocket.WebSocketTimeoutException):
            StreamClient(sim, api, timeout=0.3)
        StreamClient(sim, api)


class TestLogin:
    def test_refused(self, sim, api):
        sim.stream.faults.set("login_refused", times=1)
        client = StreamClient(sim, api, login=False)
        client.send(f"LOGIN:{client.token}")
        assert client.text()["type"] == "error"
        with pytest.raises(Closed):
            client.next()
        StreamClient(sim, api, token=client.token)

    def test_no_answer(self, sim, api):
        sim.stream.faults.set("login_silent", times=1)
        client = StreamClient(sim, api, login=False)
        client.send(f"LOGIN:{client.token}")
        assert client.is_quiet()
        assert client.answers_pings()


class TestStalls:
    def test_a_silent_stall_answers_pings_and_tells_nothing(self, ticking, move):
        ticking.sim.stream.settings.heartbeat_seconds = 0.1
        ticking.sim.stream.faults.set("stall", times=1)
        time.sleep(0.2)
        while not ticking.is_quiet(0.2):
            pass
        move(5)
        assert ticking.is_quiet()
        assert ticking.answers_pings()
        # The next connection is whole.
        fresh = StreamClient(ticking.sim, ticking.api, token=ticking.token)
        assert len(fresh.binary()) == 1
        ticking.sim.stream.faults.clear()
        price = move(10)
        assert ticking.ticks()[0]["ltp"] == price

    def test_a_half_open_socket_does_not_even_answer_pings(self, ticking, move, infy):
        ticking.sim.stream.faults.set("half_open", times=1)
        move(5)
        assert not ticking.answers_pings(0.5)
        ticking.subscribe(infy, mode=1)
        assert ticking.is_quiet()
        assert len(ticking.sim.stream.connections) == 1
        ticking.sim.stream.faults.clear("half_open")
        assert ticking.answers_pings()
        price = move(10)
        assert ticking.ticks()[0]["ltp"] == price

    def test_a_half_open_socket_does_not_hear_that_the_token_died(self, ticking):
        ticking.sim.stream.faults.set("half_open")
        ticking.sim.world.end_sessions()
        assert ticking.is_quiet()
        ticking.sim.stream.faults.clear()
        assert ticking.text()["type"] == "error"

    def test_without_a_number_it_holds_all_until_it_is_cleared(self, sim, api, infy):
        sim.stream.faults.set("stall")
        token = new_token(sim, api)
        clients = [StreamClient(sim, api, token=token) for _ in range(2)]
        for client in clients:
            client.subscribe(infy)
            assert client.is_quiet()


class TestEnds:
    def test_in_the_middle_of_a_frame(self, ticking):
        ticking.sim.stream.faults.set("cut_frame", times=1)
        raw = ticking.socket.sock
        data = b"".join(iter(lambda: raw.recv(4096), b""))
        assert data[:4] == bytes.fromhex("827e017b")
        assert 4 < len(data) < 4 + 379
        assert ticking.sim.stream.connections == []

    @pytest.mark.parametrize("fault", ["disconnect", "reset"])
    def test_without_a_close_frame(self, ticking, fault):
        ticking.sim.stream.faults.set(fault, times=1)
        expected = ConnectionResetError if fault == "reset" else GONE
        with pytest.raises(expected):
            ticking.next()
        assert verdicts(ticking.sim)[-1] == f"fault {fault}"
        assert ticking.sim.stream.faults.active == []
        StreamClient(ticking.sim, ticking.api, token=ticking.token)

    def test_the_token_expires_while_connected(self, ticking):
        ticking.sim.stream.faults.set("token_expired", times=1)
        assert ticking.text() == {"type": "error", "data": "Access token expired"}
        with pytest.raises(Closed) as closed:
            ticking.next()
        assert closed.value.code == 1008
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            StreamClient(ticking.sim, ticking.api, token=ticking.token)
        assert caught.value.status_code == 401
        StreamClient(ticking.sim, ticking.api)

    def test_set_beforehand_it_takes_the_next_that_logs_in(self, sim, api):
        sim.stream.faults.set("disconnect", times=1)
        client = StreamClient(sim, api, login=False)
        assert client.answers_pings()
        client.send(f"LOGIN:{client.token}")
        with pytest.raises(GONE):
            client.read_to_the_end()


class TestData:
    def test_repeated(self, ticking, move):
        ticking.sim.stream.faults.set("repeat")
        prices = [price for n in (5, 10) for price in [move(n)] * 2]
        assert [ticking.ticks()[0]["ltp"] for _ in prices] == prices

    def test_reordered(self, ticking, move):
        ticking.sim.stream.faults.set("reorder")
        prices = [move(n) for n in (5, 10, 15, 20)]
        told = [ticking.ticks()[0]["ltp"] for _ in prices]
        assert told == [prices[1], prices[0], prices[3], prices[2]]

    def test_senseless(self, ticking, move):
        ticking.sim.stream.faults.set("senseless")
        price = move(5)
        assert ticking.binary() == b"\xff" * 67
        assert ticking.ticks()[0]["ltp"] == price


class TestEviction:
    @pytest.mark.parametrize("allowed", [1, 2])
    def test_one_socket_too_many_ends_the_oldest(self, sim, api, allowed):
        sim.stream.settings.sockets_per_token = allowed
        token = new_token(sim, api)
        clients = [StreamClient(sim, api, token=token) for _ in range(allowed + 1)]
        with pytest.raises(Closed) as closed:
            clients[0].next()
        assert closed.value.code == 1008
        assert all(client.answers_pings() for client in clients[1:])
        assert verdicts(sim).count("closed: evicted by a newer socket") == 1

    def test_another_token_is_another_matter(self, sim):
        sim.stream.settings.sockets_per_token = 1
        clients = [StreamClient(sim, api) for api in ("a", "b")]
        assert all(client.answers_pings() for client in clients)


class TestSlowReaders:
    def test_one_that_falls_too_far_behind_is_dropped_and_nobody_waits(self, sim, api):
        sim.stream.settings.queue_bytes = 20_000
        token = new_token(sim, api)
        small = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
        slow = StreamClient(sim, api, token=token, sockopt=small)
        quick = StreamClient(sim, api, token=token)
        # Each subscription sends what is known, so the same one again and again is data enough.
        shares = [i for i in sim.world.market.master if i.kind == "EQ"]
        with contextlib.suppress(OSError):  # it may be dropped before it has asked for all
            for _ in range(100):
                slow.subscribe(*shares)
        wait_for(lambda: "dropped: slow reader" in verdicts(sim), 20)
        assert [c.port for c in sim.stream.connections] == [quick.socket.sock.getsockname()[1]]
        quick.subscribe(shares[0])
        assert quick.ticks()
        with pytest.raises(GONE):
            slow.read_to_the_end()


class TestBursts:
    def test_as_fast_as_the_socket_takes_it(self, sim, api, infy, future):
        client = StreamClient(sim, api)
        client.subscribe(infy, future)
        client.ticks_of(2)
        (burst,) = sim.stream.burst(5000)
        told = [client.ticks()[0] for _ in range(5000)]
        assert burst.wait(5)
        assert (burst.sent, burst.finished) == (5000, True)
        ltp = sim.world.market.ltp(infy)
        assert {t["ltp"] for t in told if str(t["token"]) == infy.token} == {
            ltp,
            ltp + infy.tick_size,
        }
        assert [str(tick["token"]) for tick in told] == [infy.token, future.token] * 2500
        assert client.is_quiet()
        assert "dropped: slow reader" not in verdicts(sim)

    def test_at_a_stated_rate(self, ticking):
        (burst,) = ticking.sim.stream.burst(200, rate=400)
        for _ in range(200):
            ticking.ticks()
        assert burst.wait(5)
        assert 0.4 < burst.seconds < 2

    def test_a_reader_that_does_not_read_only_makes_it_wait(self, ticking):
        ticking.sim.stream.settings.queue_bytes = 1000
        (burst,) = ticking.sim.stream.burst(100_000)
        assert not burst.wait(0.5)
        assert ticking.sim.stream.connections[0].waiting_bytes
        ticking.socket.shutdown()
        wait_for(lambda: burst.finished)
        assert not burst.wait(0)

    def test_ten_thousand_instruments(self, box):
        sim = box(instruments=12_000)
        sim.clock.set(TRADING, frozen=True)
        client = StreamClient(sim, "b")
        served = ("NSE", "NFO", "BSE", "BFO")
        master = sim.world.market.master
        instruments = [i for i in master if i.exchange in served][:10_000]
        client.subscribe(*instruments, mode=1)
        wait_for(lambda: len(sim.stream.connections[0].subscribed) == 10_000)
        first = [client.ticks()[0]["token"] for _ in instruments]
        assert sorted(map(int, first)) == sorted(int(i.token) for i in instruments)
        (burst,) = sim.stream.burst(20_000)
        told = [client.ticks()[0]["token"] for _ in range(20_000)]
        assert burst.wait(5)
        assert told[:10_000] == told[10_000:]
        assert sorted(told[:10_000]) == sorted(i.token for i in instruments)

    def test_nothing_subscribed_nothing_sent(self, client):
        assert client.sim.stream.burst(10) == []


class TestBoard:
    @pytest.mark.parametrize(("name", "times"), [("nonsense", None), ("stall", 0)])
    def test_what_is_unknown_is_refused(self, sim, name, times):
        with pytest.raises(ValueError, match=r"unknown fault|times"):
            sim.stream.faults.set(name, times)

    @pytest.mark.parametrize("name", KINDS)
    def test_every_fault_leaves_a_stream_that_works_when_cleared(self, sim, api, name, infy):
        sim.stream.faults.set(name)
        try:
            client = StreamClient(sim, api, login=False, timeout=0.3)
            client.send(f"LOGIN:{client.token}")
            client.subscribe(infy)
            client.text()
        except (websocket.WebSocketException, Closed, OSError):
            pass
        sim.stream.faults.clear()
        client = StreamClient(sim, api)
        client.subscribe(infy)
        assert client.ticks()


class TestControlPage:
    @pytest.fixture
    def press(self, sim):
        page = requests.get(sim.rest_url, timeout=5).text
        token = re.search(r'name="token" value="([^"]+)"', page).group(1)

        def send(**fields: str) -> int:
            return requests.post(
                f"{sim.rest_url}/control/stream",
                data={"token": token, **fields},
                headers={"Origin": sim.rest_url},
                allow_redirects=False,
                timeout=5,
            ).status_code

        return send

    def page(self, sim) -> str:
        return requests.get(sim.rest_url, timeout=5).text

    def test_it_shows_address_connections_and_faults(self, ticking, press):
        sim = ticking.sim
        assert press(kind="half_open", times="1") == 303
        wait_for(lambda: "for those that have it" in self.page(sim))
        page = self.page(sim)
        assert sim.ws_url in page
        assert "logged in" in page
        assert ticking.token not in page
        assert press(kind="half_open", action="clear") == 303
        assert sim.stream.faults.active == []

    def test_settings(self, sim, press):
        assert press(action="settings", sockets="1", packets="5", headed="on") == 303
        settings = sim.stream.settings
        assert (settings.sockets_per_token, settings.packets_per_frame) == (1, 5)
        assert settings.headed

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "nonsense"},
            {"kind": "stall", "times": "0"},
            {"action": "settings", "sockets": "0", "packets": "1"},
            {"action": "settings", "sockets": "many", "packets": "1"},
        ],
    )
    def test_nonsense_is_refused(self, sim, press, fields):
        assert press(**fields) == 400
        assert sim.stream.faults.active == []
