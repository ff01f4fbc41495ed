"""A change of OpenAlgo's files that is made as a whole or taken back, whenever it is stopped.

The journal is on the disk before the first file changes and goes after the last; whoever finds one
takes the change back, unless the record shows that it was complete. Each step may itself be stopped
and repeated.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from broker._kit.errors import HostError
from broker._kit.openalgo.installer import disk
from broker._kit.openalgo.installer.inspect import Place
from broker._kit.openalgo.installer.install_record import Record, read_record, written

Step = Callable[[str], None]
_FORMAT = 1


class Swap(NamedTuple):
    """The plugin's folder: where the new one comes from (None: there is none), where the old goes.

    Paths are relative to our folder; `had` says whether there was an old one.
    """

    incoming: str | None
    outgoing: str
    had: bool


class Change(NamedTuple):
    """A file: the copy of what it was, and the SHA-256 of what it becomes."""

    saved: str
    after: str


class Journal(NamedTuple):
    """A whole change. `leaves_record` says whether a record with this `id` stands at its end.

    `leaves_nothing` is True when our folder, with its copies, goes after it.
    """

    id: str
    leaves_record: bool
    leaves_nothing: bool
    swap: Swap | None
    changes: Mapping[str, Change]


def carry_out(
    place: Place, journal: Journal, contents: Mapping[str, bytes], record: Record | None, step: Step
) -> None:
    """Make the change. `contents` are the files' new bytes, `step` is told before each step.

    An error takes everything back before it is raised.
    """
    step("write the journal")
    disk.write(place.journal, _written(journal), like=place.openalgo)
    try:
        if journal.swap:
            _swap(place, journal.swap, step)
        for name, data in contents.items():
            step(f"write {name}")
            disk.write(place.openalgo / name, data)
        step("write the record")
        if record:
            disk.write(place.record, written(record), like=place.openalgo)
        else:
            disk.remove(place.record)
            disk.settle(place.home)
    except BaseException:
        take_back(place, journal, step)
        raise
    step("end the journal")
    end(place, journal)


def pending(place: Place) -> Journal | None:
    """The change that was interrupted, None when there is none. Raises `HostError`."""
    try:
        given = json.loads(place.journal.read_text("utf-8"))
        if given["format"] != _FORMAT:
            raise ValueError
        swap = given["swap"]
        return Journal(
            id=given["id"],
            leaves_record=given["leaves_record"],
            leaves_nothing=given["leaves_nothing"],
            swap=Swap(**swap) if swap else None,
            changes={name: Change(**change) for name, change in given["changes"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise HostError(
            f"The journal of an interrupted install, {place.journal}, cannot be read.",
            f"What was there before is in {place.backups} and {place.env_copies}; put it back by "
            "hand.",
        ) from None


def refuse_interrupted(place: Place) -> None:
    """Raises `HostError` while an interrupted change waits to be taken back."""
    if place.journal.exists():
        raise HostError(
            "An earlier install or uninstall was interrupted, or is at work in another window.",
            f"Run `python -m broker.mstock install {place.openalgo} --repair` first.",
        )


def settle_pending(place: Place, step: Step) -> list[str]:
    """Take an interrupted change back, or end one that was complete; says what it did."""
    journal = pending(place)
    if journal is None:
        return []
    record = read_record(place)
    complete = (
        record is not None and record.id == journal.id if journal.leaves_record else not record
    )
    if complete:
        step("end the journal")
        end(place, journal)
        return ["The interrupted change had been complete; only its journal was left, and is gone."]
    return take_back(place, journal, step)


def take_back(place: Place, journal: Journal, step: Step) -> list[str]:
    """Put everything back as it was before the change; says what was done."""
    done = []
    is_clean = True
    if journal.swap and _swap_back(place, journal.swap, step):
        done.append("broker/mstock is again what it was before the interrupted change.")
    for name, change in journal.changes.items():
        path = place.openalgo / name
        disk.remove(disk.beside(Path(os.path.realpath(path))))
        now = disk.sha256(path.read_bytes()) if path.is_file() else ""
        saved = (place.home / change.saved).read_bytes()
        if now == change.after or not now:
            step(f"put back {name}")
            disk.write(path, saved)
            done.append(f"{name} is again what it was before the interrupted change.")
        elif now != disk.sha256(saved):
            is_clean = False
            done.append(
                f"{name} was changed by somebody else meanwhile, and is left as it is; the copy "
                f"from before is {place.home / change.saved}."
            )
    step("end the journal")
    end(place, journal._replace(leaves_nothing=False))
    if is_clean:
        for change in journal.changes.values():
            disk.remove(place.home / change.saved)
    return done or ["The interrupted change had not changed anything yet."]


def _swap(place: Place, swap: Swap, step: Step) -> None:
    with _told(place):
        if swap.had:
            step("move the old plugin away")
            disk.move(place.plugin, place.home / swap.outgoing)
        if swap.incoming:
            step("move the new plugin in")
            disk.move(place.home / swap.incoming, place.plugin)


def _swap_back(place: Place, swap: Swap, step: Step) -> bool:
    old = place.home / swap.outgoing
    new = place.home / swap.incoming if swap.incoming else None
    done = False
    with _told(place):
        # The new one is in place once it has left where it came from and the old one is gone.
        if new and not new.exists() and place.plugin.exists() and (old.exists() or not swap.had):
            step("move the new plugin out again")
            disk.move(place.plugin, new)
            done = True
        if swap.had and old.exists() and not place.plugin.exists():
            step("move the old plugin back")
            disk.move(old, place.plugin)
            done = True
    return done


class _told:  # noqa: N801  reads as a word of the sentence it stands in
    """Turns the system's refusal to rename the plugin's folder into words."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if isinstance(error, OSError):
            raise HostError(
                f"{self._place.plugin} could not be replaced ({error.strerror}).",
                "Stop OpenAlgo and close whatever has the folder open. In a container, do this "
                "outside it (see docs/openalgo.md).",
            ) from None


def end(place: Place, journal: Journal) -> None:
    """Clear up after a change. The journal goes last, so that a repair clears up the rest."""
    with suppress(OSError):
        disk.remove(place.staging)  # what remains of it does no harm
    if journal.leaves_nothing:
        disk.remove(place.env_copies)
        disk.remove(place.backups)
    disk.remove(place.journal)
    disk.settle(place.home)


def _written(journal: Journal) -> bytes:
    card = {
        "format": _FORMAT,
        **journal._asdict(),
        "swap": journal.swap._asdict() if journal.swap else None,
        "changes": {name: change._asdict() for name, change in journal.changes.items()},
    }
    return (json.dumps(card, indent=1) + "\n").encode()
