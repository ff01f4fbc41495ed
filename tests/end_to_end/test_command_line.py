"""`python -m broker.mstock web`, as a person starts it: in a folder with a `.env`."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests

from broker._kit.cli.web import web
from broker.mstock.settings import REDIRECT_URL
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support import process

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.parametrize("revision", ["older"], indirect=True)


def started(folder: Path, *options: str) -> AbstractContextManager[subprocess.Popen[str]]:
    env = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    how: dict[str, Any] = {"cwd": folder, "env": env, "stderr": subprocess.PIPE}
    return process.started("broker.mstock", "web", *options, **how)


def write_env(folder: Path, settings: dict[str, str]) -> None:
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    (folder / ".env").write_text("".join(lines))


def test_the_page_is_served_until_it_is_interrupted(simulator: Simulator, tmp_path: Path) -> None:
    write_env(tmp_path, settings_for(simulator, "B"))
    with started(tmp_path, "--port", "0") as page:
        assert page.stdout is not None
        greeting = page.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", greeting)
        assert address, greeting
        assert "SIMULATOR, API type B" in greeting
        shown = requests.get(address[0], timeout=10)
        assert shown.status_code == 200
        assert "Log in to mStock" in shown.text
        process.interrupt(page)
        _, errors = page.communicate(timeout=10)
        assert (page.returncode, errors) == (0, "")


def test_an_unusable_setting_is_named_and_nothing_is_served(
    simulator: Simulator, tmp_path: Path
) -> None:
    settings = settings_for(simulator, "B", MSTOCK_REST_URL="https://api.mstock.tarde")
    write_env(tmp_path, settings)
    with started(tmp_path) as page:
        _, errors = page.communicate(timeout=20)
        assert page.returncode == 5
        assert errors.startswith("Error: MSTOCK_REST_URL must be")
        assert settings["BROKER_API_SECRET"] not in errors


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_file_that_is_no_plain_text_is_told_in_words(
    simulator: Simulator, tmp_path: Path, encoding: str
) -> None:
    text = "".join(f"{name}={value}é\n" for name, value in settings_for(simulator, "B").items())
    (tmp_path / ".env").write_bytes(text.encode(encoding))
    with started(tmp_path) as page:
        _, errors = page.communicate(timeout=20)
        assert page.returncode == 5
        assert errors.startswith("Error: The .env file is not plain text.")


def test_a_missing_file_is_told_with_the_folder(simulator: Simulator, tmp_path: Path) -> None:
    with started(tmp_path) as page:
        _, errors = page.communicate(timeout=20)
        assert page.returncode == 5
        assert errors.startswith(f"Error: There is no .env file in {tmp_path} or above it.")


def test_a_taken_port_is_told_with_the_way_out(simulator: Simulator, tmp_path: Path) -> None:
    write_env(tmp_path, settings_for(simulator, "B"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(tmp_path, "--port", str(port)) as page:
            _, errors = page.communicate(timeout=20)
            assert page.returncode == 1
            assert f"Port {port} cannot be used" in errors
            assert f"python -m broker.mstock web --port {port + 1}" in errors


def test_the_port_is_not_openalgos(simulator: Simulator) -> None:
    (port,) = (option for option in web.params if option.name == "port")
    assert port.default == 5757
    assert ":5000/" in REDIRECT_URL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups of this kind")
def test_the_demo_is_started_as_a_program(simulator: Simulator, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    words = ("demo", "--type", "A", "--port", "0")
    how: dict[str, Any] = {"cwd": tmp_path, "env": env, "start_new_session": True}
    with process.started("broker.mstock", *words, **how) as demo:
        assert demo.stdout is not None
        shown = ""
        while "Ctrl-C" not in shown:
            line = demo.stdout.readline()
            assert line, shown
            shown += line
        assert "API Type A" in shown
        address = re.search(r"http://127\.0\.0\.1:\d+", shown)
        assert address
        assert requests.get(address[0], timeout=10).status_code == 200
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: to the demo too
        demo.communicate(timeout=10)
        assert demo.returncode == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(address[0], timeout=10)
