"""mStock behind a socket, as the tests of the host's doors use it, and what a door may say."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from broker.mstock.api import auth_api
from tests.support.mstock_server import MstockServer, fields

ROOT = {kind: f"/openapi/type{kind.lower()}" for kind in "AB"}
KEY = "ay3KqW7b/Zt9+XvB1MAKg@@"
PASSWORD = "Tr4de!pass"
UUID = "697c39bf-9411-46b0-81c2-67448ee99c72"
TOKEN = "eyJhbGci.eyJVU0VS.c2lnbmF0dXJl"
SENT_ON = "Please enter the OTP that we sent on XXXXXXX452 and XXXX00@GMAIL.COM"
KEY_TEXT = "API is suspended/expired for use. Please check your API subscription and try again."
PAGE = "<html><title>502 Bad Gateway</title><script>var __uzdbm_1</script></html>"
# What a host may hand over where a text belongs.
STRANGE: list[Any] = [None, b"012345", 12345, 0, True, [], ["012345"]]
ROW = {
    **dict.fromkeys(
        [
            *("ADDITIONAL_MARGIN", "BANK_HOLDING", "MTM_COMBINED", "OFS_UTILIZED", "PEAK_MARGIN"),
            *("PHYSICAL_MARGIN", "REALISED_PROFITS", "RECEIVABLES", "UNCLEAR_BALANCE"),
        ]
    ),
    **dict.fromkeys(
        [
            *("ADHOC_LIMIT", "CLEAR_BALANCE", "LIMIT_SOD", "MF_COLLATERAL", "SUM_OF_ALL"),
            *("MTF_AVAILABLE_BALANCE", "MTF_COLLATERAL", "MTF_UTILIZE", "PAY_OUT_AMT"),
            "OPT_BUY_PRIMIUM_UTILIZE",
        ],
        "0.0",
    ),
    "AVAILABLE_BALANCE": "299972678840.29",
    "AMOUNT_UTILIZED": "27395824.71",
    "COLLATERALS": "74668",
    "LIMIT_TYPE": "CAPITAL",
    "SEG": "A",
}
LOGIN, OTP, TOTP = "connect/login", "session/token", "session/verifytotp"
FUNDS, LOGOUT = "user/fundsummary", "logout"
JWTS = {"jwtToken": TOKEN, "refreshToken": TOKEN, "feedToken": TOKEN}
SUCCESS: dict[str, dict[str, Any]] = {
    "A": {
        LOGIN: {"status": "success", "data": {"ugid": UUID, "is_kyc": True, "cid": "1111"}},
        OTP: {"status": "success", "data": {"access_token": TOKEN, "user_id": "538"}},
        TOTP: {"status": "success", "data": {"access_token": TOKEN, "user_id": "538"}},
        FUNDS: {"status": "success", "data": [ROW]},
        LOGOUT: {"status": "success", "data": "Success"},
    },
    "B": {
        LOGIN: {
            "status": "true",
            "message": SENT_ON,
            "errorcode": "",
            "data": {"jwtToken": UUID, "refreshToken": "", "feedToken": "", "state": "live"},
        },
        OTP: {"status": "true", "message": SENT_ON, "errorcode": "", "data": JWTS},
        TOTP: {"status": True, "message": "SUCCESS", "errorcode": "", "data": JWTS},
        FUNDS: {"status": True, "message": "SUCCESS", "errorcode": "", "data": [ROW]},
        LOGOUT: {"status": True, "message": "Success", "errorcode": None, "data": None},
    },
}


class Box:
    """mStock as its documents have it unless told otherwise, and what came to it."""

    def __init__(self, server: MstockServer, kind: str) -> None:
        self.server, self.kind = server, kind
        for path, body in SUCCESS[kind].items():
            self.answers(path, 200, body)

    def answers(self, path: str, http: int, body: object) -> None:
        method = "GET" if path in (FUNDS, LOGOUT) else "POST"
        self.server.answer(method, f"{ROOT[self.kind]}/{path}", body, http)

    @property
    def calls(self) -> list[str]:
        prefix = ROOT[self.kind] + "/"
        return [request.path.removeprefix(prefix) for request in self.server.calls]

    @property
    def last_body(self) -> dict[str, Any]:
        request = self.server.last_call
        return dict(parse_qsl(request.body)) if self.kind == "A" else fields(request)


def local_ticket() -> str:
    """A ticket as the plugin itself gives it out."""
    return auth_api.send_otp(PASSWORD)[0] or ""


def assert_failed(result: object) -> str:
    """A tuple of three with nothing in it but words for the user; gives the words."""
    assert isinstance(result, tuple)
    assert len(result) == 3
    assert result[:2] == (None, None)
    return assert_fit_to_show(result[2])


def assert_fit_to_show(words: object) -> str:
    assert isinstance(words, str)
    assert words.strip()
    assert words.isprintable()
    assert "<" not in words
    assert "Traceback" not in words
    for secret in (KEY, PASSWORD, TOKEN, UUID, "012345"):
        assert secret not in words
    return words
