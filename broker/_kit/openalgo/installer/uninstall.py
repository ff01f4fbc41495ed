"""Puts OpenAlgo back as it was before the install, and leaves alone what others changed since."""

from __future__ import annotations

import shutil
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import HostError
from broker._kit.openalgo.installer import app_patch, disk, env_file
from broker._kit.openalgo.installer.apply import (
    at_work,
    clear_home,
    new_backup,
    put_aside,
    unwatched,
)
from broker._kit.openalgo.installer.inspect import Checkout, Place, look
from broker._kit.openalgo.installer.install_record import EnvKey, Record, fingerprint, read_record
from broker._kit.openalgo.installer.journal import (
    Journal,
    Step,
    Swap,
    carry_out,
    refuse_interrupted,
)
from broker._kit.openalgo.installer.plugin_files import Match, compared, leftovers, prune


class Folder(Enum):
    """What becomes of broker/mstock: nothing, the old one comes back, or only ours is taken out."""

    STAYS = 0
    GOES_BACK = 1
    IS_CLEARED = 2


class Undo(NamedTuple):
    """An uninstall, not yet done. `left` says what it leaves alone, and why.

    `rest` is the record of what stays installed, None when nothing does; `overrides` is True when
    something that others changed is put back, so that copies of it are kept.
    """

    host: Checkout
    record: Record
    plugin: Folder
    app: bytes | None
    env: bytes | None
    rest: Record | None
    overrides: bool
    words: tuple[str, ...]
    left: tuple[str, ...]
    diff: str


def plan_undo(openalgo: Path, *, force: bool = False) -> Undo:
    """Say what an uninstall would do; nothing is written.

    `force` puts back what was changed since the install, too. Raises `HostError`.
    """
    refuse_interrupted(Place(openalgo.resolve()))
    host = look(openalgo)
    record = read_record(host.place)
    if record is None:
        raise HostError(
            f"This installer has installed nothing in {openalgo}.",
            "A plugin that was copied by hand is taken out by hand (see docs/openalgo.md).",
        )
    notes = _Notes()
    plugin, files = _plugin(host, record, force, notes)
    app, patched = _app(host, record, force, notes)
    env, keys = _env(host, record, force, notes)
    rest = record._replace(files=files, app=patched, keys=keys, env_before="")
    return Undo(
        host=host,
        record=record,
        plugin=plugin,
        app=app,
        env=env,
        rest=None if rest.is_empty else rest,
        overrides=notes.overrides,
        words=tuple(notes.words),
        left=tuple(notes.left),
        diff=app_patch.diff(host.app, host.app if app is None else app),
    )


def undo(plan: Undo, clock: Clock = SYSTEM_CLOCK, step: Step = unwatched) -> list[str]:
    """Carry it out as a whole, or leave everything as it is. Raises `HostError`."""
    place = plan.host.place
    with at_work(place):
        if look(place.openalgo) != plan.host:
            raise HostError("app.py or .env has changed in the meantime.", "Start again.")
        day = new_backup(place, clock)
        contents, changes = put_aside(plan.host, day, plan.app, plan.env)
        swap = None
        if plan.plugin is not Folder.STAYS:
            incoming = _incoming(plan, before=place.home / (plan.record.before or ""))
            swap = Swap(incoming, f"backups/{day}/mstock", place.plugin.is_dir())
        rest = plan.rest._replace(id=day) if plan.rest else None
        leaves_nothing = not (rest or plan.overrides)
        journal = Journal(day, rest is not None, leaves_nothing, swap, changes)
        carry_out(place, journal, contents, rest, step)
    if not leaves_nothing:
        return [
            f"The copies in {place.backups} and {place.env_copies} stay there; those of .env hold "
            "your keys."
        ]
    clear_home(place)
    return []


def _incoming(plan: Undo, before: Path) -> str | None:
    """The folder that takes the plugin's place, relative to our own; None when none does."""
    place = plan.host.place
    if plan.plugin is Folder.GOES_BACK:
        return plan.record.before
    disk.remove(place.staging)
    staged = place.staging / "mstock"
    shutil.copytree(place.plugin, staged, symlinks=True)
    was = before if plan.record.before else None
    prune(staged, leftovers(staged, plan.record.files, was))
    return "staging/mstock"


class _Notes:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.left: list[str] = []
        self.overrides = False


def _plugin(
    host: Checkout, record: Record, force: bool, notes: _Notes
) -> tuple[Folder, dict[str, str]]:
    """What becomes of the folder, and the files that stay installed."""
    if not record.files:
        return Folder.STAYS, {}
    match, differ = compared(host.place.plugin, record.files)
    if match is Match.CHANGED and not force:
        notes.left.append(
            f"broker/mstock was changed since the install ({_some(differ)}), and is left as it "
            "is; --force puts the old one back and keeps a copy of this one"
        )
        return Folder.STAYS, dict(record.files)
    if match is Match.REPLACED:
        notes.words.append(
            "take our files out of broker/mstock (an update of OpenAlgo has put its own there)"
        )
        return Folder.IS_CLEARED, {}
    if record.before and not (host.place.home / record.before).is_dir():
        raise HostError(
            f"The copy of OpenAlgo's own plugin, {host.place.home / record.before}, is gone.",
            "In OpenAlgo's folder, `git checkout -- broker/mstock app.py` brings both back.",
        )
    notes.overrides |= match is Match.CHANGED
    notes.words.append(
        "put OpenAlgo's own broker/mstock back" if record.before else "take broker/mstock away"
    )
    return Folder.GOES_BACK, {}


def _app(host: Checkout, record: Record, force: bool, notes: _Notes) -> tuple[bytes | None, str]:
    """The new `app.py`, and the fingerprint of a patch that stays."""
    found = app_patch.state(host.app)
    if not record.app or found is app_patch.Patch.ABSENT:
        return None, ""
    if found is app_patch.Patch.OTHER and not force:
        notes.left.append(
            "the lines for mStock in app.py were changed since the install, and are left as they "
            "are; --force takes out all that stands between the two marks"
        )
        return None, record.app
    app = app_patch.unpatched(host.app, whatever=force)
    since = disk.sha256(host.app) != record.app
    notes.overrides |= found is app_patch.Patch.OTHER
    notes.words.append(
        "take the marked lines out of app.py"
        + (" (the rest of it has changed since the install, and stays)" if since else "")
    )
    return app, ""


def _env(
    host: Checkout, record: Record, force: bool, notes: _Notes
) -> tuple[bytes | None, dict[str, EnvKey]]:
    """The new `.env`, and the lines that stay ours."""
    if not record.keys or host.env is None:
        return None, {}
    if not all((host.place.home / key.before).is_file() for key in record.keys.values()):
        names = ", ".join(record.keys)
        notes.words.append(f"leave {names} in .env: the copy of what they were is gone")
        return None, {}
    if record.env_before and disk.sha256(host.env) == record.env:
        notes.words.append("put .env back")
        return (host.place.home / record.env_before).read_bytes(), {}
    env, stay = host.env, dict[str, EnvKey]()
    for name, key in record.keys.items():
        is_ours = fingerprint(record.salt, env_file.raw(env, name)) == key.wrote
        if is_ours or force:
            original = (host.place.home / key.before).read_bytes()
            env = env_file.put_back(env, original, name)
            notes.words.append(f"put {name} in .env back")
            notes.overrides |= not is_ours
        else:
            stay[name] = key
            notes.left.append(f"{name} in .env was changed since the install, and is left as it is")
    return (None if env == host.env else env), stay


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
