"""The host's doors under `requests_mock`, as users of the plugin test their own code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import requests_mock

from broker._kit.errors import Unreachable
from broker.mstock.api import auth_api, funds
from tests.unit.doors import FUNDS, LOGIN, LOGOUT, OTP, PASSWORD, ROOT, SUCCESS, TOKEN, TOTP

URL = "https://api.mstock.trade"


@pytest.fixture
def mstock(settings: pytest.MonkeyPatch, kind: str) -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        for path, body in SUCCESS[kind].items():
            method = "GET" if path in (FUNDS, LOGOUT) else "POST"
            mocker.request(method, f"{URL}{ROOT[kind]}/{path}", json=body)
        yield mocker


def calls(mstock: requests_mock.Mocker, kind: str) -> list[str]:
    return [request.url.removeprefix(f"{URL}{ROOT[kind]}/") for request in mstock.request_history]


def test_a_day_by_otp(mstock: requests_mock.Mocker, kind: str) -> None:
    ticket, _, error = auth_api.send_otp(PASSWORD)
    assert error is None
    assert auth_api.verify_otp("012345", ticket or "") == (TOKEN, None, None)
    assert funds.get_margin_data(TOKEN)["collateral"] == "74668.00"
    assert auth_api.logout(TOKEN) == (True, "mStock has confirmed the logout.")
    assert calls(mstock, kind) == [LOGIN, OTP, FUNDS, LOGOUT]


def test_a_login_by_totp(mstock: requests_mock.Mocker, kind: str) -> None:
    assert auth_api.authenticate_broker(PASSWORD, "012345") == (TOKEN, None, None)
    assert calls(mstock, kind) == [LOGIN, TOTP]


def test_a_lost_answer_and_a_refused_connection(mstock: requests_mock.Mocker, kind: str) -> None:
    url = f"{URL}{ROOT[kind]}"
    for error, words in [
        (requests.ReadTimeout, "Whether mStock took the password is unknown."),
        (requests.ConnectTimeout, "Nothing was sent."),
    ]:
        mstock.post(f"{url}/{LOGIN}", exc=error)
        assert words in (auth_api.send_otp(PASSWORD)[2] or "")
    mstock.get(f"{url}/{FUNDS}", exc=requests.ConnectionError)
    with pytest.raises(Unreachable, match="broke"):
        funds.get_margin_data(TOKEN)
    assert calls(mstock, kind) == [LOGIN, LOGIN, FUNDS, FUNDS, FUNDS]
