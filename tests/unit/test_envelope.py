"""The reader of mStock's answers: every documented shape, and whatever else a network may bring."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.errors import BrokerError, OutcomeUnknown
from broker.mstock.client.envelope import Envelope
from broker.mstock.client.routes import Call
from broker.mstock.errors import (
    APIKeyException,
    DataException,
    GeneralException,
    InputException,
    MiraeException,
    TokenException,
    VersionException,
)
from tests.unit.envelopes import (
    FUNDS,
    LOGIN,
    LOGOUT,
    ONCE,
    OTP,
    PASSWORD_9,
    READS,
    TOTP,
    ask,
    refused,
    type_a,
    type_b,
)

KEY_TEXT = "API is suspended/expired for use. Please check your API subscription and try again."
OTP_EXPIRED = "Entered OTP has been expired. Please regenerate a new one & enter the same."
OTP_WRONG = "The entered OTP is incorrect. Please proceed to login page. (-MACM60)"
IP_TEXT = "Primary and Secondary IP Address are not matching"
A_KEY_OLD, A_KEY = type_a(KEY_TEXT), type_a(KEY_TEXT, "APIKeyException")
A_TOK = type_a("Invalid request. Please try again.", "TokenException")
A_VER = type_a("Please provide valid api version.", "VersionException")
A_VER_LOGIN = type_a("Please provide valid api version.")
A_GEN = type_a("something went wrong", "MiraeException")
B_KEY = type_b(KEY_TEXT, "IA403")
B_TOK = type_b("Invalid request. Please try again.", "IA401", False)
B_AUTH = type_b("Incorrect auth. Please try again.", "IA401", False)
B_GEN = type_b("something went wrong", "MA500", "False")
VALIDATION = {
    "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
    "title": "One or more validation errors occurred.",
    "status": 400,
    "errors": {"otp": ["The otp field is required."]},
    "traceId": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00",
}

KEY, IP, OVER = "API key", "address", "session is over"
Refusal = tuple[Call, int, Any, type[BrokerError], str, str]
REFUSALS: list[Refusal] = [
    # Type A, login: 3.2, 3.6, 6.1
    (LOGIN, 400, A_VER_LOGIN, VersionException, "", "version"),
    (LOGIN, 500, type_a("Invalid username or password (MACM1)"), InputException, "", "password"),
    (
        LOGIN,
        200,
        type_a("Invalid username or password (YYYY)", "MiraeException"),
        InputException,
        "MiraeException",
        "password",
    ),
    # Type A, second step: 6.2, 6.3
    (OTP, 500, type_a(OTP_EXPIRED), InputException, "", "OTP"),
    (OTP, 200, type_a(OTP_WRONG, "MiraeException"), InputException, "MiraeException", "OTP"),
    (
        TOTP,
        400,
        type_a("Please enter correct TOTP", "MiraeException"),
        InputException,
        "MiraeException",
        "authenticator",
    ),
    # Type A, the standard bodies
    *((call, 400, A_KEY_OLD, APIKeyException, "", KEY) for call in Call),
    *((call, 403, A_KEY, APIKeyException, "APIKeyException", KEY) for call in Call),
    *((call, 200, A_VER, VersionException, "VersionException", "version") for call in Call),
    *((call, 401, A_TOK, TokenException, "TokenException", OVER) for call in (FUNDS, LOGOUT)),
    *(
        (call, http, A_GEN, GeneralException, "MiraeException", "inside mStock")
        for call in (FUNDS, LOGOUT)
        for http in (200, 500)
    ),
    (FUNDS, 500, type_a("?", "GeneralException"), GeneralException, "GeneralException", "mStock"),
    (FUNDS, 400, type_a("No row", "InputException"), InputException, "InputException", "No row"),
    (FUNDS, 200, type_a("No row", "InputException"), InputException, "InputException", "No row"),
    (FUNDS, 500, type_a("RMS busy", "MiraeException"), MiraeException, "MiraeException", "RMS"),
    (FUNDS, 200, [A_TOK], TokenException, "TokenException", OVER),
    # Type B, login: 7.1
    (
        LOGIN,
        400,
        type_b("Please provide valid clientcode and password.", "400"),
        InputException,
        "400",
        "password",
    ),
    (LOGIN, 500, type_b(PASSWORD_9, "500"), InputException, "500", "9 attempts"),
    (LOGIN, 200, type_b(PASSWORD_9, "MA500"), InputException, "MA500", "9 attempts"),
    # Type B, second step: 7.2, 7.3
    (OTP, 500, type_b(OTP_EXPIRED, "500"), InputException, "500", "OTP"),
    (OTP, 200, type_b(OTP_EXPIRED, "MA500"), InputException, "MA500", "OTP"),
    (OTP, 403, type_a(KEY_TEXT), APIKeyException, "", KEY),
    (
        TOTP,
        400,
        type_a("Please enter correct TOTP", "MA400"),
        InputException,
        "MA400",
        "authenticator",
    ),
    (TOTP, 403, type_a(KEY_TEXT), APIKeyException, "", KEY),
    # Type B, funds and logout: 3.3, 7.4, 7.5
    *((call, 400, B_KEY, APIKeyException, "IA403", KEY) for call in Call),
    (LOGOUT, 403, B_KEY, APIKeyException, "IA403", KEY),
    *(
        (call, http, B_TOK, TokenException, "IA401", OVER)
        for call in (FUNDS, LOGOUT)
        for http in (401, 400, 200)
    ),
    (FUNDS, 401, B_AUTH, TokenException, "IA401", OVER),
    (FUNDS, 200, B_GEN, GeneralException, "MA500", "inside mStock"),
    (FUNDS, 500, type_b("Internal", "IA500"), GeneralException, "IA500", "Internal"),
    (FUNDS, 500, type_b("Internal", "500"), GeneralException, "500", "Internal"),
    (FUNDS, 400, type_b("Bad field", "IA400"), InputException, "IA400", "Bad field"),
    (FUNDS, 401, type_b("Bad field", "400"), InputException, "400", "Bad field"),
    (FUNDS, 404, type_b("Nothing here", "IA404"), BrokerError, "IA404", "Nothing here"),
    (FUNDS, 200, type_b("Margin short", "RS-0111"), MiraeException, "RS-0111", "Margin short"),
    (FUNDS, 200, type_b("Core says no", "MA408"), MiraeException, "MA408", "Core says no"),
    *(
        (call, http, type_b(IP_TEXT, "IA403"), APIKeyException, "IA403", IP)
        for call in Call
        for http in (400, 403)
    ),
    # The framework's own body: 3.5
    *(
        (call, 400, VALIDATION, InputException, "400", "The otp field is required.")
        for call in Call
    ),
]


@pytest.mark.parametrize(
    ("call", "http", "body", "error", "code", "words"),
    REFUSALS,
    ids=lambda value: str(value)[:24].replace("\n", " "),
)
def test_each_documented_refusal_is_the_right_error(
    call: Call, http: int, body: Any, error: type[BrokerError], code: str, words: str
) -> None:
    caught = refused(body, call, http)
    assert isinstance(caught, error)
    assert (caught.code, caught.http_status) == (code, http)
    assert words in str(caught)
    assert caught.next_step
    # A dead token is told by these two texts and by nothing else.
    assert isinstance(caught, TokenException) == (error is TokenException)


JWT = {"jwtToken": "a.b.c", "refreshToken": "a.b.c", "feedToken": "a.b.c"}
SENT_ON = "Please enter the OTP that we sent on XXXXXXX452 and XXXX00@GMAIL.COM"
UUID = "697c39bf-9411-46b0-81c2-67448ee99c72"
SUCCESSES: list[tuple[Call, Any, str, Any]] = [
    (
        LOGIN,
        {"status": "success", "data": {"ugid": UUID, "is_kyc": True, "cid": "1111", "flag": 0}},
        "",
        {"ugid": UUID, "is_kyc": True, "cid": "1111", "flag": 0},
    ),
    (OTP, {"status": "success", "data": {"access_token": "a.b.c"}}, "", {"access_token": "a.b.c"}),
    (LOGOUT, {"status": "success", "data": "Success"}, "", "Success"),
    (FUNDS, {"status": "success", "data": [{"SEG": "A"}]}, "", [{"SEG": "A"}]),
    (
        LOGIN,
        {
            "status": "true",
            "message": SENT_ON,
            "errorcode": "",
            "data": {"jwtToken": UUID, "refreshToken": "", "feedToken": "", "state": "live"},
        },
        SENT_ON,
        {"jwtToken": UUID, "refreshToken": "", "feedToken": "", "state": "live"},
    ),
    (OTP, {"status": "true", "message": SENT_ON, "errorcode": "", "data": JWT}, SENT_ON, JWT),
    (TOTP, {"status": True, "message": "SUCCESS", "errorcode": "", "data": JWT}, "SUCCESS", JWT),
    (
        FUNDS,
        {"status": True, "message": "SUCCESS", "errorcode": "", "data": [{"SEG": "A"}]},
        "",  # a read's is nobody's
        [{"SEG": "A"}],
    ),
    (
        LOGOUT,
        {"status": True, "message": "Success", "errorcode": None, "data": None},
        "Success",
        None,
    ),
]


@pytest.mark.parametrize(("call", "body", "message", "data"), SUCCESSES)
def test_each_documented_success_gives_its_message_and_data(
    call: Call, body: Any, message: str, data: Any
) -> None:
    assert ask(body, call)._replace(status=None) == Envelope(message, data)


class TestStatus:
    @pytest.mark.parametrize("status", [True, "true", "True", "TRUE", "success", "Success"])
    def test_these_are_success(self, status: object) -> None:
        assert ask({"status": status, "data": 1}).data == 1

    @pytest.mark.parametrize(
        "status",
        [
            *(False, "false", "False", "error", "Error", 0, 1, 200, 400, 1.5, None, ""),
            *("ok", "yes", "successful", "untrue", [], ["true"], {}, {"status": "true"}),
        ],
    )
    @pytest.mark.parametrize("call", list(Call))
    def test_everything_else_is_failure(self, call: Call, status: object) -> None:
        assert refused({"status": status, "message": "no", "data": {"jwtToken": "x"}}, call).message

    def test_a_body_without_it_is_no_success(self) -> None:
        for call in Call:
            refused({"message": "SUCCESS", "data": JWT}, call)

    @pytest.mark.parametrize("http", [301, 400, 401, 403, 404, 429, 500, 502, 503])
    def test_a_success_under_a_failing_http_status_is_not_believed(self, http: int) -> None:
        for call in Call:
            refused({"status": "true", "data": JWT}, call, http)

    def test_a_name_that_stands_for_two_values_is_no_answer(self) -> None:
        refused(b'{"status":"false","status":"true","data":1}')
        refused(b'{"status":"true","data":[{"CASH":"1.0","CASH":"2.0"}]}')
        assert ask(b'{"status":"true","status":"true","data":1}').data == 1


class TestShape:
    def test_an_object_in_a_one_element_list_is_taken_out(self) -> None:
        body = [{"status": "true", "message": "m", "data": 1}]
        assert ask(body, LOGIN)._replace(status=None) == Envelope("m", 1)

    def test_data_may_be_null_or_absent(self) -> None:
        assert ask({"status": "success", "data": None}).data is None
        assert ask({"status": "success"}).data is None

    def test_a_byte_order_mark_is_ignored(self) -> None:
        assert ask(b'\xef\xbb\xbf{"status":"true","data":1}').data == 1

    def test_numbers_are_exact_and_never_floats(self) -> None:
        body = b'{"status":true,"data":[1,-2,0.1,1e3,299972678840.29,[{"x":1.0}],1E400]}'
        data = ask(body).data
        assert data == [
            1,
            -2,
            Decimal("0.1"),
            Decimal(1000),
            Decimal("299972678840.29"),
            [{"x": Decimal("1.0")}],
            Decimal("1E400"),
        ]
        assert [type(each) for each in data[:5]] == [int, int, Decimal, Decimal, Decimal]

    def test_a_long_integer_stays_exact(self) -> None:
        assert ask(b'{"status":true,"data":' + b"9" * 4000 + b"}").data == 10**4000 - 1

    @pytest.mark.parametrize(
        "number", [b"9" * 5000, b"1e9999999999999999999", b"-1e-9999999999999999999", b"1E+99999"]
    )
    @pytest.mark.parametrize("where", [b'{"status":true,"data":%s}', b'{"status":%s,"data":1}'])
    def test_a_monstrous_number_raises_no_strange_error(self, where: bytes, number: bytes) -> None:
        for call in Call:
            with contextlib.suppress(BrokerError):
                ask(where % number, call)


PAGE = b"""<html>
<head><title>502 Bad Gateway</title>
<script>var __uzdbm_1 = "18f5227b-e27b-445a-a53f-f845fbe69b40";var __uzdbm_2 = "x==";</script>
<script src="/18f5227b-e27b-445a-a53f-f845fbe69b40/stormcaster.js"></script>
<script class="SSJSConnectorObj">ssConf("c1","https://api.mstock.trade");ssConf("c3","validate.perfdrive.com");</script></head>
<body><center><h1>502 Bad Gateway</h1></center><hr></body></html>
"""
UNREADABLE: dict[str, bytes] = {
    "page": PAGE,
    "empty": b"",
    "blank": b" \r\n\t",
    "true": b"true",
    "success": b'"success"',
    "number": b"1",
    "null": b"null",
    "empty list": b"[]",
    "two elements": b'[{"status":"true"},{"status":"true"}]',
    "list of null": b"[null]",
    "list in list": b'[[{"status":"true"}]]',
    "empty object": b"{}",
    "truncated": b'{"status":"true","data":{"jwtToken":"a.b',
    "two bodies": b'{"status":"true"}{"status":"true"}',
    "NaN": b'{"status":"true","data":NaN}',
    "Infinity": b'{"status":"true","data":[Infinity]}',
    "-Infinity": b'{"status":"true","data":{"x":-Infinity}}',
    "not UTF-8": b'{"status":"true","data":"\xff\xfe"}',
    "UTF-16": '{"status":"true"}'.encode("utf-16"),
    "two marks": b"\xef\xbb\xbf" * 2 + b'{"status":"true"}',
    "nested lists": b'{"status":"true","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nothing but [": b"[" * 100_000,
    "noise": bytes(range(256)),
    "comment": b'{"status":"true"} // ok',
    "single quotes": b"{'status':'true'}",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("http", [200, 400, 401, 500, 502])
class TestUnreadable:
    def test_a_call_that_must_not_be_repeated_has_an_unknown_outcome(
        self, body: bytes, http: int
    ) -> None:
        for call in ONCE:
            caught = refused(body, call, http)
            assert isinstance(caught, OutcomeUnknown)
            assert caught.http_status == http

    def test_a_read_fails_and_is_no_dead_token(self, body: bytes, http: int) -> None:
        caught = refused(body, FUNDS, http)
        assert not isinstance(caught, OutcomeUnknown | TokenException | APIKeyException)
        assert str(http) in caught.message
        assert "<" not in str(caught)
        assert "uzdbm" not in str(caught)


def says_success(body: bytes) -> bool:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except ValueError:
        return False
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return isinstance(value, dict) and str(value.get("status")).lower() in ("true", "success")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
enveloped = st.fixed_dictionaries(
    {"status": st.sampled_from(["true", "false", True, False, "success", "error"]) | anything},
    optional={"message": anything, "errorcode": anything, "error_type": anything}
    | {"data": anything, "errors": anything, "title": anything},
)
bodies = (
    st.binary(max_size=300)
    | anything.map(lambda value: json.dumps(value).encode())
    | enveloped.map(lambda value: json.dumps(value).encode())
    | enveloped.map(lambda value: json.dumps([value]).encode())
)


@given(body=bodies, http=st.integers(100, 599), call=st.sampled_from(Call))
def test_whatever_arrives_is_a_success_that_says_so_or_one_of_our_errors(
    body: bytes, http: int, call: Call
) -> None:
    result: Envelope | BrokerError
    try:
        result = ask(body, call, http)
    except BrokerError as error:
        result = error
    if isinstance(result, Envelope):
        assert says_success(body)
        assert result.message.isprintable()
    else:
        assert str(result).isprintable()
        assert call in READS or not isinstance(result, DataException)
