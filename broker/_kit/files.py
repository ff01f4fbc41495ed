"""Files that only their owner can read, whole or not there, and a lock that outlives no one."""

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
_PAUSE = 0.005
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # the systems differ
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write line ends of its own
# Windows refuses to replace a file that a virus scanner is looking at.
_TRIES = 20
_OTHER_DISK = "or set BROKER_HOME to a folder on a disk that keeps file rights."

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def told(path: str, doing: str) -> Iterator[None]:
    """Turns what the disk refuses into words: `doing` is "read", "written" and the like."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be {doing}: {error.strerror or 'the disk refuses'}.",
            "See that the folder exists, belongs to you and has room, then try again.",
        ) from None


def make_folder(folder: str) -> None:
    """Make the folder, for its owner only; raises `StoreError` when others may write in it."""
    with told(folder, "written"):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        mode = os.stat(folder).st_mode
    if not IS_WINDOWS and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(
            f"Other users of this computer may write in the folder {folder}; nothing was kept.",
            f"Run chmod 700 {folder}, {_OTHER_DISK}",
        )


def read_private(path: str) -> bytes | None:
    """A file's bytes, None when there is none; raises `StoreError` when others may read it."""
    with told(path, "read"):
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


def write_whole(path: str, data: bytes, clock: Clock = SYSTEM_CLOCK) -> None:
    """Put a file in the place of the last one in one step, and on the disk before this returns.

    Only one at a time may do it: the caller holds the lock. Raises `StoreError`, and the last file
    stays as it was.
    """
    new = unfinished(path)
    with told(path, "written"):
        _unlink(new)
        descriptor = _create(new)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            _replace(new, path, clock)
        except BaseException:
            with contextlib.suppress(OSError):
                _unlink(new)
            raise
        sync_folder(os.path.dirname(path))


def unfinished(path: str) -> str:
    """Where the next version of a file lies until it is whole."""
    return path + ".new"


def remove(path: str) -> bool:
    """Take a file and its unfinished next version away; True when the file was there."""
    with told(path, "removed"):
        _unlink(unfinished(path))
        was_there = _unlink(path)
        if was_there:
            sync_folder(os.path.dirname(path))
    return was_there


def sync_folder(folder: str) -> None:
    """See to it that the names in a folder survive a power cut; Windows has no such call."""
    if IS_WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderLock:
    """One at a time in a folder, among all threads and processes; a process that dies lets go."""

    def __init__(self, path: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._among_threads = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Waits for its turn; raises `StoreError` when it does not come in time."""
        ends = self._clock.monotonic() + LOCK_WAIT
        if not self._among_threads.acquire(timeout=LOCK_WAIT):
            raise self._too_long()
        try:
            descriptor = self._wait(ends)
            try:
                yield
            finally:
                os.close(descriptor)
        finally:
            self._among_threads.release()

    def remove(self) -> None:
        """Take the lock's file away, by who holds it; whoever waits for it will notice."""
        if not IS_WINDOWS:  # there an open file stays
            with told(self._path, "removed"):
                _unlink(self._path)

    def _wait(self, ends: float) -> int:
        while True:
            with told(self._path, "locked"):
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
                try:
                    _give_to_folders_owner(descriptor, self._path)
                    if _locks(descriptor) and self._is_still(descriptor):
                        return descriptor
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)
            if self._clock.monotonic() >= ends:
                raise self._too_long()
            self._clock.sleep(_PAUSE)

    def _is_still(self, descriptor: int) -> bool:
        """False when the file was removed while this one waited for it."""
        try:
            return IS_WINDOWS or os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _too_long(self) -> StoreError:
        return StoreError(
            f"Another program has been holding {self._path} for {LOCK_WAIT:.0f} seconds.",
            "End the other program that uses this folder, or try again.",
        )


def _locks(descriptor: int) -> bool:
    """Lock the file, if no other has: False."""
    try:
        _try_lock(descriptor)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _create(path: str) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    _give_to_folders_owner(descriptor, path)
    return descriptor


def _give_to_folders_owner(descriptor: int, path: str) -> None:
    """So that a command run once as the administrator does not lock the folder's owner out."""
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = os.stat(os.path.dirname(path))
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _replace(new: str, path: str, clock: Clock) -> None:
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            os.replace(new, path)
            return
        except PermissionError:
            if not IS_WINDOWS or not tries_left:
                raise
            clock.sleep(_PAUSE * 10)


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
