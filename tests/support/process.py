"""Programs started as a person starts them, and Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def _take_ctrl_c() -> None:
    # A shell that runs the tests in the background has its children ignore it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`python -m` these arguments; killed at the end if it still runs."""
    if sys.platform != "win32":
        options["preexec_fn"] = _take_ctrl_c
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, **options
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    if sys.platform == "win32":
        pytest.skip("Windows sends Ctrl-C to consoles only: press it there by hand")
    process.send_signal(signal.SIGINT)
