"""One thread for all sockets: accepts, reads, writes what each socket takes, and keeps time."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from broker_simulator.mstock.delivery import LINGER
from broker_simulator.mstock.server import LOOPBACK

READ_BYTES: Final = 1 << 16
# After so many it is the next socket's turn, even if this one takes more.
WRITE_BYTES: Final = 1 << 20
# Little, so that a slow reader shows in our own queue and not in the system's.
SEND_BUFFER: Final = 1 << 16
WAIT_SECONDS: Final = 0.05


class Peer:
    """A socket and the bytes that wait for it. `more`: asked for bytes when none wait."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        self.sock = sock
        self.port = port
        self.outbound = bytearray()
        self.more: Callable[[], bytes] | None = None
        self.closing = False
        self.events = selectors.EVENT_READ


P = TypeVar("P", bound=Peer)
P_contra = TypeVar("P_contra", bound=Peer, contravariant=True)


class Handler(Protocol[P_contra]):
    """What is done about the events of the sockets; all of it in the loop's thread."""

    def received(self, peer: P_contra, data: bytes) -> None:
        """Bytes have come."""

    def gone(self, peer: P_contra) -> None:
        """The client has gone away."""

    def passed(self, now: float) -> None:
        """Some time has passed (monotonic seconds)."""


class SocketLoop(Generic[P]):
    """Runs sockets without ever waiting for one of them. Everything but call() is its thread's."""

    def __init__(self, make: Callable[[socket.socket, int], P], handler: Handler[P]) -> None:
        self._make = make
        self._handler = handler
        self._inbox: deque[Callable[[], None]] = deque()
        self._awake = False
        self._stopped = threading.Event()
        self._peers: set[P] = set()

    def start(self, port: int) -> int:
        """Listen on loopback; returns the port."""
        self._stopped.clear()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((LOOPBACK, port), backlog=512)
        self._listener.setblocking(False)
        self._waker, self._wakes = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """End all connections and the thread."""
        self._stopped.set()
        self.call(lambda: None)
        self._thread.join()
        for peer in list(self._peers):
            self.close(peer)
        for sock in (self._listener, self._waker, self._wakes):
            sock.close()
        self._selector.close()

    def call(self, work: Callable[[], None]) -> None:
        """Have something done in the loop's thread, soon and in order; from any thread."""
        self._inbox.append(work)
        if not self._awake:
            self._awake = True
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def send(self, peer: P, data: bytes) -> None:
        """Write what the socket takes now, and keep the rest."""
        if peer not in self._peers or peer.closing:
            return
        peer.outbound += data
        self.flush(peer)

    def flush(self, peer: P) -> None:
        """Write what waits, as far as the socket takes it."""
        if peer not in self._peers:
            return
        idle, written = False, 0
        try:
            while written < WRITE_BYTES and not idle:
                if not peer.outbound and peer.more is not None:
                    peer.outbound += peer.more()
                idle = not peer.outbound
                if not idle:
                    count = peer.sock.send(peer.outbound)
                    del peer.outbound[:count]
                    written += count
        except BlockingIOError:
            pass
        except OSError:
            self._lost(peer)
            return
        if peer.closing and idle:
            self.close(peer)
            return
        wanted = selectors.EVENT_READ | (0 if idle else selectors.EVENT_WRITE)
        if wanted != peer.events:
            peer.events = wanted
            self._selector.modify(peer.sock, wanted, peer)

    def close(self, peer: P, reset: bool = False) -> None:
        """End a connection at once, what waits for it included; with an RST if `reset`."""
        if peer not in self._peers:
            return
        self._peers.discard(peer)
        self._selector.unregister(peer.sock)
        if reset:
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(LINGER, 1, 0))
        else:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        peer.sock.close()

    def close_after_writing(self, peer: P, last: bytes = b"") -> None:
        """End a connection when `last` and what waits before it is written."""
        if peer in self._peers and not peer.closing:
            peer.outbound += last
            peer.more = None
            peer.closing = True
            self.flush(peer)

    def _run(self) -> None:
        while not self._stopped.is_set():
            for key, events in self._selector.select(WAIT_SECONDS):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wakes:
                    with contextlib.suppress(BlockingIOError):
                        self._wakes.recv(READ_BYTES)
                else:
                    if events & selectors.EVENT_READ:
                        self._read(key.data)
                    if events & selectors.EVENT_WRITE:
                        self.flush(key.data)
            # Before the inbox is emptied: what comes in from here on wakes the loop again.
            self._awake = False
            while self._inbox:
                self._inbox.popleft()()
            self._handler.passed(time.monotonic())

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            sock, address = self._listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            peer = self._make(sock, address[1])
            self._peers.add(peer)
            self._selector.register(sock, selectors.EVENT_READ, peer)

    def _read(self, peer: P) -> None:
        if peer not in self._peers:
            return
        try:
            data = peer.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._handler.received(peer, data)
        else:
            self._lost(peer)

    def _lost(self, peer: P) -> None:
        if peer in self._peers:
            self.close(peer)
            self._handler.gone(peer)
