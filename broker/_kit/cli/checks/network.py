"""Checks of the way to mStock: name, certificate, answer, and how far the clocks are apart."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from urllib.parse import urlsplit

from broker._kit.broker import BrokerSettings
from broker._kit.cli.checks.check import Check, failed, fine, skipped, to_do
from broker._kit.cli.context import Desk
from broker._kit.errors import BrokerError, CertificateError
from broker.mstock.client.connection import fresh_client

# mStock takes an authenticator code for half a minute; its Date header counts whole seconds.
_LARGEST_DRIFT = timedelta(seconds=10)
_HALF_A_SECOND = timedelta(seconds=0.5)
_LOOK_UP = 5.0
_NAMES = ("TLS", "mStock", "Clock")


def network(desk: Desk) -> list[Check]:
    """One look-up and one greeting; no key, code or token is shown to anybody."""
    try:
        config = desk.config
    except BrokerError:
        return [skipped(name, "the settings come first") for name in ("DNS", *_NAMES)]
    return [_dns(config), *_greeting(desk, config)]


def _dns(config: BrokerSettings) -> Check:
    host = urlsplit(config.rest_url).hostname or ""
    if not config.is_live:
        return skipped("DNS", "a simulator on this computer needs none")
    if config.proxy is not None:
        return skipped("DNS", "the proxy looks mStock's address up")
    return look_up(host)


def look_up(host: str, seconds: float = _LOOK_UP) -> Check:
    """Whether a name has an address; the system's own patience can be far longer than ours."""
    found: list[bool] = []

    def ask() -> None:
        try:
            found.append(bool(socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)))
        except OSError:
            found.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if found and found[0]:
        return fine("DNS", f"{host} has an address")
    words = f"{host} has no address" if found else f"no answer within {seconds:.0f} seconds"
    return to_do("DNS", words, "Check this computer's internet connection and name servers.")


def _greeting(desk: Desk, config: BrokerSettings) -> list[Check]:
    tls = _tls(config)
    before, started = desk.clock.now(), desk.clock.monotonic()
    try:
        with fresh_client(config, desk.clock) as client:
            theirs = client.server_time()
    except CertificateError as error:
        return [failed("TLS", error), *_unasked("no safe connection")]
    except BrokerError as error:
        first = skipped("TLS", "no connection") if tls.state == "ok" else tls
        return [first, failed("mStock", error), skipped("Clock", "mStock could not be asked")]
    took = timedelta(seconds=desk.clock.monotonic() - started)
    answered = fine("mStock", f"answers, after {took.total_seconds() * 1000:.0f} ms")
    if theirs is None:
        return [tls, answered, skipped("Clock", "mStock's answer carries no time")]
    return [tls, answered, clock_check(theirs + _HALF_A_SECOND - (before + took / 2))]


def clock_check(ahead: timedelta) -> Check:
    """What to say when mStock's clock is so far ahead of this computer's."""
    seconds = ahead.total_seconds()
    direction = "behind" if seconds > 0 else "ahead of"
    words = f"this computer's clock is {abs(seconds):.0f} s {direction} mStock's"
    if abs(ahead) <= _LARGEST_DRIFT:
        return fine("Clock", words if abs(seconds) >= 1 else "agrees with mStock's")
    return to_do(
        "Clock",
        words,
        "Have this computer set its clock by the internet: authenticator codes are refused when "
        "clocks differ, and a session's end is reckoned by it.",
    )


def _tls(config: BrokerSettings) -> Check:
    if config.rest_url.startswith("https://"):
        return fine("TLS", "the certificate proves that it is mStock")
    return skipped("TLS", "a simulator on this computer is spoken to without it")


def _unasked(why: str) -> list[Check]:
    return [skipped(name, why) for name in _NAMES[1:]]
