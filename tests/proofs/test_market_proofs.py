"""The proofs of market data in their short form; files run side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import NullPool, create_engine, text

from broker.mstock.database.symbol_table import SymbolTable, local_table
from proofs import Broken, history, instruments

QUIET = Console(quiet=True)


def test_instruments() -> None:
    figures = {row["What"]: row["Figure"] for row in instruments.run(QUIET, short=True)}
    asked, old, new, *bad = figures.values()
    assert (asked, old + new, bad) == (instruments.SHORT, instruments.SHORT, [0, 0])


def test_history() -> None:
    rows = history.run(QUIET, short=True)
    assert [(row["API type"], row["Interval"]) for row in rows] == [
        *(("A", "D"), ("A", "1m")),
        *(("B", "D"), ("B", "1m")),
    ]


def test_a_candle_that_differs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = history._truth

    def truth(*given: Any) -> list[Any]:
        first, *others = real(*given)
        return [first._replace(volume=first.volume + 1), *others]

    monkeypatch.setattr(history, "_truth", truth)
    with pytest.raises(Broken, match="is not the market's"):
        history.run(QUIET, short=True)


def test_a_mixed_master_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    table = local_table()
    table.create(engine)
    row = ("X", "X", "X", "NSE", "NSE", "1", "", 0.0, 1, "EQ", 0.05)
    rows = [(f"X{n}", *row[1:5], str(n), *row[6:]) for n in range(1000)]
    SymbolTable(engine, table).replace([rows], "simulator B", datetime(2026, 11, 23, tzinfo=UTC))
    assert len(instruments._shown(tmp_path)) == 1000
    for change, words in (
        ("DELETE FROM symtoken WHERE token = '7'", "marked"),
        ("UPDATE symtoken SET symbol = 'X8', token = '8' WHERE token = '9'", "twice"),
    ):
        with engine.begin() as connection:
            connection.execute(text(change))
        with pytest.raises(Broken, match=words):
            instruments._shown(tmp_path)
