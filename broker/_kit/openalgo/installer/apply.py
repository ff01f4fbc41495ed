"""Carries a plan out: the new plugin is put together aside, copies are kept, all is swapped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import HostError
from broker._kit.openalgo.installer import disk, env_file
from broker._kit.openalgo.installer.inspect import Checkout, Place
from broker._kit.openalgo.installer.install_record import EnvKey, Record, fingerprint
from broker._kit.openalgo.installer.journal import (
    Change,
    Journal,
    Step,
    Swap,
    carry_out,
    refuse_interrupted,
    settle_pending,
)
from broker._kit.openalgo.installer.plan import Plan
from broker._kit.openalgo.installer.plugin_files import Match, compared, leftovers, prune

# So that neither `git status` nor `git add` in OpenAlgo sees what is ours.
_UNSEEN = b"*\n"


def unwatched(_step: str) -> None:
    """Nobody wants to know the steps."""


def apply(plan: Plan, clock: Clock = SYSTEM_CLOCK, step: Step = unwatched) -> Record:
    """Carry the plan out as a whole, or leave everything as it is.

    Raises `HostError` when a file has changed since the plan was made, cannot be written, or an
    earlier change was interrupted (`repair` first).
    """
    place = plan.host.place
    with at_work(place):
        _check_unchanged(plan)
        day = new_backup(place, clock)
        contents, changes = put_aside(plan.host, day, plan.app, plan.env)
        swap = None
        if plan.replaces_plugin:
            disk.remove(place.staging)
            files = tuple(plan.package.files)
            staged = place.staging / "mstock"
            disk.copy_files(plan.package.folder, staged, files, like=place.openalgo / "broker")
            if compared(staged, plan.package.files)[0] is not Match.WHOLE:
                raise HostError("The release's files changed while they were copied.", "Try again.")
            swap = Swap("staging/mstock", f"backups/{day}/mstock", place.plugin.is_dir())
        record = _record(plan, day, swap)
        carry_out(place, Journal(day, True, False, swap, changes), contents, record, step)
        if plan.record and swap and record.before == swap.outgoing:
            _tidy(place, plan.record, swap.outgoing)
        return record


def repair(openalgo: Path, step: Step = unwatched) -> list[str]:
    """Take back an interrupted install or uninstall; says what it did, nothing if there was none.

    Raises `HostError`.
    """
    place = Place(openalgo.resolve())
    if not place.journal.exists():
        return []
    with words_for_errors(place), disk.alone(place.lock):
        done = settle_pending(place, step)
    if not place.record.exists() and not place.backups.exists():
        clear_home(place)
    return done


@contextmanager
def at_work(place: Place) -> Iterator[None]:
    """Our folder exists, nobody else works in it, and no interrupted change waits there."""
    with words_for_errors(place):
        disk.private_folder(place.home, like=place.openalgo)
        disk.write(place.home / ".gitignore", _UNSEEN, like=place.openalgo)
        with disk.alone(place.lock):
            refuse_interrupted(place)
            yield


def clear_home(place: Place) -> None:
    """Take our folders in OpenAlgo away."""
    with words_for_errors(place):
        disk.remove(place.env_copies)
        disk.remove(place.home)


@contextmanager
def words_for_errors(place: Place) -> Iterator[None]:
    """Turns the system's refusals into words."""
    try:
        yield
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str | Path) else "a file"
        raise HostError(
            f"{name} in {place.openalgo} could not be written ({error.strerror}).",
            "Stop OpenAlgo, run this as the user whom the folder belongs to, and see that the disk "
            "is not full. In a container, do this outside it (see docs/openalgo.md).",
        ) from None


def put_aside(
    host: Checkout, day: str, app: bytes | None, env: bytes | None
) -> tuple[dict[str, bytes], dict[str, Change]]:
    """Copy what is about to change; the new bytes and the journal's entries, by the files' names.

    `app` and `env` are the new bytes, None where nothing changes.
    """
    place = host.place
    contents: dict[str, bytes] = {}
    changes: dict[str, Change] = {}
    if app is not None:
        saved = f"backups/{day}/app.py"
        disk.write(place.home / saved, host.app, mode=0o600, like=place.openalgo)
        contents["app.py"], changes["app.py"] = app, Change(saved, disk.sha256(app))
    if env is not None:
        saved = _env_copy(day)
        disk.private_folder(place.env_copies, like=place.openalgo)
        disk.write(place.env_copies / ".gitignore", _UNSEEN, like=place.openalgo)
        disk.write(place.home / saved, host.env or b"", mode=0o600, like=place.openalgo)
        contents[".env"], changes[".env"] = env, Change(saved, disk.sha256(env))
    return contents, changes


def new_backup(place: Place, clock: Clock) -> str:
    """A new dated folder for copies, open to its owner only; its name."""
    day = clock.now().strftime("%Y-%m-%dT%H%M%S")
    name, count = day, 1
    while (place.backups / name).exists():
        count += 1
        name = f"{day}-{count}"
    for folder in (place.backups, place.backups / name):
        disk.private_folder(folder, like=place.openalgo)
    return name


def _env_copy(day: str) -> str:
    """Where a copy of `.env` is, relative to our folder."""
    return f"../.env.mstock/{day}"


def _check_unchanged(plan: Plan) -> None:
    place = plan.host.place
    env = place.openalgo / ".env"
    if (place.openalgo / "app.py").read_bytes() != plan.host.app or (
        env.read_bytes() if env.is_file() else None
    ) != plan.host.env:
        raise HostError("app.py or .env has changed in the meantime.", "Start again.")


def _record(plan: Plan, day: str, swap: Swap | None) -> Record:
    """What holds after the change; what was OpenAlgo's own stays known over any number of them."""
    old = plan.record or Record(day, "", "", {})
    record = old._replace(
        id=day,
        plugin=plan.package.version,
        host=plan.host.version,
        files=plan.package.files,
        salt=old.salt or token_hex(16),
    )
    if swap:
        record = record._replace(before=_before(plan, old, swap))
    if plan.app is not None:
        record = record._replace(app=disk.sha256(plan.app))
    if plan.env is not None and plan.host.env is not None:
        saved = _env_copy(day)
        unbroken = bool(old.env) and old.env == disk.sha256(plan.host.env)
        record = record._replace(
            env=disk.sha256(plan.env),
            env_before=saved if not old.keys else old.env_before if unbroken else "",
            keys={**old.keys, **_keys(plan, old, record.salt, saved)},
        )
    return record


def _before(plan: Plan, old: Record, swap: Swap) -> str | None:
    """The copy to go back to: that of now, unless it is only an older one of ours."""
    match, _ = compared(plan.host.place.plugin, old.files)
    is_ours = bool(old.files) and match in (Match.WHOLE, Match.CHANGED)
    return old.before if is_ours or not swap.had else swap.outgoing


def _tidy(place: Place, old: Record, kept: str) -> None:
    """Take our own files out of the copy of a folder over which an update had put OpenAlgo's."""
    folder = place.home / kept
    prune(folder, leftovers(folder, old.files, place.home / old.before if old.before else None))


def _keys(plan: Plan, old: Record, salt: str, saved: str) -> dict[str, EnvKey]:
    assert plan.env is not None  # noqa: S101  for mypy: the caller has looked
    was = plan.host.env or b""
    keys = {}
    for name in plan.changes:
        before = saved
        known = old.keys.get(name)
        if known and known.wrote == fingerprint(salt, env_file.raw(was, name)):
            before = known.before
        keys[name] = EnvKey(before, fingerprint(salt, env_file.raw(plan.env, name)))
    return keys
