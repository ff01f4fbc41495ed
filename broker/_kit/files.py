"""How files are written, read and locked: whole or not at all, by one program at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import StoreError

IS_WINDOWS = sys.platform == "win32"
StrPath = str | os.PathLike[str]

_LOCKED = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # the systems differ
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
# Windows refuses to replace a file that a virus scanner is looking at.
_REPLACE_ATTEMPTS, _REPLACE_WAIT_S = (20 if IS_WINDOWS else 1), 0.05
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
            with open(path, "rb") as file:
                mode, data = os.fstat(file.fileno()).st_mode, file.read()
        except FileNotFoundError:
            return None
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
    at a time: the caller sees to it. Raises `StoreError`; the old file stays as it was.
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
        _sync_folder(target)


def unfinished(path: StrPath) -> str:
    """Where the next version of a file lies until it is whole; only a killed program leaves one."""
    return os.path.realpath(path) + ".new"


def remove(path: StrPath) -> bool:
    """Remove a file and its unfinished next version; True when the file was there."""
    with store_errors(path, "removed"):
        _unlink(unfinished(path))
        was_there = _unlink(path)
        if was_there:
            _sync_folder(path)
    return was_there


def give(path: StrPath, like: StrPath) -> None:
    """As the administrator: give a file or folder to the owner of `like`.

    A command that was run once with sudo must not lock the folder's owner out.
    """
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = os.stat(like)
        os.chown(path, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def locked(path: StrPath) -> Iterator[None]:
    """Hold a lock file among all threads and processes; a process that dies lets go.

    Raises `LockBusy` at once when another holds it, `StoreError`.
    """
    with store_errors(path, "locked"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
    try:
        with store_errors(path, "locked"):
            give(path, os.path.dirname(os.path.abspath(path)))
            try:
                _lock(descriptor)
            except OSError as error:
                if error.errno not in _LOCKED:
                    raise
                raise LockBusy(
                    f"Another program holds {os.fspath(path)}.", "Let it end, then try again."
                ) from None
        yield
    finally:
        os.close(descriptor)


def _sync_folder(path: StrPath) -> None:
    """Let a name in a folder survive a power cut; Windows has no such call."""
    if not IS_WINDOWS:
        descriptor = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(new: str, path: str) -> None:
    for attempts_left in reversed(range(_REPLACE_ATTEMPTS)):
        try:
            os.replace(new, path)
            break
        except PermissionError:
            if not attempts_left:
                raise
            SYSTEM_CLOCK.sleep(_REPLACE_WAIT_S)


def _unlink(path: StrPath) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
