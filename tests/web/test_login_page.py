"""The login page without script: both steps, what is refused, and what follows a failure."""

from __future__ import annotations

import pytest

from broker._kit.errors import BrokerError, OutcomeUnknown, RateLimited, Unreachable
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.standalone_app import create_app
from broker.mstock.errors import (
    APIKeyException,
    DataException,
    GeneralException,
    InputException,
    MiraeException,
)
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.helpers import OTP, PASSWORD, SENT_TO, TOTP, Browser, FakeMstock

WRONG_OTP = InputException("mStock says that this OTP is wrong.", "Enter the newest.", code="500")


def test_the_page_says_which_mstock_and_whose_account(browser: Browser) -> None:
    page = browser.get()
    assert page.status == 200
    assert page.step == "password"
    assert "SIMULATOR" in page.text
    assert "API Type B" in page.text
    assert "MA••••67" in page.html
    assert "MA1234567" not in page.html
    assert "http://127.0.0.1:8/phone" in page.html


def test_with_mstock_itself_it_says_live_and_shows_no_phone(
    clock: FakeClock, mstock: FakeMstock
) -> None:
    live = Config.from_env(
        {"BROKER_API_KEY": "MA1", "BROKER_API_SECRET": "abcdefgh12", "MSTOCK_API_TYPE": "A"}
    )
    page = Browser(
        create_app(mstock.broker, lambda: live, clock, phone_url="http://127.0.0.1:8/")
    ).get()
    assert "LIVE" in page.text
    assert "API Type A" in page.text
    assert "SIMULATOR" not in page.text
    assert "127.0.0.1:8" not in page.html


def test_password_then_otp_then_funds(browser: Browser, mstock: FakeMstock) -> None:
    page = browser.ask_for_otp()
    assert page.step == "code"
    assert SENT_TO in page.text
    assert "5 attempts left" in page.text
    page = browser.enter(page)
    assert page.response.request.path == "/funds"
    assert mstock.calls == ["send_otp", "verify_otp", "fund_report"]
    assert mstock.given_tickets == mstock.tickets


def test_nothing_stays_behind_after_the_login(browser: Browser, flow: LoginFlow) -> None:
    page = browser.ask_for_otp()
    assert len(flow.pending._logins) == 1
    browser.enter(page)
    assert len(flow.pending._logins) == 0


def test_a_login_by_authenticator_ends_the_one_that_waits_for_an_otp(
    browser: Browser, flow: LoginFlow
) -> None:
    form = browser.get().form("login")
    browser.ask_for_otp()
    browser.post({**form, "method": "totp", "password": PASSWORD, "totp": TOTP})
    assert len(flow.pending._logins) == 0


def test_password_and_authenticator_code_on_one_page(browser: Browser, mstock: FakeMstock) -> None:
    form = browser.get().form("login")
    page = browser.post({**form, "method": "totp", "password": PASSWORD, "totp": "246 802"})
    assert page.response.request.path == "/funds"
    assert mstock.calls == ["login_with_totp", "fund_report"]


def test_a_code_left_in_the_hidden_field_does_not_matter(
    browser: Browser, mstock: FakeMstock
) -> None:
    form = browser.get().form("login")
    browser.post({**form, "method": "otp", "password": PASSWORD, "totp": "12"})
    assert mstock.calls == ["send_otp"]


@pytest.mark.parametrize(
    ("sent_to", "words"),
    [
        ("", "by SMS and e-mail"),
        ("SUCCESS", "does not say that it has sent an OTP"),
        ("OTP to <b>x</b>", "OTP to <b>x</b>"),
    ],
)
def test_where_the_otp_went(browser: Browser, mstock: FakeMstock, sent_to: str, words: str) -> None:
    mstock.sent_to = sent_to
    page = browser.ask_for_otp()
    assert words in page.text
    assert "With TOTP enabled at mStock it sends none" in page.text
    assert "<b>x</b>" not in page.html


@pytest.mark.parametrize(
    ("fields", "words", "bad_field"),
    [
        ({"password": ""}, "Password is required.", "password"),
        ({"password": "   "}, "Password is required.", "password"),
        ({"password": "x" * 257}, "too long", "password"),
        ({"method": "totp", "totp": ""}, "TOTP code is required.", "totp"),
        ({"method": "totp", "totp": "12345"}, "must be six digits", "totp"),
        ({"method": "totp", "totp": "1234567"}, "must be six digits", "totp"),
        ({"method": "totp", "totp": "١٢٣٤٥٦"}, "must be six digits", "totp"),
    ],
)
def test_a_wrong_shape_is_refused_before_anything_is_sent(
    browser: Browser,
    mstock: FakeMstock,
    fields: dict[str, str],
    words: str,
    bad_field: str,
) -> None:
    form = {**browser.get().form("login"), "password": PASSWORD, "totp": TOTP}
    page = browser.post({**form, **fields})
    assert page.status == 400
    assert page.role == "alert"
    assert words in page.alert
    assert page.fields[bad_field]["aria-invalid"] == "true"
    assert "problem" in str(page.fields[bad_field]["aria-describedby"])
    assert "autofocus" in page.fields[bad_field]
    assert mstock.calls == []


