"""What was installed where, as kept in `installed.json`, so that it can be put back and checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from broker._kit.errors import HostError
from broker._kit.openalgo.installer.inspect import Place

_FORMAT = 1


class EnvKey(NamedTuple):
    """A line of `.env` that was set: the copy that holds what it said before, and our fingerprint.

    The fingerprint is salted: no value can be had from it.
    """

    before: str
    wrote: str


class Record(NamedTuple):
    """An install. Paths are relative to our folder in OpenAlgo, with /.

    `before` is the copy of the plugin folder that OpenAlgo came with (None: it had none). `app` is
    the SHA-256 of the patched `app.py`, "" without a patch. `env` is that of `.env` after the last
    change, and `env_before` the copy that may be put back as a whole while `.env` still has it.
    """

    id: str
    plugin: str
    host: str
    files: Mapping[str, str]
    before: str | None = None
    app: str = ""
    env: str = ""
    env_before: str = ""
    salt: str = ""
    keys: Mapping[str, EnvKey] = {}

    @property
    def is_empty(self) -> bool:
        """Nothing of ours is left."""
        return not (self.files or self.app or self.keys)


def read_record(place: Place) -> Record | None:
    """The last install's record; None when there is none. Raises `HostError` if it is damaged."""
    try:
        given = json.loads(place.record.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise _damaged(place) from None
    try:
        if given.pop("format") != _FORMAT:
            raise _damaged(place)
        keys = {name: EnvKey(**key) for name, key in given.pop("keys").items()}
        return Record(**given, keys=keys)
    except (KeyError, TypeError, AttributeError):
        raise _damaged(place) from None


def written(record: Record) -> bytes:
    """The record as the file holds it."""
    keys = {name: key._asdict() for name, key in record.keys.items()}
    card: dict[str, Any] = {"format": _FORMAT, **record._asdict(), "keys": keys}
    return (json.dumps(card, indent=1) + "\n").encode()


def fingerprint(salt: str, raw: str | None) -> str:
    """By which a line of `.env` is known again."""
    return hashlib.sha256(f"{salt}\0{raw}".encode()).hexdigest()


def _damaged(place: Place) -> HostError:
    return HostError(
        f"The record of the install, {place.record}, cannot be read.",
        f"What was there before is in {place.backups} and {place.env_copies}; put it back by hand.",
    )
