"""What a script is answered: always JSON, and 200 for "logged in" alone."""

from __future__ import annotations

from typing import Any

import pytest

from broker._kit.errors import (
    BrokerError,
    CertificateError,
    OutcomeUnknown,
    RateLimited,
    SettingError,
    Unreachable,
)
from broker._kit.web import messages
from broker.mstock.errors import APIKeyException, GeneralException, InputException, TokenException
from tests.support.clock import FakeClock
from tests.web.helpers import CALLBACK, OTP, PASSWORD, SENT_TO, TOTP, Browser, FakeMstock

SUCCESS = {"status": "success", "message": "Logged in to mStock.", "redirect": "/funds"}


def test_password_and_totp_log_in(browser: Browser, mstock: FakeMstock) -> None:
    answer = browser.json(password=PASSWORD, totp=TOTP)
    assert (answer.status_code, answer.json) == (200, SUCCESS)
    assert mstock.calls == ["login_with_totp"]


def test_the_hosts_own_page_logs_in(browser: Browser, mstock: FakeMstock) -> None:
    answer = browser.multipart(password=PASSWORD, totp=TOTP)
    assert (answer.status_code, answer.json) == (200, SUCCESS)


def test_the_otp_step_is_not_the_last_and_not_200(browser: Browser, mstock: FakeMstock) -> None:
    answer = browser.json(password=PASSWORD)
    assert answer.status_code == 409
    login_id = answer.json["login_id"]
    assert answer.json == {
        "status": "otp_required",
        "message": SENT_TO,
        "tries_left": 5,
        "login_id": login_id,
    }
    answer = browser.json(otp=OTP, login_id=login_id)
    assert (answer.status_code, answer.json) == (200, SUCCESS)


def test_resend_and_start_again(browser: Browser, mstock: FakeMstock, clock: FakeClock) -> None:
    login_id = browser.json(password=PASSWORD).json["login_id"]
    early = browser.json(action="resend", login_id=login_id)
    assert (early.status_code, early.json["retry_after"]) == (429, 30)
    assert early.headers["Retry-After"] == "30"
    clock.advance(30)
    again = browser.json(action="resend", login_id=login_id)
    assert (again.status_code, again.json["status"]) == (409, "otp_required")
    assert again.json["login_id"] != login_id
    old = browser.json(otp=OTP, login_id=login_id)
    assert (old.status_code, old.json["status"]) == (409, "otp_required")
    assert "newer OTP" in old.json["message"]
    over = browser.json(action="restart")
    assert (over.status_code, over.json["status"]) == (401, "error")


# What is sent, what is answered. The first two messages are the host's own.
BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"totp": TOTP}, "Password is required."),
    ({"password": PASSWORD, "totp": ""}, "TOTP code is required."),
    ({"password": PASSWORD, "totp": "123"}, "The TOTP code must be six digits."),
    ({}, "Password is required."),
    ({"password": PASSWORD, "method": "sms"}, "could not be read"),
    ({"password": PASSWORD, "action": "steal"}, "could not be read"),
    ({"otp": OTP}, "login_id is required."),
    ({"action": "resend"}, "login_id is required."),
]


@pytest.mark.parametrize("way", ["json", "multipart"])
@pytest.mark.parametrize(("fields", "words"), BAD_INPUT)
def test_bad_input_is_400(
    browser: Browser, mstock: FakeMstock, way: str, fields: dict[str, str], words: str
) -> None:
    answer = getattr(browser, way)(**fields)
    assert answer.status_code == 400
    assert answer.json["status"] == "error"
    assert words in answer.json["message"]
    assert mstock.calls == []


@pytest.mark.parametrize("otp", ["", "12345"])
def test_a_misshapen_otp_is_400_and_costs_nothing(
    browser: Browser, mstock: FakeMstock, otp: str
) -> None:
    login_id = browser.json(password=PASSWORD).json["login_id"]
    answer = browser.json(otp=otp, login_id=login_id)
    assert answer.status_code == 400
    assert answer.json["tries_left"] == 5


@pytest.mark.parametrize("body", ["", "[1]", '"text"', "{", '{"password": 5}', "null"])
def test_a_body_that_is_no_object_of_texts_is_400(
    browser: Browser, mstock: FakeMstock, body: str
) -> None:
    headers = {"X-CSRFToken": browser.csrf(), "Content-Type": "application/json"}
    answer = browser.raw(method="POST", data=body, headers=headers)
    assert (answer.status_code, answer.json["status"]) == (400, "error")
    assert mstock.calls == []


