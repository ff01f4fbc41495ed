"""The WebSocket of both types: upgrade, LOGIN, requests, keeping alive and ending."""

from __future__ import annotations

import socket
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
import websocket

from tests.simulator.conftest import TRADING
from tests.support.stream_client import Closed, StreamClient, new_token, verdicts, wait_for


@pytest.fixture
def sim(trading):
    """In trading hours, and prices stand still until a test moves them."""
    return trading


def refused_with(sim, api, **options) -> int:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        StreamClient(sim, api, **options)
    return caught.value.status_code


class TestUpgrade:
    def test_a_live_token_with_its_key_is_let_in(self, client):
        (connection,) = client.sim.stream.connections
        assert (connection.api, connection.logged_in) == (client.api, True)
        assert client.sim.ws_url.startswith("ws://127.0.0.1:")
        assert client.sim.ws_url != client.sim.rest_url.replace("http", "ws")

    def test_the_token_stands_in_no_shown_part_of_the_journal(self, client):
        for entry in client.sim.journal:
            shown = repr((entry, entry.masked_headers, entry.masked_body))
            assert client.token not in shown

    @pytest.mark.parametrize("order", ["key first", "token first"])
    def test_the_order_of_the_query_is_free(self, sim, api, order):
        pairs = [f"API_KEY={quote(sim.demo.api_key(api))}", f"ACCESS_TOKEN={new_token(sim, api)}"]
        query = "&".join(pairs if order == "key first" else pairs[::-1])
        websocket.create_connection(f"{sim.ws_url}?{query}", timeout=5).close()
        assert verdicts(sim)[0] == "upgraded"

    def test_no_token_an_unknown_one_and_a_dead_one_are_401(self, sim, api):
        assert refused_with(sim, api, token="") == 401
        assert refused_with(sim, api, token="unknown") == 401
        token = new_token(sim, api)
        sim.world.end_sessions()
        assert refused_with(sim, api, token=token) == 401
        assert verdicts(sim) == ["refused: token missing or dead"] * 3

    def test_after_midnight_the_token_is_dead(self, sim, api):
        token = new_token(sim, api)
        sim.clock.set(TRADING.replace(hour=23, minute=59, second=59), frozen=True)
        StreamClient(sim, api, token=token).close()
        sim.clock.advance(timedelta(seconds=2))
        assert refused_with(sim, api, token=token) == 401

    def test_the_key_must_be_the_tokens(self, sim, api):
        other = "a" if api == "b" else "b"
        for key in ("", "unknown", sim.demo.api_key(other), sim.accounts["MA0000002"].api_key(api)):
            assert refused_with(sim, api, key=key) == 401

    def test_an_expired_key_and_a_refused_address_are_no(self, sim, api):
        token = new_token(sim, api)
        sim.demo.key_expired = True
        assert refused_with(sim, api, token=token) == 401
        sim.demo.key_expired, sim.demo.ip_refused = False, True
        assert refused_with(sim, api, token=token) == 403

    def test_the_short_token_of_a_login_with_totp_is_let_in(self, sim):
        sim.demo.totp_enabled = True
        account = sim.demo
        code = sim.totp_now(account.client_code)
        pending = sim.world.login("b", account.client_code, account.password, code)
        assert len(pending.ticket) == 203
        StreamClient(sim, "b", token=pending.ticket).close()

    @pytest.mark.parametrize("profile", ["strict", "tolerant"])
    def test_a_plus_that_is_not_encoded_is_read_by_the_tolerant_profile_only(self, box, profile):
        sim = box(profile=profile)
        assert "+" in sim.demo.api_key_b
        url = f"{sim.ws_url}?ACCESS_TOKEN={new_token(sim, 'b')}&API_KEY={sim.demo.api_key_b}"
        if profile == "strict":
            with pytest.raises(websocket.WebSocketBadStatusException):
                websocket.create_connection(url, timeout=5)
        else:
            websocket.create_connection(url, timeout=5).close()

    @pytest.mark.parametrize(
        ("request_line", "headers", "status"),
        [
            ("GET /ticks HTTP/1.1", {}, 404),
            ("POST / HTTP/1.1", {}, 400),
            ("GET / HTTP/1.1", {"Upgrade": "h2c"}, 426),
            ("GET / HTTP/1.1", {"Connection": "close"}, 426),
            ("GET / HTTP/1.1", {"Sec-WebSocket-Version": "8"}, 426),
            ("GET / HTTP/1.1", {"Sec-WebSocket-Key": ""}, 400),
            ("GET / HTTP/1.1", {"Host": "evil.example"}, 403),
            ("nonsense", {}, 400),
        ],
    )
    def test_what_opens_no_websocket(self, sim, request_line, headers, status):
        usual = {
            "Host": "127.0.0.1",
            "Upgrade": "websocket",
            "Connection": "keep-alive, Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "c2ltdWxhdG9yIGtleSAxMg==",
        }
        lines = [request_line, *(f"{n}: {v}" for n, v in (usual | headers).items()), "", ""]
        with socket.create_connection(("127.0.0.1", sim.stream.port), timeout=5) as raw:
            raw.sendall("\r\n".join(lines).encode())
            assert raw.makefile("rb").readline().split()[1] == str(status).encode()


