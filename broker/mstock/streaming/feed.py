"""Live prices and order updates over one WebSocket that heals itself.

What is wanted (`desired`) is kept apart from what has been asked of mStock on the present
connection (`sent`) and from what has ticked on it (`flowing`): mStock confirms no subscription.
One thread connects, sends and receives; every other thread only changes what is desired.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, LogInAgain
from broker._kit.faults import fault_location
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import fingerprint
from broker.mstock.streaming.connection import (
    ConnectionLost,
    FeedConnection,
    FeedLogin,
    TokenRefused,
)
from broker.mstock.streaming.packets import Tick
from broker.mstock.streaming.requests import Dialect, Instrument, between, is_error

_BURST = 512  # messages, before what is desired and the time are looked at again

log = logging.getLogger(__name__)


class FeedState(StrEnum):
    """What the feed is doing."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"  # for the next attempt
    NO_SESSION = "no session"  # until a new login


class FeedStatus(NamedTuple):
    """A snapshot. `reason` says why it is not connected; counts are since the feed was made."""

    state: FeedState = FeedState.STOPPED
    reason: str = ""
    desired: int = 0
    sent: int = 0
    flowing: int = 0
    connections: int = 0
    dropped: int = 0


class FeedTiming(NamedTuple):
    """Limits in seconds."""

    connect: float = 10.0
    read: float = 10.0
    login: float = 10.0  # mStock's own limit for the LOGIN frame
    ping_every: float = 10.0
    dead_after: float = 25.0  # without any byte, pongs included
    stall_after: float = 45.0  # without a tick while the market is open and something is desired
    settled_after: float = 5.0  # a connection that ended sooner does not shorten the next wait
    first_wait: float = 0.5
    longest_wait: float = 30.0
    look_for_token: float = 5.0
    gather: float = 0.05  # changes of what is desired, before they are sent together
    resend_after: float = 15.0  # once per change: for what has not ticked since


class FeedListener(NamedTuple):
    """Who wants prices: called on the feed's thread, where nothing may be raised or waited for.

    `on_gap` is called after each login but the first: what happened meanwhile was not heard.
    """

    on_tick: Callable[[Tick], None]
    on_text: Callable[[str], None] = lambda _text: None
    on_gap: Callable[[], None] = lambda: None
    on_state: Callable[[FeedStatus], None] = lambda _status: None


