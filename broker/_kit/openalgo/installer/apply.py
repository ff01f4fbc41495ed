"""Carries out an install or an uninstall, in an order in which OpenAlgo starts at every moment.

Each file is written whole or not at all, and every step may be repeated: whoever was stopped runs
`install` or `uninstall` again. The adapter and the packages above it, which OpenAlgo imports at its
start, work alone: they come first and are the last to be replaced by OpenAlgo's own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from secrets import token_hex

from broker._kit import files
from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import HostError, StoreError
from broker._kit.openalgo.installer.inspect import (
    FORMAT,
    KIT,
    Checkout,
    Package,
    Place,
    Record,
    State,
    first_files,
    read_record,
)
from broker._kit.openalgo.installer.plan import Plan

# So that neither `git status` nor `git add` in OpenAlgo sees what is ours.
_IGNORE_ALL = b"*\n"


def apply(plan: Plan) -> bool:
    """Install or uninstall; True when backups of what users had changed stay.

    Raises `HostError`, also when a file has changed since the plan was made.
    """
    host, place = plan.host, plan.host.place
    with _words_for_errors(place):
        with _at_work(host):
            old = _keep_copies(host) if plan.moves_files else host.record
            record = plan.record._replace(original=old.original)
            if plan.package:
                _install(plan, plan.package, old, record)
            elif plan.moves_files:
                _uninstall(plan, old)
            else:
                _write_app_and_env(plan)
            if record.is_empty:
                files.remove(place.record)
            else:
                _write_record(place, record)
            if not record.lines:
                _remove_tree(place.env_copy.parent)
            if record.is_empty:
                _remove_former_copies(place, "")
        has_backups = place.backups.is_dir()
        if record.is_empty:
            files.remove(place.home / "lock") if has_backups else _remove_tree(place.home)
    return has_backups


def _install(plan: Plan, package: Package, old: Record, record: Record) -> None:
    host, place = plan.host, plan.host.place
    if plan.env is not host.env and host.env and not (host.record.lines and host.before):
        files.make_private_folder(place.env_copy.parent)
        files.write_atomic(place.env_copy.parent / ".gitignore", _IGNORE_ALL, mode=0o644)
        files.write_atomic(place.env_copy, host.env.data)
    begun = {
        name: sorted({*old.files.get(name, ()), *record.files.get(name, ())})
        for name in {*old.files, *record.files}
    }
    _write_record(place, record._replace(is_complete=False, files=begun))
    _remove_former_copies(place, record.original)
    # The kit's own `__init__` holds its version: it comes when all else is there.
    rank = {**dict.fromkeys(first_files(host.broker), 0), f"{KIT}/__init__.py": 2}
    for name in sorted(package.files, key=lambda name: rank.get(name, 1)):
        if host.live.get(name) not in record.files[name]:
            path = place.brokers / name
            _make_folders(place, path.parent)
            files.write_atomic(path, package.files[name], mode=0o644, like=place.brokers)
    _write_app_and_env(plan)
    _remove_files(place, {*begun, *host.live} - {*package.files})


def _uninstall(plan: Plan, old: Record) -> None:
    """OpenAlgo's own files in the place of ours; the adapter when all that it imports is there."""
    host, place, first = plan.host, plan.host.place, first_files(plan.host.broker)
    _write_record(place, old._replace(is_complete=False))
    _remove_former_copies(place, old.original)
    original = place.home / old.original
    copies = sorted(original.rglob("*")) if old.original else []
    names = {copy.relative_to(original).as_posix(): copy for copy in copies}
    for name in names:
        if name not in first:
            _restore(names[name], place.brokers / name, place)
    for name in host.broker.host_files:
        for path in place.openalgo.glob(f"{name}*"):  # with what SQLite puts beside it
            files.remove(path)
    _write_app_and_env(plan)
    # All that is there or was installed: what a stopped removal left is removed again.
    known = {*host.live, *host.record.files}
    kit = {name for name in known if name.startswith(f"{KIT}/")}
    # Ours must not stand among what the adapter imports.
    _remove_files(place, known - kit - {*names, *first})
    for name in reversed(first):
        if name in names:
            _restore(names[name], place.brokers / name, place)
        else:
            _remove_files(place, [name])
    if not host.kit_users:
        _remove_files(place, kit)


