"""The proofs of live prices in their short form; files run side by side."""

from __future__ import annotations

import subprocess
import sys

from rich.console import Console

from proofs import soak, stream

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