class TestLogin:
    def test_without_it_the_connection_is_dropped(self, sim, api):
        sim.stream.settings.login_seconds = 0.2
        client = StreamClient(sim, api, login=False)
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            client.next()
        assert verdicts(sim) == ["upgraded", "dropped: no LOGIN in time"]

    def test_ten_seconds_are_given(self, sim):
        assert sim.stream.settings.login_seconds == 10

    def test_another_token_is_an_error_and_the_end(self, sim, api):
        client = StreamClient(sim, api, login=False)
        client.send("LOGIN:another")
        assert client.text() == {"type": "error", "data": "Invalid access token"}
        with pytest.raises(Closed):
            client.next()

    @pytest.mark.parametrize("profile", ["strict", "tolerant"])
    def test_a_space_after_the_colon_is_for_the_tolerant_profile(self, box, profile, api):
        client = StreamClient(box(profile=profile), api, login=False)
        client.send(f"LOGIN: {client.token}")
        assert client.text()["type"] == ("error" if profile == "strict" else "login")

    def test_no_data_before_it(self, sim, api, infy):
        client = StreamClient(sim, api, login=False)
        client.subscribe(infy)
        assert client.text() == {"type": "error", "data": "Send LOGIN first"}
        client.login()
        assert sim.stream.connections[0].subscribed == {}


class TestRequests:
    def tokens(self, client, count):
        return {token: tick["size"] for token, tick in client.ticks_of(count).items()}

    def test_all_forms_of_type_a(self, sim, infy):
        client = StreamClient(sim, "a")
        client.send({"a": "subscribe", "v": [1594, 2885]})
        assert self.tokens(client, 2) == {1594: 44, 2885: 44}
        client.send({"a": "mode", "v": ["full", [1594]]})
        assert self.tokens(client, 1) == {1594: 200}
        client.send({"a": "mode", "v": ["ltp"]})
        assert self.tokens(client, 2) == {1594: 8, 2885: 8}
        client.send({"a": "subscribe", "v": {"full": [22], "quote": [2885]}})
        assert self.tokens(client, 2) == {22: 200, 2885: 44}
        client.send({"a": "mode", "v": ["ltp", [3045]]})
        assert self.tokens(client, 1) == {3045: 8}
        client.send({"a": "h", "v": []})
        client.send({"a": "unsubscribe", "v": [1594]})
        wait_for(lambda: infy not in sim.stream.connections[0].subscribed)
        sim.world.market.set_price(infy, Decimal("1500.00"))
        sim.world.market.set_price(sim.world.market.master.get("NSE", "22"), Decimal("1800.00"))
        assert self.tokens(client, 1) == {22: 200}

    def test_a_bare_number_is_looked_for_on_nse_nfo_bse_and_bfo(self, sim, future):
        client = StreamClient(sim, "a")
        usdinr = next(i for i in sim.world.market.master if (i.exchange, i.kind) == ("CDS", "FUT"))
        client.send({"a": "subscribe", "v": [int(usdinr.token), 500325, int(future.token), 22]})
        assert self.tokens(client, 3) == {500325: 44, int(future.token): 44, 22: 44}
        exchanges = [i.exchange for i in sim.stream.connections[0].subscribed]
        assert sorted(exchanges) == ["BSE", "NFO", "NSE"]

    def test_all_forms_of_type_b(self, sim, infy, future):
        client = StreamClient(sim, "b")
        client.send({
            "correlationID": "any",
            "action": 1,
            "params": {"mode": 3, "tokenList": [
                {"exchangeType": 1, "tokens": ["22", 1594]},
                {"exchangeType": 2, "tokens": [future.token]},
            ]},
        })  # fmt: skip
        assert self.tokens(client, 3) == {22: 379, 1594: 379, int(future.token): 379}
        client.subscribe(infy, mode=1)
        assert self.tokens(client, 1) == {1594: 51}
        # What an end says of the mode is ignored, as is its absence.
        for params in ({"mode": 2}, {}):
            client.send({"action": 0, "params": params | {
                "tokenList": [{"exchangeType": 1, "tokens": ["1594", "22"]}]}})  # fmt: skip
        wait_for(lambda: set(sim.stream.connections[0].subscribed) == {future})
        sim.world.market.set_price(infy, Decimal("1500.00"))
        assert client.is_quiet()

    def test_a_token_on_the_wrong_exchange_gets_no_data_and_no_error(self, sim):
        client = StreamClient(sim, "b")
        client.send({"action": 1, "params": {"mode": 1, "tokenList": [
            {"exchangeType": 3, "tokens": ["1594", "999999"]}]}})  # fmt: skip
        assert client.is_quiet()
        assert verdicts(sim)[-1] == "ok"

    @pytest.mark.parametrize(
        ("api", "message"),
        [
            ("a", "{"),
            ("a", "[]"),
            ("a", {"a": "nonsense", "v": []}),
            ("a", {"a": "mode", "v": ["most", [22]]}),
            ("a", {"a": "subscribe", "v": 22}),
            ("b", {"action": 2, "params": {}}),
            ("b", {"action": 1}),
            ("b", {"action": 1, "params": {"mode": 4, "tokenList": []}}),
            ("b", {"action": 1, "params": {"mode": 1, "tokenList": "22"}}),
            ("b", {"action": 1, "params": {"mode": 1, "tokenList": [22]}}),
            ("b", {"action": 1, "params": {"mode": 1, "tokenList": [{"exchangeType": 1}]}}),
        ],
    )
    def test_what_cannot_be_read_is_an_error_and_the_socket_lives(self, sim, api, message, infy):
        client = StreamClient(sim, api)
        client.send(message)
        assert client.text()["type"] == "error"
        client.subscribe(infy)
        assert client.ticks_of(1).keys() == {1594}

    @pytest.mark.parametrize(
        ("api", "message"),
        [
            ("a", {"a": "subscribe", "v": ["1594"]}),
            ("a", {"a": "subscribe", "v": [1594], "more": 1}),
            ("b", {"action": 1, "more": 1, "params": {"mode": 1, "tokenList": [
                {"exchangeType": 1, "tokens": ["1594"]}]}}),
            ("b", {"action": 1, "params": {"mode": 1, "tokenList": [
                {"exchangeType": 99, "tokens": ["22"]}, {"exchangeType": 1, "tokens": ["1594"]}]}}),
        ],
    )  # fmt: skip
    def test_what_only_the_strict_profile_minds(self, box, api, message):
        for profile in ("strict", "tolerant"):
            sim = box(profile=profile)
            sim.clock.set(TRADING, frozen=True)
            client = StreamClient(sim, api)
            client.send(message)
            if profile == "strict":
                assert client.text()["type"] == "error"
            else:
                assert client.ticks_of(1).keys() == {1594}


