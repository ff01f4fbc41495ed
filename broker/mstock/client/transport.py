"""Carries a request to mStock and its answer back, within a deadline; the only file that sends.

TLS is always verified and there is no switch for it. Cookies are not kept, `.netrc` is not read,
redirects are not followed (a redirect would carry the password elsewhere). Only a route marked
`repeat` may go out again. What is logged: the call, the HTTP status and the time it took.
"""

from __future__ import annotations

import logging
import random
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from math import ceil
from typing import Any, NamedTuple

import requests
from requests import exceptions as rx
from urllib3 import exceptions as ux

from broker.mstock.client.deadline import DeadlineAdapter, keep, was_sent
from broker.mstock.client.meaning import outcome_unknown, unclear
from broker.mstock.client.routes import Answer, Route
from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Timeouts
from broker.mstock.errors import CertificateError, MstockError, SettingError, Unreachable
from broker.mstock.secret import Secret

log = logging.getLogger(__name__)

_REPEATS = 2
_REPEATED_STATUS = frozenset({502, 503, 504})
_CHUNK = 64 * 1024
_HEADERS = {
    "X-Mirae-Version": "1",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # what the reader below can undo within its cap
    "User-Agent": "mstock-openalgo",
}


class _Fault(NamedTuple):
    """A try that brought no answer: the error to raise, and whether another try may help."""

    error: MstockError
    may_pass: bool


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
        not be repeated was sent and no answer came), `CertificateError` or `SettingError`.
        """
        request = self._request(route, headers, form, json)
        end = self._clock.monotonic() + self._timeouts.deadline
        pauses = self._pauses() if route.repeat else iter(())
        while True:
            result = self._try(route, request, lambda: end - self._clock.monotonic())
            pause = next(pauses, None) if _may_pass(result) else None
            if isinstance(result, Answer) and result.http_status == 429 and pause is not None:
                pause = result.retry_after
            if pause is None or self._clock.monotonic() + pause >= end:
                break
            self._clock.sleep(pause)
        if isinstance(result, _Fault):
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
        """A request ready to send; a read's is kept, since preparing costs as much as sending."""
        kept = self._kept.get(route)
        if kept is not None and kept[0] == headers:
            return kept[1]
        request = self._session.prepare_request(
            requests.Request(
                route.method, self._base_url + route.path, headers=headers, data=form, json=json
            )
        )
        if route.repeat:
            self._kept[route] = (headers, request)
        return request

    def _try(
        self, route: Route, request: requests.PreparedRequest, remaining: Callable[[], float]
    ) -> Answer | _Fault:
        started = self._clock.monotonic()
        try:
            result: Answer | _Fault = self._send(route, request, remaining)
        except (rx.RequestException, ux.HTTPError, OSError, ssl.SSLError) as error:
            result = _fault(route, error)
        if log.isEnabledFor(logging.DEBUG):
            took = 1000 * (self._clock.monotonic() - started)
            what = result.http_status if isinstance(result, Answer) else type(result.error).__name__
            log.debug(f"mStock {route.call.value}: {what} in {took:.0f} ms")
        return result

    def _send(
        self, route: Route, request: requests.PreparedRequest, remaining: Callable[[], float]
    ) -> Answer | _Fault:
        left = max(remaining(), 0.001)
        connect, read, _ = self._timeouts
        keep(remaining, read)
        response = self._session.send(
            request,
            stream=True,
            allow_redirects=False,
            timeout=(min(connect, left), min(read, left)),
            verify=self._verify,
            proxies=self._proxies,
        )
        body = _body(response.raw, route.max_bytes)
        if body is None:
            response.close()
            return _Fault(unclear(route, response.status_code), may_pass=False)
        throttled = response.status_code == 429
        wait = self._retry_after(response.headers) if throttled else None
        return Answer(response.status_code, body, wait)

    def _retry_after(self, headers: Mapping[str, str]) -> int | None:
        """Seconds of a Retry-After header, given as seconds or as a date; None without one."""
        value = headers.get("Retry-After", "").strip()
        if not value:
            return None
        if value.isascii() and value.isdigit():
            return int(value[:6])
        try:
            then = parsedate_to_datetime(value)
        except ValueError:
            return None
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        return max(0, ceil((then - self._clock.now()).total_seconds()))


