"""Downloads the master into a table: `python -m proofs.downloader DATABASE NOW`.

The token comes as the first line of the input; the next line begins the download.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime

import sqlalchemy as sql

from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.database.master_contract_db import download
from broker.mstock.database.symbol_table import SymbolTable, local_table
from broker.mstock.settings import Config


class _FixedClock:
    """The simulator's morning."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def monotonic(self) -> float:
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def main(database: str, now: str) -> None:
    """Download once; `ready` is written before, `done` afterwards."""
    engine = sql.create_engine(f"sqlite:///{database}", poolclass=sql.NullPool)
    table = local_table()
    table.create(engine, checkfirst=True)
    clock = _FixedClock(datetime.fromisoformat(now))
    token_guard(MSTOCK)._clock = clock
    token = Secret(sys.stdin.readline().strip())
    os.write(1, b"ready\n")
    sys.stdin.readline()
    download(Config.from_env(), token, SymbolTable(engine, table), clock=clock)
    os.write(1, b"done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