class TestKeepAlive:
    def test_pings_are_answered_before_and_after_login(self, sim, api):
        client = StreamClient(sim, api, login=False)
        assert client.answers_pings()
        client.login()
        assert client.answers_pings()

    def test_a_quiet_socket_gets_heartbeats_and_pings(self, sim, api):
        sim.stream.settings.heartbeat_seconds = sim.stream.settings.ping_seconds = 0.2
        client = StreamClient(sim, api)
        seen = {client.socket.recv_data_frame(control_frame=True)[0] for _ in range(6)}
        assert seen == {websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_PING}
        assert len(client.binary()) == 1

    def test_a_client_that_closes_is_answered_and_forgotten(self, client):
        client.socket.send_close(1000)
        with pytest.raises(Closed) as closed:
            client.next()
        assert closed.value.code == 1000
        assert client.sim.stream.connections == []
        assert verdicts(client.sim)[-1] == "closed by the client"

    def test_a_client_that_vanishes_is_forgotten(self, client):
        client.socket.shutdown()
        wait_for(lambda: client.sim.stream.connections == [])
        assert verdicts(client.sim)[-1] == "the client went away"

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            (b"\x81\x02hi", 1002),  # not masked
            (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
            (b"\x83\x80\0\0\0\0", 1002),  # an unknown kind
            (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
            (b"\x09\x80\0\0\0\0", 1002),  # a ping in parts
            (b"\x81\xff\0\0\0\0\1\0\0\0\0\0\0\0", 1009),  # 4 GB
        ],
    )
    def test_frames_against_the_protocol_end_the_connection(self, client, frame, code):
        client.socket.sock.sendall(frame)
        with pytest.raises(Closed) as closed:
            client.next()
        assert closed.value.code == code


class TestEnd:
    def test_a_logout_ends_the_sockets_of_the_token(self, client):
        client.sim.world.end_sessions()
        assert client.text() == {"type": "error", "data": "Access token expired"}
        with pytest.raises(Closed) as closed:
            client.next()
        assert closed.value.code == 1008
        assert refused_with(client.sim, client.api, token=client.token) == 401

    def test_midnight_ends_them_too(self, client):
        client.sim.clock.advance(timedelta(days=1))
        assert client.text()["type"] == "error"

    def test_a_stop_ends_all_and_a_start_begins_anew(self, sim, api):
        client = StreamClient(sim, api)
        sim.stop()
        with pytest.raises((websocket.WebSocketConnectionClosedException, OSError)):
            client.next()
        sim.start()
        assert sim.stream.connections == []
        StreamClient(sim, api, token=client.token).close()
