"""What was installed, as `installed.json` holds it, and where the installer keeps its things."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from broker._kit.errors import HostError
from broker._kit.files import write_atomic

_FORMAT = 2


class Place(NamedTuple):
    """The paths that the installer of one broker uses in an OpenAlgo."""

    name: str
    openalgo: Path

    @property
    def brokers(self) -> Path:
        """The folder of OpenAlgo's brokers: each folder in it counts as one."""
        return self.openalgo / "broker"

    @property
    def home(self) -> Path:
        """Our own folder: the record, and copies of what was there."""
        return self.openalgo / f".{self.name}-openalgo"

    @property
    def record(self) -> Path:
        """What was installed."""
        return self.home / "installed.json"

    @property
    def backups(self) -> Path:
        """Dated copies of what users changed in our files, kept beyond an uninstall."""
        return self.home / "backups"

    @property
    def env_copy(self) -> Path:
        """`.env` from before, in a folder that OpenAlgo keeps out of git and of images."""
        return self.openalgo / f".env.{self.name}" / "before"


class Record(NamedTuple):
    """An install; while `is_complete` is False one is under way, or was stopped.

    `files` are the SHA-256 sums of each file's content that is ours, by path below `broker/`; while
    incomplete of the version before too. `original` is the folder in our own with the plugin that
    OpenAlgo came with. `env` is the SHA-256 of `.env` after our last change while nobody else has
    changed it, "" then; `lines` the salted fingerprints of the values that we wrote, by name.
    """

    is_complete: bool = False
    plugin: str = ""
    host: str = ""
    files: Mapping[str, list[str]] = {}
    original: str = ""
    is_patched: bool = False
    salt: str = ""
    env: str = ""
    lines: Mapping[str, str] = {}

    @property
    def is_empty(self) -> bool:
        """Nothing of ours is left."""
        return not (self.files or self.is_patched or self.lines)

    def fingerprint(self, raw: str | None) -> str:
        """By which a value in `.env` is known again; the value cannot be had from it."""
        return hashlib.sha256(f"{self.salt}\0{raw}".encode()).hexdigest()


def read_record(place: Place) -> Record | None:
    """The last install's record; None when there is none. Raises `HostError` if it is damaged."""
    try:
        given = json.loads(place.record.read_text("utf-8"))
        if given.pop("format") != _FORMAT:
            raise ValueError
        return Record(**given)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise HostError(
            f"The record of the install, {place.record}, cannot be read.",
            f"What was there before is in {place.home} and {place.env_copy}; put it back by hand.",
        ) from None


def write_record(place: Place, record: Record) -> Record:
    """Store the record, and return it."""
    data = json.dumps({"format": _FORMAT, **record._asdict()}, indent=1) + "\n"
    write_atomic(place.record, data.encode(), mode=0o644)
    return record
