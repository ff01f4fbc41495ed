"""What the README says is so: its examples run, against the simulator, and its tables are whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from broker._kit import errors as kit_errors
from broker._kit.errors import BrokerError, SettingError
from broker.mstock import errors as mstock_errors
from broker.mstock.api import funds
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for

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
