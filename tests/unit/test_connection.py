"""The process's connections: how few a day needs, and which call goes over which."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import trustme

from broker._kit.errors import OutcomeUnknown
from broker._kit.http.connections import RECENT_S
from broker._kit.http.routes import Route, Server
from broker._kit.http.transport import Transport
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts
from broker.mstock.client import login
from broker.mstock.client.dialects import client_for
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.support.mstock_server import MstockServer
from tests.support.raw_server import Exchange, RawServer, reply, reset
from tests.unit.doors import FUNDS, LOGIN, LOGOUT, OTP, PASSWORD, TOKEN, TOTP, Box

READ = Route("funds", "GET", "/funds", repeat=True)
ONCE = Route("order", "POST", "/orders")
SECOND = Route("second step", "POST", "/second", follows=True)
OK = reply(200, "{}")


class TestOneDay:
    """Login, funds and logout over real TLS."""

    @pytest.fixture
    def box(self, tmp_path: Path, kind: str) -> Iterator[Box]:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        with MstockServer(context) as server:
            yield Box(server, kind)

    @pytest.fixture
    def config(self, box: Box, kind: str, tmp_path: Path) -> Config:
        return Config(
            *("MA12345", Secret("key"), kind),
            rest_url=box.server.url,
            ca_bundle=str(tmp_path / "ca.pem"),
        )

    def connections(self, box: Box) -> list[int]:
        return [exchange.connection for exchange in box.server.exchanges]

    def test_by_otp_opens_one_connection(self, box: Box, config: Config) -> None:
        challenge = login.send_otp(config, Secret(PASSWORD))
        token = login.verify_otp(config, Secret("012345"), challenge.ticket)
        client_for(config).fund_summary(token)
        assert login.logout(config, token).confirmed
        assert box.calls == [LOGIN, OTP, FUNDS, LOGOUT]
        assert self.connections(box) == [1, 1, 1, 1]

    def test_by_totp_opens_one_connection(self, box: Box, config: Config) -> None:
        token = login.login_with_totp(config, Secret(PASSWORD), Secret("012345"))
        client_for(config).fund_summary(token)
        assert login.logout(config, token).confirmed
        assert box.calls == [LOGIN, TOTP, FUNDS, LOGOUT]
        assert self.connections(box) == [1, 1, 1, 1]

    def test_a_read_meanwhile_does_not_cost_the_login_its_connection(
        self, box: Box, config: Config
    ) -> None:
        challenge = login.send_otp(config, Secret(PASSWORD))
        client_for(config).fund_summary(Secret(TOKEN))
        login.verify_otp(config, Secret("012345"), challenge.ticket)
        assert box.calls == [LOGIN, FUNDS, OTP]
        assert self.connections(box) == [1, 1, 1]


def wire(server: RawServer, clock: FakeClock) -> Transport:
    return Transport(Server("Acme", {}), server.url, Timeouts(), clock=clock)


def answer_and_close(exchange: Exchange) -> None:
    OK(exchange)
    exchange.sock.close()
    exchange.keep = False


class TestWhichConnection:
    def test_is_a_recent_one_for_what_must_not_be_repeated(self) -> None:
        clock = FakeClock()
        with RawServer([OK]) as server:
            for pause in (0.0, RECENT_S, RECENT_S + 1):
                clock.advance(pause)
                wire(server, clock).call(ONCE, {}, json={})
            assert [exchange.connection for exchange in server.exchanges] == [1, 1, 2]

    def test_is_any_that_is_open_for_a_read(self) -> None:
        clock = FakeClock()
        with RawServer([OK]) as server:
            for pause in (0.0, 60.0):
                clock.advance(pause)
                wire(server, clock).call(READ, {})
            assert [exchange.connection for exchange in server.exchanges] == [1, 1]

    def test_is_never_one_that_the_other_side_has_closed(self) -> None:
        clock = FakeClock()
        with RawServer([reply(200, "{}", Connection="close"), answer_and_close, OK]) as server:
            for _ in range(3):
                assert wire(server, clock).call(ONCE, {}, json={}).http_status == 200
                server.wait_for_closing()
            assert [exchange.connection for exchange in server.exchanges] == [1, 2, 3]

    def test_is_for_a_second_step_that_of_the_first_however_long_ago(self) -> None:
        clock = FakeClock()
        with RawServer([OK]) as server:
            login_wire = wire(server, clock)
            login_wire.call(ONCE, {}, json={})
            clock.advance(30)
            wire(server, clock).call(ONCE, {}, json={})  # another account's takes no old one
            login_wire.call(SECOND, {}, json={})
            assert [exchange.connection for exchange in server.exchanges] == [1, 2, 1]

    def test_is_the_first_steps_though_another_was_used_since(self) -> None:
        clock = FakeClock()
        with RawServer([OK]) as server, ThreadPoolExecutor(2) as threads:
            login_wire, other = wire(server, clock), wire(server, clock)
            login_wire.call(ONCE, {}, json={})
            clock.advance(30)
            both = Barrier(2)
            server.actions = [lambda exchange: (both.wait(5), OK(exchange))[1]]
            list(threads.map(lambda _: other.call(READ, {}), range(2)))
            server.actions = [OK]
            for _ in range(2):
                login_wire.call(SECOND, {}, json={})
            assert [exchange.connection for exchange in server.exchanges[-2:]] == [1, 1]

    def test_that_breaks_under_what_must_not_be_repeated_is_not_tried_again(self) -> None:
        clock = FakeClock()
        with RawServer([OK, reset]) as server:
            wire(server, clock).call(ONCE, {}, json={})
            with pytest.raises(OutcomeUnknown):
                wire(server, clock).call(ONCE, {}, json={})
            assert len(server.requests) == 2
