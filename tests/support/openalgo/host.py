"""The copy at work: gunicorn with one eventlet worker, or the server for development, with settings
and databases of its own."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import requests

from broker_simulator.mstock import Simulator
from tests.support.leaks import Leaks
from tests.support.openalgo.checkout import free_port, write_env
from tests.support.openalgo.hours import Hours
from tests.support.openalgo.visitor import Visitor

_START_SECONDS = 90
# As `python app.py`, which listens where it is told to: all in one process, prices in a thread. In
# a container OpenAlgo would leave prices to others.
_DEVELOPMENT = """
import sys
from werkzeug.serving import make_server
from app import app
from websocket_proxy.app_integration import start_websocket_proxy
start_websocket_proxy(app)
make_server("127.0.0.1", 0, app, threaded=True, fd=int(sys.argv[1])).serve_forever()
"""
# A moment's digits look like a code: 09:15:00.123456.
_MICROSECONDS = re.compile(r"(\d\d:\d\d:\d\d)[.,]\d{3,9}")


class Host:
    """A running OpenAlgo, from `start` to `stop`; all that it writes is under `folder`."""

    def __init__(
        self, copy: Path, python: str, folder: Path, simulator: Simulator, hours: Hours
    ) -> None:
        self.copy = copy
        self.folder = folder
        self.simulator = simulator
        self.hours = hours
        self._python = python
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._seen: list[tuple[str, str]] = []
        self._visitors: list[Visitor] = []
        self._addresses = iter(range(2, 250))
        self._process: subprocess.Popen[bytes] | None = None
        self._proxy: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._is_one_process = False

    def start(self, *, in_one_process: bool = False, **settings: str) -> None:
        """Start and wait until it answers; AssertionError with its last words when it does not."""
        self._is_one_process = in_one_process
        self._write_env(settings)
        self._began = self._began or time.time()
        fd = self._listener.fileno()
        command = ["-m", "gunicorn", "--worker-class", "eventlet", "--workers", "1", "--bind"]
        command += [f"fd://{fd}", "--timeout", "300", "--no-control-socket"]
        command += ["--log-level", "warning", "app:app"]
        if in_one_process:
            command = ["-c", _DEVELOPMENT, str(fd)]
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [self._python, *command],
                cwd=self.copy,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(fd,),
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """End the processes that this host has started, and nobody else's."""
        if self._proxy is not None:
            self._proxy.kill()
            self._proxy.wait()
            self._proxy = None
        process, self._process = self._process, None
        if process is None:
            return
        for sign, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 5)):
            try:
                os.killpg(process.pid, sign)
                process.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
            break

    def serve_prices(self) -> None:
        """Have the proxy for live prices run; in a container OpenAlgo leaves that to others.

        It then shows the real time: under libfaketime a thread that waits for Python's lock spins,
        and the proxy's two threads keep each other from working.
        """
        is_left_to_others = os.path.exists("/.dockerenv") and not self._is_one_process
        if self._proxy is None and is_left_to_others:
            with (self.folder / "output.txt").open("ab") as output:
                self._proxy = subprocess.Popen(
                    [self._python, "-m", "websocket_proxy.server"],
                    cwd=self.copy,
                    env={
                        name: value
                        for name, value in self.environment().items()
                        if name not in self.hours.environment
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
        port, ends = int(self.websocket_url.rpartition(":")[2]), time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            assert time.monotonic() < ends, "OpenAlgo's proxy for live prices does not listen"
            time.sleep(0.2)

    def close(self) -> None:
        self.stop()
        self._listener.close()

    def visitor(self, address: str = "") -> Visitor:
        """A new device, at an address of its own unless one is given."""
        new = Visitor(self.url, address or f"127.0.0.{next(self._addresses)}")
        self._visitors.append(new)
        return new

    def output(self) -> str:
        return (self.folder / "output.txt").read_text(errors="replace")

    def seen(self, where: str, what: str) -> None:
        """Note what was shown elsewhere than to a visitor, to be searched for secrets too."""
        self._seen.append((where, what))

    def memory(self) -> list[int]:
        """Kilobytes resident in each of the host's processes, the largest, which serves the pages,
        first. Linux tells them."""
        assert self._process is not None
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(stat[2]) == self._process.pid:  # its process group
                    status = (folder / "status").read_text()
                    found += map(int, re.findall(r"(?m)^VmRSS:\s+(\d+) kB", status))
        return sorted(found, reverse=True)

    def row(self) -> dict[str, Any]:
        """The host's row about the trader's broker session, as it lies in the database."""
        path = self.folder / "db" / "openalgo.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            db.row_factory = sqlite3.Row
            found = db.execute("select * from auth").fetchone()
        return dict(found) if found else {}

    def show_all(self, leaks: Leaks) -> None:
        """Everything that the host wrote anywhere, and everything that its visitors saw."""
        for path in (*self.folder.rglob("*"), *self.copy.rglob("*")):
            # A database's side files come and go while the host runs.
            with contextlib.suppress(FileNotFoundError):
                if self._was_written(path):
                    text = path.read_bytes().decode("utf-8", "replace")
                    leaks.shown.append((path.name, _plain(text)))
        leaks.shown += self._seen
        for visitor in self._visitors:
            leaks.shown += [(where, _plain(what)) for where, what in visitor.shown]
            leaks.shown += [("a cookie", str(cookie.value)) for cookie in visitor.http.cookies]

    def _was_written(self, path: Path) -> bool:
        if not path.is_file() or path.suffix == ".pyc" or path.name.startswith(".env"):
            return False  # .env holds the API key as its user has put it there
        return path.stat().st_mtime >= self._began

    def _wait(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/auth/check-setup", timeout=5).status_code == 200:
                    return self._wait_for_quiet()
            except requests.RequestException:
                time.sleep(0.1)
        raise AssertionError(f"OpenAlgo did not start:\n{self.output()[-6000:]}")

    def _wait_for_quiet(self) -> None:
        """On its first start the host still writes its databases when it answers already, and a
        request that writes too may wait for the lock until it fails."""
        for _ in range(50):
            before = self.output()
            time.sleep(0.4)
            if self.output() == before:
                return

    def environment(self) -> dict[str, str]:
        """No settings of the person who runs the test, no way out of this machine."""
        nowhere = "http://127.0.0.1:9"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONWARNINGS": "ignore",
            **self.hours.environment,
        }

    def _write_env(self, settings: dict[str, str]) -> None:
        """Settings of this host: databases, log and ports of its own, and the simulator."""
        db = self.folder / "db"
        account = self.simulator.demo
        websocket = free_port()
        self.websocket_url = f"ws://127.0.0.1:{websocket}"
        generous = "1000 per minute"
        values = {
            "BROKER_API_KEY": account.client_code,
            "BROKER_API_SECRET": account.api_key_b,
            "REDIRECT_URL": f"{self.url}/mstock/callback",
            "HOST_SERVER": self.url,
            "FLASK_PORT": self.url.rpartition(":")[2],
            "CORS_ALLOWED_ORIGINS": self.url,
            "WEBSOCKET_PORT": str(websocket),
            "WEBSOCKET_URL": self.websocket_url,
            "ZMQ_PORT": str(free_port()),
            **{f"{name}_DATABASE_URL": f"sqlite:///{db}/{name.lower()}.db" for name in _DATABASES},
            "DATABASE_URL": f"sqlite:///{db}/openalgo.db",
            "HISTORIFY_DATABASE_URL": f"{db}/historify.duckdb",
            "LOG_DIR": str(self.folder / "log"),
            "LOG_TO_FILE": "True",
            "LOG_LEVEL": "DEBUG",
            "LOG_COLORS": "False",
            "LOGIN_RATE_LIMIT_MIN": generous,
            "LOGIN_RATE_LIMIT_HOUR": generous,
            "MSTOCK_REST_URL": self.simulator.rest_url,
            "BROKER_HOME": str(self.folder / "home" / "mstock"),
            **self._secrets(),
            **settings,
        }
        db.mkdir(parents=True, exist_ok=True)
        write_env(self.copy, **values)

    def _secrets(self) -> dict[str, str]:
        """The host's own keys: made once, so that it can be started again with its databases."""
        path = self.folder / ".env.keys"
        if not path.exists():
            path.write_text(" ".join(secrets.token_hex(32) for _ in _KEYS))
        return dict(zip(_KEYS, path.read_text().split(), strict=True))


_KEYS = ("APP_KEY", "API_KEY_PEPPER", "FERNET_SALT")
_DATABASES = ("LATENCY", "LOGS", "HEALTH", "SANDBOX")


def _plain(text: str) -> str:
    return _MICROSECONDS.sub(r"\1", text)
