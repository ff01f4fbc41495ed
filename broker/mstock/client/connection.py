"""Opens the client that a configuration asks for: one kept for reads, a fresh one for a login."""

from __future__ import annotations

import threading

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.http.transport import Transport
from broker.mstock.client.base import Client
from broker.mstock.client.type_a import TypeA
from broker.mstock.client.type_b import TypeB
from broker.mstock.settings import Config

_lock = threading.Lock()
_kept: tuple[Config, Client] | None = None


def client_for(config: Config) -> Client:
    """The client whose connections are kept alive between calls, for reads.

    One is kept; a changed configuration gets a new one, and calls still under way on the old one
    end in peace.
    """
    global _kept
    with _lock:
        if _kept is None or _kept[0] != config:
            _kept = (config, fresh_client(config))
        return _kept[1]


def forget() -> None:
    """Let go of the kept client, which holds the token of its last read."""
    global _kept
    with _lock:
        _kept = None


def fresh_client(config: Config, clock: Clock = SYSTEM_CLOCK) -> Client:
    """A client with connections of its own, for calls that must not be repeated.

    Nothing stale is reused, and the two calls of a TOTP login, one after the other, share one
    connection, which mStock's gateway wants.
    """
    transport = Transport(
        config.rest_url,
        config.timeouts,
        proxy=config.proxy,
        ca_bundle=config.ca_bundle,
        clock=clock,
    )
    if config.api_type == "A":
        return TypeA(transport, config.api_key, config.checksum)
    return TypeB(transport, config.api_key)
