"""A transport to a server of the tests' own, and the calls that are made over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import BrokerError
from broker._kit.http.routes import Route, Server
from broker._kit.http.transport import Transport
from broker._kit.settings import Timeouts
from tests.support.clock import FakeClock
from tests.support.raw_server import reply

SERVER = Server("Acme", {"X-Acme-Version": "1", "User-Agent": "acme-openalgo"})
READ = Route("funds", "GET", "/funds", repeat=True, max_bytes=10_000)
LOGIN = Route("login", "POST", "/login")
LOGOUT = Route("logout", "GET", "/logout")
ONCE = [LOGIN, LOGOUT]
SHORT = Timeouts(connect=0.5, read=0.3, deadline=0.6)
OK = reply(200, '{"status":"true"}')
DEAD_PORT = "http://127.0.0.1:1"


class PausingClock(FakeClock):
    """Real seconds, for real sockets; pauses are written down and jumped over."""

    def __init__(self) -> None:
        super().__init__()
        self._jumped = 0.0

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic() + self._jumped

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._jumped += seconds


@contextmanager
def transport(url: str, timeouts: Timeouts = SHORT, **kwargs: object) -> Iterator[Transport]:
    kwargs.setdefault("clock", PausingClock())
    yield Transport(SERVER, url, timeouts, jitter=lambda: 0.5, **kwargs)  # type: ignore[arg-type]


def outcome(wire: Transport, route: Route) -> int | type[BrokerError]:
    """The HTTP status of the answer, or the kind of the error."""
    try:
        return wire.call(route, {}, json=None if route.method == "GET" else {"a": "b"}).http_status
    except BrokerError as error:
        told = error
    assert str(told).strip()
    assert told.__context__ is None  # the library's error, with our headers in it, is not kept
    return type(told)
