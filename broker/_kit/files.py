"""How files are written, read and locked: whole or not at all, by one program at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
from collections.abc import Iterator

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import StoreError

IS_WINDOWS = sys.platform == "win32"
LOCK_WAIT = 10.0
StrPath = str | os.PathLike[str]

_POLL_S = 0.005
_LOCKED = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # the systems differ
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
# Windows refuses to replace a file that a virus scanner is looking at.
_REPLACE_ATTEMPTS = 20
_OTHER_DISK = "or set BROKER_HOME to a folder on a disk that keeps file rights."

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class LockBusy(StoreError):
    """Another thread or program holds the lock."""


@contextlib.contextmanager
def store_errors(path: StrPath, action: str) -> Iterator[None]:
    """Raise an `OSError` as a `StoreError`; `action` is "read", "written" and the like."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{os.fspath(path)} cannot be {action}: {error.strerror or 'the disk refuses'}.",
            "See that the folder exists, belongs to you and has room, then try again.",
        ) from None


def make_private_folder(path: StrPath) -> None:
    """Make the folder, for its owner only; raises `StoreError` when others may write in it."""
    with store_errors(path, "written"):
        if not os.path.isdir(path):
            os.makedirs(path, mode=0o700, exist_ok=True)
            give(path, os.path.dirname(os.path.abspath(path)))
        mode = os.stat(path).st_mode
    if not IS_WINDOWS and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(
            f"Other users of this computer may write in the folder {path}; nothing was kept.",
            f"Run chmod 700 {path}, {_OTHER_DISK}",
        )


def read_private(path: StrPath) -> bytes | None:
    """A file's bytes, None when there is none; raises `StoreError` when others may read it."""
    with store_errors(path, "read"):
        try:
            descriptor = os.open(path, os.O_RDONLY | _BINARY)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            data = file.read()
    if not IS_WINDOWS and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreError(
            f"Other users of this computer may read the file {path}.",
            f"Run chmod 600 {path}, {_OTHER_DISK}",
        )
    return data


def write_atomic(
    path: StrPath, data: bytes, *, mode: int | None = 0o600, like: StrPath | None = None
) -> None:
    """Replace a file in one step, on the disk before this returns; a link is followed.

    `mode` None keeps that of the file that is replaced (0644 for a new one). An administrator's
    file is given to the owner of `like`, else of the replaced file, else of the folder. One writer
    at a time: the caller holds a `FileLock`. Raises `StoreError`; the old file stays as it was.
    """
    target = os.path.realpath(path)
    new = unfinished(target)
    with store_errors(path, "written"):
        old = os.stat(target) if os.path.exists(target) else None
        if mode is None:
            mode = stat.S_IMODE(old.st_mode) if old else 0o644
        _unlink(new)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            give(new, like or (target if old else os.path.dirname(target)))
            os.chmod(new, mode)
            _replace(new, target)
        except BaseException:
            with contextlib.suppress(OSError):
                _unlink(new)
            raise
        sync_folder(os.path.dirname(target))


def unfinished(path: StrPath) -> str:
    """Where the next version of a file lies until it is whole; only a killed program leaves one."""
    return os.path.realpath(path) + ".new"


def remove(path: StrPath) -> bool:
    """Remove a file and its unfinished next version; True when the file was there."""
    with store_errors(path, "removed"):
        _unlink(unfinished(path))
        was_there = _unlink(path)
        if was_there:
            sync_folder(os.path.dirname(os.path.abspath(path)))
    return was_there


def give(path: StrPath, like: StrPath) -> None:
    """As the administrator: give a file or folder to the owner of `like`.

    A command that was run once with sudo must not lock the folder's owner out.
    """
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = os.stat(like)
        os.chown(path, owner.st_uid, owner.st_gid)


def sync_folder(folder: StrPath) -> None:
    """See to it that the names in a folder survive a power cut; Windows has no such call."""
    if IS_WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileLock:
    """One holder at a time among all threads and processes; a process that dies lets go."""

    def __init__(
        self, path: StrPath, clock: Clock = SYSTEM_CLOCK, wait_s: float = LOCK_WAIT
    ) -> None:
        self._path = os.fspath(path)
        self._clock = clock
        self._wait_s = wait_s
        self._among_threads = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock, at most `wait_s` seconds; raises `LockBusy`, `StoreError`."""
        ends = self._clock.monotonic() + self._wait_s
        if not self._among_threads.acquire(timeout=self._wait_s):
            raise self._busy()
        try:
            descriptor = self._acquire(ends)
            try:
                yield
            finally:
                os.close(descriptor)
        finally:
            self._among_threads.release()

    def remove(self) -> None:
        """Remove the lock's file while holding it; whoever waits for it will notice."""
        if not IS_WINDOWS:  # there an open file stays
            with store_errors(self._path, "removed"):
                _unlink(self._path)

    def _acquire(self, ends: float) -> int:
        while True:
            with store_errors(self._path, "locked"):
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
                try:
                    give(self._path, os.path.dirname(os.path.abspath(self._path)))
                    if _locks(descriptor) and self._is_current(descriptor):
                        return descriptor
                except FileNotFoundError:  # removed by its holder between the two calls
                    pass
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)
            if self._clock.monotonic() >= ends:
                raise self._busy()
            self._clock.sleep(_POLL_S)

    def _is_current(self, descriptor: int) -> bool:
        """False when the file was removed while this one waited for it."""
        try:
            return IS_WINDOWS or os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _busy(self) -> StoreError:
        return LockBusy(
            f"Another program has been holding {self._path} for {self._wait_s:.0f} seconds.",
            "End the other program that uses this folder, or try again.",
        )


def _locks(descriptor: int) -> bool:
    """Lock the file; False when another holds it."""
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in _LOCKED:
            return False
        raise
    return True


def _replace(new: str, path: str) -> None:
    for attempts_left in range(_REPLACE_ATTEMPTS - 1, -1, -1):
        try:
            os.replace(new, path)
            return
        except PermissionError:
            if not IS_WINDOWS or not attempts_left:
                raise
            SYSTEM_CLOCK.sleep(_POLL_S * 10)


def _unlink(path: StrPath) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


# Until the last callers of the former names are gone.
told, make_folder, FolderLock = store_errors, make_private_folder, FileLock


def write_whole(path: str, data: bytes, _clock: Clock = SYSTEM_CLOCK) -> None:
    """`write_atomic` by its former name."""
    write_atomic(path, data)
