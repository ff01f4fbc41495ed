"""Seals what is kept, and keeps the key: in a file that only its owner can read, or in the keyring.

What is sealed is bound to what it is about, so that one sealed text cannot stand in for another.
Source: AES-256-GCM of the library `cryptography`, with a fresh random nonce for every sealing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import os
import re
from typing import Any, Protocol

from broker._kit import files
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import StoreError

ERASE = "python -m broker.mstock erase"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_FORM = r"mstock-vault-key 1 ([A-Za-z0-9+/]{43}=)\s*"
_SERVICE = "mstock-openalgo"


class Seal:
    """Closes and opens texts with one key; `id` tells keys apart and gives nothing of them away."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"mstock vault key " + key).hexdigest()[:16]

    def close(self, text: bytes, about: bytes) -> bytes:
        """The sealed text; no two are the same, so that a sealed text is its own version number."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, about)

    def open(self, sealed: bytes, about: bytes) -> bytes | None:
        """The text; None when it is torn, was changed, or is about something else."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            return None


class Key(Protocol):
    """Where a key lies. Every method raises `StoreError`."""

    @property
    def place(self) -> str:
        """Where, in words."""

    def load(self) -> bytes | None:
        """The key, None when there is none."""

    def make(self) -> bytes:
        """Put a new key there; the caller holds the folder's lock, and has found none."""

    def remove(self) -> bool:
        """Take it away; True when it was there."""


class KeyFile:
    """A key in a file of its owner's; read anew each time, so that its loss is noticed at once."""

    def __init__(self, path: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._clock = clock

    @property
    def place(self) -> str:
        return f"the key file {self._path}"

    def load(self) -> bytes | None:
        data = files.read_private(self._path)
        if data is None:
            return None
        return _key_of(data.decode("ascii", "replace"), self.place)

    def make(self) -> bytes:
        key = os.urandom(_KEY_BYTES)
        files.make_folder(os.path.dirname(self._path))
        files.write_whole(self._path, _text_of(key).encode(), self._clock)
        return key

    def remove(self) -> bool:
        return files.remove(self._path)


class KeyringKey:
    """A key in the operating system's keyring; `name` tells one folder's key from another's."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def place(self) -> str:
        return f"the key in this computer's keyring ({_SERVICE}, {self._name})"

    def load(self) -> bytes | None:
        text = self._ask("get_password")
        return None if text is None else _key_of(text, self.place)

    def make(self) -> bytes:
        key = os.urandom(_KEY_BYTES)
        self._ask("set_password", _text_of(key))
        if self.load() != key:  # a keyring that is switched off takes anything and keeps nothing
            raise StoreError(
                "This computer's keyring did not keep the key; nothing was stored.",
                "Set BROKER_KEYRING=0 to use a key file instead.",
            )
        return key

    def remove(self) -> bool:
        if self._ask("get_password") is None:
            return False
        self._ask("delete_password")
        return True

    def _ask(self, what: str, *more: str) -> Any:
        """One question to the keyring. What it says is not passed on: it may quote what it got."""
        try:
            keyring = importlib.import_module("keyring")
        except ImportError:
            raise StoreError(
                "BROKER_KEYRING is 1, and the Python package keyring is not installed.",
                "Install it (pip install keyring), or set BROKER_KEYRING=0 to use a key file.",
            ) from None
        answer, failure = None, ""
        try:
            answer = getattr(keyring, what)(_SERVICE, self._name, *more)
        except Exception as error:  # each desktop's keyring has errors of its own
            failure = type(error).__name__
        if failure:
            raise StoreError(
                f"This computer's keyring cannot be used ({failure}).",
                "Unlock it and try again; a computer without a desktop mostly has none: set "
                "BROKER_KEYRING=0 there to use a key file.",
            )
        return answer


def key_for(home: str, name: str, uses_keyring: bool, clock: Clock = SYSTEM_CLOCK) -> Key:
    """The key called `name` ("vault", "database") of a folder; nothing is read or made yet."""
    if uses_keyring:
        return KeyringKey(f"{name} {home}")
    return KeyFile(os.path.join(home, f"{name}.key"), clock)


def key_is_lost(what: str, key: Key, way_out: str) -> StoreError:
    """`what` is there and its key is not; a new key would never open it."""
    return StoreError(
        f"{what} is there, but {key.place} is missing. Nothing was changed.",
        f"Put the key back. If BROKER_KEYRING or BROKER_HOME was changed, set it back. {way_out}",
    )


def key_is_another(what: str, key: Key, way_out: str) -> StoreError:
    """`what` was sealed with a key that is not this one."""
    return StoreError(
        f"{what} was sealed with another key than {key.place}. Nothing was changed.",
        f"Put the key that belongs to it there. {way_out}",
    )


def _text_of(key: bytes) -> str:
    return f"mstock-vault-key 1 {base64.b64encode(key).decode()}\n"


def _key_of(text: str, place: str) -> bytes:
    found = re.fullmatch(_KEY_FORM, text)
    try:
        key = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise StoreError(
            f"What is in {place} is not a key of this plugin, or is damaged.",
            f"Put it back from a backup, or run {ERASE} and set everything up anew.",
        )
    return key
