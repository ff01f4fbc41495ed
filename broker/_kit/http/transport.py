"""Carries a request to a broker and its answer back, within a deadline; the only file that sends.

TLS is always verified and there is no switch for it. No cookie is kept, no proxy or login is read
from the environment or `.netrc`, no redirect is followed (it would carry the password elsewhere).
Only a route marked `repeat` may go out again. What is logged: the call, the HTTP status and the
time it took.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import IO, Any
from urllib.parse import quote, urlencode

import requests
from requests import exceptions as rx
from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as ux

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CorrectInput, StoreError
from broker._kit.http.connections import CallLimits, Lane, limited, shared_session
from broker._kit.http.json_body import write_json
from broker._kit.http.rate_limits import RateLimiter
from broker._kit.http.routes import Answer, Route, Server, http_date
from broker._kit.http.wire_errors import Fault, fault_of, rate_limited, unreadable_reply
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts

log = logging.getLogger(__name__)

_REPEATS = 2
_LONGEST_PAUSE = 1.0  # seconds that a call waits for its turn within the broker's rate limits
_LONGEST_WAIT = 6  # digits of a Retry-After in seconds; more is no wait that anyone means
_CHUNK = 64 * 1024
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # what the reader below can undo within its cap
}
_FORM = "application/x-www-form-urlencoded"


class Transport:
    """The way to one address, over the process's shared connections; safe for several threads.

    With a `lane`, the calls go one after the other over one connection, which leaving the `with`
    block frees for others.
    """

    def __init__(
        self,
        server: Server,
        base_url: str,
        timeouts: Timeouts,
        *,
        proxy: Secret | None = None,
        ca_bundle: str | None = None,
        limiter: RateLimiter | None = None,
        lane: Lane | None = None,
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.server = server
        self._headers = {**_HEADERS, **server.headers}
        self._session = shared_session(base_url, proxy, ca_bundle)
        self._base_url = base_url
        self._timeouts = timeouts
        self._limiter = limiter
        self._lane = lane
        self._clock = clock
        self._jitter = jitter

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lane is not None:
            self._lane.release()

    def call(
        self,
        route: Route,
        headers: Mapping[str, str],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        into: IO[bytes] | None = None,
    ) -> Answer:
        """Send one call and return the broker's answer, whatever it says.

        `path` fills the route's parameters, `query` may hold lists; `form` or `json` (any JSON
        with exact `Decimal`s) is the body, where a `Secret` stands for its text. The body of a
        success is written to the file `into`, piece by piece, where one is given.

        Raises `Unreachable` or `RateLimited` (nothing was changed at the broker), `OutcomeUnknown`
        (a call that must not be repeated was sent and no answer came), `CertificateError`,
        `CorrectInput` for a parameter that cannot stand in an address, `StoreError` when `into`
        cannot be written.
        """
        body, content_type = _body(form, json)
        request = requests.PreparedRequest()
        request.prepare(
            method=route.method,
            url=self._base_url + _target(route, path, query),
            headers={**self._headers, **headers, **content_type},
            data=body,
        )
        end = self._clock.monotonic() + (route.seconds or self._timeouts.deadline)
        pauses = self._pauses() if route.repeat else iter(())
        while True:
            self._wait_for_turn(route, end)
            result = self._attempt(route, request, into, end)
            pause = next(pauses, None) if self._may_pass(result) else None
            if isinstance(result, Answer) and result.http_status == 429 and pause is not None:
                pause += result.retry_after or 0
            if pause is None or self._clock.monotonic() + pause >= end:
                break
            self._clock.sleep(pause)
        if isinstance(result, Fault):
            raise result.error
        return result

    def _pauses(self) -> Iterator[float]:
        """Seconds before each further attempt: about a quarter, then about half a second."""
        for n in range(_REPEATS):
            yield 0.25 * 2**n * (0.5 + self._jitter())

    def _wait_for_turn(self, route: Route, end: float) -> None:
        """Count the call against its rate limit, after a short wait if need be."""
        if self._limiter is None or not route.limit:
            return
        last = min(self._clock.monotonic() + _LONGEST_PAUSE, end)
        while wait := self._limiter.reserve(route.limit, now := self._clock.monotonic()):
            if now + wait > last:
                what = f"{self.server.title}'s limit for calls of this kind ({route.limit})"
                raise rate_limited(f"{what} is used up. Nothing was sent.", wait, None, ceil(wait))
            self._clock.sleep(wait)

    def _attempt(
        self,
        route: Route,
        request: requests.PreparedRequest,
        into: IO[bytes] | None,
        end: float,
    ) -> Answer | Fault:
        limits = CallLimits(
            self._clock.monotonic, end, self._timeouts.read, repeat=route.repeat, lane=self._lane
        )
        started = limits.now()
        left = max(end - started, 0.001)
        try:
            with limited(limits):
                timeout = (min(self._timeouts.connect, left), min(self._timeouts.read, left))
                response = self._session.send(
                    request, stream=True, allow_redirects=False, timeout=timeout
                )
                result = self._answer(route, response.raw, into)
        except (rx.RequestException, ux.HTTPError, OSError) as error:
            result = fault_of(self.server, route, error, sent=limits.sent)
        if log.isEnabledFor(logging.DEBUG):
            took = 1000 * (limits.now() - started)
            what = result.http_status if isinstance(result, Answer) else type(result.error).__name__
            log.debug(f"{self.server.title} {route.call}: {what} in {took:.0f} ms")
        return result

    def _answer(
        self, route: Route, response: BaseHTTPResponse, into: IO[bytes] | None
    ) -> Answer | Fault:
        status = response.status
        body: bytes | None = None
        try:
            if into is None or not 200 <= status < 300:
                body = _read(response, route.max_bytes)
            elif _copy(response, route.max_bytes, into):
                body = b""
        finally:
            if body is None:
                response.close()
        if body is None and status not in self.server.gateway:
            return Fault(unreadable_reply(self.server, route, status), may_pass=False)
        wait = self._retry_after(response.headers) if status == 429 else None
        return Answer(status, body or b"", wait, response.headers.get("Date", ""))

    def _retry_after(self, headers: Mapping[str, str]) -> int | None:
        """Seconds of a Retry-After header, given as seconds or as a date; None without one."""
        value = headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return int(value) if len(value) <= _LONGEST_WAIT else None
        then = http_date(value) if value else None
        return None if then is None else max(0, ceil((then - self._clock.now()).total_seconds()))

    def _may_pass(self, result: Answer | Fault) -> bool:
        if isinstance(result, Fault):
            return result.may_pass
        if result.http_status == 429:
            return result.retry_after is not None
        return result.http_status in self.server.gateway


def _target(route: Route, path: Mapping[str, str] | None, query: Mapping[str, Any] | None) -> str:
    target = route.path
    if path:
        for name, value in path.items():
            if value.strip(". ") == "":  # would name another place
                raise CorrectInput(f"The {name} is missing; nothing was sent.", "Give it.")
        target = target.format_map({name: quote(value, safe="") for name, value in path.items()})
    return f"{target}?{urlencode(query, doseq=True, quote_via=quote)}" if query else target


def _body(form: Mapping[str, Any] | None, json: Any) -> tuple[bytes | None, Mapping[str, str]]:
    if form is not None:
        plain = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in form.items()
        }
        return urlencode(plain).encode(), {"Content-Type": _FORM}
    if json is not None:
        return write_json(json).encode(), {"Content-Type": "application/json"}
    return None, {}


def _read(response: BaseHTTPResponse, cap: int) -> bytes | None:
    """The body, unpacked up to the cap; None when it is larger, or not what its headers say."""
    body = _read_chunk(response, cap + 1)
    return None if body is None or len(body) > cap else body


def _copy(response: BaseHTTPResponse, cap: int, into: IO[bytes]) -> bool:
    """Write the unpacked body to the file; False when it is larger, or not as its headers say."""
    with _storing():
        into.seek(0)
        into.truncate()
    written = 0
    while True:
        chunk = _read_chunk(response, _CHUNK)
        written += len(chunk or b"")
        if chunk is None or written > cap:
            return False
        if not chunk:
            return True
        with _storing():
            into.write(chunk)


def _read_chunk(response: BaseHTTPResponse, size: int) -> bytes | None:
    try:
        return response.read(size, decode_content=True)
    except (ux.DecodeError, ValueError):  # ValueError: a chunk of negative size
        return None


@contextmanager
def _storing() -> Iterator[None]:
    """A full disk is not a fault of the wire."""
    try:
        yield
    except OSError:
        raise StoreError(
            "What was downloaded could not be written.", "Check the free space of the disk."
        ) from None
