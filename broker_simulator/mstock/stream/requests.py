"""What a client's message asks for, whatever the API type."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from broker_simulator.mstock.exchange import Order
from broker_simulator.mstock.market import Instrument, InstrumentMaster
from broker_simulator.mstock.settings import Settings

from .settings import StreamSettings
from .tick import Mode, Tick


class BadRequest(Exception):
    """A message that cannot be carried out; the text goes to the client as an error."""


@dataclass(frozen=True)
class Change:
    """A mode for instruments; None ends their subscription."""

    mode: Mode | None
    instruments: Collection[Instrument]


@dataclass(frozen=True)
class Inquiry:
    """A message and what is needed to understand it."""

    message: Mapping[str, Any]
    subscribed: Collection[Instrument]
    master: InstrumentMaster
    strict: bool

    def only(self, part: Mapping[str, Any], *names: str) -> None:
        """Refuse fields that no document has; the strict profile only."""
        if self.strict and (unknown := part.keys() - set(names)):
            raise BadRequest(f"Unknown field {min(unknown)}")


@dataclass(frozen=True)
class StreamDialect:
    """One API type's side of the WebSocket.

    `read`: what a message changes; raises BadRequest. `packet`: a tick in a mode; `numbered`: the
    same packet with a connection's sequence number; `frames`: packets joined to binary messages;
    `order_update`: a new state of a client's order as a JSON object.
    """

    letter: str
    read: Callable[[Inquiry], list[Change]]
    packet: Callable[[Tick, Mode], bytes]
    numbered: Callable[[bytes, int], bytes]
    frames: Callable[[list[bytes], StreamSettings], Iterable[bytes]]
    order_update: Callable[[str, Order, Settings], Mapping[str, Any]]


def groups(packets: list[bytes], settings: StreamSettings) -> Iterable[list[bytes]]:
    """Yield the packets in groups of at most so many as share a frame."""
    step = max(1, settings.packets_per_frame)
    for at in range(0, len(packets), step):
        yield packets[at : at + step]


def json_object(text: str) -> dict[str, Any]:
    """Return a message; BadRequest when it is no JSON object."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("Not JSON") from None
    if not isinstance(message, dict):
        raise BadRequest("Not a JSON object")
    return message
