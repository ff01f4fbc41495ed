"""Frames as fast as a socket takes them, or at a stated rate: for benchmarks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

CHUNK: int = 1 << 16


@dataclass
class Burst:
    """`count` frames for one connection, taken in turn from prebuilt ones; `rate`: a second's.

    `wait()` tells when the last byte has been handed to the system.
    """

    frames: Sequence[bytes]
    count: int
    rate: float | None = None
    sent: int = 0
    seconds: float = 0.0
    _began: float | None = field(default=None, repr=False)
    _done: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait(self, timeout: float | None = None) -> bool:
        """True once all frames are written; False when they are not within `timeout` seconds."""
        return self._done.wait(timeout) and self.sent == self.count

    @property
    def finished(self) -> bool:
        """True when nothing more comes of it."""
        return self._done.is_set()

    def next_bytes(self) -> bytes:
        """Return what is due now; b"" when nothing is, or nothing is left."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        self.seconds = now - self._began
        if self.sent >= self.count:
            self._done.set()
        due = self.count if self.rate is None else min(self.count, int(self.seconds * self.rate))
        parts: list[bytes] = []
        size = 0
        while self.sent < due and size < CHUNK:
            part = self.frames[self.sent % len(self.frames)]
            parts.append(part)
            size += len(part)
            self.sent += 1
        return b"".join(parts)

    def end(self) -> None:
        """Give up: the connection is gone."""
        self._done.set()
