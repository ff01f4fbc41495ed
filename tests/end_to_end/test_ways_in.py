"""The ways that docs/login-page.md counts: from the wheel to the funds, from a reboot to a page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support import process
from tests.support.elsewhere import FORGET_THE_CLONE
from tests.support.stage import morning_box

ROOT = Path(__file__).parents[2]
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="its signals and scripts are others")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release's wheel, built from a copy: a build leaves files in the folder it is made in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("broker", "broker_simulator"):
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *build, str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs and nothing of this clone."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (folder / "sitecustomize.py").write_text(FORGET_THE_CLONE)
    return folder


def test_the_wheel_has_two_packages_at_its_top_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        top = {name.split("/")[0] for name in names}
        points = next(name for name in names if name.endswith("entry_points.txt"))
        assert b"mstock = broker.mstock.__main__:main" in archive.read(points)
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "broker",
        "broker_simulator",
    }
    static = {name for name in names if "/static/" in name or "/templates/" in name}
    there = {
        str(path.relative_to(ROOT))
        for folder in ("broker", "broker_simulator")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and {"static", "templates"} & set(path.parts)
    }
    assert static == there


class Person:
    """Somebody at a browser; counts what is typed and clicked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.browser = requests.Session()
        self.typed = self.clicked = 0
        self.page = ""

    def opens(self, path: str = "/") -> None:
        self.page = self.browser.get(f"{self.url}{path}", timeout=20).text

    def sends(self, button: str, **typed: str) -> None:
        """Press the button of the form that has it, with what was typed."""
        forms = re.findall(r"<form.*?</form>", self.page, re.DOTALL)
        form = next(each for each in forms if re.search(rf"<button[^>]*>{button}</button>", each))
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        fields |= {"method": "otp"} if "password" in typed else {}
        where = re.search(r'action="([^"]*)"', form)
        path = where[1] if where else "/continue"  # the one form that goes to its own page
        answer = self.browser.post(f"{self.url}{path}", {**fields, **typed}, timeout=20)
        self.page = answer.text
        self.typed += len(typed)
        self.clicked += 1

    @property
    def sees_funds(self) -> bool:
        return "Available to trade now" in self.page


def first_address(output: IO[str], start: str = "http://127.0.0.1:") -> str:
    line = next(line for line in iter(output.readline, "") if start in line)
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found
    return found[0]


def test_from_the_wheel_to_the_funds(installed: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(installed), "PYTHONUNBUFFERED": "1"}
    how = {"cwd": tmp_path, "env": env, "stderr": subprocess.STDOUT}
    with process.started("broker.mstock", "demo", **how) as demo:
        assert demo.stdout is not None
        person = Person(first_address(demo.stdout))
        phone = first_address(demo.stdout)
        person.opens()
        person.sends("Continue", password="Simulated-1")
        shown = requests.get(f"{phone}/phone", timeout=20).text
        code = re.search(r">\s*(\d{6})\s*<", shown)
        assert code
        person.sends("Log in", otp=code[1])
        assert person.sees_funds
    assert (person.typed, person.clicked) == (2, 2)


@contextmanager
def served(command: list[str], folder: str, env: dict[str, str]) -> Iterator[str]:
    """What a service manager starts, until it is asked to end."""
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as web:
        assert web.stdout is not None
        try:
            yield first_address(web.stdout)
        finally:
            web.terminate()
            web.communicate(timeout=30)
        assert web.returncode == 0


@pytest.fixture
def box() -> Iterator[Simulator]:
    with morning_box() as simulator:
        yield simulator


@on_posix
def test_from_a_reboot_to_a_logged_in_page(box: Simulator, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\n")
    (tools / "systemctl").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    settings = settings_for(box, BROKER_HOME=str(tmp_path / "kept"))
    (tmp_path / ".env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    env = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    install = [sys.executable, "-m", "broker.mstock", "service", "install", "--port", port]
    subprocess.run(install, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=60)
    unit = (tmp_path / ".config/systemd/user/mstock.service").read_text()
    lines = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    command, folder = shlex.split(lines["ExecStart"]), lines["WorkingDirectory"]
    with served(command, folder, env) as url:
        person = Person(url)
        person.opens()
        person.sends("Continue", password=box.demo.password)
        person.sends("Log in", otp=box.phone.last_otp(box.demo.client_code) or "")
        assert person.sees_funds
    person.typed = person.clicked = 0
    with served(command, folder, env) as again:
        assert again == url
        person.opens()
        assert not person.sees_funds
        person.sends("Continue")
        assert person.sees_funds
    assert (person.typed, person.clicked) == (0, 1)
