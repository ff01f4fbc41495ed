"""Kills a program again and again while it downloads the master, and looks what stands."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import sqlalchemy as sql
from rich.console import Console

from broker._kit.clock import IST
from broker.mstock.database.symbol_table import SymbolTable
from broker_simulator.mstock import Simulator
from proofs import Broken, Rows, figures, require

KILLS, SHORT = 50, 6
# Downloads of two different sizes in turn, so that old and new can be told apart.
_SIZES, _SHORT_SIZES = (20000, 24000), (3000, 3600)
_MORNING = datetime(2026, 11, 23, 9, 30, tzinfo=IST)


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The table's rows; raises `Broken` when what stands is neither the old nor the new master."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    kills = SHORT if short else KILLS
    console.print(f"{kills} kills at random moments, seed {seed}")
    old = new = 0
    sizes = _SHORT_SIZES if short else _SIZES
    with tempfile.TemporaryDirectory() as folder:
        boxes = [_box(size) for size in sizes]
        try:
            took, masters = [], []
            for box in boxes:
                took.append(_whole_run(folder, box))
                masters.append(_shown(Path(folder)))
            standing = 1
            for kill in range(kills):
                target = 1 - standing
                # From the start of the download to just after its end.
                delay = chance.uniform(0, 1.15 * max(took))
                _killed(folder, boxes[target], delay)
                found = _shown(Path(folder))
                require(
                    found in (masters[standing], masters[target]),
                    f"after kill {kill + 1}, {delay:.3f} s into it, the table holds {len(found)} "
                    f"rows of neither master",
                )
                if found == masters[standing]:
                    old += 1
                else:
                    new += 1
                    standing = target
            _whole_run(folder, boxes[1 - standing])
            require(_shown(Path(folder)) == masters[1 - standing], "a later download went wrong")
        finally:
            for box in boxes:
                box.stop()
    return figures(
        [
            ("kills (SIGKILL) of a program that was downloading the instruments", kills),
            ("of them, with the old master standing whole afterwards", old),
            ("with the new one standing whole (it had just been committed)", new),
            ("tables that were empty, mixed or could not be read", 0),
            ("downloads that did not work afterwards", 0),
        ]
    )


def _box(size: int) -> Simulator:
    box = Simulator(instruments=size, rate_limits=False)
    box.start()
    box.clock.set(_MORNING)
    return box


def _session(box: Simulator) -> str:
    account = box.demo
    pending = box.world.login("b", account.client_code, account.password)
    session = box.world.finish_with_otp("b", account.api_key_b, str(pending.otp), pending.ticket)
    return str(session.token)


def _start(folder: str, box: Simulator) -> subprocess.Popen[bytes]:
    """A program that is about to download; it begins when its input ends."""
    settings = {
        "BROKER_API_KEY": box.demo.client_code,
        "BROKER_API_SECRET": box.demo.api_key_b,
        "MSTOCK_API_TYPE": "B",
        "MSTOCK_REST_URL": box.rest_url,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "proofs.downloader", os.path.join(folder, "host.db"),
         _MORNING.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **settings},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_session(box).encode() + b"\n")
    process.stdin.flush()
    if process.stdout.readline() != b"ready\n":
        raise Broken("the downloading program did not start")
    return process


def _whole_run(folder: str, box: Simulator) -> float:
    """Seconds that an undisturbed download takes."""
    process = _start(folder, box)
    started = time.monotonic()
    out, _ = process.communicate(b"\n")
    require(out == b"done\n", "a download did not work")
    return time.monotonic() - started


def _killed(folder: str, box: Simulator, delay: float) -> None:
    process = _start(folder, box)
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    time.sleep(delay)
    process.kill()
    process.communicate()


def _shown(folder: Path) -> frozenset[tuple[str, str, str]]:
    """What a reader finds; raises `Broken` for rows that are there twice, or a mark that lies."""
    with closing(sqlite3.connect(folder / "host.db")) as database:
        rows = database.execute("SELECT symbol, exchange, token FROM symtoken").fetchall()
        (state,) = database.execute("PRAGMA integrity_check").fetchone()
    require(state == "ok", f"the database says {state}")
    found = frozenset(rows)
    require(len(found) == len(rows), "an instrument is there twice")
    engine = sql.create_engine(f"sqlite:///{folder / 'host.db'}", poolclass=sql.NullPool)
    table = sql.Table("symtoken", sql.MetaData(), autoload_with=engine)
    mark = SymbolTable(engine, table).mark()
    require(mark is not None and mark.rows == len(rows), "the table is not marked as mStock's")
    return found
