"""The proofs of live prices in their short form; files run side by side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from rich.console import Console

from proofs import Broken, soak, stream, ticks
from proofs.streamed import Usage

QUIET = Console(quiet=True)


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
    assert "| LTP | 300 |" in done.stdout


def test_limits_that_are_missed_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHORT", 2)
    monkeypatch.setattr(stream, "_FEW_RECONNECTS", 0)
    monkeypatch.setattr(stream, "_LIMIT_S", 0.0)
    monkeypatch.setattr(stream, "SPOILT", ())
    monkeypatch.setattr(stream, "SILENT", ())
    with pytest.raises(Broken, match="until all prices flowed"):
        stream.run(QUIET, short=True)
    calm = Usage(2, 4, 30.0)
    soak._compare(calm, calm, calm._replace(memory=30.9), 1.0)
    for worse in ({"threads": 3}, {"sockets": 5}, {"memory": 31.1}):
        with pytest.raises(Broken):
            soak._compare(calm, calm, calm._replace(**worse), 1.0)


def test_memory_that_grows_with_the_ticks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter(range(1000))

    @contextmanager
    def flowing(_mode: int, _count: int) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(sent=0)

    monkeypatch.setattr(ticks, "flowing", flowing)
    monkeypatch.setattr(ticks, "_FEW", 0)
    monkeypatch.setattr(ticks, "usage", lambda: Usage(2, 4, float(next(held))))
    with pytest.raises(Broken, match="MB after"):
        ticks.run(QUIET, short=True)
