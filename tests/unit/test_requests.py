"""Requests of every kind a broker's API has: addresses, bodies, downloads, and rate limits."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import (
    CorrectInput,
    OutcomeUnknown,
    RateLimited,
    StoreError,
    Unreachable,
    UnusableReply,
)
from broker._kit.http.rate_limits import Rate, RateLimiter
from broker._kit.http.routes import Route, Server
from broker._kit.http.transport import Transport, read_json, write_json
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts
from broker.mstock.client.routes import RATE_LIMITS
from tests.support.clock import FakeClock
from tests.support.raw_server import Action, RawServer, dripping, reply, reset, truncated, zipped

SERVER = Server("Acme", {"X-Acme-Version": "1"})
ORDER = Route("cancel order", "DELETE", "/orders/{variety}/{order_id}")
QUOTE = Route("quote", "GET", "/quote", repeat=True)
MASTER = Route("master", "GET", "/master", repeat=True, max_bytes=100_000_000, seconds=30)
OK = reply(200, "{}")
LIMITS = {"data": (Rate(2, 1), Rate(4, 60)), "orders": (Rate(1, 1),)}


def transport(server: RawServer, **options: Any) -> Transport:
    options.setdefault("timeouts", Timeouts())
    return Transport(SERVER, server.url, jitter=lambda: 0.5, **options)


def sent(route: Route, **what: Any) -> tuple[str, str, bytes]:
    """Method and address, Content-Type and body as they went out."""
    with RawServer([OK]) as server:
        transport(server).call(route, {}, **what)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return lines[0].removesuffix(" HTTP/1.1"), headers.get("content-type", ""), body


class TestAddress:
    def test_parameters_and_query_are_percent_encoded(self) -> None:
        path = {"variety": "regular", "order_id": "a/b?c#d é%"}
        query = {"i": ["NSE:M&M", "NSE:TATA MOTORS"], "from": "2026-11-23 09:15:00+05"}
        assert sent(ORDER, path=path, query=query)[0] == (
            "DELETE /orders/regular/a%2Fb%3Fc%23d%20%C3%A9%25"
            "?i=NSE%3AM%26M&i=NSE%3ATATA%20MOTORS&from=2026-11-23%2009%3A15%3A00%2B05"
        )

    @pytest.mark.parametrize("value", ["", " ", ".", ".."])
    def test_a_parameter_that_would_name_another_place_is_not_sent(self, value: str) -> None:
        with RawServer([OK]) as server:
            with pytest.raises(CorrectInput, match="order_id"):
                transport(server).call(ORDER, {}, path={"variety": "regular", "order_id": value})
            assert server.requests == []


class TestBody:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    def test_any_json_goes_with_any_method_and_keeps_its_figures(self, method: str) -> None:
        body = {
            "legs": [{"price": Decimal("0.10"), "quantity": 75, "is_amo": False, "tag": None}],
            "amount": Decimal("299972678840.29"),
            "tiny": Decimal("1E-8"),
            "word": 'ü"\\\u2028',
        }
        line, content_type, out = sent(Route("x", method, "/x"), json=body)
        assert (line, content_type) == (f"{method} /x", "application/json")
        assert json.loads(out, parse_float=Decimal) == body
        assert b"0.10" in out
        assert b"0.00000001" in out

    @pytest.mark.parametrize("body", [[], {}, [{"symbol": "INFY"}], 0])
    def test_a_list_or_an_empty_body_is_one(self, body: Any) -> None:
        assert json.loads(sent(Route("x", "POST", "/x"), json=body)[2]) == body

    def test_a_form_is_encoded(self) -> None:
        form = {"user": "a&b", "password": Secret("p=w ö")}
        line, content_type, out = sent(Route("x", "PUT", "/x"), form=form)
        assert (line, content_type) == ("PUT /x", "application/x-www-form-urlencoded")
        assert out == b"user=a%26b&password=p%3Dw+%C3%B6"

    @pytest.mark.parametrize("figure", [0.1, Decimal("NaN"), Decimal("Infinity"), float("inf")])
    def test_a_figure_that_is_not_exact_is_not_sent(self, figure: object) -> None:
        with pytest.raises(ValueError, match="Decimal"):
            write_json({"price": figure})

    def test_what_is_written_is_read_back(self) -> None:
        value = {"a": [1, Decimal("1.50"), "x", None, True], "b": {"c": []}}
        assert read_json(write_json(value).encode()) == value


class TestLostAnswer:
    def test_of_a_call_without_words_of_its_own_says_that_the_outcome_is_unknown(self) -> None:
        with RawServer([reset]) as server, pytest.raises(OutcomeUnknown) as caught:
            transport(server).call(ORDER, {}, path={"variety": "regular", "order_id": "1"})
        assert "cancel order" in caught.value.message
        assert "is unknown" in caught.value.message
        assert "Acme app" in caught.value.next_step

    def test_is_told_in_the_routes_own_words(self) -> None:
        route = Route("order", "POST", "/x", unknown=("It may stand.", "Look in the order book."))
        with RawServer([reset]) as server, pytest.raises(OutcomeUnknown) as caught:
            transport(server).call(route, {}, json={})
        assert str(caught.value).endswith("It may stand. Look in the order book.")


class TestDownload:
    SIZE = 40_000_000

    def download(self, action: Action, **options: Any) -> tuple[int, int, int]:
        """The status, the size of the file, and the most memory that was added on the way."""
        with RawServer([action]) as server, TemporaryFile() as into:
            tracemalloc.start()
            try:
                answer = transport(server, **options).call(MASTER, {}, into=into)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert answer.body == b""
            return answer.http_status, into.seek(0, 2), peak

    @pytest.mark.parametrize("is_zipped", [False, True])
    def test_of_forty_megabytes_is_written_piece_by_piece(self, is_zipped: bool) -> None:
        body = b'{"token":"1594"}' * (self.SIZE // 16)
        raw = gzip.compress(body, 1) if is_zipped else body
        encoding = {"Content_Encoding": "gzip"} if is_zipped else {}
        status, size, peak = self.download(reply(200, raw, **encoding))
        assert (status, size) == (200, self.SIZE)
        assert peak < 2_000_000

    def test_that_breaks_is_begun_again_from_the_start(self) -> None:
        with RawServer([truncated, reply(200, "whole")]) as server, TemporaryFile() as into:
            into.write(b"what was there before")
            transport(server, clock=FakeClock()).call(MASTER, {}, into=into)
            into.seek(0)
            assert into.read() == b"whole"

    @pytest.mark.parametrize("make", [reply, zipped])
    def test_over_the_cap_is_refused(self, make: Any) -> None:
        small = MASTER._replace(max_bytes=100_000)
        with RawServer([make(200, b"x" * 100_001)]) as server, TemporaryFile() as into:
            with pytest.raises(UnusableReply):
                transport(server).call(small, {}, into=into)

    def test_ends_at_its_own_deadline(self) -> None:
        slow = MASTER._replace(seconds=0.4, repeat=True)
        started = SYSTEM_CLOCK.monotonic()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
        with RawServer([dripping(head)]) as server, TemporaryFile() as into:
            with pytest.raises(Unreachable):
                transport(server).call(slow, {}, into=into)
        assert SYSTEM_CLOCK.monotonic() - started < 5

    def test_of_a_refusal_gives_its_body(self) -> None:
        with RawServer([reply(401, '{"status":"false"}')]) as server, TemporaryFile() as into:
            answer = transport(server).call(MASTER, {}, into=into)
            assert (answer.http_status, answer.body) == (401, b'{"status":"false"}')
            assert into.tell() == 0

    def test_that_cannot_be_written_is_no_fault_of_the_brokers(self, tmp_path: Path) -> None:
        path = tmp_path / "read-only"
        path.write_bytes(b"")
        with RawServer([reply(200, "x")]) as server, path.open("rb") as into:
            with pytest.raises(StoreError, match="could not be written"):
                transport(server).call(MASTER, {}, into=into)


class TestRateLimits:
    DATA = Route("history", "GET", "/x", repeat=True, limit="data")

    def test_a_short_wait_is_waited_and_a_long_one_told(self) -> None:
        clock = FakeClock()
        with RawServer([OK]) as server:
            wire = transport(server, clock=clock, limiter=RateLimiter(LIMITS))
            for _ in range(4):
                wire.call(self.DATA, {})
            assert clock.slept == [pytest.approx(1.0)]
            with pytest.raises(RateLimited, match=r"data.*Nothing was sent") as caught:
                wire.call(self.DATA, {})
            assert caught.value.retry_after == 59
            assert "59 seconds" in caught.value.next_step
            assert len(server.requests) == 4
            clock.advance(59)
            wire.call(self.DATA, {})

    def test_a_wait_past_the_deadline_is_told_at_once(self) -> None:
        clock = FakeClock()
        timeouts = Timeouts(deadline=0.5)
        limiter = RateLimiter(LIMITS)
        with RawServer([OK]) as server:
            wire = transport(server, clock=clock, limiter=limiter, timeouts=timeouts)
            wire.call(self.DATA, {})
            wire.call(self.DATA, {})
            with pytest.raises(RateLimited):
                wire.call(self.DATA, {})
            assert clock.slept == []

    def test_each_class_has_its_own_count_and_a_route_without_one_none(self) -> None:
        clock = FakeClock()
        order = Route("order", "POST", "/x", limit="orders")
        with RawServer([OK]) as server:
            wire = transport(server, clock=clock, limiter=RateLimiter(LIMITS))
            for route in (self.DATA, self.DATA, order, *[QUOTE] * 9):
                wire.call(route, {})
        assert clock.slept == []

    def test_another_attempt_counts_too(self) -> None:
        clock = FakeClock()
        with RawServer([reply(502), reply(502), OK]) as server:
            limiter = RateLimiter({"data": (Rate(2, 60),)})
            with pytest.raises(RateLimited):
                transport(server, clock=clock, limiter=limiter).call(self.DATA, {})
            assert len(server.requests) == 2

    @pytest.mark.parametrize("name", RATE_LIMITS)
    def test_mstocks_limits_hold_over_any_window(self, name: str) -> None:
        limiter, now, times = RateLimiter(RATE_LIMITS), 0.0, []
        while len(times) < 1200:
            wait = limiter.reserve(name, now)
            if not wait:
                times.append(now)
            now += wait or 0.01
        for rate in RATE_LIMITS[name]:
            windows = zip(times, times[rate.calls :], strict=False)
            assert all(later - first > rate.seconds - 1e-6 for first, later in windows)

    def test_threads_share_one_count(self) -> None:
        limiter = RateLimiter({"data": (Rate(50, 60),)})
        taken: list[float] = []

        def take() -> None:
            taken.extend(limiter.reserve("data", 1.0) for _ in range(20))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert taken.count(0.0) == 50
