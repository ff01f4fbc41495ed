"""Kills a program again and again while it writes in the store, and looks what is left."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time

from rich.console import Console

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.encryption import key_for
from broker._kit.sessions.sql_store import SqlStore
from broker.mstock.broker import MSTOCK
from proofs import Broken, Rows, figures, require
from proofs.writer import SLOTS, number, slot

KILLS, SHORT = 200, 8
_EVERY = 4  # so many kills later a new folder is begun, so that the first writes are hit as well
_LONGEST = 0.400  # seconds from the start of writing to the kill
_FIRST = 0.080


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The table's rows; raises `Broken` when a write that was reported as done is not there."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    kills = SHORT if short else KILLS
    console.print(f"{kills} kills at random moments, seed {seed}")
    done = cut = survived = 0
    with tempfile.TemporaryDirectory() as folder:
        for kill in range(kills):
            home = os.path.join(folder, str(kill // _EVERY))
            known = _found(home)
            is_new = not os.path.exists(home)
            delay = chance.uniform(0, _FIRST if is_new else _LONGEST)
            first = max((n for n in known.values() if n is not None), default=-1) + 1
            reported = _killed_writer(home, first, delay)
            cut += any(name.endswith("-journal") for name in _names(home))
            survived += _check(f"kill {kill + 1}", known, _found(home), first, reported)
            done += reported
    # What must be nothing is nothing here: anything else has raised.
    return figures(
        [
            ("kills (SIGKILL) of a program that was writing", kills),
            ("of them, with a transaction half written at that moment", cut),
            ("writes that were reported as done", done),
            ("of them lost", 0),
            ("writes cut off before their report, and there as a whole", survived),
            ("stores that could not be opened or written afterwards", 0),
        ]
    )


def _killed_writer(home: str, first: int, delay: float) -> int:
    """Lets a writer write for so long, and kills it; how many writes it reported as done."""
    with subprocess.Popen(
        [sys.executable, "-m", "proofs.writer", home, str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        try:
            require(writer.stdout.readline() == b"ready\n", "the writer did not start")
            writer.stdin.write(b"go\n")
            writer.stdin.flush()
            time.sleep(delay)
            require(writer.poll() is None, "the writer ended before it was killed")
        finally:
            writer.kill()
        lines = writer.stdout.read().split()
    require(lines == [b"%d" % n for n in range(first, first + len(lines))], "reports are missing")
    return len(lines)


def _found(home: str) -> dict[int, int | None]:
    """Which text lies in each slot; the store is opened, and written, as by the next program."""
    store = SqlStore(MSTOCK, home, key_for(home, False))
    try:
        found = {n: number(_text(store, n)) for n in range(SLOTS)}
        if any(n is not None for n in found.values()):
            store.acquire_lease(slot(0)[0], "next", SYSTEM_CLOCK.now(), 1)
            store.release_lease(slot(0)[0], "next")
    except (StoreError, ValueError) as error:
        raise Broken(f"the store cannot be used after a kill: {error}") from error
    return found


def _text(store: SqlStore, n: int) -> Secret | None:
    account, field = slot(n)
    text: Secret | None = getattr(store.load(account), field)
    return text


def _check(
    kill: str,
    before: dict[int, int | None],
    after: dict[int, int | None],
    first: int,
    reported: int,
) -> bool:
    """Every slot holds its last reported text; True when the one that was cut off is there too."""
    cut_off = first + reported
    has_survived = after[cut_off % SLOTS] == cut_off
    there = range(first, cut_off + has_survived)
    expected = before | {n % SLOTS: n for n in there}
    require(after == expected, f"after {kill} there is {after} instead of {expected}")
    return has_survived


def _names(home: str) -> list[str]:
    return os.listdir(home) if os.path.exists(home) else []
