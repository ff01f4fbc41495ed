"""The doors, opened as the host opens them: plain values in, tuples or two-decimal strings out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker._kit.errors import BrokerError
from broker._kit.http.transport import Transport
from broker.mstock.api import auth_api, funds
from tests.support.raw_server import RawServer, reply
from tests.unit.doors import (
    KEY,
    KEY_TEXT,
    LOGIN,
    OTP,
    PAGE,
    PASSWORD,
    ROOT,
    SENT_ON,
    STRANGE,
    SUCCESS,
    TOKEN,
    TOTP,
    UUID,
    Box,
    assert_failed,
    assert_fit_to_show,
    local_ticket,
)
from tests.unit.envelopes import type_a, type_b


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

    def test_a_code_that_could_not_be_sent_is_told_after_the_password_was_taken(
        self, box: Box
    ) -> None:
        box.server.go_down_after(f"{ROOT[box.kind]}/{LOGIN}")
        message = assert_failed(auth_api.authenticate_with_totp(PASSWORD, "012345"))
        assert "mStock took the password" in message
        assert "Nothing was sent" not in message
        assert box.calls == [LOGIN]


EXPIRED = "Entered OTP has been expired. Please regenerate a new one & enter the same."
# Path, HTTP status, body, words that the user must see; both revisions.
REFUSALS: list[tuple[str, int, object, str]] = [
    (LOGIN, 500, type_a("Invalid username or password (MACM1)"), "password"),
    (LOGIN, 200, type_a("Invalid username or password (YYYY)", "MiraeException"), "password"),
    (
        LOGIN,
        500,
        type_b("Invalid username or password. 9 attempts remaining ", "500"),
        "9 attempts",
    ),
    (
        LOGIN,
        200,
        type_b("Invalid username or password. 1 attempts remaining ", "MA500"),
        "unlock a locked account",
    ),
    (LOGIN, 400, type_a("Please provide valid api version."), "version"),
    (OTP, 500, type_b(EXPIRED, "500"), "OTP"),
    (OTP, 200, type_b(EXPIRED, "MA500"), "OTP"),
    (
        OTP,
        200,
        type_a(
            "The entered OTP is incorrect. Please proceed to login page. (-MACM60)",
            "MiraeException",
        ),
        "OTP",
    ),
    (OTP, 400, type_a(KEY_TEXT), "API key"),
    (OTP, 403, type_a(KEY_TEXT, "APIKeyException"), "API key"),
    (TOTP, 400, type_a("Please enter correct TOTP", "MiraeException"), "authenticator"),
    (TOTP, 400, type_a("Please enter correct TOTP", "MA400"), "authenticator"),
    (TOTP, 403, type_a(KEY_TEXT), "API key"),
    *(
        (path, http, body, words)
        for path in (LOGIN, OTP, TOTP)
        for http, body, words in [
            (403, type_b("Primary and Secondary IP Address are not matching", "IA403"), "address"),
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
    (LOGIN, 500, type_b(f"{KEY} {PASSWORD} <b>bold</b>", "MA500"), "bold"),
    (OTP, 500, type_b(f"{KEY} 012345 <b>bold</b>", "MA500"), "bold"),
    (TOTP, 500, type_b(f"{KEY} 012345 <b>bold</b>", "MA500"), "bold"),
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
    box.answers(LOGIN, 200, type_b("Get help at https://evil.example/reset?x=1 today", "MA500"))
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
        done, words = funds.check_auth_token(TOKEN)
        assert done is False
        assert_fit_to_show(words)

    def test_funds(self) -> None:
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(BrokerError) as caught:
                read(TOKEN)
            assert_fit_to_show(str(caught.value))


NOT_CODES = [
    *("", " ", "12345", "1234567", "12345a", "abcdef", "12 456", "123 456", "１２３４５６"),
    *("१२३४५६", "-12345", "+12345", "12345.", "0x1234", "123456\n7", "٠١٢٣٤٥"),
]


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
    {"BROKER_DEADLINE": "soon"},
    {"REQUESTS_CA_BUNDLE": "/no/such/file.pem"},
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
class TestBrokenSettings:
    @pytest.fixture
    def told(self, box: Box, settings: pytest.MonkeyPatch, broken: dict[str, str | None]) -> Box:
        for name, value in broken.items():
            if name == "REQUESTS_CA_BUNDLE":  # counts for mStock itself only
                settings.delenv("MSTOCK_REST_URL")
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
        for done, words in (auth_api.logout(TOKEN), funds.check_auth_token(TOKEN)):
            assert done is False
            assert name in assert_fit_to_show(words)
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(BrokerError) as caught:
                read(TOKEN)
            assert name in assert_fit_to_show(str(caught.value))
        assert told.calls == []

    def test_are_told_without_an_address_in_the_words(self, told: Box) -> None:
        assert "://" not in assert_failed(auth_api.authenticate_with_totp(PASSWORD, "012345"))
