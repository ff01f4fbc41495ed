"""The commands as a person and a script start them: real processes, pipes, a real terminal."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.store import open_store
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.settings import ServiceSettings
from broker.mstock.broker import MSTOCK
from broker.mstock.client import login
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support.elsewhere import FORGET_THE_CLONE
from tests.support.leaks import Leaks
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]
at_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


@dataclass
class Place:
    """A folder with a `.env`, and what was shown to whoever works in it."""

    folder: Path
    settings: dict[str, str]
    leaks: Leaks
    box: Simulator

    def env(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), "LANG": "C.UTF-8"} | more

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "broker.mstock", *words],
            cwd=self.folder,
            env=self.env(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        self.leaks.show(" ".join(words), done.stdout + done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def terminal(self, *words: str) -> Terminal:
        return Terminal(self.folder, self.env(), "broker.mstock", *words)

    def log_in(self) -> None:
        """As the page would have done it."""
        config = Config.from_env(self.settings)
        challenge = login.send_otp(config, Secret(self.box.demo.password))
        otp = self.box.phone.last_otp(self.box.demo.client_code) or ""
        token = login.verify_otp(config, Secret(otp), challenge.ticket)
        store = open_store(MSTOCK, ServiceSettings.from_env(self.settings))
        stored_session.save_session(
            store, config.account, token, SYSTEM_CLOCK.now(), LoginMethod.OTP
        )


@pytest.fixture
def place(box: Simulator, tmp_path: Path) -> Iterator[Place]:
    settings = settings_for(box, "B", BROKER_HOME=str(tmp_path / "home"))
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    (tmp_path / ".env").write_text(lines)
    (tmp_path / ".env").chmod(0o600)
    leaks = Leaks()
    for name in ("password", "api_key_a", "api_key_b", "totp_secret"):
        leaks.hide(name, getattr(box.demo, name))
    yield Place(tmp_path, settings, leaks, box)
    for session in box.sessions:
        leaks.hide("token", session.token)
    assert leaks.found() == []


@at_a_terminal
def test_a_day_at_the_terminal(place: Place) -> None:
    with place.terminal("login", "--otp", "--json") as terminal:
        terminal.expect("mStock password:")
        terminal.type(place.box.demo.password)
        terminal.expect("OTP (or nothing, for a new one):")
        right = place.leaks.hide("OTP", place.box.phone.last_otp(place.box.demo.client_code))
        wrong = place.leaks.hide("wrong OTP", f"{(int(right) + 7) % 1_000_000:06}")
        terminal.type(wrong)
        terminal.expect("4 attempts left here")
        terminal.expect("OTP (or nothing, for a new one):")
        terminal.type(right)
        terminal.expect('"status": "success"')
        assert terminal.end() == 0
    place.leaks.show("terminal", terminal.shown)
    assert len([e for e in place.box.journal if e.path.endswith("connect/login")]) == 1
    assert json.loads(place.run("status", "--json").stdout)["session"]["method"] == "otp"
    funds = json.loads(place.run("funds", "--json").stdout)
    assert funds["funds"]["available_balance"] == "364340.85"
    assert place.run("logout").returncode == 0
    assert place.run("funds").returncode == 3


@at_a_terminal
def test_ctrl_c_at_the_password_leaves_nothing_behind(place: Place) -> None:
    with place.terminal("login", "--totp") as terminal:
        terminal.expect("mStock password:")
        terminal.press(b"\x03")
        assert terminal.end() == 130
    assert "Stopped." in terminal.shown
    assert "Traceback" not in terminal.shown
    assert len(place.box.journal) == 0


@at_a_terminal
def test_auto_login_is_switched_on_at_the_terminal(place: Place) -> None:
    with place.terminal("auto-login", "enable") as terminal:
        terminal.expect("switch auto-login on?")
        terminal.type("y")
        terminal.expect("mStock password:")
        terminal.type(place.box.demo.password)
        terminal.expect("TOTP secret")
        terminal.type(place.box.demo.totp_secret)
        terminal.expect("Next login")
        assert terminal.end() == 0
    place.leaks.show("terminal", terminal.shown)
    place.leaks.show("store", (place.folder / "home" / "sessions.db").read_bytes())
    assert "password of MA" in place.run("erase", "--yes").stdout


@at_a_terminal
def test_the_address_that_goes_on_is_printed_on_a_terminal_only(place: Place) -> None:
    place.log_in()
    with place.terminal("web", "--port", "0") as terminal:
        terminal.expect("/continue/")
        terminal.expect("Ctrl-C ends")
        terminal.press(b"\x03")
        assert terminal.end() == 0
    web = subprocess.Popen(
        [sys.executable, "-m", "broker.mstock", "web", "--port", "0"],
        cwd=place.folder,
        env=place.env(PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert web.stdout is not None
    lines = [web.stdout.readline(), web.stdout.readline()]
    web.terminate()
    rest, _ = web.communicate(timeout=30)
    assert b"Ctrl-C ends" in lines[1]
    assert b"/continue" not in b"".join((*lines, rest))


@at_a_terminal
def test_the_address_that_goes_on_is_opened_and_not_printed(place: Place) -> None:
    place.log_in()
    opened, browser = place.folder / "opened", place.folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o700)
    web = subprocess.Popen(
        [sys.executable, "-m", "broker.mstock", "web", "--port", "0", "--open"],
        cwd=place.folder,
        env=place.env(PYTHONUNBUFFERED="1", BROWSER=f"{browser} %s"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert web.stdout is not None
    shown = [web.stdout.readline(), web.stdout.readline()]
    (address,) = opened.read_text().split()
    page = requests.get(address, timeout=10)
    web.terminate()
    rest, _ = web.communicate(timeout=30)
    assert b"Ctrl-C ends" in shown[1]
    assert b"/continue" not in b"".join((*shown, rest))
    assert "/continue/" in address
    assert "Continue with today" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    place.leaks.show("page", page.text)


def test_a_taken_port_is_named_with_the_way_out(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = place.run("web", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} cannot be used" in done.stderr
    assert "broker.mstock web --port" in done.stderr


def test_without_a_terminal_no_password_is_taken(place: Place) -> None:
    done = place.run("login", "--otp")
    assert done.returncode == 2
    assert "asked at a terminal" in done.stderr


def test_a_pipe_gets_no_colours_and_an_old_terminal_plain_letters(place: Place) -> None:
    place.log_in()
    coloured = place.run("funds", FORCE_COLOR="1", TTY_COMPATIBLE="1", CLICOLOR_FORCE="1")
    assert "\x1b" not in coloured.stdout
    assert "₹3,12,450.75" in coloured.stdout
    plain = place.run("funds", PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert "Rs 3,12,450.75" in plain.stdout
    assert plain.stdout.isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows pipes end in another way")
@pytest.mark.parametrize("words", [("funds",), ("status", "--json"), ("doctor",)])
def test_a_reader_that_went_away_gets_no_traceback(place: Place, words: tuple[str, ...]) -> None:
    place.log_in()
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "broker.mstock", *words],
            cwd=place.folder,
            env=place.env(),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_torn_store_is_told_and_left_alone_until_it_is_erased(place: Place) -> None:
    place.log_in()
    path = place.folder / "home" / "sessions.db"
    torn = b"torn" * 300
    path.write_bytes(torn)
    for words in (("funds",), ("status",), ("logout",)):
        done = place.run(*words)
        assert (done.returncode, done.stdout) == (5, "")
        assert "damaged" in done.stderr
    assert path.read_bytes() == torn
    assert place.run("doctor").returncode == 1
    assert "damaged file" in place.run("erase", "--yes").stdout
    assert place.run("status").returncode == 3


def test_an_unplugged_broker_and_an_unusable_setting_have_their_codes(place: Place) -> None:
    place.log_in()
    place.box.stop()
    done = place.run("funds", "--json")
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (4, "Unreachable")
    assert done.stderr == ""
    with (place.folder / ".env").open("a") as env:
        env.write("MSTOCK_API_TYPE=C\n")
    assert place.run("funds").returncode == 5


def test_erasing_works_when_the_env_is_gone(place: Place) -> None:
    place.log_in()
    (place.folder / ".env").unlink()
    done = place.run("erase", "--yes", BROKER_HOME=place.settings["BROKER_HOME"])
    assert done.returncode == 0
    assert "session of MA" in done.stdout


@pytest.mark.parametrize("kit", [None, "", 'VERSION = "0.0.9"\n'])
def test_without_a_kit_of_its_version_one_sentence_is_said(tmp_path: Path, kit: str | None) -> None:
    shutil.copytree(ROOT / "broker" / "mstock", tmp_path / "broker" / "mstock")
    (tmp_path / "broker" / "__init__.py").touch()
    if kit is not None:
        (tmp_path / "broker" / "_kit").mkdir()
        (tmp_path / "broker" / "_kit" / "__init__.py").write_text(kit)
    run = "import runpy; sys.argv[1:] = ['status']\n"
    run += "runpy.run_module('broker.mstock', None, '__main__')"
    done = subprocess.run(
        [sys.executable, "-c", FORGET_THE_CLONE + run],
        cwd=tmp_path,
        env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    state = "is of version 0.0.9" if kit else "is missing or incomplete"
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1)
    assert state in done.stderr


@at_a_terminal
def test_watch_draws_what_the_market_does_until_ctrl_c(place: Place) -> None:
    with (place.folder / ".env").open("a") as file:
        file.write(f"MSTOCK_WS_URL={place.box.ws_url}\n")
    place.log_in()
    assert place.run("instruments").returncode == 0
    market = place.box.world.market
    infy = next(each for each in market.master if (each.exchange, each.token) == ("NSE", "1594"))
    with place.terminal("watch", "INFY") as terminal:
        terminal.expect("Connected")
        terminal.expect("NSE:INFY")
        market.set_price(infy, Decimal("1555.05"))
        terminal.expect("1,555.05")
        terminal.press(b"\x03")
        assert terminal.end() == 0
    place.leaks.show("terminal", terminal.shown)
