"""The simulator is faithful: mStock's own clients log in, read funds and log out against it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broker_simulator.mstock import Simulator
from tests.support.stage import morning_box
from tests.support.stub_market import StubMarket

PACKAGES = {"A": "mStock-TradingApi-A==0.1.9", "B": "mStock-TradingApi-B==1.0.5"}
CACHE = Path(__file__).parents[2] / ".cache" / "official-clients"


def install(package: str) -> Path:
    """The package in a folder of its own, from the package index or from an earlier run.

    Alone, without what it says it needs: for REST it uses nothing but requests, which is here.
    """
    folder = CACHE / package.replace("==", "-")
    if folder.exists():
        return folder
    unfinished = folder.with_suffix(f".{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    done = subprocess.run([*command, str(unfinished), package], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        if "CI" in os.environ:
            pytest.fail(f"{package} cannot be installed: {done.stderr[-500:]}")
        pytest.skip(f"{package} cannot be installed here")
    unfinished.rename(folder)
    return folder


def walk(simulator: Simulator, api_type: str, way: str, folder: Path) -> dict[str, Any]:
    """What each step of the client's walk came to, by name."""
    account = simulator.demo
    account.totp_enabled = way == "totp"
    today = simulator.clock.now().date().isoformat()
    given = {
        "url": simulator.rest_url,
        "client_code": account.client_code,
        "password": account.password,
        "api_key": account.api_key_a if api_type == "A" else account.api_key_b,
    }
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("walk.py")), api_type, way, today],
        cwd=folder,  # the client writes its log, secrets and all, where it stands
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(install(PACKAGES[api_type]))},
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


ROUTES_OF_ORDERS = {
    "orders/place", "orders/modify", "orders/cancel", "orders/cancelall", "orders",
    "order/details", "tradebook", "trades", "portfolio/positions", "portfolio/convertposition",
    "portfolio/holdings", "margins/orders",
}  # fmt: skip


def test_the_official_client_trades_and_reads_every_book(
    revision: str, api_type: str, tmp_path: Path
) -> None:
    # Tolerant for the reasons above. Baskets are not simulated; market data is another test's.
    options = {"profile": "tolerant", "revision": revision, "market": StubMarket()}
    with morning_box(**options) as simulator:
        steps = walk(simulator, api_type, "orders", tmp_path)
        routes = {entry.route.split("/", 1)[1] for entry in simulator.journal}
        book = {o.order_id: o for o in simulator.exchange.order_book(simulator.demo.client_code)}
    assert routes >= ROUTES_OF_ORDERS
    refused = {"again"}
    for name in steps.keys() - refused - {"after", "login", "second"}:
        assert steps[name].get("http") == 200, (name, steps[name])
        body = steps[name]["body"]
        body = body[0] if isinstance(body, list) else body
        assert str(body["status"]).lower() in ("true", "success"), (name, body)
    # A second cancel of the same order is an exception in both clients: A names the error's type,
    # B knows codes that begin with MA or IA and calls RS-00093 a general one.
    assert steps["again"]["raised"] == {"A": "InputException", "B": "GeneralException"}[api_type]

    rows = steps["book"]["body"]["data"]
    shown = {row.get("order_id") or row["orderid"]: row["status"] for row in rows}
    assert shown == {order_id: order.status.value for order_id, order in book.items()}
    assert sorted(shown.values()) == sorted(
        ["Cancelled", "Traded", "Cancelled", "O-Cancelled", *(["Cancelled"] * (api_type == "A"))]
    )
    assert [row["status"] for row in steps["details"]["body"]["data"]] == [
        "Cancelled", "Pending", "Pending", "Transit",
    ]  # fmt: skip
    (trade,) = steps["trades"]["body"]["data"]
    assert (trade["QUANTITY"], trade["PRICE"]) == (10, 1250)
    assert len(steps["history"]["body"]["data"]) == 1
    positions = steps["positions"]["body"]["data"]
    (position,) = positions["net"] if api_type == "A" else positions
    assert int(position["quantity" if api_type == "A" else "netqty"]) == 10
    assert steps["holdings"]["body"]["data"][0]["quantity"] == 10
    margin = steps["margin"]["body"]["data"]
    if api_type == "A":
        assert margin["total"] == 1250
    else:
        assert margin["summary"]["total_charges"] == 6250
