"""Writes in a store until it is killed: `python -m proofs.writer HOME FIRST`.

Write number n puts n under the name that `slot(n)` says; it is printed when it is done.
"""

from __future__ import annotations

import os
import sys
from itertools import count

from broker._kit.secret import Secret
from broker._kit.sessions.store import open_store
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.broker import MSTOCK

_FIELDS = ("password", "totp_secret", "api_key")
SLOTS = 12
_LENGTH = 1199  # a token's


def slot(n: int) -> tuple[Account, str]:
    """Where the n-th text lies: four accounts with three texts each."""
    return Account("http://127.0.0.1:9", "B", f"MA{n % 4}"), _FIELDS[n % 3]


def text(n: int) -> Secret:
    """The n-th text."""
    return Secret(f"{n} ".ljust(_LENGTH, "."))


def number(kept: Secret | None) -> int | None:
    """Which text this is, None for none; ValueError for one that no writer wrote whole."""
    if kept is None:
        return None
    n = int(kept.reveal().split()[0])
    if kept != text(n):
        raise ValueError("a text is not as it was written")
    return n


def main(home: str, first: int) -> None:
    """Write until killed; a write that fails ends the program with its error."""
    store = open_store(MSTOCK, ServiceSettings(home))
    os.write(1, b"ready\n")
    sys.stdin.readline()
    for n in count(first):
        account, field = slot(n)
        with store.update(account) as record:
            setattr(record, field, text(n))
        os.write(1, b"%d\n" % n)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
