"""Carries out an install or an uninstall, in an order in which OpenAlgo starts at every moment.

Each file is written whole or not at all, and every step may be repeated: whoever was stopped runs
`install` or `uninstall` again. The adapter and the packages above it, which OpenAlgo imports at its
start, work alone: they come first and are the last to be replaced by OpenAlgo's own.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from secrets import token_hex

from broker._kit.broker import Broker
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import HostError, StoreError
from broker._kit.files import (
    FileLock,
    LockBusy,
    give,
    make_private_folder,
    remove,
    unfinished,
    write_atomic,
)
from broker._kit.openalgo.installer.app_patch import Patch, state
from broker._kit.openalgo.installer.inspect import Checkout, State, is_ours
from broker._kit.openalgo.installer.package import KIT, first_files, sha256
from broker._kit.openalgo.installer.plan import Plan, Undo
from broker._kit.openalgo.installer.record import Place, Record, read_record, write_record

# So that neither `git status` nor `git add` in OpenAlgo sees what is ours.
_IGNORE_ALL = b"*\n"


def apply(plan: Plan, clock: Clock = SYSTEM_CLOCK) -> None:
    """Install. Raises `HostError`, also when a file has changed since the plan was made."""
    broker, host, place = plan.broker, plan.host, plan.host.place
    with _at_work(host):
        old = _keep_copies(broker, host, clock) if plan.writes_files else host.record or Record()
        sums = plan.package.sums
        record = old._replace(
            plugin=plan.package.version,
            host=host.version,
            salt=old.salt or token_hex(16),
            is_patched=state(broker, host.app if plan.app is None else plan.app) is Patch.PRESENT,
        )
        record = _with_env(plan, record)
        begun = {
            name: sorted({*old.files.get(name, ()), *sums.get(name, ())})
            for name in {*old.files, *sums}
        }
        write_record(place, record._replace(is_complete=False, files=begun))
        _remove_former_copies(place, record)
        # The kit's own `__init__` holds its version: it comes when all else is there.
        rank = {**dict.fromkeys(first_files(broker), 0), f"{KIT}/__init__.py": 2}
        for name in sorted(sums, key=lambda name: rank.get(name, 1)):
            if host.live.get(name) not in sums[name]:
                path = place.brokers / name
                _make_folders(place, path.parent)
                write_atomic(path, plan.package.files[name], mode=0o644, like=place.brokers)
        _write_changed(place, plan.app, plan.env.data if plan.env else None)
        _remove_files(place, {*begun, *host.live} - {*sums})
        write_record(place, record._replace(is_complete=True, files=sums))


def undo(plan: Undo, clock: Clock = SYSTEM_CLOCK) -> list[str]:
    """Uninstall; says what copies stay. Raises `HostError` as `apply` does."""
    broker, host, place = plan.broker, plan.host, plan.host.place
    with _at_work(host):
        if plan.removes_files:
            record = _keep_copies(broker, host, clock)
            write_record(place, record._replace(is_complete=False))
            _remove_former_copies(place, record)
            _put_back(plan, place.home / record.original if record.original else None)
            for name in _host_files(plan):
                remove(name)
        _write_changed(place, plan.app, plan.env.data if plan.env else None)
        if plan.removes_files and not host.kit_users:
            _remove_files(place, [name for name in _known(host) if name.startswith(f"{KIT}/")])
        if plan.rest:
            write_record(place, plan.rest._replace(is_complete=True))
        else:
            remove(place.record)
        if not (plan.rest and plan.rest.lines):
            _remove_tree(place.env_copy.parent)
        if plan.rest is None:
            _remove_former_copies(place, Record())
    kept = place.backups.is_dir()
    if plan.rest is None:
        with _words_for_errors(place):
            remove(place.home / "lock") if kept else _remove_tree(place.home)
    return [f"What had been changed in the plugin is kept in {place.backups}."] if kept else []


def _host_files(plan: Undo) -> Iterator[Path]:
    for name in plan.broker.host_files:
        yield from (plan.host.place.openalgo).glob(f"{name}*")  # with what SQLite puts beside it


@contextlib.contextmanager
def _at_work(host: Checkout) -> Iterator[None]:
    """Our folder exists, nobody else works in it, and all is as it was when it was looked at."""
    place = host.place
    with _words_for_errors(place):
        make_private_folder(place.home)
        write_atomic(place.home / ".gitignore", _IGNORE_ALL, mode=0o644)
        with FileLock(place.home / "lock", wait_s=0).held():
            env, app = place.openalgo / ".env", place.openalgo / "app.py"
            if (
                app.read_bytes() != host.app
                or (env.read_bytes() if env.is_file() else None) != (host.env and host.env.data)
                or read_record(place) != host.record
            ):
                raise HostError("app.py, .env or the plugin was changed just now.", "Try again.")
            for path in (app, env):  # what a stopped write has left
                Path(unfinished(path)).unlink(missing_ok=True)
            yield


@contextlib.contextmanager
def _words_for_errors(place: Place) -> Iterator[None]:
    """Raise what the system refuses as a `HostError`."""
    try:
        yield
    except LockBusy:
        raise HostError(
            "Another install or uninstall is at work on this OpenAlgo.", "Let it end first."
        ) from None
    except (OSError, StoreError) as error:
        words = error.message if isinstance(error, StoreError) else f"{error.strerror}."
        name = getattr(error, "filename", None)
        raise HostError(
            f"OpenAlgo's folder could not be written: {f'{name}: ' if name else ''}{words}",
            "Stop OpenAlgo, run this as the user whom the folder belongs to, see that the disk is "
            "not full, and run it again. In a container, do this outside it (see "
            f"docs/openalgo.md). OpenAlgo in {place.openalgo} starts as it is.",
        ) from None


def _keep_copies(broker: Broker, host: Checkout, clock: Clock) -> Record:
    """Copy what OpenAlgo came with, and what users changed in our files; the record with both."""
    place, record = host.place, host.record or Record()
    live = [name for name in host.live if name.startswith(f"{broker.name}/")]
    foreign = [name for name in live if not is_ours(record, name, host.live[name])]
    before = place.home / record.original
    if host.state is State.REPLACED:
        # The same file may belong to both, such as an empty `__init__`.
        foreign = [name for name in live if name in foreign or (before / name).exists()]
    if host.state in (State.NEW, State.REPLACED) or (
        host.state is State.INTERRUPTED and foreign and not record.original
    ):
        record = record._replace(original=_new_folder(place.home, "original-", clock).name)
        _copy(place.brokers, place.home / record.original, foreign)
        if not foreign:
            record = record._replace(original="")
    elif host.state is State.INTERRUPTED:  # an update of OpenAlgo may have come in between
        _copy(place.brokers, before, foreign)
    is_edited = host.state is State.CHANGED
    edited = [n for n in host.differ if n in host.live and (is_edited or n.startswith(f"{KIT}/"))]
    if edited:
        make_private_folder(place.backups)
        _copy(place.brokers, _new_folder(place.backups, "", clock), edited)
    return record


def _with_env(plan: Plan, record: Record) -> Record:
    """Copy `.env` as it was before us, and note what we are about to write."""
    place, env = plan.host.place, plan.host.env
    if plan.env is None or env is None:
        return record
    copy = place.env_copy
    if not record.lines or not copy.is_file():
        record = record._replace(lines={}, env=sha256(env.data))
        make_private_folder(copy.parent)
        write_atomic(copy.parent / ".gitignore", _IGNORE_ALL, mode=0o644)
        write_atomic(copy, env.data)
    # Only a file that nobody else has changed is put back as a whole.
    is_known = sha256(env.data) == record.env or env.data == copy.read_bytes()
    lines = {name: record.fingerprint(plan.env.raw(name)) for name in plan.changes}
    return record._replace(
        env=sha256(plan.env.data) if is_known else "", lines={**record.lines, **lines}
    )


def _put_back(plan: Undo, original: Path | None) -> None:
    """OpenAlgo's own files in the place of ours; the adapter when all that it imports is there."""
    place, first = plan.host.place, first_files(plan.broker)
    copies = sorted(original.rglob("*")) if original else []
    names = {copy.relative_to(original or copy).as_posix(): copy for copy in copies}
    for name, copy in names.items():
        if name not in first:
            _restore(copy, place.brokers / name, place)
    _write_changed(place, plan.app, None)
    ours = {name for name in _known(plan.host) if name.startswith(f"{plan.broker.name}/")}
    # Ours must not stand among what the adapter imports.
    _remove_files(place, ours - {*names, *first})
    for name in reversed(first):
        if name in names:
            _restore(names[name], place.brokers / name, place)
        else:
            _remove_files(place, [name])


