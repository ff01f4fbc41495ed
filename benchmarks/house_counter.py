"""Counts what a piece of a program does: files, functions, calls, changes of file, files opened.

Knows no module of the project; `house_walks.py` says what is run.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_OPTIMIZED = 0x01  # inspect.CO_OPTIMIZED: set for functions, not for module and class bodies
_DML = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@dataclass
class _Thread:
    """One thread's way through the counted files."""

    importing: int = 0
    calls: int = 0
    stack: list[str] = field(default_factory=list)
    # (file, whether it was come to by a return), one entry per change of file
    moves: list[tuple[str, bool]] = field(default_factory=list)

    def move(self, file: str, returned: bool) -> None:
        if not self.moves or self.moves[-1][0] != file:
            self.moves.append((file, returned))

    def returns(self) -> int:
        """How often a return led straight back to the file that was left by the move before."""
        places = zip(self.moves, self.moves[2:], strict=False)
        return sum(returned and before == file for (before, _), (file, returned) in places)


class _Counter:
    """Counts while it is told to."""

    _is_on = False

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens within, in all threads."""
        self._is_on = True
        try:
            yield
        finally:
            self._is_on = False


class CallCounter(_Counter):
    """Counts the calls of functions whose source file is a `.py` file below `root`.

    A call is what `sys.setprofile` reports as one, in every thread that begins after `install`:
    lambdas, comprehensions and generator expressions are functions, and the resumption of a
    generator is a call, because each of them is a jump that a reader follows. Not counted: module
    and class bodies, whatever runs while a module is imported, templates, and code without a file
    (the methods that `dataclass` makes). `extra` are functions elsewhere, of which only the
    number of calls is counted.

    Python 3.12 and later inline list, set and dict comprehensions: compare figures of one version.
    """

    def __init__(self, root: Path, extra: Collection[CodeType] = ()) -> None:
        self._root = str(root) + os.sep
        self._extra = dict.fromkeys(extra, 0)
        self._counted: dict[CodeType, bool] = {}
        self._functions: set[CodeType] = set()
        self._threads: list[_Thread] = []
        self._local = threading.local()

    def install(self) -> None:
        """Watch this thread and all later ones; nothing is counted outside `counting`."""
        threading.setprofile(self._event)
        sys.setprofile(self._event)

    def figures(self) -> dict[str, int]:
        """`files`, `functions` (distinct ones), `calls`, `returns` (to a file just left)."""
        return {
            "files": len({code.co_filename for code in self._functions}),
            "functions": len(self._functions),
            "calls": sum(thread.calls for thread in self._threads),
            "returns": sum(thread.returns() for thread in self._threads),
        }

    def extra_calls(self) -> int:
        """The calls of the extra functions, all together."""
        return sum(self._extra.values())

    def settle(self, quiet: float = 0.5, longest: float = 30.0) -> None:
        """Return when nothing has been called for `quiet` seconds; TimeoutError after `longest`."""
        ends = time.monotonic() + longest
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < quiet:
            now = sum(thread.calls for thread in self._threads)
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() > ends:
                raise TimeoutError("the counted program does not come to rest")
            time.sleep(0.02)

    def _event(self, frame: FrameType, event: str, _argument: Any) -> None:
        if not self._is_on or event not in ("call", "return"):
            return
        code = frame.f_code
        if code in self._extra and event == "call":
            self._extra[code] += 1
        is_counted = self._counted.get(code)
        if is_counted is None:
            file = code.co_filename
            is_counted = file.startswith(self._root) and file.endswith(".py")
            self._counted[code] = is_counted
        if is_counted:
            self._note(code, event == "call")

    def _note(self, code: CodeType, is_call: bool) -> None:
        thread: _Thread | None = getattr(self._local, "thread", None)
        if thread is None:
            thread = self._local.thread = _Thread()
            self._threads.append(thread)
        if code.co_name == "<module>":
            thread.importing += 1 if is_call else -1
        elif thread.importing or not code.co_flags & _OPTIMIZED:
            return
        elif is_call:
            thread.calls += 1
            self._functions.add(code)
            thread.stack.append(code.co_filename)
            thread.move(code.co_filename, False)
        elif thread.stack:  # else it was called before the counting began
            thread.stack.pop()
            if thread.stack:
                thread.move(thread.stack[-1], True)


class FileCounter(_Counter):
    """Counts how often files are opened and replaced, by Python's audit events.

    A hook cannot be taken off: one counter for the life of a process.
    """

    def __init__(self) -> None:
        self._reads: list[str] = []
        self._writes: list[str] = []

    def install(self) -> None:
        sys.addaudithook(self._event)

    def reads(self, path: Path) -> int:
        """How often this file was opened to be read."""
        return self._reads.count(str(path))

    def replaced(self, path: Path) -> int:
        """How often this file was opened to be written, or another one put in its place."""
        return self._writes.count(str(path))

    def extra_reads(self, folder: Path, name: str) -> int:
        """How often files of this name below a folder were read other than to write one of them.

        `name` may hold a `/`. What is left when copies are taken off is reading to compare.
        """

        def count(paths: list[str]) -> int:
            return sum(p.startswith(f"{folder}{os.sep}") and p.endswith(f"/{name}") for p in paths)

        return count(self._reads) - count(self._writes)

    def _event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            is_write = arguments[2] & (os.O_WRONLY | os.O_RDWR)
            (self._writes if is_write else self._reads).append(_absolute(arguments[0]))
        elif event == "os.rename":  # os.replace is one, too
            self._writes.append(_absolute(arguments[1]))


def _absolute(path: str | bytes | os.PathLike[Any]) -> str:
    return os.path.abspath(os.fsdecode(path))


class SqlCounter(_Counter):
    """Counts SQLAlchemy's transactions, of all engines: all of them, and those that wrote rows."""

    def __init__(self) -> None:
        self.transactions = 0
        self.writes = 0

    def install(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "begin", self._begin)
        event.listen(Engine, "before_cursor_execute", self._execute)
        event.listen(Engine, "commit", self._commit)

    def _begin(self, connection: Any) -> None:
        connection.info["house_wrote"] = False
        self.transactions += self._is_on

    def _execute(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(_DML):
            connection.info["house_wrote"] = True

    def _commit(self, connection: Any) -> None:
        if connection.info.pop("house_wrote", False):
            self.writes += self._is_on
