"""The proofs of reliability in their short form, and that a proof which does not hold says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy import NullPool, create_engine, text

from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.broker import MSTOCK
from broker.mstock.database.symbol_table import SymbolTable, local_table
from broker.mstock.orders.journal import file_url
from broker_simulator.mstock import Simulator
from proofs import Broken, accounts, history, instruments, kills, orders, soak, stream
from proofs.__main__ import main, markdown
from proofs.renewer import configs
from proofs.simulated import SimulatedTime

QUIET = Console(quiet=True)


def test_kills() -> None:
    figures = {row["What"]: row["Figure"] for row in kills.run(QUIET, short=True)}
    assert figures["of them lost"] == 0
    assert figures["writes that were reported as done"] > 0


def test_stream() -> None:
    figures = {row["What"]: row["Figure"] for row in stream.run(QUIET, short=True)}
    assert figures["faults, both API types"] == stream.SHORT


def test_soak() -> None:
    figures = {row["What"]: row["Figure"] for row in soak.run(QUIET, short=True)}
    assert figures["faults"] > 0


def test_ticks() -> None:
    # A program of its own: it ties itself to one core.
    command = [sys.executable, "-m", "proofs", "ticks", "--short", "--markdown"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "| LTP | 3000 |" in done.stdout


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


def test_accounts() -> None:
    rows = {row["What"]: row for row in accounts.run(QUIET, short=True)}
    assert rows["accounts logged in twice"]["SQLite"] == 0
    assert rows["accounts"]["SQLite"] == accounts.SHORT


def test_orders() -> None:
    rows = {row["Fault"]: row for row in orders.run(QUIET, short=True)}
    total = rows["all"]
    assert total["Orders"] >= orders.SHORT
    for name in ("Placed twice", "Called failed though placed", "Lost"):
        assert total[name] == 0
    assert rows["none"]["Answered “unknown”"] == 0


@pytest.mark.parametrize("said", ["failed", "9"])
def test_an_order_that_is_called_something_else_is_noticed(tmp_path: Path, said: str) -> None:
    with Simulator(instruments=50, rate_limits=False) as box:
        clock = SimulatedTime(box, orders._MOMENT)
        config = orders.configured(box, "B")
        token = orders.logged_in(box, config)
        journal = orders.TaggedJournal(file_url(str(tmp_path)), config.account, clock)
        calls = orders.OrderCalls(orders.client_of(config), "B", clock)
        guard = TokenGuard(MSTOCK, clock)
        service = orders.OrderService(config, token, journal, calls=calls, guard=guard, clock=clock)
        instrument, price = orders.cheap_share(box)
        request = orders.OrderRequest(instrument.symbol, "NSE", "BUY", 1, "LIMIT", "MIS", price)
        placed = service.place(request, instrument)
        orders._judge(box, journal, orders.Tally(said={placed.tag: placed.order_id}))
        with pytest.raises(Broken):
            orders._judge(box, journal, orders.Tally(said={placed.tag: said}))
        with pytest.raises(Broken, match="Lost"):
            orders._judge(box, journal, orders.Tally())


@pytest.mark.parametrize("lose", [lambda found: found | {0: None}, lambda found: found | {1: 99}])
def test_a_lost_write_is_noticed(
    monkeypatch: pytest.MonkeyPatch, lose: Callable[[dict[int, Any]], dict[int, Any]]
) -> None:
    before, after = dict.fromkeys(range(12)), {n: n if n < 3 else None for n in range(12)}
    assert kills._check("a kill", before, after, 0, 3) is False
    assert kills._check("a kill", before, after, 0, 2) is True
    with pytest.raises(Broken, match="after a kill"):
        kills._check("a kill", before, lose(after), 0, 3)


def test_a_second_login_is_noticed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"
    with accounts._stage(url, str(tmp_path / "home"), 2) as stage:
        auto = AutoLogin(MSTOCK, stage.store, configs(stage.store), stage.clock)
        with pytest.raises(Broken, match="not logged in"):
            accounts._judged(QUIET, stage, 0, [], 0)
        assert len(auto.tick()) == 2
        assert accounts._judged(QUIET, stage, 0, [], 0)
        for clock_moves in (stage.box.clock.advance, stage.clock.advance):
            clock_moves(timedelta(seconds=30))
        config = configs(stage.store)(stage.accounts[0])
        assert config is not None
        auto.test(config)
        with pytest.raises(Broken, match=r"logged in twice: \['MB0000001'\]"):
            accounts._judged(QUIET, stage, 0, [], 0)


def test_the_commands_say_how_it_went(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"What": "kills", "Figure": 8}, {"What": "lost", "Figure": 0}]
    monkeypatch.setattr(kills, "run", lambda _console, _short: rows)
    done = CliRunner().invoke(main, ["kills", "--short", "--markdown"])
    assert done.output == "| What | Figure |\n| --- | --- |\n| kills | 8 |\n| lost | 0 |\n"
    assert markdown(rows) + "\n" == done.output

    def broken(_console: Console, _short: bool) -> None:
        raise Broken("a write is lost")

    monkeypatch.setattr(kills, "run", broken)
    failed = CliRunner().invoke(main, ["kills"])
    assert failed.exit_code == 1
    assert "does not hold: a write is lost" in failed.output
