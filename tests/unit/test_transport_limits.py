"""Where the transport gives up: waits that are asked for, deadlines, sizes, what is no answer."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from email.utils import format_datetime

import pytest

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import (
    OutcomeUnknown,
    Unreachable,
    UnusableReply,
)
from broker._kit.http.routes import Route
from broker._kit.settings import Timeouts
from tests.support.raw_server import (
    Action,
    RawServer,
    dripping,
    reply,
    zipped,
)
from tests.unit.wire import (
    LOGIN,
    OK,
    READ,
    SHORT,
    PausingClock,
    outcome,
    transport,
)


class TestThrottling:
    def test_a_wait_that_fits_is_waited(self) -> None:
        clock = PausingClock()
        with RawServer([reply(429, Retry_After="3"), OK]) as server:
            with transport(server.url, Timeouts(), clock=clock) as wire:
                assert outcome(wire, READ) == 200
        assert 3 < clock.slept[0] < 4  # jitter on top, so that not all come back at once

    def test_a_date_is_understood(self) -> None:
        clock = PausingClock()
        then = format_datetime(clock.now() + timedelta(seconds=4))
        with RawServer([reply(429, Retry_After=then), OK]) as server:
            with transport(server.url, Timeouts(), clock=clock) as wire:
                assert outcome(wire, READ) == 200
        assert 4 < clock.slept[0] < 5

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ({"Retry_After": "60"}, 60),
            ({}, None),
            ({"Retry_After": "soon"}, None),
            ({"Retry_After": "123456"}, 123456),
            ({"Retry_After": "12345678"}, None),
            ({"Retry_After": "Mon, 99999999999999999999 Nov 2026 03:45:00 GMT"}, None),
        ],
    )
    def test_a_wait_that_does_not_fit_is_left_to_the_trader(
        self, header: dict[str, str], seconds: int | None
    ) -> None:
        with RawServer([reply(429, **header)]) as server:
            with transport(server.url, Timeouts()) as wire:
                answer = wire.call(READ, {})
        assert (answer.http_status, answer.retry_after) == (429, seconds)
        assert len(server.requests) == 1


class TestLimits:
    """Each server below would go on for half a minute; the deadline is a fraction of a second."""

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Slow: ",
            b"HTTP/1.1 ",
        ],
        ids=["body", "chunk", "until-close", "header", "status-line"],
    )
    @pytest.mark.parametrize("route", [READ, LOGIN])
    def test_a_dripping_answer_ends_at_the_deadline(self, head: bytes, route: Route) -> None:
        clock = SYSTEM_CLOCK
        started = clock.monotonic()
        with RawServer([dripping(head)]) as server:
            with transport(server.url, clock=clock) as wire:
                assert outcome(wire, route) is (Unreachable if route.repeat else OutcomeUnknown)
            took = clock.monotonic() - started
            assert len(server.requests) == 1
        assert SHORT.deadline - 0.05 <= took < 5

    def test_a_body_of_the_largest_size_is_read(self) -> None:
        with RawServer([zipped(200, b"x" * READ.max_bytes)]) as server:
            with transport(server.url) as wire:
                assert wire.call(READ, {}).body == b"x" * READ.max_bytes

    @pytest.mark.parametrize("make", [reply, zipped])
    def test_a_larger_body_is_refused(self, make) -> None:  # type: ignore[no-untyped-def]
        with RawServer([make(200, b"x" * (READ.max_bytes + 1))]) as server:
            with transport(server.url) as wire:
                assert outcome(wire, READ) is UnusableReply
            assert len(server.requests) == 1

    def test_a_gzip_bomb_is_not_unpacked(self) -> None:
        bomb = zipped(200, bytes(200_000_000))
        with RawServer([bomb]) as server, transport(server.url) as wire:
            tracemalloc.start()
            try:
                assert outcome(wire, READ) is UnusableReply
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 5_000_000

    def test_a_body_that_is_not_what_its_encoding_says(self) -> None:
        with RawServer([reply(200, b"not gzip", Content_Encoding="gzip")]) as server:
            with transport(server.url) as wire:
                assert outcome(wire, READ) is UnusableReply
                assert outcome(wire, LOGIN) is OutcomeUnknown

    @pytest.mark.parametrize(
        "body", [reply(502, b"not gzip", Content_Encoding="gzip"), reply(502, b"x" * 20_000)]
    )
    def test_a_gateways_error_is_one_whatever_its_body(self, body: Action) -> None:
        with RawServer([body, OK]) as server, transport(server.url, Timeouts()) as wire:
            assert outcome(wire, READ) == 200
            assert len(server.requests) == 2

    def test_an_unreadable_refusal_keeps_its_status(self) -> None:
        with RawServer([reply(401, b"not gzip", Content_Encoding="gzip")]) as server:
            with transport(server.url) as wire, pytest.raises(UnusableReply, match="HTTP 401"):
                wire.call(READ, {})

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, code: int) -> None:
        with RawServer([OK]) as elsewhere:
            with RawServer([reply(code, "", Location=elsewhere.url)]) as server:
                with transport(server.url) as wire:
                    assert outcome(wire, LOGIN) == code
                    assert outcome(wire, READ) == code
            assert elsewhere.requests == []

    def test_an_answer_that_is_not_http(self) -> None:
        def nonsense(exchange) -> None:  # type: ignore[no-untyped-def]
            exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            exchange.keep = False

        with RawServer([nonsense]) as server, transport(server.url) as wire:
            assert outcome(wire, READ) is Unreachable
            assert outcome(wire, LOGIN) is OutcomeUnknown
