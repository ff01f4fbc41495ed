"""The simulator is faithful: mStock's own clients log in, read funds and log out against it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from broker_simulator.mstock import Simulator
from tests.support.stage import MORNING, morning_box

PACKAGES = {"A": "mStock-TradingApi-A==0.1.9", "B": "mStock-TradingApi-B==1.0.5"}
CACHE = Path(__file__).parents[2] / ".cache" / "official-clients"


def install(*packages: str, alone: bool = True) -> Path:
    """The packages in a folder of their own, from the package index or from an earlier run.

    Alone, without what they say they need: for REST the clients use nothing but requests, which is
    here.
    """
    folder = CACHE / "-".join(packages).replace("==", "-")
    if folder.exists():
        return folder
    unfinished = folder.with_suffix(f".{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(unfinished)]
    command += ["--no-deps"] * alone
    done = subprocess.run([*command, *packages], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        if "CI" in os.environ:
            pytest.fail(f"{folder.name} cannot be installed: {done.stderr[-500:]}")
        pytest.skip(f"{folder.name} cannot be installed here")
    unfinished.rename(folder)
    return folder


def walk(
    simulator: Simulator,
    api_type: str,
    way: str,
    folder: Path,
    script: str = "walk.py",
    also: Sequence[Path] = (),
    wishes: Mapping[str, Callable[[], object]] | None = None,
) -> dict[str, Any]:
    """What each step of the client's walk came to, by name.

    `also`: folders with what the client needs besides; `wishes`: what is done when the script asks
    for it with a line of its own.
    """
    account = simulator.demo
    account.totp_enabled = way == "totp"
    given = {
        "url": simulator.rest_url,
        "ws_url": simulator.ws_url,
        "client_code": account.client_code,
        "password": account.password,
        "api_key": account.api_key_a if api_type == "A" else account.api_key_b,
    }
    paths = (install(PACKAGES[api_type]), *also)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(script)), api_type, way],
        cwd=folder,  # the client writes its log, secrets and all, where it stands
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    steps: dict[str, Any] = {}
    with process:
        print(json.dumps(given), file=process.stdin, flush=True)
        for line in process.stdout:
            step = json.loads(line)
            if step == "code?":
                code = (
                    simulator.totp_now(account.client_code)
                    if way == "totp"
                    else simulator.phone.last_otp(account.client_code)
                )
                print(code, file=process.stdin, flush=True)
            elif isinstance(step, str):
                (wishes or {})[step]()
            else:
                steps.update(step)
    return steps


@pytest.mark.parametrize("way", ["otp", "totp"])
def test_the_official_client_logs_in_reads_funds_and_logs_out(
    revision: str, api_type: str, way: str, tmp_path: Path
) -> None:
    # Tolerant, because these clients write `Username`, or `Content-Type: None` on a GET.
    with morning_box(profile="tolerant", revision=revision) as simulator:
        steps = walk(simulator, api_type, way, tmp_path)
        routes = [entry.route.split("/")[-1] for entry in simulator.journal]
    assert routes == [
        "login",
        "token" if way == "otp" else "verifytotp",
        "fundsummary",
        "logout",
        "fundsummary",
    ]
    for name in ("login", "second", "funds", "logout"):
        assert steps[name].get("http") == 200, (name, steps[name])
        assert str(steps[name]["body"]["status"]).lower() in ("true", "success")
    token = steps["second"]["body"]["data"]["access_token" if api_type == "A" else "jwtToken"]
    assert token.count(".") == 2
    (row,) = steps["funds"]["body"]["data"]
    assert len(row) == 24
    assert row["SEG"] == "A"
    # After the logout the token is dead: client A raises, client B hands the refusal through.
    if api_type == "A":
        assert steps["after"]["raised"] == "TokenException"
    else:
        assert steps["after"]["body"]["errorcode"] == "IA401"


def test_the_official_client_reads_all_market_data(
    revision: str, api_type: str, tmp_path: Path
) -> None:
    with morning_box(profile="tolerant", revision=revision) as simulator:
        simulator.clock.set(MORNING.replace(hour=11), frozen=True)
        steps = walk(simulator, api_type, "otp", tmp_path, "read_data.py")
        routes = {entry.route for entry in simulator.journal}
        market = simulator.world.market
        acc = market.master.by_symbol("NSE", "ACC-EQ")
    letter = api_type.lower()
    unread = {route for route in simulator.faults.routes if route.startswith(f"{letter}/")} - routes
    data_routes = {route for route in unread if "instruments" in route or "ption" in route}
    # Client A's version names the exchange.
    assert data_routes <= {"a/instruments/historical/{token}/{interval}"}
    for name in ("ohlc", "ltp", "history", "intraday", "expiries", "chain", "movers"):
        assert steps[name].get("http") == 200, (name, steps[name])
        assert str(steps[name]["body"]["status"]).lower() in ("true", "success")
    assert len(steps["history"]["body"]["data"]["candles"]) == 7
    assert len(steps["intraday"]["body"]["data"]["candles"]) == 121
    assert len(steps["chain"]["body"]["data"]["call"]) == 25
    assert steps["movers"]["body"]["data"][0]["per_change"] > 0
    # Client A raises for an unknown instrument, client B hands the refusal through as an error.
    assert steps["unknown"]["raised"] == ("InputException" if api_type == "A" else
                                          "InteractiveAPIException")  # fmt: skip
    rows = int(steps["master"][0]["rows"])
    assert rows == len(market.master) - (13 if api_type == "A" else 6)
    assert steps["master"][4]["instrument_token" if api_type == "A" else "token"] == acc.token
    if api_type == "A":
        quotes = steps["ohlc"]["body"]["data"]
        assert quotes["NSE:NOSUCH"] is None
        assert quotes["NSE:ACC-EQ" if revision == "newer" else "NSE:ACC"]["instrument_token"] == 22
    else:
        quotes = steps["ohlc"]["body"]["data"]
        assert [row["tradingSymbol"] for row in quotes["fetched"]] == ["ACC-EQ", "ACC"]
        assert [row["symbolToken"] for row in quotes["unfetched"]] == ["999"]
