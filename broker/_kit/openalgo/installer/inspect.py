"""An OpenAlgo on this computer, what was installed in it, and a plugin to install; read once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import HostError
from broker._kit.openalgo import checkout
from broker._kit.openalgo.installer.env_file import EnvFile

KIT = "_kit"
FORMAT = 2  # of the record
_KINDS = {".py", ".json", ".html", ".css", ".js", ".svg"}


class State(Enum):
    """What the plugin's folders are, compared with what was installed there."""

    NEW = "not installed by this installer"
    INTERRUPTED = "an install or uninstall was stopped"
    GONE = "the broker's folder is not there"
    REPLACED = "an update of OpenAlgo has put its own files back"
    CHANGED = "somebody has changed files since"
    WHOLE = "as installed"


class Record(NamedTuple):
    """An install; while `is_complete` is False one is under way, or was stopped.

    `files` are the SHA-256 sums of each file's content that is ours, by path below `broker/`; while
    incomplete of the version before too. `original` is the folder in our own with the plugin that
    OpenAlgo came with. `lines` are the salted fingerprints of the values that we wrote into `.env`,
    by name.
    """

    is_complete: bool = True
    plugin: str = ""
    host: str = ""
    files: Mapping[str, list[str]] = {}
    original: str = ""
    is_patched: bool = False
    salt: str = ""
    lines: Mapping[str, str] = {}

    @property
    def is_empty(self) -> bool:
        """Nothing of ours is left."""
        return not (self.files or self.is_patched or self.lines)

    def fingerprint(self, raw: str | None) -> str:
        """By which a value in `.env` is known again; the value cannot be had from it."""
        return sha256(f"{self.salt}\0{raw}".encode())


class Place:
    """The paths that the installer of one broker uses in an OpenAlgo."""

    def __init__(self, name: str, openalgo: Path) -> None:
        self.openalgo = openalgo
        self.app, self.env = openalgo / "app.py", openalgo / ".env"
        self.brokers = openalgo / "broker"  # each folder in it counts as a broker
        self.home = openalgo / f".{name}-openalgo"
        self.record = self.home / "installed.json"
        self.backups = self.home / "backups"  # of what users changed in our files
        # `.env` from before, in a folder that OpenAlgo keeps out of git and of images.
        self.env_copy = openalgo / f".env.{name}" / "before"


@dataclass(frozen=True)
class Checkout:
    """An OpenAlgo as found. `before` is its `.env` from before the install.

    `live` are the SHA-256 sums of the files in both folders, by path below `broker/`; `kit_users`
    the other brokers that use the kit.
    """

    broker: Broker
    place: Place
    version: str
    app: bytes
    env: EnvFile | None
    before: EnvFile | None
    record: Record
    live: Mapping[str, str]
    kit_users: tuple[str, ...]

    def is_ours(self, name: str) -> bool:
        """True for a file that is as it was installed, and for a write that was stopped."""
        return self.live.get(name) in self.record.files.get(name, ()) or name.endswith(".new")

    @cached_property
    def differ(self) -> tuple[str, ...]:
        """The files that are not as installed, by another broker's install of the kit apart."""
        names = {*self.record.files, *self.live} if self.record.files else set()
        theirs = {n for n in names if self.kit_users and n.startswith(f"{KIT}/")}
        return tuple(sorted(name for name in names - theirs if not self.is_ours(name)))

    @cached_property
    def state(self) -> State:
        """What has happened to the plugin since the install."""
        names = (first_files(self.broker)[0], f"{self.broker.name}/plugin.json")
        marks = [name for name in names if name in self.live]  # OpenAlgo's own differ
        if not self.record.is_complete:
            return State.INTERRUPTED
        if not self.record.files:
            return State.NEW
        if not self.live_plugin:
            return State.GONE
        if marks and not any(map(self.is_ours, marks)):
            return State.REPLACED
        return State.CHANGED if self.differ else State.WHOLE

    @property
    def live_plugin(self) -> list[str]:
        """The files of the broker's folder, without the kit's."""
        return [name for name in self.live if name.startswith(f"{self.broker.name}/")]


