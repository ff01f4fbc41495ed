"""Opens the client that a configuration asks for; all of them share the process's connections."""

from __future__ import annotations

from functools import lru_cache

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.http.connections import Lane
from broker._kit.http.rate_limits import RateLimiter
from broker._kit.http.transport import Transport
from broker._kit.secret import Secret
from broker.mstock.client.base import Client
from broker.mstock.client.routes import RATE_LIMITS, SERVER
from broker.mstock.client.type_a import TypeA
from broker.mstock.client.type_b import TypeB
from broker.mstock.settings import Config

# The process's one count of an account's calls.
_limiters: dict[tuple[str, Secret], RateLimiter] = {}


@lru_cache(maxsize=4)
def client_for(config: Config) -> Client:
    """The configuration's one client, for all calls but a login's."""
    return _client(config, SYSTEM_CLOCK, None)


@lru_cache(maxsize=4)
def otp_client(config: Config) -> Client:
    """The configuration's one client for logins by OTP, whose two calls come minutes apart."""
    return login_client(config)


def login_client(config: Config, clock: Clock = SYSTEM_CLOCK) -> Client:
    """A client for the two calls of a login, which go over one connection as long as it is open.

    mStock's gateway often answers a second step with a 502 that comes on another connection.
    """
    return _client(config, clock, Lane())


def _client(config: Config, clock: Clock, lane: Lane | None) -> Client:
    transport = Transport(
        SERVER,
        config.rest_url,
        config.timeouts,
        proxy=config.proxy,
        ca_bundle=config.ca_bundle,
        limiter=_limiters.setdefault((config.rest_url, config.api_key), RateLimiter(RATE_LIMITS)),
        lane=lane,
        clock=clock,
    )
    if config.api_type == "A":
        return TypeA(transport, config.api_key, config.checksum)
    return TypeB(transport, config.api_key)
