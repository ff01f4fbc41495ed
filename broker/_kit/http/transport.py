"""Carries a request to mStock and its answer back, within a deadline; the only file that sends.

TLS is always verified and there is no switch for it. Cookies are not kept, `.netrc` is not read,
redirects are not followed (a redirect would carry the password elsewhere). Only a route marked
`repeat` may go out again. What is logged: the call, the HTTP status and the time it took.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from math import ceil
from typing import Any

import requests
from requests import exceptions as rx
from urllib3 import exceptions as ux

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.http.deadline import DeadlineAdapter, Limits, limited
from broker._kit.http.routes import GATEWAY, Answer, Route, http_date
from broker._kit.http.transport_errors import Fault, fault_of
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts
from broker.mstock.client.error_table import unclear

log = logging.getLogger(__name__)

_REPEATS = 2
_LONGEST_WAIT = 6  # digits of a Retry-After in seconds; more is no wait that anyone means
_HEADERS = {
    "X-Mirae-Version": "1",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # what the reader below can undo within its cap
    "User-Agent": "mstock-openalgo",
}


class _Session(requests.Session):
    """A session that takes a redirect for what it is: an answer, and not mStock's."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Transport:
    """A pool of kept-alive connections to one address; safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        timeouts: Timeouts,
        *,
        proxy: Secret | None = None,
        ca_bundle: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
        connections: int = 10,
    ) -> None:
        self._base_url = base_url
        self._timeouts = timeouts
        self._proxies = {"http": proxy.reveal(), "https": proxy.reveal()} if proxy else {}
        self._verify = ca_bundle or True
        self._clock = clock
        self._jitter = jitter
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(_HEADERS)
        adapter = DeadlineAdapter(pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._kept: dict[Route, tuple[Mapping[str, str], requests.PreparedRequest]] = {}

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def call(
        self,
        route: Route,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one call and return mStock's answer, whatever it says.

        Raises `Unreachable` (nothing was changed at mStock), `OutcomeUnknown` (a call that must
        not be repeated was sent and no answer came) or `CertificateError`.
        """
        request = self._request(route, headers, form, json)
        end = self._clock.monotonic() + self._timeouts.deadline
        pauses = self._pauses() if route.repeat else iter(())
        while True:
            result = self._try(route, request, lambda: end - self._clock.monotonic())
            pause = next(pauses, None) if _may_pass(result) else None
            if isinstance(result, Answer) and result.http_status == 429 and pause is not None:
                pause += result.retry_after or 0
            if pause is None or self._clock.monotonic() + pause >= end:
                break
            self._clock.sleep(pause)
        if isinstance(result, Fault):
            raise result.error
        return result

    def _pauses(self) -> Iterator[float]:
        """Seconds before each further try: about a quarter, then about half a second."""
        for n in range(_REPEATS):
            yield 0.25 * 2**n * (0.5 + self._jitter())

    def _request(
        self,
        route: Route,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        json: Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        """A request ready to send; a bare read's is kept, since preparing one costs so much."""
        is_bare = route.repeat and form is None and json is None
        kept = self._kept.get(route) if is_bare else None
        if kept is not None and kept[0] == headers:
            return kept[1]
        request = self._session.prepare_request(
            requests.Request(
                route.method, self._base_url + route.path, headers=headers, data=form, json=json
            )
        )
        if is_bare:
            self._kept[route] = (headers, request)
        return request

    def _try(
        self, route: Route, request: requests.PreparedRequest, remaining: Callable[[], float]
    ) -> Answer | Fault:
        started = self._clock.monotonic()
        limits = Limits(remaining, self._timeouts.read)
        try:
            with limited(limits):
                result: Answer | Fault = self._send(route, request, max(remaining(), 0.001))
        except (rx.RequestException, ux.HTTPError, OSError) as error:
            result = fault_of(route, error, limits.sent)
        if log.isEnabledFor(logging.DEBUG):
            took = 1000 * (self._clock.monotonic() - started)
            what = result.http_status if isinstance(result, Answer) else type(result.error).__name__
            log.debug(f"mStock {route.call}: {what} in {took:.0f} ms")
        return result

    def _send(self, route: Route, request: requests.PreparedRequest, left: float) -> Answer | Fault:
        response = self._session.send(
            request,
            stream=True,
            allow_redirects=False,
            timeout=(min(self._timeouts.connect, left), min(self._timeouts.read, left)),
            verify=self._verify,
            proxies=self._proxies,
        )
        status = response.status_code
        body = _body(response.raw, route.max_bytes)
        if body is None:
            response.close()
            if status not in GATEWAY:
                return Fault(unclear(route, status), may_pass=False)
        wait = self._retry_after(response.headers) if status == 429 else None
        return Answer(status, body or b"", wait, response.headers.get("Date", ""))

    def _retry_after(self, headers: Mapping[str, str]) -> int | None:
        """Seconds of a Retry-After header, given as seconds or as a date; None without one."""
        value = headers.get("Retry-After", "").strip()
        if not value:
            return None
        if value.isascii() and value.isdigit():
            return int(value) if len(value) <= _LONGEST_WAIT else None
        then = http_date(value)
        if then is None:
            return None
        return max(0, ceil((then - self._clock.now()).total_seconds()))


def _body(raw: Any, cap: int) -> bytes | None:
    """The body, unpacked up to the cap; None when it is larger, or not what its headers say."""
    try:
        body: bytes = raw.read(cap + 1, decode_content=True)
    except (ux.DecodeError, ValueError):  # ValueError: a chunk of negative size
        return None
    return body if len(body) <= cap else None


def _may_pass(result: Answer | Fault) -> bool:
    if isinstance(result, Fault):
        return result.may_pass
    if result.http_status == 429:
        return result.retry_after is not None
    return result.http_status in GATEWAY