class Feed:
    """One socket. `login` gives the newest session and raises `LogInAgain` without one.

    `is_market_open` is asked with the time; outside market hours silence is no stall.
    """

    def __init__(
        self,
        dialect: Dialect,
        login: Callable[[], FeedLogin],
        listener: FeedListener,
        *,
        is_market_open: Callable[[datetime], bool],
        clock: Clock = SYSTEM_CLOCK,
        timing: FeedTiming | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dialect = dialect
        self._login = login
        self._listener = listener
        self._is_market_open = is_market_open
        self._clock = clock
        self._timing = timing or FeedTiming()
        self._jitter = jitter
        self._lock = threading.Lock()
        self._desired: dict[Instrument, int] = {}
        self._sent: dict[Instrument, int] = {}
        self._ask_again: set[Instrument] = set()
        self._flowing: set[Instrument] = set()
        self._state, self._reason = FeedState.STOPPED, ""
        self._connections = self._dropped = 0
        self._generation = 0
        self._logged_in_at: float | None = None
        self._thread: threading.Thread | None = None
        self._connection: FeedConnection | None = None
        self._is_dirty = False
        self._send_at = 0.0
        self._resend_at: float | None = None
        self._pause = threading.Event()
        self._wake_writer: socket.socket | None = None

    # From any thread; none of these waits for the network.

    def subscribe(self, instruments: Mapping[Instrument, int]) -> None:
        """Want these, each in its mode; a mode replaces the one before.

        mStock is asked for those that it sends already, too: it answers with the present price.
        """
        with self._lock:
            self._desired |= instruments
            self._ask_again.update(instruments)
            self._note_change()

    def unsubscribe(self, instruments: Iterable[Instrument]) -> None:
        """Want these no more."""
        with self._lock:
            for each in instruments:
                self._desired.pop(each, None)
            self._note_change()

    def start(self) -> None:
        """Connect, and stay connected until `stop`; nothing when it runs already."""
        with self._lock:
            if self._thread is not None:
                return
            self._generation += 1
            self._state = FeedState.CONNECTING
            wake, self._wake_writer = socket.socketpair()
            wake.setblocking(False)
            self._wake_writer.setblocking(False)
            self._thread = threading.Thread(
                target=self._run, args=(self._generation, wake), name="mstock-feed", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the connection at once; what is desired stays known for the next `start`."""
        with self._lock:
            self._generation += 1
            connection, self._connection, self._thread = self._connection, None, None
            if self._wake_writer is not None:
                self._wake_writer.close()  # which wakes the thread, too
                self._wake_writer = None
            self._forget_connection()
            self._state, self._reason = FeedState.STOPPED, ""
        if connection is not None:
            connection.close()
        self._pause.set()

    def status(self) -> FeedStatus:
        """How things stand."""
        with self._lock:
            return FeedStatus(
                self._state,
                self._reason,
                len(self._desired),
                len(self._sent),
                len(self._flowing),
                self._connections,
                self._dropped,
            )

    @property
    def is_connected(self) -> bool:
        """True while logged in on an open connection."""
        return self._state is FeedState.CONNECTED

    def _note_change(self) -> None:
        """Wake the feed's thread for the first change of several: they go out together.

        A thousand wake-ups in a row would also keep taking Python's lock from whoever subscribes.
        """
        if not self._is_dirty:
            self._is_dirty = True
            self._send_at = self._clock.monotonic() + self._timing.gather
            if self._wake_writer is not None:
                with contextlib.suppress(OSError):  # full: it is awake already
                    self._wake_writer.send(b"!")

    # On the feed's own thread. A thread whose generation is over changes nothing any more.

    def _run(self, generation: int, wake: socket.socket) -> None:
        with wake:
            self._stay_connected(generation, wake)

    def _stay_connected(self, generation: int, wake: socket.socket) -> None:
        wait, refused = self._timing.first_wait, ""
        while self._is_current(generation):
            self._pause.clear()
            self._logged_in_at = None
            token: Secret | None = None
            try:
                login = self._login()
                token = login.token
                if fingerprint(token) == refused:
                    raise TokenRefused("mStock has refused this session.", "Log in again.")
                self._enter(generation, FeedState.CONNECTING)
                self._serve_connection(login, generation, wake)
            except LogInAgain as error:
                if isinstance(error, TokenRefused) and token is not None:
                    refused = fingerprint(token)
                self._enter(generation, FeedState.NO_SESSION, str(error))
                self._pause.wait(self._timing.look_for_token)
                continue
            except BrokerError as error:
                reason = str(error)
            except Exception as error:
                reason = f"The feed failed ({fault_location(error)})."
                log.error("mStock: %s", reason)
            else:
                return
            if self._has_settled():
                wait = self._timing.first_wait
            self._enter(generation, FeedState.WAITING, reason)
            self._pause.wait(wait * (0.5 + self._jitter() / 2))
            wait = min(2 * wait, self._timing.longest_wait)

    def _has_settled(self) -> bool:
        """Whether the connection that has just ended was one for a while.

        One that mStock takes and ends at once, as when another one evicts it, must not be made
        again and again without a pause.
        """
        since = self._logged_in_at
        return since is not None and (self._clock.monotonic() - since >= self._timing.settled_after)

    def _is_current(self, generation: int) -> bool:
        return generation == self._generation

    def _enter(self, generation: int, state: FeedState, reason: str = "") -> None:
        with self._lock:
            if not self._is_current(generation) or (state, reason) == (self._state, self._reason):
                return
            self._state, self._reason = state, reason
        self._listener.on_state(self.status())

    def _serve_connection(self, login: FeedLogin, generation: int, wake: socket.socket) -> None:
        """One connection, from the upgrade to its end. Returns only when the feed was stopped."""
        connection = FeedConnection(login, wake, self._timing.connect, self._timing.read)
        try:
            with self._lock:
                if not self._is_current(generation):
                    return
                self._connection = connection
            connection.send(f"LOGIN:{login.token.reveal()}")
            self._await_login(connection)
            with self._lock:
                if not self._is_current(generation):
                    return
                self._connections += 1
                self._logged_in_at = self._clock.monotonic()
                is_first = self._connections == 1
            self._enter(generation, FeedState.CONNECTED)
            if not is_first:
                self._listener.on_gap()
            self._receive(connection, generation)
        finally:
            connection.close()
            with self._lock:
                if self._is_current(generation):
                    self._connection = None
                    self._forget_connection()

    def _forget_connection(self) -> None:
        self._sent, self._flowing = {}, set()
        self._is_dirty, self._send_at = bool(self._desired), 0.0
        self._resend_at = None

    def _await_login(self, connection: FeedConnection) -> None:
        """The first text frame confirms the login; its content is not documented."""
        end = self._clock.monotonic() + self._timing.login
        while (left := end - self._clock.monotonic()) > 0:
            if connection.wait(left):
                message = connection.receive()
                if isinstance(message, str):
                    if is_error(message):
                        raise ConnectionLost("mStock refused the login on the feed's connection.")
                    return
        raise ConnectionLost("mStock did not answer the login on the feed's connection.")

    def _receive(self, connection: FeedConnection, generation: int) -> None:
        timing = self._timing
        heard = ticked = asked = self._clock.monotonic()
        while self._is_current(generation):
            self._synchronise(connection)
            pause = min(1.0, timing.ping_every / 2)
            if self._is_dirty:
                pause = min(pause, max(0.0, self._send_at - self._clock.monotonic()))
            if connection.wait(pause):
                has_ticked = self._receive_burst(connection, generation)
                heard = self._clock.monotonic()  # a listener's time is no silence of mStock's
                if has_ticked:
                    ticked = heard
            now = self._clock.monotonic()
            if now - heard > timing.dead_after:
                raise ConnectionLost("The connection for live prices has gone silent.")
            if now - max(heard, asked) > timing.ping_every:
                connection.ping()
                asked = now
            if now - ticked > timing.stall_after:
                if self._desired and self._has_been_open(timing.stall_after):
                    raise ConnectionLost("Live prices have stalled.")
                ticked = now

    def _has_been_open(self, seconds: float) -> bool:
        """Whether the exchange trades, and did so that long ago: silence at 09:14 is no stall."""
        now = self._clock.now()
        return all(map(self._is_market_open, (now, now - timedelta(seconds=seconds))))

    def _receive_burst(self, connection: FeedConnection, generation: int) -> bool:
        """Take what has arrived, up to a limit; True when a tick was in it."""
        now = self._clock.now().timestamp()
        has_ticked = False
        for _ in range(_BURST):
            message = connection.receive()
            if not self._is_current(generation):
                return has_ticked
            if isinstance(message, bytes):
                frame = self._dialect.decode(message, now)
                self._dropped += frame.dropped
                for tick in frame.ticks:
                    has_ticked = True
                    instrument = Instrument(tick.segment, tick.token)
                    if instrument in self._sent:  # not a late one of what nobody wants any more
                        self._flowing.add(instrument)
                    self._listener.on_tick(tick)
            elif message:
                self._listener.on_text(message)
            if not connection.has_buffered:
                break
        return has_ticked

    def _synchronise(self, connection: FeedConnection) -> None:
        """Ask mStock for what is desired and was not asked for; one batch for each mode."""
        now = self._clock.monotonic()
        with self._lock:
            if self._resend_at is not None and now >= self._resend_at:
                # A request may have been lost on the way; one that never ticked is sent once more.
                self._sent = {
                    each: self._sent[each] for each in self._sent if each in self._flowing
                }
                self._is_dirty, self._resend_at = True, None
            elif not self._is_dirty or now < self._send_at:
                return
            else:
                self._resend_at = now + self._timing.resend_after
            self._is_dirty = False
            desired = dict(self._desired)
            again, self._ask_again = self._ask_again & desired.keys(), set()
            sent = {each: mode for each, mode in self._sent.items() if each not in again}
        for text in between(self._dialect, sent, desired):
            connection.send(text)
        with self._lock:
            if self._connection is connection:
                self._sent = desired
                self._flowing &= desired.keys()
