"""What all commands share: version, help, the log, and the name of the command that was typed."""

from __future__ import annotations

import logging
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker._kit.cli.main import command_line
from broker._kit.clock import IST
from broker._kit.sessions.report import day_time
from broker.mstock import VERSION
from broker.mstock.__main__ import ROOMS, cli
from broker.mstock.broker import MSTOCK
from tests.cli.conftest import Person
from tests.support.stage import MORNING

ROOT = Path(__file__).parents[2]


def test_the_version_is_the_releases() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"mStock for OpenAlgo {VERSION}\n"


@pytest.mark.parametrize("words", [("-h",), ("status", "-h"), ("auto-login", "enable", "-h")])
def test_help_has_a_short_name(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, done.stdout.startswith("Usage: mstock")) == (0, True)


@pytest.mark.parametrize("words", [(), ("auto-login",), ("service",)])
def test_no_summary_is_cut_off_on_a_narrow_terminal(words: tuple[str, ...]) -> None:
    listed = CliRunner().invoke(cli, [*words, "-h"], terminal_width=80).stdout
    assert "..." not in listed.partition("Commands:")[2]


@pytest.mark.parametrize(("room", "names"), ROOMS.items(), ids=lambda each: str(each))
def test_each_room_has_the_commands_that_are_said_of_it(room: str, names: Iterable[str]) -> None:
    assert {command.name for command in import_module(room).COMMANDS} == set(names)


def test_the_start_loads_none_of_them() -> None:
    code = "import sys, broker.mstock.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert not {*ROOMS, "sqlalchemy"} & set(done.stdout.split()), done.stderr
    assert "broker.mstock.__main__" in done.stdout


def test_another_brokers_commands_have_its_name() -> None:
    other = replace(MSTOCK, name="other", title="Other")
    done = CliRunner().invoke(command_line(other), ["--help"])
    assert "Usage: other" in done.stdout
    assert "Other for OpenAlgo" in done.stdout
    assert "mStock" not in done.stdout


def test_the_command_that_was_typed_is_the_one_that_is_named(person: Person) -> None:
    context = person.context()
    words = CliRunner().invoke(cli, ["funds"], obj=context, prog_name="python -m broker.mstock")
    assert "Log in: python -m broker.mstock login" in words.stderr
    assert "Log in: mstock login" in person.runs("funds").stderr


def test_the_installed_command_is_this_one() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["mstock"].partition(":")
    assert callable(getattr(import_module(module), name))
    installed = subprocess.run(
        [sys.executable, "-c", f"import sys; from {module} import {name}; {name}()", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (installed.returncode, VERSION in installed.stdout) == (0, True)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_log_goes_to_a_file_of_its_owners(person: Person, tmp_path: Path, place: str) -> None:
    path = tmp_path / "mstock.log"
    option = ("--log-file", str(path))
    for _ in range(2):
        person.runs(*((*option, "funds") if place == "before" else ("funds", *option)))
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    assert "mstock funds: exit code 3: There is no mStock session." in lines[0]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not logging.getLogger("broker").handlers


def test_v_logs_to_standard_error(person: Person) -> None:
    assert "INFO" in person.runs("funds", "-v").stderr
    assert "INFO" not in person.runs("funds").stderr


def test_a_log_that_cannot_be_written_is_told(person: Person, tmp_path: Path) -> None:
    done = person.runs("funds", "--log-file", str(tmp_path / "none" / "log"))
    assert (done.exit_code, "cannot be written" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("day", "words"), [(23, "today 08:35"), (24, "Tuesday 08:35"), (29, "Sunday 08:35")]
)
def test_a_day_of_this_week_has_its_name(day: int, words: str) -> None:
    now = MORNING.astimezone(IST)
    assert day_time(now.replace(day=day, hour=8, minute=35), now) == words


def test_a_day_further_off_has_its_date() -> None:
    now = MORNING.astimezone(IST)
    assert day_time(now.replace(day=30, hour=8, minute=35), now) == "30 November 08:35"