@contextlib.contextmanager
def _at_work(host: Checkout) -> Iterator[None]:
    """Our folder exists, nobody else works in it, and all is as it was when it was looked at."""
    place = host.place
    files.make_private_folder(place.home)
    files.write_atomic(place.home / ".gitignore", _IGNORE_ALL, mode=0o644)
    with files.locked(place.home / "lock"):
        env = place.env.read_bytes() if place.env.is_file() else None
        before = host.env.data if host.env else None
        if (place.app.read_bytes(), env, read_record(place)) != (host.app, before, host.record):
            raise HostError("app.py, .env or the plugin was changed just now.", "Try again.")
        for path in (place.app, place.env):  # what a stopped write has left
            Path(files.unfinished(path)).unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _words_for_errors(place: Place) -> Iterator[None]:
    try:
        yield
    except files.LockBusy:
        raise HostError(
            "Another install or uninstall is at work on this OpenAlgo.", "Let it end first."
        ) from None
    except (OSError, StoreError) as error:
        words = (
            error.message
            if isinstance(error, StoreError)
            else f"{error.strerror}: {error.filename}."
        )
        raise HostError(
            f"OpenAlgo's folder could not be written: {words}",
            "Stop OpenAlgo, run this as the user whom the folder belongs to, see that the disk is "
            "not full, and run it again. In a container, do this outside it (see "
            f"docs/openalgo.md). OpenAlgo in {place.openalgo} starts as it is.",
        ) from None


def _keep_copies(host: Checkout) -> Record:
    """Copy what OpenAlgo came with, and what users changed in our files; the record with both."""
    place, record = host.place, host.record
    foreign = [name for name in host.live_plugin if not host.is_ours(name)]
    if host.state is State.REPLACED:
        # The same file may belong to both, such as an empty `__init__`.
        before = place.home / record.original
        foreign = [n for n in host.live_plugin if n in foreign or (before / n).exists()]
    if host.state in (State.NEW, State.REPLACED):
        record = record._replace(original="")
    # After a stop an update of OpenAlgo may have come in between.
    if foreign and host.state in (State.NEW, State.REPLACED, State.INTERRUPTED):
        original = record.original or f"original-{_new_name()}"
        record = record._replace(original=original)
        _copy(place.brokers, place.home / original, foreign)
    is_edited = host.state is State.CHANGED
    edited = [n for n in host.differ if n in host.live and (is_edited or n.startswith(f"{KIT}/"))]
    if edited:
        files.make_private_folder(place.backups)
        _copy(place.brokers, place.backups / _new_name(), edited)
    return record


def _restore(copy: Path, target: Path, place: Place) -> None:
    if copy.is_dir():
        _make_folders(place, target)
    elif not target.is_file() or target.read_bytes() != copy.read_bytes():
        files.write_atomic(target, copy.read_bytes(), mode=_mode(copy), like=place.brokers)
    _set_mode(target, _mode(copy))


def _write_record(place: Place, record: Record) -> None:
    data = json.dumps({"format": FORMAT, **record._asdict()}, indent=1) + "\n"
    files.write_atomic(place.record, data.encode(), mode=0o644)


def _write_app_and_env(plan: Plan) -> None:
    host = plan.host
    if plan.app != host.app:
        files.write_atomic(host.place.app, plan.app, mode=None)
    if plan.env is not host.env and plan.env:
        files.write_atomic(host.place.env, plan.env.data, mode=None)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _set_mode(path: Path, mode: int) -> None:
    if _mode(path) != mode:
        path.chmod(mode)


def _new_name() -> str:
    """A folder's name with today's date, used once."""
    return f"{SYSTEM_CLOCK.now():%Y-%m-%dT%H%M%S}-{token_hex(2)}"


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files with their modes and those of their folders."""
    files.make_private_folder(target)
    for name in names:
        for parent in list(reversed(Path(name).parents))[1:]:
            (target / parent).mkdir(exist_ok=True)
            files.give(target / parent, target)
            _set_mode(target / parent, _mode(source / parent))
        files.write_atomic(target / name, (source / name).read_bytes(), mode=_mode(source / name))


def _make_folders(place: Place, folder: Path) -> None:
    if not folder.is_dir():
        _make_folders(place, folder.parent)
        folder.mkdir()
        files.give(folder, place.brokers)


def _remove_files(place: Place, names: Iterable[str]) -> None:
    """Remove files, what Python made of them, and the folders that are empty then."""
    folders = set()
    for name in names:
        path = place.brokers / name
        path.unlink(missing_ok=True)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        folders |= {place.brokers / parent for parent in Path(name).parents}
    for folder in sorted(folders - {place.brokers}, reverse=True):
        for empty in (folder / "__pycache__", folder):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()


def _remove_former_copies(place: Place, original: str) -> None:
    for folder in place.home.glob("original-*"):
        if folder.name != original:
            _remove_tree(folder)


def _remove_tree(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
