"""What each call of the two dialects puts on the wire, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from broker._kit.broker import LoginReply
from broker._kit.clock import IST
from broker._kit.errors import BrokerError, LogInAgain, OutcomeUnknown
from broker._kit.http.transport import Transport
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts
from broker.mstock.client.dialects import Client, TypeA, TypeB
from broker.mstock.client.routes import SERVER
from broker.mstock.errors import DataException, InputException
from tests.support.mstock_server import MstockServer

A, B = "/openapi/typea", "/openapi/typeb"
KEY = "ay3KqW7b/Zt9+XvB1MAKg@@"
CODE = "MA12345"
PASSWORD = Secret("p&ss=w ö+rd%")
DIGITS = Secret("012345")
UUID = "697c39bf-9411-46b0-81c2-67448ee99c72"
TICKET = Secret(UUID)
TOKEN = Secret("eyJhbGci.eyJVU0VS-_.c2lnbmF0dXJl")
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
SIGNED_A = {"Authorization": f"token {KEY}:{TOKEN.reveal()}"}
SIGNED_B = {"Authorization": f"Bearer {TOKEN.reveal()}", "X-PrivateKey": KEY}


@pytest.fixture
def wire() -> Iterator[MstockServer]:
    with MstockServer() as server:
        yield server


def client(wire: MstockServer, kind: str, checksum: str = "L") -> Client:
    transport = Transport(SERVER, wire.url, Timeouts())
    key = Secret(KEY)
    return TypeA(transport, key, checksum) if kind == "A" else TypeB(transport, key)


@dataclass(frozen=True)
class OnTheWire:
    """One call as the documents have it; headers not named here must be absent."""

    kind: str
    make: Callable[[Client], Any]
    method: str
    url: str
    headers: dict[str, str]
    body: dict[str, str] | None
    answer: dict[str, Any]


def login(speaker: Client) -> Any:
    return speaker.login(CODE, PASSWORD)


def session_token(speaker: Client) -> Any:
    return speaker.session_token(TICKET, DIGITS)


def verify_totp(speaker: Client) -> Any:
    return speaker.verify_totp(TICKET, DIGITS)


def fund_summary(speaker: Client) -> Any:
    return speaker.fund_summary(TOKEN)


def logout(speaker: Client) -> Any:
    return speaker.logout(TOKEN)


OTP_WRONG = "The entered OTP is incorrect. Please proceed to login page. (-MACM60)"
SENT_ON = "Please enter the OTP that we sent on XXXXXXX452 and XXXX00@GMAIL.COM"
STATE = {"jwtToken": UUID, "refreshToken": "", "feedToken": "", "state": "live"}
JWTS = {"jwtToken": TOKEN.reveal(), "refreshToken": "r.r.r", "feedToken": "f.f.f"}
USER_A = {"user_name": "SATYA", "access_token": TOKEN.reveal(), "enctoken": "e.e.e"}
OK_B = {"status": True, "message": "SUCCESS", "errorcode": ""}
CALLS = {
    "A login": OnTheWire(
        *("A", login, "POST", f"{A}/connect/login", {"Content-Type": FORM}),
        {"username": CODE, "password": PASSWORD.reveal()},
        {"status": "success", "data": {"ugid": UUID, "is_kyc": "true", "cid": "SATYA", "flag": 0}},
    ),
    "A session/token": OnTheWire(
        *("A", session_token, "POST", f"{A}/session/token", {"Content-Type": FORM}),
        {"api_key": KEY, "request_token": "012345", "checksum": "L"},
        {"status": "success", "data": USER_A},
    ),
    "A verifytotp": OnTheWire(
        *("A", verify_totp, "POST", f"{A}/session/verifytotp", {"Content-Type": FORM}),
        {"api_key": KEY, "totp": "012345"},
        {"status": "success", "data": USER_A},
    ),
    "A funds": OnTheWire(
        *("A", fund_summary, "GET", f"{A}/user/fundsummary", SIGNED_A, None),
        {"status": "success", "data": [{"SEG": "A", "COLLATERALS": None}]},
    ),
    "A logout": OnTheWire(
        *("A", logout, "GET", f"{A}/logout", SIGNED_A, None),
        {"status": "success", "data": "Success"},
    ),
    "B login": OnTheWire(
        *("B", login, "POST", f"{B}/connect/login", {"Content-Type": JSON}),
        {"clientcode": CODE, "password": PASSWORD.reveal(), "totp": "", "state": ""},
        {"status": "true", "message": SENT_ON, "errorcode": "", "data": STATE},
    ),
    "B session/token": OnTheWire(
        *("B", session_token, "POST", f"{B}/session/token"),
        {"Content-Type": JSON, "X-PrivateKey": KEY},
        {"refreshToken": UUID, "otp": "012345"},
        {"status": "true", "message": SENT_ON, "errorcode": "", "data": JWTS},
    ),
    "B verifytotp": OnTheWire(
        *("B", verify_totp, "POST", f"{B}/session/verifytotp"),
        {"Content-Type": JSON, "X-PrivateKey": KEY},
        {"refreshToken": UUID, "totp": "012345"},
        {**OK_B, "data": {"ClientName": "…", "ClientId": "…", **JWTS}},
    ),
    "B funds": OnTheWire(
        *("B", fund_summary, "GET", f"{B}/user/fundsummary", SIGNED_B, None),
        {**OK_B, "data": [{"SEG": "A", "COLLATERALS": None}]},
    ),
    "B logout": OnTheWire(
        *("B", logout, "GET", f"{B}/logout", SIGNED_B, None),
        {"status": True, "message": "Success", "errorcode": None, "data": None},
    ),
}
ONCE = {name: call for name, call in CALLS.items() if not name.endswith("funds")}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
each_sent_once = pytest.mark.parametrize("call", ONCE.values(), ids=ONCE)


@every_call
class TestRequest:
    def sent(self, wire: MstockServer, call: OnTheWire) -> Any:
        wire.answer(call.method, call.url, call.answer)
        call.make(client(wire, call.kind))
        assert len(wire.calls) == 1
        return wire.last_call

    def test_goes_to_its_place_by_its_method(self, wire: MstockServer, call: OnTheWire) -> None:
        request = self.sent(wire, call)
        assert (request.method, request.path) == (call.method, call.url)

    def test_has_its_headers_and_none_of_another_call(
        self, wire: MstockServer, call: OnTheWire
    ) -> None:
        headers = self.sent(wire, call).headers
        assert headers["X-Mirae-Version"] == "1"
        for name in ("Authorization", "X-PrivateKey", "X-Private-Key", "Content-Type", "Cookie"):
            assert headers.get(name) == call.headers.get(name)
        assert not any("python" in value.lower() for value in headers.values())

    def test_has_its_body_and_nothing_else_in_it(self, wire: MstockServer, call: OnTheWire) -> None:
        request = self.sent(wire, call)
        if call.body is None:
            assert request.body == ""
        elif call.headers["Content-Type"] == JSON:
            assert json.loads(request.body) == call.body
        else:
            pairs = parse_qsl(request.body, keep_blank_values=True, strict_parsing=True)
            assert len(pairs) == len(call.body)
            assert dict(pairs) == call.body

    def test_leaves_nothing_for_the_next_one(self, wire: MstockServer, call: OnTheWire) -> None:
        speaker = client(wire, call.kind)
        for each in CALLS.values():
            wire.answer(each.method, each.url, each.answer, Set_Cookie="a=b")
        for each in (call, CALLS[f"{call.kind} login"]):
            each.make(speaker)
        for name in ("Authorization", "X-PrivateKey", "Cookie"):
            assert name not in wire.last_call.headers


DATE = "Mon, 23 Nov 2026 03:05:07 GMT"
AT = datetime(2026, 11, 23, 8, 35, 7, tzinfo=IST)


class TestServersClock:
    """The Date header, by which mStock judges an authenticator code."""

    @pytest.mark.parametrize(
        ("date", "at"), [(DATE, AT), ("", None), ("yesterday", None), ("Mon, 99 Foo", None)]
    )
    @pytest.mark.parametrize("name", ["A login", "B login"])
    def test_comes_with_the_reply_to_a_login(
        self, wire: MstockServer, name: str, date: str, at: datetime | None
    ) -> None:
        call = CALLS[name]
        wire.answer(call.method, call.url, call.answer, Date=date)
        assert call.make(client(wire, call.kind)).server_time == at

    @pytest.mark.parametrize("status", [200, 404, 500])
    @pytest.mark.parametrize("kind", ["A", "B"])
    def test_is_told_by_any_answer_to_a_greeting_that_shows_nothing(
        self, wire: MstockServer, kind: str, status: int
    ) -> None:
        wire.answer("GET", "/", "<html>", status, Date=DATE)
        assert client(wire, kind).server_time() == AT
        assert wire.last_call.body == ""
        for name in ("Authorization", "X-PrivateKey", "Cookie"):
            assert name not in wire.last_call.headers


class TestAnswers:
    def answer(self, wire: MstockServer, name: str, **data: Any) -> Any:
        call = CALLS[name]
        body = call.answer | ({"data": data} if data else {})
        wire.answer(call.method, call.url, body)
        return call.make(client(wire, call.kind))

    def test_of_a_login_by_type_a_say_nothing(self, wire: MstockServer) -> None:
        assert self.answer(wire, "A login") == LoginReply(Secret(""), "")

    @pytest.mark.parametrize(
        ("refresh", "jwt"), [("", UUID), (UUID, ""), (UUID, "another"), (None, UUID)]
    )
    def test_of_a_login_by_type_b_hold_the_ticket_in_one_of_two_places(
        self, wire: MstockServer, refresh: str | None, jwt: str
    ) -> None:
        reply = self.answer(wire, "B login", refreshToken=refresh, jwtToken=jwt)
        assert reply == LoginReply(Secret(UUID), SENT_ON)

    @pytest.mark.parametrize(
        "name", ["A session/token", "A verifytotp", "B session/token", "B verifytotp"]
    )
    def test_of_a_second_step_hold_the_bare_token(self, wire: MstockServer, name: str) -> None:
        assert self.answer(wire, name) == TOKEN

    @pytest.mark.parametrize(
        "name", ["A session/token", "A verifytotp", "B session/token", "B verifytotp", "B login"]
    )
    @pytest.mark.parametrize("token", [None, "", " ", 5, True, [], {}, ["a.b.c"]])
    def test_without_a_token_are_of_no_use(
        self, wire: MstockServer, name: str, token: object
    ) -> None:
        fields = ("access_token", "jwtToken", "refreshToken")
        with pytest.raises(DataException, match=r"(?i)token"):
            self.answer(wire, name, **dict.fromkeys(fields, token))

    @pytest.mark.parametrize("name", ["A verifytotp", "B verifytotp"])
    @pytest.mark.parametrize("token", ["a b.c", "a\r\nX: y", "a.b.é", "key:a.b.c", "x" * 100_000])
    def test_with_a_token_that_cannot_be_sent_are_of_no_use(
        self, wire: MstockServer, name: str, token: str
    ) -> None:
        with pytest.raises(BrokerError) as caught:
            self.answer(wire, name, access_token=token, jwtToken=token)
        assert token not in str(caught.value)

    @pytest.mark.parametrize("name", ["A verifytotp", "B login", "B verifytotp"])
    def test_without_data_are_of_no_use(self, wire: MstockServer, name: str) -> None:
        call = CALLS[name]
        for data in (None, [], "", "Success", 5, [{}, {}]):
            wire.answer(call.method, call.url, call.answer | {"data": data})
            with pytest.raises(DataException):
                call.make(client(wire, call.kind))

    @pytest.mark.parametrize("name", ["A funds", "B funds"])
    def test_of_funds_are_handed_on_as_they_are(self, wire: MstockServer, name: str) -> None:
        assert self.answer(wire, name) == [{"SEG": "A", "COLLATERALS": None}]
        call = CALLS[name]
        wire.answer("GET", call.url, '{"status":true,"data":[{"LIMIT_SOD":0.1}]}')
        assert call.make(client(wire, call.kind)) == [{"LIMIT_SOD": Decimal("0.1")}]

    @pytest.mark.parametrize("name", ["A logout", "B logout"])
    def test_of_a_logout_give_nothing(self, wire: MstockServer, name: str) -> None:
        assert self.answer(wire, name) is None

    @every_call
    @pytest.mark.parametrize("kind", ["text/html", "text/plain", "", "application/octet-stream"])
    def test_are_told_by_the_body_and_not_by_the_content_type(
        self, wire: MstockServer, call: OnTheWire, kind: str
    ) -> None:
        text = json.dumps(call.answer)
        wire.answer(call.method, call.url, text, content_type=kind)
        call.make(client(wire, call.kind))

    @every_call
    @pytest.mark.parametrize("http", [200, 400, 500])
    def test_that_echo_what_was_sent_are_masked(
        self, wire: MstockServer, call: OnTheWire, http: int
    ) -> None:
        sent = " ".join([*call.headers.values(), *(call.body or {}).values()])
        secrets = [*(each.reveal() for each in (PASSWORD, DIGITS, TICKET, TOKEN)), KEY]
        secrets = [secret for secret in secrets if secret in sent]
        body = {"status": "false", "message": " | ".join(secrets), "errorcode": "MA500"}
        wire.answer(call.method, call.url, body, http)
        with pytest.raises(BrokerError) as caught:
            call.make(client(wire, call.kind))
        assert secrets
        assert not any(secret in str(caught.value) for secret in secrets)


class TestOnce:
    @each_sent_once
    @pytest.mark.parametrize(
        ("http", "text"),
        [
            (200, ""),
            (502, "<html><h1>502 Bad Gateway</h1></html>"),
            (503, ""),
            (500, "{"),
            (302, ""),
        ],
    )
    def test_a_call_without_a_clear_answer_is_sent_once_and_its_outcome_unknown(
        self, wire: MstockServer, call: OnTheWire, http: int, text: str
    ) -> None:
        wire.answer(call.method, call.url, text, http, Location=f"{wire.url}/elsewhere")
        with pytest.raises(OutcomeUnknown):
            call.make(client(wire, call.kind))
        assert len(wire.calls) == 1

    @pytest.mark.parametrize("letter", ["L", "W"])
    @pytest.mark.parametrize(
        "answer",
        [
            (200, {"status": "success", "data": USER_A}),
            (200, {"status": "error", "message": "bad checksum", "error_type": "InputException"}),
            (400, {"status": "error", "message": "bad checksum", "error_type": "InputException"}),
            (
                200,
                {"status": "error", "message": OTP_WRONG, "error_type": "MiraeException"},
            ),
            (500, {"status": "error", "message": "Entered OTP has been expired. Please …"}),
        ],
    )
    def test_the_checksum_is_the_letter_that_was_set_and_no_second_one_is_tried(
        self, wire: MstockServer, letter: str, answer: tuple[int, dict[str, Any]]
    ) -> None:
        call = CALLS["A session/token"]
        http, body = answer
        wire.answer(call.method, call.url, body, http)
        try:
            call.make(client(wire, "A", letter))
        except BrokerError as error:
            refused = error
        else:
            refused = None
        assert isinstance(refused, InputException) == (body["status"] == "error")
        assert len(wire.calls) == 1
        assert dict(parse_qsl(wire.last_call.body))["checksum"] == letter


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("name", ["fund_summary", "logout"])
@pytest.mark.parametrize(
    "token",
    [
        *("", " ", "a b", "a.b.c ", "a\nb", "a\r\nX-Evil: 1", "a\x00b"),
        *("tokén", "टोकन", "\ud800", "key:a.b.c", "x" * 9999),
    ],
)
def test_a_token_that_cannot_be_sent_is_refused_before_anything_is(
    wire: MstockServer, kind: str, name: str, token: str
) -> None:
    with pytest.raises(LogInAgain) as caught:
        getattr(client(wire, kind), name)(Secret(token))
    assert len(wire.calls) == 0
    assert not token.strip() or token not in str(caught.value)
