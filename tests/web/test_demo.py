"""The demo as a person starts it: what it prints, what it ignores, how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from broker.mstock.market_data.calendar import trading_calendar
from broker_simulator.demo.__main__ import tunnel
from broker_simulator.demo.stage import Demo
from tests.support import process
from tests.support.stage import MORNING
from tests.support.visitor import Visitor

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["A", "B"])
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, in a folder and an environment that would send it to the real mStock."""
    hostile = {"BROKER_API_KEY": "REAL1", "MSTOCK_API_TYPE": "C", "MSTOCK_REST_URL": "nonsense"}
    (tmp_path / ".env").write_text("".join(f"{k}={v}\n" for k, v in hostile.items()))
    env = {**os.environ, **hostile, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    how: dict[str, Any] = {"cwd": tmp_path, "env": env, "stderr": subprocess.STDOUT}
    with process.started("broker_simulator.demo", "--type", request.param, **how) as demo:
        yield demo


def test_the_demo(started: subprocess.Popen[str]) -> None:
    assert started.stdout is not None
    printed = ""
    while "Ctrl-C" not in printed:
        line = started.stdout.readline()
        assert line, printed
        printed += line
    api_type = str(started.args[-1])  # type: ignore[index]
    assert f"SIMULATOR, API Type {api_type}" in printed
    assert "MA0000001" in printed
    assert "Simulated-1" in printed
    page_url, phone_url, _ = re.findall(r"http://127\.0\.0\.1:\d+\S*", printed)
    page = requests.get(page_url, timeout=5).text
    assert "SIMULATOR" in page
    assert f"API Type {api_type}" in page
    assert phone_url in page
    assert requests.get(phone_url, timeout=5).status_code == 200
    process.interrupt(started)
    rest, _ = started.communicate(timeout=10)
    assert "Traceback" not in rest
    assert started.returncode == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(page_url, timeout=5)


@pytest.mark.parametrize("api_type", ["A", "B"])
def test_the_simulators_env_lines_are_all_that_the_command_line_needs(
    tmp_path: Path, api_type: str
) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOME": str(tmp_path)}
    how: dict[str, Any] = {"cwd": tmp_path, "env": env, "stderr": subprocess.STDOUT}
    words = ("--port", "0", "--ws-port", "0", "--type", api_type)
    with process.started("broker_simulator", *words, **how) as box:
        assert box.stdout is not None
        lines = list(iter(box.stdout.readline, "Ctrl+C stops it.\n"))
        (tmp_path / ".env").write_text("".join(line for line in lines if "=" in line))
        (tmp_path / ".env").chmod(0o600)
        command = [sys.executable, "-m", "broker.mstock", "doctor"]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"API type {api_type}, for a SIMULATOR" in done.stdout


def test_the_demo_has_traded_already_at_any_hour() -> None:
    demo = Demo("A")
    demo.simulator.clock.set(MORNING.replace(hour=3))
    with demo:
        demo.trade()
        visitor = Visitor(demo).log_in()
        words = visitor.page("/mstock/positions")
    assert "2 open, 0 closed" in words
    assert "1 open, 2 completed, 1 rejected" in words
    assert "Not enough funds" in words


def test_live_prices_ask_for_no_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BROKER_API_KEY", raising=False)
    trading_calendar()
    assert caplog.records == []


def test_over_ssh_the_demo_tells_how_to_reach_it() -> None:
    env = {"SSH_CONNECTION": "198.51.100.7 50000 203.0.113.9 2222"}
    line = tunnel(env, (5001, 5002))
    assert line.startswith("ssh -N -L 5001:127.0.0.1:5001 -L 5002:127.0.0.1:5002 ")
    assert line.endswith("@203.0.113.9 -p 2222")
    assert tunnel({}, (5001,)) == ""


def test_a_taken_port_is_said_in_a_sentence() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "broker_simulator.demo", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert f"Port {port} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
