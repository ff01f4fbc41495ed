"""One client's WebSocket: how far it has come and what it has asked for."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from broker_simulator.mstock.market import Instrument
from broker_simulator.mstock.world import Session

from .burst import Burst
from .frames import MessageReader
from .loop import Peer
from .requests import StreamDialect
from .tick import Mode


class Connection(Peer):
    """A socket from the upgrade to its end. Only the stream's thread changes it.

    `session` and `dialect` are set by the upgrade, `logged_in` by LOGIN. `held_frame` waits for
    the one that the fault "reorder" sends first.
    """

    def __init__(self, number: int, sock: socket.socket, port: int, opened: float) -> None:
        super().__init__(sock, port)
        self.number = number
        self.opened = opened
        self.request = bytearray()
        self.reader = MessageReader()
        self.session: Session | None = None
        self.dialect: StreamDialect | None = None
        self.logged_in = False
        self.subscribed: dict[Instrument, Mode] = {}
        self.burst: Burst | None = None
        self.sequence = 0
        self.frames_sent = 0
        self.held_frame: bytes | None = None
        self.last_sent = self.last_ping = opened


@dataclass(frozen=True)
class ConnectionState:
    """What the control page and tests see of a connection."""

    number: int
    client_code: str
    api: str
    port: int
    logged_in: bool
    frames_sent: int
    waiting_bytes: int
    subscribed: dict[Instrument, Mode] = field(repr=False)