FAILURES: list[tuple[BrokerError, int]] = [
    (InputException("Wrong password."), 401),
    (TokenException("Over."), 401),
    (APIKeyException("Refused."), 401),
    (RateLimited("Fewer calls."), 429),
    (GeneralException("Inside."), 503),
    (Unreachable("No answer."), 503),
    (OutcomeUnknown("Unknown."), 502),
    (CertificateError("Not proven."), 502),
    (SettingError("Mend it."), 500),
]


@pytest.mark.parametrize(("error", "status"), FAILURES)
@pytest.mark.parametrize("fields", [{"totp": TOTP}, {}])
def test_every_failure_has_its_status_and_its_words(
    browser: Browser,
    mstock: FakeMstock,
    error: BrokerError,
    status: int,
    fields: dict[str, str],
) -> None:
    mstock.will_fail("login_with_totp" if fields else "send_otp", error)
    answer = browser.json(password=PASSWORD, **fields)
    assert answer.status_code == status
    assert answer.json["status"] == "error"
    assert answer.json["message"] == str(error)


def test_no_failure_is_ever_200() -> None:
    assert all(status >= 400 for _, status in messages.STATUS)


def test_attempts_and_tries_are_numbers_too(browser: Browser, mstock: FakeMstock) -> None:
    mstock.will_fail("send_otp", InputException("Wrong.", attempts_left=4))
    assert browser.json(password="x").json["attempts_left"] == 4
    login_id = browser.json(password=PASSWORD).json["login_id"]
    mstock.will_fail("verify_otp", InputException("Wrong OTP."))
    refused = browser.json(otp="000000", login_id=login_id)
    assert refused.status_code == 401
    assert (refused.json["tries_left"], refused.json["login_id"]) == (4, login_id)


def test_mstocks_own_limit_is_429_with_its_seconds(browser: Browser, mstock: FakeMstock) -> None:
    mstock.will_fail("send_otp", RateLimited("Fewer calls.", retry_after=12))
    answer = browser.json(password=PASSWORD)
    assert (answer.status_code, answer.json["retry_after"]) == (429, 12)
    assert answer.headers["Retry-After"] == "12"


def test_our_limit_is_429_with_seconds_and_a_sentence(browser: Browser, mstock: FakeMstock) -> None:
    for _ in range(5):
        assert browser.json(password=PASSWORD).status_code == 409
    answer = browser.json(password=PASSWORD)
    assert answer.status_code == 429
    assert 0 < answer.json["retry_after"] <= 61
    assert "Try again in" in answer.json["message"]
    assert "IST" in answer.json["message"]
    assert mstock.calls == ["send_otp"] * 5


WAYS: list[dict[str, Any]] = [
    {"headers": {"X-Requested-With": "XMLHttpRequest"}, "data": {"password": "x"}},
    {"headers": {"Accept": "application/json, text/plain, */*"}, "data": {"password": "x"}},
    {"data": {"password": "x"}, "content_type": "multipart/form-data"},
    {"json": {"password": "x"}},
]


@pytest.mark.parametrize("way", WAYS)
def test_a_csrf_failure_is_json_for_every_kind_of_script(
    browser: Browser, mstock: FakeMstock, way: dict[str, Any]
) -> None:
    answer = browser.raw(method="POST", **way)
    assert answer.status_code == 400
    assert answer.json["status"] == "error"
    assert "nothing was sent" in answer.json["message"]
    assert "A GET of this address gives a fresh csrf_token" in answer.json["message"]
    assert mstock.calls == []


@pytest.mark.parametrize("way", WAYS)
def test_an_unexpected_fault_is_json_for_every_kind_of_script(
    browser: Browser, mstock: FakeMstock, way: dict[str, Any]
) -> None:
    mstock.will_fail("send_otp", ZeroDivisionError("inside"))
    headers = {**way.get("headers", {}), "X-CSRFToken": browser.csrf()}
    answer = browser.raw(method="POST", **{**way, "headers": headers})
    assert answer.status_code == 500
    assert answer.json["status"] == "error"
    assert "inside" not in answer.text


def test_a_visit_tells_a_script_where_it_stands(browser: Browser) -> None:
    answer = browser.raw(method="GET", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["status"]) == (401, "error")
    browser.json(password=PASSWORD)
    answer = browser.raw(method="GET", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["status"]) == (409, "otp_required")
    browser.json(otp=OTP, login_id=answer.json["login_id"])
    answer = browser.raw(method="GET", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json) == (200, SUCCESS)


@pytest.mark.parametrize("path", ["/nonsense", "/logout", CALLBACK])
def test_bad_addresses_and_methods_are_json_too(browser: Browser, path: str) -> None:
    answer = browser.raw(path, method="PUT", headers={"Accept": "application/json"})
    assert answer.status_code in (404, 405)
    assert answer.json["status"] == "error"
