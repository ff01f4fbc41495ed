"""What the README says is so: its examples run, against the simulator, and its tables are whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from broker._kit import errors as kit_errors
from broker._kit.errors import BrokerError, SettingError
from broker.mstock import errors as mstock_errors
from broker.mstock.api import funds
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support import process
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "docs/api.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
ENV_EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
LIVE = "https://api.mstock.trade"


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks of one language between a heading and the next one."""
    section = re.split(r"\n## ", API.split(f"\n{heading}\n")[1])[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


class Names(Mapping[str, Any]):
    """The names an example takes for granted; the OTP is looked up when it is asked for."""

    def __init__(self, simulator: Simulator, api_type: str) -> None:
        self._simulator = simulator
        account = simulator.demo
        self._values: dict[str, Any] = {
            "client_code": account.client_code,
            "password": account.password,
            "api_key": account.api_key_a if api_type == "A" else account.api_key_b,
        }

    def __getitem__(self, name: str) -> Any:
        if name == "otp":
            return self._simulator.phone.last_otp(self._simulator.demo.client_code)
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@pytest.mark.parametrize("revision", ["older"], indirect=True)
def test_the_requests_example_logs_in_reads_the_funds_and_logs_out(
    config: Config, simulator: Simulator, api_type: str
) -> None:
    (example,) = blocks(f"## Type {api_type}", "python")
    names = Names(simulator, api_type)
    exec(example.replace(LIVE, simulator.rest_url), {}, names)  # type: ignore[arg-type]
    assert names["fund_summary"]["SEG"] == "A"
    assert not funds.check_auth_token(names["token"])[0]


@pytest.mark.parametrize("revision", ["older"], indirect=True)
def test_the_curl_examples_log_in_read_the_funds_and_log_out(
    config: Config, simulator: Simulator, api_type: str
) -> None:
    if shutil.which("curl") is None or shutil.which("sh") is None:
        assert "CI" not in os.environ
        pytest.skip("the README's curl examples need curl and a shell")
    names = Names(simulator, api_type)
    env = {
        "PATH": os.environ["PATH"],
        "CLIENT_CODE": names["client_code"],
        "PASSWORD": names["password"],
        "API_KEY": names["api_key"],
    }
    (example,) = blocks(f"## Type {api_type}", "sh")
    base, *calls = example.replace(LIVE, simulator.rest_url).strip().split("\n\n")
    assert len(calls) == 4
    replies = []
    for call in calls:
        shell = ["sh", "-c", f"{base}\n{call}"]
        reply = json.loads(subprocess.check_output(shell, env=env, timeout=20))
        assert str(reply["status"]).lower() in ("true", "success")
        replies.append(reply)
        data = reply["data"]
        if isinstance(data, dict):
            env["OTP"] = str(names["otp"])
            env["TICKET"] = data.get("refreshToken") or data.get("jwtToken") or ""
            env["TOKEN"] = data.get("access_token") or data.get("jwtToken") or ""
    assert replies[2]["data"][0]["SEG"] == "A"
    assert not funds.check_auth_token(env["TOKEN"])[0]


@pytest.mark.parametrize("revision", ["older"], indirect=True)
def test_the_doors_are_called_as_the_readme_says(
    config: Config,
    simulator: Simulator,
    api_type: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_for(simulator, api_type)
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    for name in settings:
        monkeypatch.delenv(name)  # the example reads them from the file, as the host does
    monkeypatch.chdir(tmp_path)
    example, *_ = blocks("## The functions", "python")
    otp_part, rest = example.split("# with an authenticator app")
    names = Names(simulator, api_type)
    exec(otp_part + rest.partition("\n\n")[2], {}, names)  # type: ignore[arg-type]
    assert names["error"] is None
    assert names["confirmed"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout as far as its first page's commands need one, with `mstock` in its .venv."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name, module in (("mstock", "broker.mstock"), ("python", "")):
        words = f'-m {module} "$@"' if module else '"$@"'
        program = tmp_path / ".venv/bin" / name
        program.write_text(f"#!/bin/sh\nexec {sys.executable} {words}\n", encoding="utf-8")
        program.chmod(0o755)
    for name in (".env.example", "Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def clean_environment(home: Path) -> dict[str, str]:
    own = ("BROKER_", "MSTOCK_", "SSH_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**env, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def the_readmes(*first_words: str) -> str:
    """The one snippet of the README that begins with these words."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)
    (snippet,) = (text for text in found if text.split()[: len(first_words)] == [*first_words])
    return textwrap.dedent(snippet)


def test_the_readmes_first_commands_run_as_they_stand(folder: Path) -> None:
    env = clean_environment(folder)

    def run(snippet: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", snippet], cwd=folder, env=env, capture_output=True, text=True, timeout=60
        )

    assert run(the_readmes("cp")).returncode == 0
    checked = run(the_readmes(".venv/bin/mstock", "doctor"))
    assert re.search(r"^ok +Rights of .env", checked.stdout, re.MULTILINE)
    assert re.search(r"^to do +Settings +.*BROKER_API_KEY", checked.stdout, re.MULTILINE)
    for target in ("demo", "test", "app"):
        assert f"make {target}\n" in README
        assert run(f"make -n {target}").returncode == 0


def test_the_readmes_practice_runs_as_it_stands(folder: Path) -> None:
    env = clean_environment(folder)
    start = the_readmes(".venv/bin/python", "-m", "broker_simulator").split()[2:]
    how: dict[str, Any] = {"cwd": folder, "env": env, "stderr": subprocess.STDOUT}
    with process.started(*start, "--port", "0", "--ws-port", "0", **how) as box:
        assert box.stdout is not None
        said = "".join(iter(box.stdout.readline, "Ctrl+C stops it.\n"))
        address = re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
        assert (folder / "practice/.env").stat().st_mode & 0o077 == 0
        assert "The password is `Simulated-1`" in README

        def otp() -> str:
            page = requests.get(f"{address}/phone", timeout=10).text
            return str(re.findall(r"\b\d{6}\b", page)[0])

        enter, *commands = the_readmes("cd", "practice").splitlines()
        answers = [("password: ", "Simulated-1"), ("OTP (or", otp)]
        dialogs = [answers, [("[y/N]", "y")], [], [("[y/N]", "y")]]
        shown = []
        for command, dialog in zip(commands, dialogs, strict=True):
            program, *words = command.split()
            assert program == "../.venv/bin/mstock"
            with Terminal(folder / enter.split()[1], env, "broker.mstock", *words) as terminal:
                for question, answer in dialog:
                    terminal.expect(question)
                    terminal.type(answer() if callable(answer) else answer)
                assert terminal.end() == 0, terminal.shown
                shown.append(terminal.shown)
        assert "Logged in" in shown[0]
        assert "mStock took the order" in shown[1]
        assert re.search(r"^INFY +NSE +MIS +10 ", shown[2], re.MULTILINE)
        assert "Closing INFY" in shown[3]


def test_the_simulator_writes_over_no_other_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BROKER_API_KEY=MINE\n", encoding="utf-8")
    words = ("broker_simulator", "--env", ".env", "--port", "0", "--ws-port", "0")
    with process.started(*words, cwd=tmp_path, env=clean_environment(tmp_path)) as box:
        box.communicate(timeout=20)
        assert box.returncode == 1
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "BROKER_API_KEY=MINE\n"


def test_every_kind_of_error_is_explained() -> None:
    known = {**vars(kit_errors), **vars(mstock_errors)}.values()
    errors = [each for each in known if isinstance(each, type) and issubclass(each, BrokerError)]
    # What is raised and not only a family: no other of them derives from it.
    kinds = {
        kind.__name__
        for kind in errors
        if not any(issubclass(each, kind) for each in errors if each is not kind)
    }
    kinds.add("UnusableReply")  # a family of one that is raised itself
    assert kinds == set(re.findall(r"^\| `(\w+)`", ERRORS, re.MULTILINE))


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) < 200
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_setting_has_a_comment_and_its_default() -> None:
    lines = ENV_EXAMPLE.splitlines()
    named = {}
    for number, line in enumerate(lines):
        if setting := re.match(r"#?([A-Z_]+)=(.*)", line):
            before = lines[number - 1]
            assert before.startswith("#"), f"{setting[1]} has no comment"
            named[setting[1]] = setting[2]
    given = {**named, "BROKER_API_KEY": "MA12345", "BROKER_API_SECRET": "key"}
    assert Config.from_env(given) == Config.from_env(
        {"BROKER_API_KEY": "MA12345", "BROKER_API_SECRET": "key"}
    )
    with pytest.raises(SettingError, match="BROKER_API_KEY"):
        Config.from_env(named)
    named["BROKER_API_KEY"] = "MA12345"
    with pytest.raises(SettingError, match="BROKER_API_SECRET"):
        Config.from_env(named)