def test_a_misshapen_otp_costs_no_try(browser: Browser, mstock: FakeMstock) -> None:
    page = browser.ask_for_otp()
    for entry in ("", "12345", "abcdef", "1234567"):
        page = browser.enter(page, entry)
        assert page.status == 400
        assert page.step == "code"
        assert "5 attempts left" in page.text
    assert mstock.calls == ["send_otp"]
    assert browser.enter(page, " 135 790 ").response.request.path == "/funds"


def test_a_wrong_password_stays_on_the_page_with_the_attempts_left(
    browser: Browser, mstock: FakeMstock
) -> None:
    mstock.will_fail(
        "send_otp", InputException("Wrong password.", "3 attempts are left.", attempts_left=3)
    )
    page = browser.ask_for_otp("wrong-one")
    assert page.status == 401
    assert page.step == "password"
    assert "Wrong password. 3 attempts are left." in page.alert
    assert "grave" not in page.html
    assert "wrong-one" not in page.html
    assert page.html.count("<title>Error: ") == 1


@pytest.mark.parametrize("left", [1, 0])
def test_the_last_attempt_is_warned_of(browser: Browser, mstock: FakeMstock, left: int) -> None:
    mstock.will_fail("send_otp", InputException("Wrong.", "One left.", attempts_left=left))
    assert 'class="alert grave"' in browser.ask_for_otp().html


def test_the_choice_of_step_survives_a_refusal(browser: Browser, mstock: FakeMstock) -> None:
    mstock.will_fail("login_with_totp", InputException("The code is wrong."))
    form = browser.get().form("login")
    page = browser.post({**form, "method": "totp", "password": PASSWORD, "totp": TOTP})
    assert page.form("login")["method"] == "totp"
    assert TOTP not in page.html


def test_a_wrong_otp_keeps_the_step_for_five_tries(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    mstock.will_fail("verify_otp", *[WRONG_OTP] * 5)
    page = browser.ask_for_otp()
    for left in ("4 attempts left", "3 attempts left", "2 attempts left", "Last attempt"):
        clock.advance(16)  # keeps below five a minute
        page = browser.enter(page, "000000")
        assert page.status == 401
        assert page.step == "code"
        assert "this OTP is wrong" in page.alert
        assert left in page.text
    clock.advance(16)
    page = browser.enter(page, "000000")
    assert page.step == "password"
    assert "That was the last of 5 attempts." in page.alert
    assert mstock.calls.count("verify_otp") == 5


@pytest.mark.parametrize(
    ("error", "step", "status", "tries"),
    [
        (WRONG_OTP, "code", 401, 4),
        (MiraeException("mStock refuses. It says: “x”"), "code", 401, 4),
        (GeneralException("Something failed inside mStock."), "code", 503, 4),
        (Unreachable("No connection."), "code", 503, 5),
        (RateLimited("Fewer calls.", retry_after=7), "code", 429, 5),
        (OutcomeUnknown("Whether mStock took it is unknown.", "Start again."), "password", 502, 0),
        (DataException("Not readable."), "password", 502, 0),
        (APIKeyException("The key has expired."), "password", 401, 0),
    ],
)
def test_what_follows_a_failed_second_step(
    browser: Browser, mstock: FakeMstock, error: BrokerError, step: str, status: int, tries: int
) -> None:
    mstock.will_fail("verify_otp", error)
    page = browser.enter(browser.ask_for_otp())
    assert (page.step, page.status) == (step, status)
    assert error.message in page.alert
    if tries:
        assert f"{tries} attempts left" in page.text
        assert browser.enter(page).response.request.path == "/funds"
    else:
        assert browser.get().step == "password"


def test_an_unexpected_fault_is_said_plainly_and_ends_the_login(
    browser: Browser, mstock: FakeMstock, caplog: pytest.LogCaptureFixture
) -> None:
    mstock.will_fail("verify_otp", ZeroDivisionError(f"with {PASSWORD} and {OTP}"))
    page = browser.enter(browser.ask_for_otp())
    assert page.status == 500
    assert "Something went wrong" in page.text
    assert "ZeroDivisionError" not in page.html
    assert "ZeroDivisionError in" in caplog.text
    assert PASSWORD not in caplog.text
    assert browser.get().step == "password"
