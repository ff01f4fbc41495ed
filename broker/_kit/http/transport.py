"""Carries a request to a broker and its answer back, within a deadline; the only file that sends.

TLS is always verified and there is no switch for it. No cookie is kept, no proxy or login is read
from the environment or `.netrc`, no redirect is followed (it would carry the password elsewhere).
Only a route marked `repeat` may go out again. What is logged: the call, the HTTP status and the
time it took.
"""

from __future__ import annotations

import json
import logging
import random
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import ceil
from typing import IO, Any, NoReturn
from urllib.parse import quote, urlencode

import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as ux

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, CorrectInput, StoreError
from broker._kit.http.connections import CallLimits, current_limits, shared_session
from broker._kit.http.rate_limits import RateLimiter
from broker._kit.http.routes import GATEWAY, Answer, Route, Server, http_date
from broker._kit.http.wire_errors import fault_of, rate_limited, unreadable_reply
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts

log = logging.getLogger(__name__)

_PAUSES = (0.25, 0.5)  # seconds, about, before each further attempt
_LONGEST_PAUSE = 1.0  # seconds that a call waits for its turn within the broker's rate limits
_LONGEST_WAIT = 6  # digits of a Retry-After in seconds; more is no wait that anyone means
_CHUNK = 64 * 1024
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # what the reader below can undo within its cap
}


class Transport:
    """The way to one address, over the process's shared connections; safe for several threads."""

    def __init__(
        self,
        server: Server,
        base_url: str,
        timeouts: Timeouts,
        *,
        proxy: Secret | None = None,
        ca_bundle: str | None = None,
        limiter: RateLimiter | None = None,
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.server = server
        self._headers = {**_HEADERS, **server.headers}
        self._session = shared_session(base_url, proxy, ca_bundle)
        self._base_url = base_url
        self._timeouts = timeouts
        self._limiter = limiter
        self._clock = clock
        self._jitter = jitter
        self._last_connection: Any = None  # that of the last call that must not be repeated

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
        request = requests.PreparedRequest()  # ready as it is: `prepare` would double a call's time
        request.method = route.method
        request.url = self._base_url + _target(route, path, query)
        request.headers = CaseInsensitiveDict({**self._headers, **headers, **content_type})
        request.body = body
        end = self._clock.monotonic() + (route.seconds or self._timeouts.deadline)
        for pause in (*(_PAUSES if route.repeat else ()), None):
            self._wait_for_turn(route, end)
            result, may_pass = self._attempt(route, request, into, end)
            if pause is None or not may_pass:
                break
            pause *= 0.5 + self._jitter()
            if isinstance(result, Answer):
                pause += result.retry_after or 0
            if self._clock.monotonic() + pause >= end:
                break
            self._clock.sleep(pause)
        if isinstance(result, Answer):
            return result
        raise result

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
        self, route: Route, request: requests.PreparedRequest, into: IO[bytes] | None, end: float
    ) -> tuple[Answer | BrokerError, bool]:
        """The answer or the error, and whether another attempt may bring a better one."""
        now, timeouts = self._clock.monotonic, self._timeouts
        wanted = self._last_connection if route.follows else None
        limits = CallLimits(now, end, timeouts.read, route.repeat, wanted)
        started = now()
        left = max(end - started, 0.001)
        result: Answer | BrokerError
        token = current_limits.set(limits)
        try:
            response = self._session.send(
                request,
                stream=True,
                allow_redirects=False,
                proxies={},
                timeout=(min(timeouts.connect, left), min(timeouts.read, left)),
            )
            result, may_pass = self._answer(route, response.raw, into)
        except (requests.RequestException, ux.HTTPError, OSError) as error:
            result, may_pass = fault_of(self.server, route, error, sent=limits.sent)
        finally:
            current_limits.reset(token)
        if not route.repeat:
            self._last_connection = limits.connection
        if log.isEnabledFor(logging.DEBUG):
            what = result.http_status if isinstance(result, Answer) else type(result).__name__
            took = 1000 * (now() - started)
            log.debug(f"{self.server.title} {route.call}: {what} in {took:.0f} ms")
        return result, may_pass

    def _answer(
        self, route: Route, response: BaseHTTPResponse, into: IO[bytes] | None
    ) -> tuple[Answer | BrokerError, bool]:
        status = response.status
        body = _read(response, route.max_bytes, into if 200 <= status < 300 else None)
        if body is None:
            response.close()
            if status not in GATEWAY:
                return unreadable_reply(self.server, route, status), False
        wait = self._retry_after(response.headers) if status == 429 else None
        answer = Answer(status, body or b"", wait, response.headers.get("Date", ""))
        return answer, status in GATEWAY or wait is not None

    def _retry_after(self, headers: Mapping[str, str]) -> int | None:
        """Seconds of a Retry-After header, given as seconds or as a date; None without one."""
        value = headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return int(value) if len(value) <= _LONGEST_WAIT else None
        then = http_date(value) if value else None
        return None if then is None else max(0, ceil((then - self._clock.now()).total_seconds()))


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
        plain = {k: v.reveal() if isinstance(v, Secret) else v for k, v in form.items()}
        body, kind = urlencode(plain).encode(), "application/x-www-form-urlencoded"
    elif json is not None:
        body, kind = write_json(json).encode(), "application/json"
    else:
        return None, {}
    return body, {"Content-Type": kind, "Content-Length": str(len(body))}


def _read(response: BaseHTTPResponse, cap: int, into: IO[bytes] | None) -> bytes | None:
    """The unpacked body, b"" once it is in the file; None if larger, or not as its headers say."""
    try:
        if into is None:
            body = response.read(cap + 1, decode_content=True)
            return body if len(body) <= cap else None
        into.seek(0)
        into.truncate()
        while chunk := response.read(_CHUNK, decode_content=True):
            into.write(chunk)
            if into.tell() > cap:
                return None
        return b""
    except OSError:  # the file's: urllib3 has names of its own for the socket's
        response.close()
        raise StoreError(
            "What was downloaded could not be written.", "Check the free space of the disk."
        ) from None
    except (ux.DecodeError, ValueError):  # ValueError: a chunk of negative size
        return None


def read_json(body: bytes) -> Any:
    """The body's value. Raises `ValueError` when it is not JSON, or one name has two values."""
    try:
        return _DECODER.decode(body.removeprefix(BOM_UTF8).decode())
    except (RecursionError, ArithmeticError) as error:
        raise ValueError("nested or large beyond reason") from error


def write_json(value: Any) -> str:
    """ASCII JSON with each `Decimal` digit for digit; a `Secret` is written as its value.

    Raises `TypeError` for what JSON lacks, `ValueError` for a `float`, NaN and infinity.
    """
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{json.dumps(str(k))}:{write_json(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(write_json, value))}]"
    if isinstance(value, Secret):
        return json.dumps(value.reveal())
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, float | Decimal):
        raise ValueError(f"{type(value).__name__} is not sent: amounts are finite Decimals")
    return json.dumps(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(found[name] != value for name, value in pairs):
        raise ValueError("a name has two values")  # which one holds would be a guess
    return found


_DECODER = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object
)
