"""A real terminal with a program at it: what it shows is read, what a person types is typed."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

_PATIENCE = 30.0


class Terminal:
    """`python -m` these words on a pseudo-terminal of their own; POSIX only."""

    def __init__(self, folder: Path, env: dict[str, str], *words: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def expect(self, words: str) -> None:
        """Read on until these words are shown; they may be shown already."""
        start = self._read_up_to
        ends = time.monotonic() + _PATIENCE
        while words not in self.shown[start:]:
            assert self._read(ends - time.monotonic()), f"no {words!r} in {self.shown!r}"
        self._read_up_to = self.shown.index(words, start) + len(words)

    def type(self, text: str) -> None:
        """Type, and press Enter."""
        # A question is shown a moment before the echo is switched off.
        time.sleep(0.1)
        os.write(self._ours, f"{text}\n".encode())

    def press(self, key: bytes) -> None:
        """Press one key."""
        time.sleep(0.1)
        os.write(self._ours, key)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        ends = time.monotonic() + _PATIENCE
        while self._read(ends - time.monotonic()):
            pass
        return self.process.wait(timeout=_PATIENCE)

    _read_up_to = 0

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], max(0.0, seconds))[0]:
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # how Linux says that nobody is at the other end any more
            return False
        self.shown += piece.decode("utf-8", "replace")
        return bool(piece)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C and /dev/tty are its."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
