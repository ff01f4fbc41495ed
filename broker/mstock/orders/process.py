"""Which process wrote a row of the journal, and whether it still runs."""

from __future__ import annotations

import os
import socket
from functools import lru_cache

_SEPARATOR = "/"


@lru_cache(maxsize=2)
def _identity(pid: int) -> str:
    return _SEPARATOR.join((socket.gethostname(), str(pid), _started(pid)))


def this_process() -> str:
    """This process: computer, process id and, where the system tells, when it was started."""
    return _identity(os.getpid())  # another one after a fork


def has_ended(process: str) -> bool | None:
    """Whether that process is known to have ended; None when it cannot be told from here."""
    computer, pid, started = process.rsplit(_SEPARATOR, 2)
    if computer != socket.gethostname() or not started:
        return None
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """A process's start in clock ticks since boot (Linux); "" when it is gone or not told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            # The name, in brackets, may hold blanks.
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