def _restore(copy: Path, target: Path, place: Place) -> None:
    if copy.is_dir():
        _make_folders(place, target)
    elif not target.is_file() or target.read_bytes() != copy.read_bytes():
        write_atomic(target, copy.read_bytes(), mode=_mode(copy), like=place.brokers)
    _set_mode(target, _mode(copy))


def _known(host: Checkout) -> set[str]:
    """Every file that is there or was installed: what a stopped removal left is removed again."""
    return {*host.live, *(host.record.files if host.record else ())}


def _write_changed(place: Place, app: bytes | None, env: bytes | None) -> None:
    for name, data in (("app.py", app), (".env", env)):
        if data is not None:
            write_atomic(place.openalgo / name, data, mode=None)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _set_mode(path: Path, mode: int) -> None:
    if _mode(path) != mode:
        path.chmod(mode)


def _new_folder(parent: Path, prefix: str, clock: Clock) -> Path:
    """A name with today's date that is not in use."""
    base = prefix + clock.now().strftime("%Y-%m-%dT%H%M%S")
    names = (base, *(f"{base}-{number}" for number in range(2, 1000)))
    return next(parent / name for name in names if not (parent / name).exists())


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files with their modes and those of their folders."""
    make_private_folder(target)
    for name in names:
        parents = [parent for parent in reversed(Path(name).parents) if parent != Path()]
        for parent in parents:
            (target / parent).mkdir(exist_ok=True)
            give(target / parent, target)
            _set_mode(target / parent, _mode(source / parent))
        write_atomic(target / name, (source / name).read_bytes(), mode=_mode(source / name))


def _make_folders(place: Place, folder: Path) -> None:
    if not folder.is_dir():
        _make_folders(place, folder.parent)
        folder.mkdir()
        give(folder, place.brokers)


def _remove_files(place: Place, names: Collection[str]) -> None:
    """Remove files, what Python made of them, and the folders that are empty then."""
    for name in names:
        path = place.brokers / name
        path.unlink(missing_ok=True)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
    folders = {place.brokers / parent for name in names for parent in Path(name).parents}
    for folder in sorted(folders - {place.brokers}, reverse=True):
        for empty in (folder / "__pycache__", folder):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()


def _remove_former_copies(place: Place, record: Record) -> None:
    for folder in place.home.glob("original-*"):
        if folder.name != record.original:
            _remove_tree(folder)


def _remove_tree(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