def _body(raw: Any, cap: int) -> bytes | None:
    """The body, decompressed piece by piece; None as soon as it is larger than the cap."""
    pieces: list[bytes] = []
    size = 0
    while piece := raw.read1(_CHUNK, decode_content=True):
        size += len(piece)
        if size > cap:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _may_pass(result: Answer | _Fault) -> bool:
    if isinstance(result, _Fault):
        return result.may_pass
    if result.http_status == 429:
        return result.retry_after is not None
    return result.http_status in _REPEATED_STATUS


def _fault(route: Route, error: Exception) -> _Fault:
    """What a failure of requests or urllib3 means; their own texts can quote what was sent."""
    causes = set(map(type, _causes(error)))
    for kinds, make in _FAULTS:
        if any(issubclass(cause, kinds) for cause in causes):
            return make(route)
    return _lost(route, "The connection to mStock broke.", may_pass=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: requests and urllib3 keep causes in arguments and `reason`."""
    seen: list[BaseException] = [error]
    for each in seen:
        inner = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        seen += [one for one in inner if isinstance(one, BaseException) and one not in seen]
        yield each


def _lost(route: Route, what: str, *, may_pass: bool) -> _Fault:
    """No answer came; unless it is certain that nothing was sent, the request counts as sent."""
    if was_sent() is False:
        return _not_sent("A connection to mStock could not be set up.")(route)
    if route.repeat:
        return _Fault(Unreachable(what, "Wait a minute, then try again."), may_pass)
    return _Fault(outcome_unknown(route, what), may_pass=False)


def _not_sent(what: str) -> Callable[[Route], _Fault]:
    next_step = "Check this computer's internet connection; mStock itself may be down."
    return lambda _route: _Fault(Unreachable(f"{what} Nothing was sent.", next_step), may_pass=True)


def _wrong_set_up(error: type[MstockError], what: str, next_step: str) -> Callable[[Route], _Fault]:
    return lambda _route: _Fault(error(f"{what} Nothing was sent.", next_step), may_pass=False)


# First match wins.
_FAULTS: tuple[tuple[tuple[type[BaseException], ...], Callable[[Route], _Fault]], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        _wrong_set_up(
            CertificateError,
            "The other side's certificate does not prove that it is mStock.",
            "Check this computer's date and time, and whether a proxy or virus scanner opens TLS "
            "(its certificate then belongs into REQUESTS_CA_BUNDLE).",
        ),
    ),
    (
        (rx.InvalidSchema, rx.InvalidProxyURL, ux.ProxySchemeUnknown, ux.ProxySchemeUnsupported),
        _wrong_set_up(
            SettingError,
            "The proxy address in HTTPS_PROXY cannot be used.",
            "Give it as host:port.",
        ),
    ),
    (
        (ux.ProxyError, rx.ProxyError),
        _not_sent("The proxy in HTTPS_PROXY did not let the call through."),
    ),
    ((ux.NameResolutionError,), _not_sent("mStock's address could not be looked up.")),
    (
        (rx.ConnectTimeout, ux.ConnectTimeoutError, ux.NewConnectionError),
        _not_sent("mStock could not be reached."),
    ),
    (
        (rx.ReadTimeout, ux.ReadTimeoutError, TimeoutError),
        lambda route: _lost(route, "mStock did not answer in time.", may_pass=False),
    ),
    (
        (ux.DecodeError,),
        lambda route: _Fault(unclear(route, 200), may_pass=False),
    ),
    (
        (FileNotFoundError, PermissionError, IsADirectoryError),
        _wrong_set_up(
            SettingError,
            "The certificate file in REQUESTS_CA_BUNDLE or SSL_CERT_FILE cannot be read.",
            "Mend or remove that setting.",
        ),
    ),
)
