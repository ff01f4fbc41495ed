"""The one atomic write, the private read and the lock."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from broker._kit.errors import StoreError
from broker._kit.files import (
    LockBusy,
    locked,
    make_private_folder,
    read_private,
    remove,
    unfinished,
    write_atomic,
)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix_only
def test_a_new_file_is_its_owners_alone_and_a_given_mode_counts(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_atomic(path, b"1")
    assert (mode(path), read_private(path)) == (0o600, b"1")
    write_atomic(path, b"2", mode=0o640)
    assert mode(path) == 0o640
    with pytest.raises(StoreError, match="may read"):
        read_private(path)


@posix_only
def test_without_a_mode_the_replaced_files_stays(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    write_atomic(path, b"", mode=None)
    assert mode(path) == 0o644
    path.chmod(0o751)
    write_atomic(path, b"x", mode=None)
    assert (mode(path), path.read_bytes()) == (0o751, b"x")


@posix_only
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "key"
    write_atomic(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match="No space left"):
            write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["key"]


def test_what_a_killed_program_left_is_replaced_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    Path(unfinished(path)).write_bytes(b"half")
    write_atomic(path, b"whole")
    Path(unfinished(path)).write_bytes(b"half")
    assert remove(path) is True
    assert remove(path) is False
    assert os.listdir(tmp_path) == []


@posix_only
def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a/b")
    assert mode(tmp_path / "a/b") == 0o700
    (tmp_path / "a").chmod(0o777)
    with pytest.raises(StoreError, match="may write"):
        make_private_folder(tmp_path / "a")


def test_a_lock_is_refused_at_once_while_another_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path):
        for _ in range(2):
            with pytest.raises(LockBusy), locked(path):
                pass
    with locked(path):
        pass
