"""Asking the reader of mStock's answers, and refusals as mStock writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker._kit.errors import BrokerError
from broker._kit.http.routes import Answer
from broker._kit.secret import Secret
from broker.mstock.client.envelope import Envelope, read
from broker.mstock.client.routes import GREETING, Call, user_routes

LOGIN, OTP, TOTP = Call.LOGIN, Call.SESSION_TOKEN, Call.VERIFY_TOTP
FUNDS, LOGOUT = Call.FUND_SUMMARY, Call.LOGOUT
ROUTES = {**user_routes(""), Call.GREETING: GREETING}
READS = (FUNDS, Call.GREETING)
ONCE = [LOGIN, OTP, TOTP, LOGOUT]


def ask(body: object, call: Call = FUNDS, http: int = 200, *secrets: str) -> Envelope:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(Answer(http, raw), ROUTES[call], [Secret(each) for each in secrets])


def refused(body: object, call: Call = FUNDS, http: int = 200, *secrets: str) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        ask(body, call, http, *secrets)
    return caught.value


def type_a(message: str, error_type: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "error", "message": message, "data": None}
    return body if error_type is None else {**body, "error_type": error_type}


def type_b(message: str, code: str, status: object = "false") -> dict[str, Any]:
    return {"status": status, "message": message, "errorcode": code, "data": None}


PASSWORD_9 = "Invalid username or password. 9 attempts remaining "
