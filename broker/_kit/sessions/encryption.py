"""Encrypts what is stored, and keeps the key: in a file of its owner's, or in the keyring.

What is encrypted is bound to what it is about, so that one text cannot stand in for another.
Source: AES-256-GCM of the library `cryptography`, with a fresh random nonce for every text.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import importlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from broker._kit import files
from broker._kit.errors import StoreError

_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_FORM = r"broker-sessions-key 1 ([A-Za-z0-9+/]{43}=)\s*"
_SERVICE = "openalgo-brokers"


class Seal:
    """Encrypts with one key; `id` tells keys apart and gives nothing of them away."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"broker sessions key " + key).hexdigest()[:16]

    def close(self, text: bytes, about: bytes) -> bytes:
        """The encrypted text."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, about)

    def open(self, sealed: bytes, about: bytes) -> bytes | None:
        """The text; None when it is torn, was changed, or is about something else."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            return None


@dataclass(frozen=True)
class Key:
    """A key in one place (in words). Every method raises `StoreError`."""

    place: str
    read: Callable[[], str | None]
    write: Callable[[str], object]
    remove: Callable[[], bool]  # True when it was there

    def load(self) -> bytes | None:
        """The key, None when there is none; read each time, so that its loss is noticed."""
        text = self.read()
        if text is None:
            return None
        with contextlib.suppress(binascii.Error):
            if found := re.fullmatch(_KEY_FORM, text):
                return base64.b64decode(found[1], validate=True)
        raise StoreError(
            f"What is in {self.place} is not a key of this program, or is damaged.",
            "Put it back from a backup, or erase what is stored and set everything up again.",
        )

    def make(self) -> bytes:
        """Put a new key there; the caller is alone, and has found none."""
        key = os.urandom(_KEY_BYTES)
        self.write(f"broker-sessions-key 1 {base64.b64encode(key).decode()}\n")
        if self.load() != key:  # a keyring that is switched off takes anything and keeps nothing
            raise StoreError(
                f"This computer did not keep {self.place}; nothing was stored.",
                "Set BROKER_KEYRING=0 to use a key file instead.",
            )
        return key


def key_for(home: str, uses_keyring: bool) -> Key:
    """The key of a folder, in a file or in the operating system's keyring; nothing is read yet."""
    if uses_keyring:
        place = f"the key in this computer's keyring ({_SERVICE}, {home})"
        get, put, delete = (
            partial(_ask_keyring, f"{verb}_password", home) for verb in ("get", "set", "delete")
        )
        return Key(place, get, put, lambda: get() is not None and (delete() or True))
    path = os.path.join(home, "sessions.key")

    def read() -> str | None:
        data = files.read_private(path)
        return None if data is None else data.decode("ascii", "replace")

    def write(text: str) -> None:
        files.make_private_folder(home)
        files.write_atomic(path, text.encode())

    return Key(f"the key file {path}", read, write, partial(files.remove, path))


def _ask_keyring(what: str, name: str, *more: str) -> Any:
    """One question to the keyring. What it says is not passed on: it may quote what it got."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise StoreError(
            "BROKER_KEYRING is 1, and the Python package keyring is not installed.",
            "Install it (pip install keyring), or set BROKER_KEYRING=0 to use a key file.",
        ) from None
    try:
        return getattr(keyring, what)(_SERVICE, name, *more)
    except Exception as error:  # each desktop's keyring has errors of its own
        failure = type(error).__name__
    raise StoreError(
        f"This computer's keyring cannot be used ({failure}).",
        "Unlock it and try again; a computer without a desktop mostly has none: set "
        "BROKER_KEYRING=0 there to use a key file.",
    )
