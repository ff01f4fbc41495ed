"""Files put down so that a power cut leaves the old or the new one, and one installer at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from broker._kit.errors import HostError

_NEW = ".mstock-new"


def sha256(data: bytes) -> str:
    """The fingerprint by which files are known again, in hex."""
    return hashlib.sha256(data).hexdigest()


def write(path: Path, data: bytes, mode: int = 0o644, like: Path | None = None) -> None:
    """Put a file in place whole or not at all, with this mode; an old file's mode is kept.

    `like` names a file or folder whose owner the new one gets, when we may give it away. A link is
    followed: the file that it points to is written.
    """
    path = Path(os.path.realpath(path))
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode & 0o7777
        like = path
    fresh = beside(path)
    with suppress(FileNotFoundError):
        fresh.unlink()
    owner = like.stat() if like else None
    handle = os.open(
        fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
    )
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    _give(fresh, owner)
    os.chmod(fresh, mode)
    os.replace(fresh, path)
    settle(path.parent)


def beside(path: Path) -> Path:
    """Where a file is written before it takes its place; only an interruption leaves one there."""
    return path.with_name(path.name + _NEW)


def copy_files(source: Path, target: Path, names: tuple[str, ...], like: Path) -> None:
    """Copy these files (with / between folders) into a new folder, on the disk when it returns."""
    folders = {target}
    for name in names:
        to = target / name
        to.parent.mkdir(parents=True, exist_ok=True)
        folders |= {target.joinpath(*part.parts) for part in Path(name).parents}
        write(to, (source / name).read_bytes(), like=like)
    for folder in sorted(folders, reverse=True):
        _give(folder, like.stat())
        settle(folder)


def private_folder(path: Path, like: Path) -> None:
    """Make a folder that only its owner may open, the owner being that of `like`; or leave it."""
    if not path.is_dir():
        path.mkdir(mode=0o700)
        _give(path, like.stat())


def move(source: Path, target: Path) -> None:
    """Rename a folder, on the disk when it returns."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(source, target)
    settle(source.parent)
    settle(target.parent)


def settle(folder: Path) -> None:
    """Have the names in a folder written to the disk (Windows does it by itself)."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove(path: Path) -> None:
    """Take away a file or a folder; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _give(path: Path, owner: os.stat_result | None) -> None:
    # An installer run with sudo must not leave files that the web server's user cannot read.
    if sys.platform != "win32" and owner and os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Only one installer at a time works on an OpenAlgo. Raises `HostError` for the second."""
    with lock.open("ab") as held:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise
            raise HostError(
                "Another install or uninstall is at work on this OpenAlgo.", "Let it end first."
            ) from None
        yield
