"""`python -m benchmarks.instruments`: normalise and store a master, against its bare parts."""

from __future__ import annotations

import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson
import sqlalchemy as sql
from rich.console import Console
from rich.table import Table

from broker._kit.clock import IST
from broker.mstock.database import master_files
from broker.mstock.database.symbol_table import SymbolTable
from broker.mstock.mapping.symbols import COLUMNS, Normaliser
from broker_simulator.mstock.market import build_master
from broker_simulator.mstock.master_files import type_a_csv, type_b_json

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=IST)
TARGET, MOST_MEMORY = 2.0, 3.0

# The host's indices, which cost every writer the same.
_TABLE = """
CREATE TABLE symtoken (id INTEGER PRIMARY KEY, symbol VARCHAR NOT NULL, brsymbol VARCHAR NOT NULL,
  name VARCHAR, exchange VARCHAR, brexchange VARCHAR, token VARCHAR, expiry VARCHAR, strike FLOAT,
  lotsize INTEGER, instrumenttype VARCHAR, tick_size FLOAT, contract_value FLOAT);
CREATE INDEX a1 ON symtoken (symbol); CREATE INDEX a2 ON symtoken (brsymbol);
CREATE INDEX a3 ON symtoken (exchange); CREATE INDEX a4 ON symtoken (brexchange);
CREATE INDEX a5 ON symtoken (token); CREATE INDEX a6 ON symtoken (symbol, exchange);
CREATE INDEX a7 ON symtoken (symbol, name); CREATE INDEX a8 ON symtoken (brsymbol, exchange);
PRAGMA journal_mode=WAL;
"""
_INSERT = f"INSERT INTO symtoken ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def write_master(path: Path, api_type: str, size: int) -> None:
    """The simulator's master of that size, as mStock would send it."""
    master = build_master(size, 1, NOW.date())
    chunks = type_a_csv(master, bare=True) if api_type == "A" else type_b_json(master)
    with path.open("wb") as file:
        file.writelines(chunks)


def new_database(folder: Path) -> Path:
    """An empty database with the host's table."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "host.db"
    with sqlite3.connect(path) as database:
        database.executescript(_TABLE)
    database.close()
    return path


def ours(master: Path, api_type: str, folder: Path) -> float:
    """Seconds that the plugin takes from the file to the committed table."""
    engine = sql.create_engine(f"sqlite:///{new_database(folder)}", poolclass=sql.NullPool)
    metadata = sql.MetaData()
    metadata.reflect(engine)
    table = SymbolTable(engine, metadata.tables["symtoken"])
    started = time.perf_counter()
    normaliser = Normaliser(api_type, NOW.date())
    with master.open("rb") as file:
        pieces = master_files.pieces(api_type, file)
        table.replace((normaliser.rows(piece) for piece in pieces), "benchmark", NOW)
    return time.perf_counter() - started


def bare(master: Path, api_type: str, folder: Path) -> float:
    """Seconds of `orjson.loads` over the whole file and one `executemany` of the same rows."""
    text = master.read_bytes()
    rows = Normaliser(api_type, NOW.date()).rows(orjson.loads(text))
    path = new_database(folder)
    started = time.perf_counter()
    parsed = orjson.loads(text)
    database = sqlite3.connect(path)
    with database:
        database.execute("DELETE FROM symtoken")
        database.executemany(_INSERT, rows)
    took = time.perf_counter() - started
    database.close()
    del parsed
    return took


_MEMORY = """
import json, sys
from pathlib import Path
from benchmarks.instruments import ours, write_master
folder = Path(sys.argv[1])
small = folder / "small"
write_master(small, sys.argv[3], 2000)
ours(small, sys.argv[3], folder)
def peak():
    # Not `ru_maxrss`, which a process inherits from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
ours(Path(sys.argv[2]), sys.argv[3], folder)
print(json.dumps(peak() - before))
"""


def memory(master: Path, api_type: str, folder: Path) -> float:
    """Bytes that a fresh process adds at its peak, once everything is imported."""
    arguments = [sys.executable, "-c", _MEMORY, str(folder), str(master), api_type]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return float(json.loads(found.stdout)) * 1024


def measure(size: int, rounds: int, folder: Path) -> dict[str, Any]:
    """The figures of one size: medians in seconds, ratio, and memory in multiples of the file."""
    b, a = folder / f"{size}.json", folder / f"{size}.csv"
    write_master(b, "B", size)
    write_master(a, "A", size)
    runs: dict[str, list[float]] = {"B": [], "bare": [], "A": []}
    contestants: list[tuple[str, Callable[[], float]]] = [
        ("B", lambda: ours(b, "B", folder)),
        ("bare", lambda: bare(b, "B", folder)),
        ("A", lambda: ours(a, "A", folder)),
    ]
    for n in range(rounds):
        turn = n % len(contestants)
        for name, run in contestants[turn:] + contestants[:turn]:
            runs[name].append(run())
    ratio = statistics.median(x / y for x, y in zip(runs["B"], runs["bare"], strict=True))
    return {
        "instruments": f"{size:,}",
        "download (B)": f"{b.stat().st_size / 1e6:.1f} MB",
        "bare": f"{statistics.median(runs['bare']):.2f} s",
        "Type B": f"{statistics.median(runs['B']):.2f} s",
        "Type A": f"{statistics.median(runs['A']):.2f} s",
        "ratio": ratio,
        "memory": memory(b, "B", folder) / b.stat().st_size,
    }


@click.command()
@click.option("--sizes", default="50000,200000,1000000", help="How many instruments.")
@click.option("--rounds", default=5, help="How often each thing is measured.")
def main(sizes: str, rounds: int) -> None:
    """Print the table; end with 1 when a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(int(size), rounds, Path(folder)) for size in sizes.split(",")]
    table = Table(title="Normalise and store, against orjson.loads and executemany")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        shown = row | {"ratio": f"{row['ratio']:.2f}", "memory": f"{row['memory']:.2f} x"}
        table.add_row(*map(str, shown.values()))
    console = Console(width=100)
    console.print(table)
    console.print(
        f"Targets: ratio at most {TARGET}, memory at most {MOST_MEMORY} times the download. "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; median of {rounds} "
        "interleaved rounds, with OpenAlgo's eight indices on the table."
    )
    if any(row["ratio"] > TARGET or row["memory"] > MOST_MEMORY for row in rows):
        raise SystemExit("A target is missed.")


if __name__ == "__main__":
    main()