class Package(NamedTuple):
    """A copy of the plugin: the `broker` folder that holds it, its version, each file's content."""

    folder: Path
    version: str
    files: Mapping[str, bytes]


def look(broker: Broker, openalgo: Path) -> Checkout:
    """Read what is there. Raises `HostError` (no OpenAlgo, not readable), `SettingError`."""
    place = Place(broker.name, openalgo.resolve())
    if not checkout.is_openalgo(place.openalgo):
        raise HostError(
            f"{openalgo} is not OpenAlgo's folder.", "Give the folder that holds OpenAlgo's app.py."
        )
    record = read_record(place)
    try:
        env, before = (
            EnvFile(path.read_bytes()) if path.is_file() else None
            for path in (place.env, place.env_copy)
        )
        return Checkout(
            broker,
            place,
            checkout.version_in(place.openalgo),
            place.app.read_bytes(),
            env,
            before,
            record,
            {n: sha256((place.brokers / n).read_bytes()) for n in _names(place.brokers, broker)},
            tuple(_kit_users(broker, place)),
        )
    except (OSError, ValueError):
        raise HostError(
            f"A file of the OpenAlgo in {openalgo} cannot be read.",
            "Run this as the user whom the folder belongs to.",
        ) from None


def read_record(place: Place) -> Record:
    """The last install's record; an empty one without. Raises `HostError` if it is damaged."""
    try:
        given = json.loads(place.record.read_text("utf-8"))
        if given.pop("format") != FORMAT:
            raise ValueError
        given.pop("env", None)  # an earlier installer's
        return Record(**given)
    except FileNotFoundError:
        return Record()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise HostError(
            f"The record of the install, {place.record}, cannot be read.",
            f"What was there before is in {place.home} and {place.env_copy}; put it back by hand.",
        ) from None


def read_package(broker: Broker, folder: Path | None = None) -> Package:
    """Read a copy of the plugin, this one unless its `broker` folder is given.

    Raises `HostError` when it is not whole.
    """
    folder = (folder or Path(__file__).resolve().parents[3]).resolve()
    files = {
        name: (folder / name).read_bytes()
        for name in sorted(_names(folder, broker))
        if Path(name).suffix in _KINDS and "tests" not in name.split("/")
    }
    card = f"{broker.name}/plugin.json"
    needed = (*first_files(broker), f"{KIT}/__init__.py", f"{KIT}/openalgo/register.py", card)
    if missing := [name for name in needed if name not in files]:
        raise HostError(
            f"This copy of the plugin is not whole: broker/{missing[0]} is missing.",
            "Download the release again.",
        )
    return Package(folder, str(json.loads(files[card])["Version"]), files)


def first_files(broker: Broker) -> tuple[str, str, str]:
    """The adapter, which OpenAlgo imports at its start, unguarded, and the `__init__` above it.

    They work with all else missing.
    """
    name = broker.name
    return (
        f"{name}/streaming/{name}_adapter.py",
        f"{name}/__init__.py",
        f"{name}/streaming/__init__.py",
    )


def sha256(data: bytes) -> str:
    """The fingerprint by which files are known again, in hex."""
    return hashlib.sha256(data).hexdigest()


def _names(folder: Path, broker: Broker) -> Iterator[str]:
    """The files of both folders, by their path below `folder`, without Python's and hidden ones."""
    for name in (broker.name, KIT):
        for path in (folder / name).rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part == "__pycache__" or part.startswith(".") for part in parts)
            if not hidden and path.is_file():
                yield "/".join(parts)


def _kit_users(broker: Broker, place: Place) -> Iterator[str]:
    for folder in sorted(place.brokers.iterdir()):
        if folder.is_dir() and folder.name not in (broker.name, KIT):
            texts = (path.read_bytes() for path in folder.rglob("*.py"))
            if any(b"broker._kit" in text or b"broker import _kit" in text for text in texts):
                yield folder.name
