"""`service`: what it writes for each system, what it has the system do, and that it leaves."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from broker._kit.cli.service_manager import (
    Service,
    launchd_agent,
    manager,
    systemd_unit,
    windows_task,
)
from broker._kit.secret import Secret
from tests.cli.conftest import Person
from tests.cli.test_process import Place, place

__all__ = ["place"]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
AWKWARD = Service(
    "mstock",
    "mStock: the page & auto-login, 100%",
    ("/opt/my python/bin/python3", "-m", "broker.mstock", "web", 'a "quoted" $HOME 5%\\'),
    "/home/me/100% trading",
)
FILES = {
    "linux": ".config/systemd/user/mstock.service",
    "darwin": "Library/LaunchAgents/openalgo.broker.mstock.plist",
}
TOOLS = {"linux": "systemctl", "darwin": "launchctl", "win32": "schtasks"}


@pytest.fixture
def env_file(person: Person, tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text("".join(f"{name}={text}\n" for name, text in person.settings.items()))
    path.chmod(0o600)
    return path


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]


class TestWhatIsWritten:
    def test_systemd_takes_the_unit_as_it_is_meant(self) -> None:
        unit = systemd_unit(AWKWARD)
        line = next(each for each in unit.splitlines() if each.startswith("ExecStart="))
        assert line == (
            'ExecStart="/opt/my python/bin/python3" "-m" "broker.mstock" "web" '
            '"a \\"quoted\\" $$HOME 5%%\\\\"'
        )
        assert "WorkingDirectory=/home/me/100%% trading" in unit
        assert "WantedBy=default.target" in unit

    @pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
    def test_systemd_itself_finds_no_fault_in_it(self, tmp_path: Path) -> None:
        unit = tmp_path / "mstock.service"
        command = (sys.executable, *AWKWARD.command[1:])
        unit.write_text(systemd_unit(AWKWARD._replace(command=command)))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_launchd_reads_back_what_was_meant(self) -> None:
        agent = plistlib.loads(launchd_agent(AWKWARD).encode())
        assert agent["ProgramArguments"] == list(AWKWARD.command)
        assert agent["WorkingDirectory"] == AWKWARD.folder
        assert agent["RunAtLoad"] is True
        assert agent["KeepAlive"] == {"SuccessfulExit": False}

    def test_windows_reads_back_what_was_meant(self) -> None:
        root = ElementTree.fromstring(windows_task(AWKWARD).encode("utf-16"))
        texts = {each.tag.partition("}")[2]: each.text for each in root.iter()}
        assert texts["Command"] == AWKWARD.command[0]
        assert texts["Arguments"] == subprocess.list2cmdline(AWKWARD.command[1:])
        assert texts["WorkingDirectory"] == AWKWARD.folder
        assert texts["ExecutionTimeLimit"] == "PT0S"
        assert texts["DisallowStartIfOnBatteries"] == "false"
        assert "LogonTrigger" in texts


@pytest.mark.parametrize("platform", list(TOOLS))
class TestInstallAndRemove:
    def test_twice_is_as_once_and_nothing_is_left(
        self, person: Person, env_file: Path, tmp_path: Path, platform: str
    ) -> None:
        person.platform, home, tool = platform, tmp_path / "me", TOOLS[platform]
        person.programs = {tool: 1 if platform == "win32" else 0}
        code, body = person.asks("service", "remove")
        assert (code, body["service"]["installed"]) == (0, False)
        person.programs = {tool: 0}
        texts = []
        for _ in range(2):
            code, body = person.asks("service", "install")
            assert (code, body["status"]) == (0, "success")
            assert body["service"]["installed"] is True
            texts.append([path.read_bytes() for path in files_of(home)])
        assert texts[0] == texts[1]
        assert [str(p.relative_to(home)) for p in files_of(home)] == list(
            filter(None, [FILES.get(platform)])
        )
        assert {command[0] for command in person.ran} == {tool}
        code, body = person.asks("service", "remove")
        assert (code, files_of(home)) == (0, [])
        person.programs = {tool: 1}
        assert person.asks("service", "remove")[0] == 0

    def test_one_that_the_system_does_not_stop_names_the_next_step(
        self, person: Person, env_file: Path, tmp_path: Path, platform: str
    ) -> None:
        person.platform, tool = platform, TOOLS[platform]
        person.programs = {tool: 0}
        assert person.asks("service", "install")[0] == 0
        answers = iter([0, 1, 1, 1]) if platform == "win32" else iter([1] * 9)
        person.run_program = lambda command: (next(answers), "no bus")  # type: ignore[method-assign]
        code, body = person.asks("service", "remove")
        assert (code, body["status"], files_of(tmp_path / "me")) == (1, "to do", [])
        assert ("Task Scheduler" if platform == "win32" else "restart") in body["next_step"]

    def test_the_text_has_no_secret_and_the_programs_whole_path(
        self, person: Person, env_file: Path, platform: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person.platform, person.programs = platform, {TOOLS[platform]: 0}
        written: list[bytes] = []
        monkeypatch.setattr(
            "broker._kit.cli.service_manager.files.write_atomic",
            lambda path, data, mode: written.append(data),
        )
        person.asks("service", "install", "--port", "5858")
        text = written[0].decode("utf-16" if platform == "win32" else "utf-8")
        person.leaks.show("service", text)
        assert person.box.demo.client_code not in text
        assert str(Path(sys.executable).absolute()) in text
        assert str(Path.cwd()) in text
        assert "5858" in text

    def test_a_system_that_does_not_do_it_is_told_with_the_way_out(
        self, person: Person, env_file: Path, platform: str
    ) -> None:
        person.platform = platform
        code, body = person.asks("service", "install")
        assert (code, body["status"]) == (1, "to do")
        assert body["next_step"]
        told = person.runs("service", "install").output
        assert "there is no such manager" in told
        if platform == "linux":
            assert "loginctl enable-linger" in told
            assert "systemctl --user enable --now mstock.service" in told


def test_a_windows_task_that_does_not_run_is_deleted_all_the_same(tmp_path: Path) -> None:
    ran: list[str] = []

    def run(command: Sequence[str]) -> tuple[int | None, str]:
        ran.append(command[1])
        return (1, "It does not run.") if command[1] == "/End" else (0, "")

    assert manager("mstock", tmp_path, {}, "win32", run).remove() == ""
    assert ran[-1] == "/Delete"


class TestItsState:
    def test_status_and_doctor_tell_it(self, person: Person, env_file: Path) -> None:
        person.is_logged_in()
        assert person.asks("status")[1]["service"] == {"installed": False, "running": False}
        assert "Service" in person.runs("status", "-v").stdout
        assert _line(person)["state"] == "skipped"
        person.programs = {"systemctl": 0}
        person.runs("service", "install")
        assert person.asks("status")[1]["service"] == {"installed": True, "running": True}
        assert _line(person)["state"] == "ok"
        assert "service" not in person.runs("status").stdout
        person.programs = {"systemctl": 3}
        assert "its service does not run" in person.runs("status").stdout
        line = _line(person)
        assert (line["state"], "service install" in line["todo"]) == ("to do", True)
        person.programs = {}
        assert person.asks("status")[1]["service"] == {"installed": True, "running": None}


def _line(person: Person) -> dict[str, str]:
    _, body = person.asks("doctor")
    return next(check for check in body["checks"] if check["name"] == "Service")


class TestWhatItNeeds:
    def test_settings_of_the_terminal_only_are_refused(
        self, person: Person, tmp_path: Path
    ) -> None:
        for text in ("", "BROKER_API_KEY=MA000001\n"):
            if text:
                (tmp_path / ".env").write_text(text)
            code, body = person.asks("service", "install")
            assert (code, body["kind"]) == (1, "CorrectInput")
        assert person.ran == []

    def test_it_says_when_auto_login_is_off(self, person: Person, env_file: Path) -> None:
        person.programs = {"systemctl": 0}
        assert "auto-login enable" in person.runs("service", "install").stdout
        demo, auto = person.box.demo, person.context().auto_login
        auto.enable(person.config, Secret(demo.password), Secret(demo.totp_secret), accepted=True)
        assert "auto-login enable" not in person.runs("service", "install").stdout


@on_linux
def test_as_a_process_with_a_systemctl_that_writes_down_what_it_is_told(place: Place) -> None:
    tools, told = place.folder / "tools", place.folder / "told"
    tools.mkdir()
    stand_in = tools / "systemctl"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    stand_in.chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    assert place.run("service", "install", PATH=path).returncode == 0
    unit = place.folder / ".config" / "systemd" / "user" / "mstock.service"
    place.leaks.show("unit", unit.read_bytes())
    assert told.read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable mstock.service",
        "--user restart mstock.service",
        "--user is-active --quiet mstock.service",
    ]
    told.unlink()
    assert place.run("service", "remove", PATH=path).returncode == 0
    assert not unit.exists()
    assert "--user disable --now mstock.service" in told.read_text()
    stand_in.unlink()
    done = place.run("service", "install", PATH=str(tools))
    assert (done.returncode, "loginctl enable-linger" in done.stdout) == (1, True)


@on_linux
def test_what_it_runs_ends_well_when_the_system_stops_it(place: Place) -> None:
    web = subprocess.Popen(
        [sys.executable, "-m", "broker.mstock", "web", "--port", "0"],
        cwd=place.folder,
        env=place.env(PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert web.stdout is not None
    assert b"http://127.0.0.1:" in web.stdout.readline()
    web.stdout.readline()
    web.terminate()
    _, complaints = web.communicate(timeout=30)
    assert (web.returncode, complaints) == (0, b"")
