"""The doors, opened as the host opens them: plain values in, tuples or two-decimal strings out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests_mock

from broker.mstock.api import auth_api, funds
from broker.mstock.client.transport import Transport
from broker.mstock.errors import MstockError
from tests.support.raw_server import RawServer, reply

ROOT = {kind: f"https://api.mstock.trade/openapi/type{kind.lower()}" for kind in "AB"}
KEY = "ay3KqW7b/Zt9+XvB1MAKg@@"
PASSWORD = "Tr4de!pass"
UUID = "697c39bf-9411-46b0-81c2-67448ee99c72"
TOKEN = "eyJhbGci.eyJVU0VS.c2lnbmF0dXJl"
SENT_ON = "Please enter the OTP that we sent on XXXXXXX452 and XXXX00@GMAIL.COM"
KEY_TEXT = "API is suspended/expired for use. Please check your API subscription and try again."
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
    """mStock under a mock: answers as documented unless told otherwise, and keeps what came."""

    def __init__(self, mocker: requests_mock.Mocker, kind: str) -> None:
        self.mocker, self.kind = mocker, kind
        for path, body in SUCCESS[kind].items():
            self.answers(path, 200, body)

    def answers(self, path: str, http: int, body: object) -> None:
        method = "GET" if path in (FUNDS, LOGOUT) else "POST"
        text = body if isinstance(body, str) else json.dumps(body)
        self.mocker.register_uri(method, f"{ROOT[self.kind]}/{path}", text=text, status_code=http)

    @property
    def calls(self) -> list[str]:
        prefix = ROOT[self.kind] + "/"
        return [request.url.removeprefix(prefix) for request in self.mocker.request_history]

    @property
    def last_body(self) -> dict[str, Any]:
        request = self.mocker.last_request
        if self.kind == "A":
            return dict(parse_qsl(request.text))
        body: dict[str, Any] = json.loads(request.text)
        return body


@pytest.fixture(params=["A", "B"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, kind: str) -> pytest.MonkeyPatch:
    monkeypatch.setenv("BROKER_API_KEY", "MA12345")
    monkeypatch.setenv("BROKER_API_SECRET", KEY)
    monkeypatch.setenv("MSTOCK_API_TYPE", kind)
    monkeypatch.setattr("broker.mstock.clock.time.sleep", lambda _seconds: None)
    return monkeypatch


@pytest.fixture
def box(settings: pytest.MonkeyPatch, kind: str) -> Iterator[Box]:
    with requests_mock.Mocker() as mocker:
        yield Box(mocker, kind)


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


class TestWaysIn:
    def test_a_totp_login_takes_two_texts_and_gives_a_bare_token(self, box: Box) -> None:
        assert auth_api.authenticate_with_totp(PASSWORD, "012345") == (TOKEN, None, None)
        assert box.calls == [LOGIN, TOTP]
        assert box.last_body["totp"] == "012345"

    def test_an_otp_login_takes_two_steps(self, box: Box, kind: str) -> None:
        ticket, message, error = auth_api.send_otp(PASSWORD)
        assert error is None
        assert isinstance(ticket, str)
        assert ticket
        assert message == SENT_ON if kind == "B" else message
        assert auth_api.verify_otp("012345", ticket) == (TOKEN, None, None)
        assert box.calls == [LOGIN, OTP]
        if kind == "B":
            assert box.last_body == {"refreshToken": UUID, "otp": "012345"}
        else:
            assert box.last_body == {"api_key": KEY, "request_token": "012345", "checksum": "L"}

    def test_blanks_around_a_code_do_no_harm(self, box: Box) -> None:
        ticket = local_ticket()
        assert auth_api.verify_otp(" 012345\n", ticket)[0] == TOKEN
        assert "012345" in box.last_body.values()
        assert auth_api.authenticate_with_totp(PASSWORD, " 012345 ")[0] == TOKEN
        assert box.last_body["totp"] == "012345"

    def test_the_letter_of_type_a_is_a_setting(self, box: Box, settings: Any, kind: str) -> None:
        settings.setenv("MSTOCK_CHECKSUM", "W")
        auth_api.verify_otp("012345", local_ticket())
        assert box.last_body.get("checksum") == ("W" if kind == "A" else None)

    def test_authenticate_broker_is_one_of_the_three_by_what_it_is_given(self, box: Box) -> None:
        enter = auth_api.authenticate_broker
        assert enter(PASSWORD, "012345") == (TOKEN, None, None)
        assert enter(password=PASSWORD, totp="012345") == (TOKEN, None, None)
        ticket, message, error = enter(PASSWORD)
        assert ticket
        assert message
        assert error is None
        assert enter(otp="012345", ticket=ticket) == (TOKEN, None, None)
        assert box.calls == [LOGIN, TOTP, LOGIN, TOTP, LOGIN, OTP]

    def test_both_calls_of_a_totp_login_share_one_connection(
        self, settings: pytest.MonkeyPatch, kind: str
    ) -> None:
        answers = [reply(200, json.dumps(SUCCESS[kind][path])) for path in (LOGIN, TOTP)]
        with RawServer(answers) as server:
            settings.setenv("MSTOCK_REST_URL", server.url)
            assert auth_api.authenticate_with_totp(PASSWORD, "012345") == (TOKEN, None, None)
            assert [exchange.connection for exchange in server.exchanges] == [1, 1]


def error_a(message: str, error_type: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "error", "message": message, "data": None}
    return body | ({"error_type": error_type} if error_type else {})


def error_b(message: str, code: str, status: object = "false") -> dict[str, Any]:
    return {"status": status, "message": message, "errorcode": code, "data": None}


PAGE = "<html><title>502 Bad Gateway</title><script>var __uzdbm_1</script></html>"
EXPIRED = "Entered OTP has been expired. Please regenerate a new one & enter the same."
# Path, HTTP status, body, words that the user must see; both revisions.
REFUSALS: list[tuple[str, int, object, str]] = [
    (LOGIN, 500, error_a("Invalid username or password (MACM1)"), "password"),
    (LOGIN, 200, error_a("Invalid username or password (YYYY)", "MiraeException"), "password"),
    (
        LOGIN,
        500,
        error_b("Invalid username or password. 9 attempts remaining ", "500"),
        "9 attempts",
    ),
    (
        LOGIN,
        200,
        error_b("Invalid username or password. 1 attempts remaining ", "MA500"),
        "unlock a locked account",
    ),
    (LOGIN, 400, error_a("Please provide valid api version."), "version"),
    (OTP, 500, error_b(EXPIRED, "500"), "OTP"),
    (OTP, 200, error_b(EXPIRED, "MA500"), "OTP"),
    (
        OTP,
        200,
        error_a(
            "The entered OTP is incorrect. Please proceed to login page. (-MACM60)",
            "MiraeException",
        ),
        "OTP",
    ),
    (OTP, 400, error_a(KEY_TEXT), "API key"),
    (OTP, 403, error_a(KEY_TEXT, "APIKeyException"), "API key"),
    (TOTP, 400, error_a("Please enter correct TOTP", "MiraeException"), "authenticator"),
    (TOTP, 400, error_a("Please enter correct TOTP", "MA400"), "authenticator"),
    (TOTP, 403, error_a(KEY_TEXT), "API key"),
    *(
        (path, http, body, words)
        for path in (LOGIN, OTP, TOTP)
        for http, body, words in [
            (403, error_b("Primary and Secondary IP Address are not matching", "IA403"), "address"),
            (502, PAGE, "unknown"),
            (200, "", "unknown"),
            (200, PAGE, "unknown"),
            (200, '{"status":"true","data":', "unknown"),
            (429, "", "fewer calls"),
            (302, "", "redirect"),
        ]
    ),
    *(
        (path, 200, {"status": "true", "message": "SUCCESS", "data": data}, "mStock")
        for path in (OTP, TOTP)
        for data in (None, [], {}, {"jwtToken": "", "access_token": ""}, {"jwtToken": 5})
    ),
    (LOGIN, 500, error_b(f"{KEY} {PASSWORD} <b>bold</b>", "MA500"), "bold"),
    (OTP, 500, error_b(f"{KEY} 012345 <b>bold</b>", "MA500"), "bold"),
    (TOTP, 500, error_b(f"{KEY} 012345 <b>bold</b>", "MA500"), "bold"),
]


@pytest.mark.parametrize(("path", "http", "body", "words"), REFUSALS)
def test_every_refusal_on_the_way_in_is_a_tuple_with_words_for_the_user(
    box: Box, path: str, http: int, body: object, words: str
) -> None:
    ticket = local_ticket()
    before = len(box.calls)
    box.answers(path, http, body)
    doors: dict[str, list[Callable[[], object]]] = {
        LOGIN: [
            lambda: auth_api.send_otp(PASSWORD),
            lambda: auth_api.authenticate_with_totp(PASSWORD, "012345"),
            lambda: auth_api.authenticate_broker(PASSWORD),
        ],
        OTP: [
            lambda: auth_api.verify_otp("012345", ticket),
            lambda: auth_api.authenticate_broker(otp="012345", ticket=ticket),
        ],
        TOTP: [
            lambda: auth_api.authenticate_with_totp(PASSWORD, "012345"),
            lambda: auth_api.authenticate_broker(PASSWORD, "012345"),
        ],
    }
    for door in doors[path]:
        message = assert_failed(door())
        assert words in message
        assert "://" not in message
    assert box.calls[before:].count(path) == len(doors[path])


def test_an_address_in_mstocks_words_is_not_shown_to_the_user(box: Box) -> None:
    """The host shows the message as it is, and its contract allows no addresses in it."""
    box.answers(LOGIN, 200, error_b("Get help at https://evil.example/reset?x=1 today", "MA500"))
    message = assert_failed(auth_api.send_otp(PASSWORD))
    assert "Get help at" in message
    assert "://" not in message


@pytest.mark.parametrize("fault", [ValueError, KeyError, MemoryError])
class TestFaultInside:
    """A fault nobody thought of does not come out of a door, nor quote what was entered."""

    @pytest.fixture(autouse=True)
    def broken(
        self, settings: pytest.MonkeyPatch, fault: type[Exception], caplog: pytest.LogCaptureFixture
    ) -> Iterator[None]:
        def fail(*_: object, **__: object) -> None:
            raise fault(f"{KEY} {PASSWORD} 012345 {TOKEN}")

        settings.setattr(Transport, "call", fail)
        caplog.set_level("DEBUG")
        yield
        for secret in (KEY, PASSWORD, "012345", TOKEN):
            assert secret not in caplog.text

    def test_login(self) -> None:
        assert_failed(auth_api.authenticate_with_totp(PASSWORD, "012345"))
        assert_failed(auth_api.send_otp(PASSWORD))
        assert_failed(auth_api.authenticate_broker(PASSWORD))

    def test_logout(self) -> None:
        done, words = auth_api.logout(TOKEN)
        assert done is False
        assert_fit_to_show(words)

    def test_the_check_of_a_token(self) -> None:
        done, words = funds.test_auth_token(TOKEN)
        assert done is False
        assert_fit_to_show(words)

    def test_funds(self) -> None:
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(MstockError) as caught:
                read(TOKEN)
            assert_fit_to_show(str(caught.value))


NOT_CODES = [
    *("", " ", "12345", "1234567", "12345a", "abcdef", "12 456", "123 456", "１２３４５６"),
    *("१२३४५६", "-12345", "+12345", "12345.", "0x1234", "123456\n7", "٠١٢٣٤٥"),
]
STRANGE: list[Any] = [None, b"012345", 12345, 0, True, [], ["012345"]]


class TestNothingIsSent:
    @pytest.mark.parametrize("code", [*NOT_CODES, *STRANGE], ids=lambda code: repr(code)[:16])
    def test_for_a_code_that_is_not_six_digits(self, box: Box, code: Any) -> None:
        ticket = local_ticket()
        before = len(box.calls)
        assert_failed(auth_api.authenticate_with_totp(PASSWORD, code))
        assert_failed(auth_api.verify_otp(code, ticket))
        if code:
            assert_failed(auth_api.authenticate_broker(PASSWORD, code))
        assert_failed(auth_api.authenticate_broker(otp=code, ticket=ticket))
        assert len(box.calls) == before

    @pytest.mark.parametrize("password", ["", " ", "\n", *STRANGE], ids=lambda p: repr(p)[:16])
    def test_for_a_password_that_is_none(self, box: Box, password: Any) -> None:
        assert_failed(auth_api.send_otp(password))
        assert_failed(auth_api.authenticate_with_totp(password, "012345"))
        assert_failed(auth_api.authenticate_broker(password))
        assert_failed(auth_api.authenticate_broker(password, "012345"))
        assert box.calls == []

    @pytest.mark.parametrize("ticket", ["", " ", *STRANGE], ids=lambda t: repr(t)[:16])
    def test_for_an_otp_without_a_ticket(self, box: Box, ticket: Any) -> None:
        assert_failed(auth_api.verify_otp("012345", ticket))
        assert_failed(auth_api.authenticate_broker(otp="012345", ticket=ticket))
        assert box.calls == []

    @pytest.mark.parametrize(
        "code", ["012345", " 012345 ", "012 345", "012345\n", "१२३४५६", "１２３４５６"]
    )
    def test_for_a_six_digit_code_alone_which_could_be_anything(self, box: Box, code: str) -> None:
        enter = auth_api.authenticate_broker
        assert "ambiguous" in assert_failed(enter(code))
        assert "ambiguous" in assert_failed(enter(password=code))
        for result in (enter(None, code), enter(totp=code), enter(otp=code)):
            assert_failed(result)
        assert box.calls == []

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"password": ""},
            {"ticket": UUID},
            {"totp": "012345", "otp": "012345"},
            {"password": PASSWORD, "otp": "012345"},
            {"password": PASSWORD, "ticket": UUID},
            {"password": PASSWORD, "totp": "012345", "otp": "012345"},
            {"password": PASSWORD, "totp": "012345", "ticket": UUID},
            {"password": PASSWORD, "totp": "012345", "otp": "012345", "ticket": UUID},
        ],
    )
    def test_for_what_does_not_belong_together(self, box: Box, given: dict[str, str]) -> None:
        assert_failed(auth_api.authenticate_broker(**given))
        assert box.calls == []

    def test_for_a_ticket_of_the_other_type(self, box: Box, settings: Any, kind: str) -> None:
        ticket = local_ticket()
        settings.setenv("MSTOCK_API_TYPE", "B" if kind == "A" else "A")
        assert_failed(auth_api.verify_otp("012345", ticket))
        assert box.calls == [LOGIN]


BROKEN: list[dict[str, str | None]] = [
    {"BROKER_API_KEY": None},
    {"BROKER_API_KEY": ""},
    {"BROKER_API_SECRET": None},
    {"BROKER_API_KEY": KEY, "BROKER_API_SECRET": "MA12345"},
    {"BROKER_API_KEY": "\udcff\udcfe"},
    {"BROKER_API_SECRET": "\udcff\udcfe"},
    {"MSTOCK_API_TYPE": "C"},
    {"MSTOCK_CHECKSUM": "LW"},
    {"MSTOCK_FUNDS_VIEW": "all"},
    {"MSTOCK_REST_URL": "https://api.mstock.trade.evil.in"},
    {"MSTOCK_WS_URL": "wss://evil.in"},
    {"REDIRECT_URL": "nowhere"},
    {"REDIRECT_URL": "http://127.0.0.1:5000/zerodha/callback"},
    {"MSTOCK_DEADLINE": "soon"},
    {"REQUESTS_CA_BUNDLE": "/no/such/file.pem"},
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
class TestBrokenSettings:
    @pytest.fixture
    def told(self, box: Box, settings: pytest.MonkeyPatch, broken: dict[str, str | None]) -> Box:
        for name, value in broken.items():
            if value is None:
                settings.delenv(name)
            else:
                settings.setenv(name, value)
        return box

    def test_are_told_by_name_and_nothing_is_sent(
        self, told: Box, broken: dict[str, str | None]
    ) -> None:
        name = next(iter(broken))
        for result in (
            auth_api.authenticate_with_totp(PASSWORD, "012345"),
            auth_api.send_otp(PASSWORD),
            auth_api.verify_otp("012345", UUID),
            auth_api.authenticate_broker(PASSWORD, "012345"),
        ):
            assert name in assert_failed(result)
        for done, words in (auth_api.logout(TOKEN), funds.test_auth_token(TOKEN)):
            assert done is False
            assert name in assert_fit_to_show(words)
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(MstockError) as caught:
                read(TOKEN)
            assert name in assert_fit_to_show(str(caught.value))
        assert told.calls == []

    def test_are_told_without_an_address_in_the_words(self, told: Box) -> None:
        assert "://" not in assert_failed(auth_api.authenticate_with_totp(PASSWORD, "012345"))


class TestFunds:
    def test_the_hosts_five_figures_are_strings_with_two_decimals(self, box: Box) -> None:
        assert funds.get_margin_data(TOKEN) == {
            "availablecash": "299999999997.00",
            "collateral": "74668.00",
            "m2munrealized": "0.00",
            "m2mrealized": "0.00",
            "utiliseddebits": "27395824.71",
        }
        assert box.calls == [FUNDS]

    def test_the_balance_view_gives_mstocks_own_figure(self, box: Box, settings: Any) -> None:
        settings.setenv("MSTOCK_FUNDS_VIEW", "balance")
        assert funds.get_margin_data(TOKEN)["availablecash"] == "299972678840.29"

    def test_the_summary_has_24_fields_of_which_two_are_words(self, box: Box) -> None:
        summary = funds.get_fund_summary(TOKEN)
        values = {key: getattr(summary, key.lower()) for key in ROW}
        assert len(values) == 24
        assert sorted(key for key in values if isinstance(values[key], str)) == [
            "LIMIT_TYPE",
            "SEG",
        ]
        assert sum(isinstance(value, Decimal) for value in values.values()) == 22
        assert values["AVAILABLE_BALANCE"] == Decimal("299972678840.29")

    def test_a_good_token_is_told(self, box: Box) -> None:
        done, words = funds.test_auth_token(TOKEN)
        assert done is True
        assert words

    REFUSALS = (
        (401, error_a("Invalid request. Please try again.", "TokenException"), "session"),
        (200, error_b("Invalid request. Please try again.", "IA401", False), "session"),
        (400, error_a(KEY_TEXT), "API key"),
        (403, error_b(KEY_TEXT, "IA403"), "API key"),
        (200, error_a("something went wrong", "MiraeException"), "mStock"),
        (502, PAGE, "mStock"),
        (429, "", "fewer calls"),
        (200, "", "mStock"),
        (401, "", "mStock"),
        (500, f"<html>{TOKEN}</html>", "mStock"),
        (200, error_b(f"{KEY} {TOKEN} <b>bold</b>", "MA500"), "bold"),
    )

    @pytest.mark.parametrize(("http", "body", "words"), REFUSALS)
    def test_a_refusal_is_raised_in_words_for_the_user(
        self, box: Box, http: int, body: object, words: str
    ) -> None:
        box.answers(FUNDS, http, body)
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(MstockError) as caught:
                read(TOKEN)
            assert words in assert_fit_to_show(str(caught.value))
        done, said = funds.test_auth_token(TOKEN)
        assert done is False
        assert words in assert_fit_to_show(said)

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (None, "fund"),
            ([], "fund"),
            ({}, "fund"),
            ("", "fund"),
            ([ROW | {"AVAILABLE_BALANCE": None}], "AVAILABLE_BALANCE"),
            ([ROW | {"AMOUNT_UTILIZED": ""}], "AMOUNT_UTILIZED"),
            ([ROW | {"COLLATERALS": "abc"}], "COLLATERALS"),
            ([ROW | {"MTM_COMBINED": True}], "MTM_COMBINED"),
        ],
    )
    def test_unusable_figures_are_raised_and_never_zero(
        self, box: Box, kind: str, data: object, words: str
    ) -> None:
        box.answers(FUNDS, 200, SUCCESS[kind][FUNDS] | {"data": data})
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(MstockError) as caught:
                read(TOKEN)
            assert words in assert_fit_to_show(str(caught.value))

    @pytest.mark.parametrize("number", ["1e9999999999999999999", "9" * 5000, "NaN"])
    def test_a_monstrous_number_is_raised_in_words_too(self, box: Box, number: str) -> None:
        box.answers(FUNDS, 200, f'{{"status":true,"data":[{{"SEG":"A","LIMIT_SOD":{number}}}]}}')
        with pytest.raises(MstockError):
            funds.get_margin_data(TOKEN)
        assert funds.test_auth_token(TOKEN)[0] is False

    @pytest.mark.parametrize("token", ["", " ", "a b", "a:b", "a\r\nb", "é", *STRANGE], ids=repr)
    def test_a_token_that_is_none_is_told_in_words_and_not_sent(self, box: Box, token: Any) -> None:
        done, words = funds.test_auth_token(token)
        assert done is False
        assert_fit_to_show(words)
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(MstockError) as caught:
                read(token)
            assert_fit_to_show(str(caught.value))
        assert box.calls == []


class TestLogout:
    def test_is_confirmed_by_mstock(self, box: Box) -> None:
        done, words = auth_api.logout(TOKEN)
        assert done is True
        assert "confirmed" in words
        assert box.calls == [LOGOUT]

    @pytest.mark.parametrize(
        "body",
        [
            error_a("Invalid request. Please try again.", "TokenException"),
            error_b("Invalid request. Please try again.", "IA401", False),
            error_b("Words that nobody knows", "IA401"),
            "",
            PAGE,
        ],
    )
    def test_of_a_session_that_had_ended_is_as_good(self, box: Box, body: object) -> None:
        box.answers(LOGOUT, 401, body)
        done, words = auth_api.logout(TOKEN)
        assert done is True
        assert "already ended" in words
        assert box.calls == [LOGOUT]

    @pytest.mark.parametrize(
        ("http", "body"),
        [
            (403, error_b(KEY_TEXT, "IA403")),
            (400, error_a(KEY_TEXT)),
            (500, error_a("something went wrong", "MiraeException")),
            (502, PAGE),
            (200, ""),
            (429, ""),
            (200, error_b(f"{KEY} {TOKEN} <b>bold</b>", "MA500")),
            (401, error_b(KEY_TEXT, "IA403")),
            (401, error_b("Primary and Secondary IP Address are not matching", "IA403")),
        ],
    )
    def test_that_mstock_does_not_confirm_says_so_and_is_not_repeated(
        self, box: Box, http: int, body: object
    ) -> None:
        box.answers(LOGOUT, http, body)
        done, words = auth_api.logout(TOKEN)
        assert done is False
        assert re.search("not confirm", assert_fit_to_show(words))
        assert "midnight IST" in words
        assert box.calls == [LOGOUT]

    @pytest.mark.parametrize("token", ["", " ", "a b.c", "key:a.b.c", "a\r\nb", *STRANGE], ids=repr)
    def test_without_a_token_that_can_be_sent_ends_no_session_and_says_so(
        self, box: Box, token: Any
    ) -> None:
        done, words = auth_api.logout(token)
        assert done is False
        assert_fit_to_show(words)
        assert box.calls == []
