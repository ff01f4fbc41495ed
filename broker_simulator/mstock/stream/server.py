"""The stream itself: upgrade, LOGIN, subscriptions, ticks, order updates, and its faults."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from werkzeug.datastructures import Headers

from broker_simulator.mstock.exchange import Order
from broker_simulator.mstock.journal import Entry, Journal
from broker_simulator.mstock.market import Instrument
from broker_simulator.mstock.server import LOOPBACK
from broker_simulator.mstock.settings import Settings
from broker_simulator.mstock.world import World

from . import opening, type_a, type_b, upgrade
from .burst import Burst
from .connection import Connection, ConnectionState
from .faults import MUTE, SPOILT, StreamFaults
from .feed import Feed
from .frames import NORMAL, POLICY, FrameError, Opcode, close_frame, frame
from .loop import SocketLoop
from .requests import BadRequest, Inquiry, StreamDialect, json_object
from .sending import Sender
from .settings import StreamSettings
from .tick import Mode, Tick

DIALECTS: Final[Mapping[str, StreamDialect]] = {
    d.letter: d for d in (type_a.DIALECT, type_b.DIALECT)
}
LOGIN: Final = "LOGIN:"
# The content of the answer to LOGIN is in no source; a JSON object is what every client bears.
LOGGED_IN: Final = {"type": "login", "status": "success"}
ROUTE: Final = "stream"
CHECK_SECONDS: Final = 0.1
GATHER_SECONDS: Final = 0.03


class Stream:
    """The WebSocket of both API types, on a port of its own.

    `settings` and `faults` may be changed at any time, from any thread; so may burst() and
    `connections` be used. What happens to the connections stands in the journal under "stream".
    """

    def __init__(self, world: World, settings: Settings, journal: Journal) -> None:
        self.settings = StreamSettings()
        self.faults = StreamFaults()
        self._world = world
        self._profile = settings
        self._journal = journal
        self._loop: SocketLoop[Connection] = SocketLoop(self._made, self)
        self._sender = Sender(self._loop, self.settings, self.faults, self._end)
        self._feed = Feed(world, self._is_followed, self._on_tick)
        self._connections: dict[int, Connection] = {}
        self._followers: dict[Instrument, set[Connection]] = {}
        self._ticks: list[Tick] = []
        self._gathering_since = 0.0
        self._number = 0
        self._checked = 0.0
        world.on_order(self._on_order)
        self.port: int | None = None

    def start(self, port: int) -> None:
        """Listen on loopback."""
        self._feed.start()
        self.port = self._loop.start(port)
        self.faults.changed = lambda: self._loop.call(self._act_at_once)

    def stop(self) -> None:
        """End all connections and free the port."""
        self.faults.changed = lambda: None
        self._loop.stop()
        self._connections.clear()
        self._followers.clear()
        self._feed.stop()
        self.port = None

    @property
    def url(self) -> str:
        """Where clients connect to; RuntimeError before start()."""
        if self.port is None:
            raise RuntimeError("the simulator is not running")
        return f"ws://{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> list[ConnectionState]:
        """The open connections that have been upgraded, the oldest first."""
        return [
            ConnectionState(
                c.number,
                c.session.account.client_code,
                c.session.api,
                c.port,
                c.logged_in,
                c.frames_sent,
                len(c.outbound),
                dict(c.subscribed),
            )
            for c in list(self._connections.values())
            if c.session is not None
        ]

    def burst(self, count: int, rate: float | None = None) -> list[Burst]:
        """Send each connection `count` frames of what it has subscribed, in turn, and return these.

        The frames are built before the first one goes, two of each packet, a tick apart in price,
        and taken in turn; `rate` is frames a second, None: as fast as the socket takes them. A
        burst fills no queue. Other data keeps coming in between. Connections without a
        subscription get none.
        """
        bursts = []
        for connection in list(self._connections.values()):
            frames = self._prebuilt(connection)
            if frames:
                burst = Burst(frames, count, rate)
                bursts.append(burst)
                self._loop.call(partial(self._begin_burst, connection, burst))
        return bursts

    # Events of the sockets

    def received(self, peer: Connection, data: bytes) -> None:
        """Read a client's bytes: first the upgrade's, then messages."""
        if peer.closing:
            return
        if peer.session is None:
            peer.request += data
            self._upgrade(peer)
            return
        try:
            for opcode, payload in peer.reader.feed(data):
                self._message(peer, opcode, payload)
        except FrameError as error:
            self._end(peer, f"closed: {error}", error.code)

    def gone(self, peer: Connection) -> None:
        """Forget a connection."""
        if self._forget(peer) and peer.session:
            self._record(peer, "the client went away")

    def passed(self, now: float) -> None:
        """Send what has gathered; at times look at heartbeats, deadlines and tokens."""
        # Ticks that are to share a frame come one after the other out of the market.
        waits = GATHER_SECONDS if self.settings.packets_per_frame > 1 else 0
        if self._ticks and now - self._gathering_since >= waits:
            ticks, self._ticks = self._ticks, []
            self._send_ticks(ticks)
        for connection in list(self._connections.values()):
            if connection.burst and not connection.outbound:
                self._loop.flush(connection)
                if connection.burst.finished:
                    connection.burst = connection.more = None
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        today = self._world.clock.now()
        for connection in list(self._connections.values()):
            if self._is_half_open(connection):
                continue
            if connection.session is not None and not connection.session.alive(today):
                self._sender.error(connection, "Access token expired")
                self._end(connection, "closed: the token is dead", POLICY)
            elif not connection.logged_in and not connection.closing:
                if now - connection.opened > self.settings.login_seconds:
                    self._end(connection, "dropped: no LOGIN in time")
            elif connection.logged_in:
                self._sender.keep_alive(connection, now)

    def _is_half_open(self, connection: Connection) -> bool:
        return connection.logged_in and self.faults.take("half_open", connection.number)

    # From the upgrade to LOGIN

    def _made(self, sock: socket.socket, port: int) -> Connection:
        self._number += 1
        connection = Connection(self._number, sock, port, time.monotonic())
        self._connections[self._number] = connection
        return connection

    def _upgrade(self, connection: Connection) -> None:
        try:
            request = upgrade.read_request(bytes(connection.request))
        except ValueError:
            self._refuse(connection, None, 400, "not an HTTP request")
            return
        if request is None or self.faults.take("upgrade_silent", connection.number):
            return
        try:
            session = opening.session(
                request, connection.number, self._world, self.faults, self._profile.strict
            )
        except opening.NotOpened as no:
            self._refuse(connection, request, no.http_status, str(no), no.page)
            return
        connection.session = session
        connection.dialect = DIALECTS[session.api]
        self._record(connection, "upgraded", request, 101)
        self._loop.send(connection, upgrade.accepted(request))
        self._evict(connection)

    def _refuse(
        self,
        connection: Connection,
        request: upgrade.UpgradeRequest | None,
        http_status: int,
        verdict: str,
        page: str = "",
    ) -> None:
        self._record(connection, verdict, request, http_status)
        answer = upgrade.refused(http_status, self._world.clock.now(), page)
        self._forget(connection)
        self._loop.close_after_writing(connection, answer)

    def _evict(self, newcomer: Connection) -> None:
        """End the oldest sockets of a token that has more than it may."""
        same = [c for c in self._connections.values() if c.session is newcomer.session]
        for connection in same[: -self.settings.sockets_per_token]:
            self._end(connection, "closed: evicted by a newer socket", POLICY)

    def _login(self, connection: Connection, text: str) -> None:
        token = text.removeprefix(LOGIN)
        if not self._profile.strict:
            token = token.strip()
        if self.faults.take("login_silent", connection.number):
            return
        refused = self.faults.take("login_refused", connection.number)
        if refused or connection.session is None or token != connection.session.token:
            self._sender.error(connection, "Invalid access token")
            verdict = "fault login_refused" if refused else "closed: LOGIN with another token"
            self._end(connection, verdict, POLICY)
            return
        connection.logged_in = True
        self._record(connection, "logged in")
        self._sender.text(connection, LOGGED_IN)
        self._feed.follow()
        self._act_at_once()

    # Messages

    def _message(self, connection: Connection, opcode: Opcode, payload: bytes) -> None:
        if connection.closing or self._is_half_open(connection):
            return
        if opcode is Opcode.PING:
            self._loop.send(connection, frame(Opcode.PONG, payload))
        elif opcode is Opcode.CLOSE:
            code = int.from_bytes(payload[:2]) if len(payload) > 1 else NORMAL
            self._end(connection, "closed by the client", code)
        elif opcode is Opcode.TEXT:
            text = payload.decode("utf-8", "replace")
            if text.startswith(LOGIN):
                self._login(connection, text)
            else:
                self._request(connection, text)
        elif opcode is Opcode.BINARY:
            self._sender.error(connection, "Requests are text")

    def _request(self, connection: Connection, text: str) -> None:
        dialect = connection.dialect
        if dialect is None:
            return
        try:
            if not connection.logged_in:
                raise BadRequest("Send LOGIN first")
            message = json_object(text)
            market = self._feed.follow()
            inquiry = Inquiry(
                message, connection.subscribed.keys(), market.master, self._profile.strict
            )
            changes = dialect.read(inquiry)
        except BadRequest as error:
            self._record(connection, f"refused: {error}", body=text)
            self._sender.error(connection, str(error))
            return
        self._record(connection, "ok", body=text)
        for change in changes:
            for instrument in change.instruments:
                if change.mode is None:
                    connection.subscribed.pop(instrument, None)
                    self._unfollow(connection, instrument)
                else:
                    connection.subscribed[instrument] = change.mode
                    self._followers.setdefault(instrument, set()).add(connection)
                    answer = partial(self._on_first, connection, change.mode)
                    self._feed.ask(instrument, change.mode, answer)

    # Data

    def _is_followed(self, instrument: Instrument) -> bool:
        return instrument in self._followers

    def _on_tick(self, tick: Tick) -> None:
        self._loop.call(partial(self._gather, tick))

    def _gather(self, tick: Tick) -> None:
        if not self._ticks:
            self._gathering_since = time.monotonic()
        self._ticks.append(tick)

    def _on_first(self, connection: Connection, mode: Mode, tick: Tick) -> None:
        self._loop.call(partial(self._send_first, connection, mode, tick))

    def _on_order(self, client_code: str, order: Order) -> None:
        if self.port is not None:
            self._loop.call(partial(self._send_order, client_code, order))

    def _send_order(self, client_code: str, order: Order) -> None:
        for connection in list(self._connections.values()):
            session, dialect = connection.session, connection.dialect
            if not (connection.logged_in and session and dialect):
                continue
            if session.account.client_code == client_code:
                update = dialect.order_update(client_code, order, self._profile)
                self._sender.order(connection, update)

    def _send_first(self, connection: Connection, mode: Mode, tick: Tick) -> None:
        # If the mode is another one by now, a tick for that one is on its way.
        if connection.subscribed.get(tick.instrument) is mode and connection.dialect:
            self._sender.packets(connection, [connection.dialect.packet(tick, mode)])

    def _send_ticks(self, ticks: list[Tick]) -> None:
        packets: dict[Connection, list[bytes]] = {}
        for tick in ticks:
            made: dict[tuple[str, Mode], bytes] = {}
            for connection in self._followers.get(tick.instrument, ()):
                dialect, mode = connection.dialect, connection.subscribed[tick.instrument]
                if dialect is None:
                    continue
                key = dialect.letter, mode
                if key not in made:
                    made[key] = dialect.packet(tick, mode)
                packets.setdefault(connection, []).append(made[key])
        for connection, of_connection in packets.items():
            self._sender.packets(connection, of_connection)

    # Ends

    def _act_at_once(self) -> None:
        """Let faults act that need no data, on every connection that has logged in."""
        actions: dict[str, Callable[[Connection], None]] = {
            "cut_frame": self._cut,
            "disconnect": lambda c: self._end(c, "fault disconnect"),
            "reset": lambda c: self._end(c, "fault reset", reset=True),
            "token_expired": self._expire,
        }
        for connection in [c for c in self._connections.values() if c.logged_in]:
            for name in (*MUTE, *SPOILT):
                self.faults.take(name, connection.number)
            for name, act in actions.items():
                if self.faults.take(name, connection.number):
                    act(connection)
                    break

    def _cut(self, connection: Connection) -> None:
        whole = frame(Opcode.BINARY, bytes(379))
        self._record(connection, "fault cut_frame")
        self._forget(connection)
        self._loop.close_after_writing(connection, whole[: len(whole) // 2])

    def _expire(self, connection: Connection) -> None:
        if connection.session is not None:
            connection.session.ended_at = self._world.clock.now()
        self._checked = 0.0

    def _end(
        self, connection: Connection, verdict: str, code: int | None = None, reset: bool = False
    ) -> None:
        """End a connection: with a close frame if there is a `code`, else without a word."""
        if not self._forget(connection):
            return
        self._record(connection, verdict)
        if code is None:
            self._loop.close(connection, reset)
        else:
            self._loop.close_after_writing(connection, close_frame(code))

    def _forget(self, connection: Connection) -> bool:
        for instrument in connection.subscribed:
            self._unfollow(connection, instrument)
        if connection.burst:
            connection.burst.end()
        return self._connections.pop(connection.number, None) is not None

    def _unfollow(self, connection: Connection, instrument: Instrument) -> None:
        followers = self._followers.get(instrument, set())
        followers.discard(connection)
        if not followers:
            self._followers.pop(instrument, None)

    # Bursts

    def _prebuilt(self, connection: Connection) -> list[bytes]:
        dialect = connection.dialect
        if dialect is None:
            return []
        subscribed = dict(connection.subscribed)
        ticks = [self._feed.tick(instrument, mode) for instrument, mode in subscribed.items()]
        packets = [
            dialect.numbered(dialect.packet(tick, subscribed[tick.instrument]), number)
            for number, tick in enumerate((*ticks, *map(_a_tick_higher, ticks)), 1)
        ]
        return [frame(Opcode.BINARY, data) for data in dialect.frames(packets, self.settings)]

    def _begin_burst(self, connection: Connection, burst: Burst) -> None:
        if connection.burst:
            connection.burst.end()
        connection.burst, connection.more = burst, burst.next_bytes
        self._loop.flush(connection)

    def _record(
        self,
        connection: Connection,
        verdict: str,
        request: upgrade.UpgradeRequest | None = None,
        http_status: int | None = None,
        body: str = "",
    ) -> None:
        self._journal.record(
            Entry(
                at=self._world.clock.now(),
                route=ROUTE,
                method="WS",
                remote_port=connection.port,
                http_status=http_status,
                verdict=verdict,
                path=f"{request.path}?{request.query}" if request else "",
                headers=request.headers if request else Headers(),
                body=body.encode(),
            )
        )


def _a_tick_higher(tick: Tick) -> Tick:
    price = tick.quote.ltp + tick.instrument.tick_size
    return replace(tick, quote=replace(tick.quote, ltp=price))
