"""The doors, found and called just as OpenAlgo finds and calls them."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator

PLUGIN = Path(__file__).parents[2] / "broker" / "mstock"
FIVE = {"availablecash", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits"}
# What OpenAlgo 2.0.2 brings along, by the names they are imported under.
HOST_HAS = {
    *("apscheduler", "click", "cryptography", "dotenv", "flask", "flask_limiter", "flask_wtf"),
    *("jwt", "limits", "orjson", "pandas", "pyotp", "sqlalchemy"),
    *("requests", "rich", "urllib3", "websocket", "werkzeug"),
}


def door(module: str, name: str) -> Callable[..., Any]:
    """A door by its fixed name, as the host's plugin loader gets it."""
    found = getattr(importlib.import_module(f"broker.mstock.api.{module}"), name)
    assert callable(found)
    return found  # type: ignore[no-any-return]


def in_a_thread(call: Callable[[], Any]) -> Any:
    """The call's value, made outside any request, as baskets and schedulers make theirs."""
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(call()))
    thread.start()
    thread.join(30)
    return result[0]


def host_login(password: str, totp: str) -> tuple[int, Any]:
    """The host's callback route: what it answers to the browser, and the token it would store."""
    auth_token, feed_token, error = door("auth_api", "authenticate_with_totp")(password, totp)
    if error:
        return 401, {"status": "error", "message": error}
    assert feed_token is None  # it would go into the browser's cookie
    auth_token.encode()
    return 200, auth_token


def resumed(auth_token: str) -> bool:
    """The host's probe at an app login: may the stored session be used again?"""
    valid, message = door("funds", "check_auth_token")(auth_token)
    assert isinstance(message, str)
    if not valid:
        return False
    try:
        margin = door("funds", "get_margin_data")(auth_token)
    except Exception:
        return False
    refused = ("errorType", "errorCode", "errorMessage", "errors", "error")
    failed = margin.get("status") in ("error", "failed", "failure")
    return bool(margin) and not failed and not any(margin.get(key) for key in refused)


@pytest.mark.parametrize("revision", ["older"], indirect=True)
class TestAsTheHostCalls:
    def test_a_totp_login_the_dashboard_and_a_logout(
        self, config: Config, simulator: Simulator
    ) -> None:
        simulator.demo.totp_enabled = True
        code = simulator.totp_now(simulator.demo.client_code)
        status, token = in_a_thread(lambda: host_login(simulator.demo.password, code))
        assert status == 200
        assert isinstance(token, str)
        margin = in_a_thread(lambda: door("funds", "get_margin_data")(token))
        assert set(margin) == FIVE
        assert json.loads(json.dumps(margin)) == margin
        assert all(re.fullmatch(r"-?\d+\.\d\d", value, re.ASCII) for value in margin.values())
        assert resumed(token)
        assert door("auth_api", "logout")(token)[0] is True
        assert not resumed(token)

    def test_a_refusal_reaches_the_browser_as_a_sentence(
        self, config: Config, simulator: Simulator
    ) -> None:
        status, body = host_login("wrong", "123456")
        assert status == 401
        assert body["message"].endswith((".", ")"))
        assert "://" not in body["message"]

    def test_a_failure_of_the_funds_is_an_exception_and_never_a_dict(
        self, config: Config, simulator: Simulator
    ) -> None:
        with pytest.raises(Exception, match="session is over"):
            door("funds", "get_margin_data")("a.dead.token")


class TestAsTheHostLoads:
    def test_the_plugins_card(self) -> None:
        card = json.loads((PLUGIN / "plugin.json").read_text())
        assert card["supported_exchanges"] == [
            *("NSE", "BSE", "NFO", "BFO", "NSE_INDEX", "BSE_INDEX")
        ]
        assert card["broker_type"] == "IN_stock"
        assert card["leverage_config"] is False

    def test_the_doors_import_without_settings_and_bring_no_framework(self) -> None:
        code = (
            "import sys, broker.mstock.api.auth_api, broker.mstock.api.funds\n"
            "print([m for m in ('flask', 'jwt', 'pyotp', 'dotenv') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={},
            cwd=PLUGIN.parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == ("[]\n", "")

    def test_nothing_is_needed_that_the_host_lacks(self) -> None:
        imported = set()
        for path in PLUGIN.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    imported.add((node.module or "").split(".")[0])
        foreign = imported - set(sys.stdlib_module_names) - {"broker"}
        assert foreign <= HOST_HAS, f"not in the host: {foreign - HOST_HAS}"

    def test_no_module_switches_tls_verification_off(self) -> None:
        for path in PLUGIN.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"verify\s*=\s*False|CERT_NONE|_create_unverified", text), path
