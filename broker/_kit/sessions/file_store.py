"""Keeps everything in one sealed file; for one person's accounts, and for several programs at once.

Every change replaces the file in one step under the folder's lock. Nothing guards against
somebody who can write in the folder and puts an old copy of the whole file back.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from broker._kit import files
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.encryption import ERASE, Key, Seal, key_is_another, key_is_lost
from broker._kit.sessions.store import Item, described, is_over
from broker._kit.settings import Account

# The first line of the file; it is bound to what follows.
_HEAD = rb"mstock-vault ([0-9]{1,9}) ([0-9a-f]{16})\n"
_FORM = 1
_WAY_OUT = f"Without that key, run {ERASE} and set everything up anew."


class _Contents(NamedTuple):
    """What the file holds. Names stay texts: one that a later version wrote is not lost here."""

    kept: dict[tuple[Account, str], str]
    leases: dict[Account, tuple[str, datetime]]


class FileStore:
    """A `Store` in the file `vault` of a folder."""

    def __init__(self, home: str, key: Key, clock: Clock = SYSTEM_CLOCK) -> None:
        self._home = home
        self._path = os.path.join(home, "vault")
        self._key = key
        self._clock = clock
        self._lock = files.FolderLock(os.path.join(home, "vault.lock"), clock)

    def get(self, account: Account, name: Item) -> Secret | None:
        text = self._look().kept.get((account, name))
        return None if text is None else Secret(text)

    def set(self, account: Account, name: Item, value: Secret) -> None:
        with self._change() as contents:
            contents.kept[account, name] = value.reveal()

    def delete(self, account: Account, name: Item, *, only: Secret | None = None) -> bool:
        if not self._exists():
            return False
        with self._change() as contents:
            text = contents.kept.get((account, name))
            if text is None or (only is not None and Secret(text) != only):
                return False
            del contents.kept[account, name]
            return True

    def accounts(self) -> list[Account]:
        return sorted({account for account, _ in self._look().kept})

    def erase(self) -> list[str]:
        """Works on what cannot be read any more, too: it is the way out of that."""
        if not os.path.isdir(self._home):
            return self._remove_key()
        with self._lock.held():
            removed = self._inventory()
            if files.remove(self._path):
                removed.append(f"the file {self._path}")
            removed += self._remove_key()
            self._lock.remove()
        return removed

    def lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        with self._change() as contents:
            held = contents.leases.get(account)
            if held is not None and held[0] != holder and not is_over(held[1], now):
                return False
            contents.leases[account] = (holder, now + timedelta(seconds=seconds))
            return True

    def release(self, account: Account, holder: str) -> None:
        if self._exists():
            with self._change() as contents:
                if contents.leases.get(account, ("",))[0] == holder:
                    del contents.leases[account]

    def _exists(self) -> bool:
        return os.path.lexists(self._path)

    def _look(self) -> _Contents:
        if not self._exists():
            return _Contents({}, {})
        with self._lock.held():
            return self._read()[0]

    @contextlib.contextmanager
    def _change(self) -> Iterator[_Contents]:
        files.make_folder(self._home)
        with self._lock.held():
            contents, seal = self._read()
            before = _Contents(dict(contents.kept), dict(contents.leases))
            yield contents
            if contents != before:
                seal = seal or Seal(self._key.load() or self._key.make())
                self._write(contents, seal)

    def _read(self) -> tuple[_Contents, Seal | None]:
        """What is kept, and the seal that opened it; None with an empty beginning."""
        data = files.read_private(self._path)
        if data is None:
            return _Contents({}, {}), None
        head = re.match(_HEAD, data)
        if head is None:
            raise self._damaged()
        if int(head[1]) != _FORM:
            raise StoreError(
                f"The vault {self._path} was written by another version of this plugin. "
                "Nothing was changed.",
                "Use the newest version of the plugin.",
            )
        key = self._key.load()
        if key is None:
            raise key_is_lost(f"The vault {self._path}", self._key, _WAY_OUT)
        seal = Seal(key)
        if seal.id != head[2].decode():
            raise key_is_another(f"The vault {self._path}", self._key, _WAY_OUT)
        text = seal.open(data[head.end() :], head[0])
        if text is None:
            raise self._damaged()
        return _parsed(json.loads(text)), seal

    def _write(self, contents: _Contents, seal: Seal) -> None:
        head = f"mstock-vault {_FORM} {seal.id}\n".encode()
        sealed = seal.close(json.dumps(_plain(contents)).encode(), head)
        files.write_whole(self._path, head + sealed, self._clock)

    def _remove_key(self) -> list[str]:
        return [self._key.place] if self._key.remove() else []

    def _inventory(self) -> list[str]:
        try:
            kept = self._read()[0].kept
        except StoreError:
            return ["what was in the vault; it could not be read, so it is not listed"]
        return [described(account, name) for account, name in sorted(kept)]

    def _damaged(self) -> StoreError:
        return StoreError(
            f"The vault {self._path} is damaged, was changed by another program, or is no vault "
            "of this plugin. Nothing was changed.",
            f"Put it and its key back from a backup, or run {ERASE} and set everything up anew.",
        )


def _plain(contents: _Contents) -> dict[str, Any]:
    return {
        "kept": [[*account, name, text] for (account, name), text in contents.kept.items()],
        "leases": [
            [*account, holder, until.isoformat()]
            for account, (holder, until) in contents.leases.items()
        ],
    }


def _parsed(plain: dict[str, Any]) -> _Contents:
    return _Contents(
        {(Account(*row[:3]), row[3]): row[4] for row in plain["kept"]},
        {Account(*row[:3]): (row[3], datetime.fromisoformat(row[4])) for row in plain["leases"]},
    )
