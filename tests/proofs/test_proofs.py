"""The proofs of reliability in their short form, and that a proof which does not hold says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from broker._kit.sessions.auto_login import AutoLogin
from broker.mstock.broker import MSTOCK
from proofs import Broken, accounts, kills
from proofs.__main__ import main, markdown
from proofs.renewer import configs

QUIET = Console(quiet=True)


def test_kills() -> None:
    figures = {row["What"]: row["Figure"] for row in kills.run(QUIET, short=True)}
    assert figures["of them lost"] == 0
    assert figures["writes that were reported as done"] > 0


def test_accounts() -> None:
    rows = {row["What"]: row for row in accounts.run(QUIET, short=True)}
    assert rows["accounts logged in twice"]["SQLite"] == 0
    assert rows["accounts"]["SQLite"] == accounts.SHORT


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
