"""Nothing that can be seen holds a secret: every path of the doors, with logging at DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from broker.mstock.api import auth_api, funds
from broker.mstock.config import Config
from broker.mstock.secret import Secret
from broker.mstock.session import login
from broker.mstock.session.connection import client_for
from simulator import Simulator
from tests.support.leaks import Leaks

STEPS = ("connect/login", "session/token", "session/verifytotp", "user/fundsummary", "logout")
# Answers that could carry something back, and failures whose library errors hold the request.
FAULTS = ("bad_gateway", "reset", "truncated_body", "garbage", "expired_key", "redirect", "timeout")


@pytest.fixture
def leaks(
    config: Config, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> Iterator[Leaks]:
    leaks = Leaks()
    account = simulator.demo
    for name in ("password", "api_key_a", "api_key_b", "totp_secret"):
        leaks.hide(name, getattr(account, name))
    with caplog.at_level(logging.DEBUG):
        yield leaks


def walk(leaks: Leaks, simulator: Simulator) -> None:
    """Log in both ways, wrongly and rightly, ask for the funds, log out; whatever comes of it."""
    account = simulator.demo
    wrong = leaks.hide("wrong password", "not-the-password-either")
    leaks.show("send_otp", auth_api.send_otp(wrong))
    ticket, message, error = auth_api.send_otp(account.password)
    leaks.show("send_otp", (message, error))
    if ticket:
        leaks.hide("ticket", ticket)
        otp = leaks.hide("OTP", simulator.phone.last_otp(account.client_code))
        bad = leaks.hide("wrong OTP", f"{(int(otp) + 7) % 1_000_000:06}")
        leaks.show("verify_otp", auth_api.verify_otp(bad, ticket))
        token, *rest = auth_api.verify_otp(otp, ticket)
        leaks.show("verify_otp", rest)
        use(leaks, token)
    account.totp_enabled = True
    code = leaks.hide("TOTP code", simulator.totp_now(account.client_code))
    bad = leaks.hide("wrong TOTP code", f"{(int(code) + 7) % 1_000_000:06}")
    leaks.show("totp", auth_api.authenticate_with_totp(account.password, bad))
    token, *rest = auth_api.authenticate_with_totp(account.password, code)
    leaks.show("totp", rest)
    use(leaks, token)
    leaks.show("ambiguous", auth_api.authenticate_broker(code))
    leaks.show("misshapen", auth_api.authenticate_with_totp(account.password, code + "1"))
    account.totp_enabled = False


def use(leaks: Leaks, token: str | None) -> None:
    token = leaks.hide("token", token) if token else leaks.hide("no token", "eyJ.never.issued")
    for ask in (funds.get_margin_data, funds.get_fund_summary, funds.test_auth_token):
        try:
            leaks.show("funds", ask(token))
        except Exception as error:
            leaks.show_error("funds error", error)
    leaks.show("logout", auth_api.logout(token))
    leaks.show("logout again", auth_api.logout(token))


def collect(leaks: Leaks, simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    for record in caplog.records:
        leaks.show("log", record.getMessage())
        leaks.show("log", (record.msg, record.args, record.exc_text, record.exc_info))
    for entry in simulator.journal:
        leaks.show("URL", entry.path)


def test_no_secret_is_shown_when_all_goes_well_or_is_refused(
    leaks: Leaks, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    walk(leaks, simulator)
    collect(leaks, simulator, caplog)
    assert len(caplog.records) >= 15
    assert any("fund summary: 200" in record.getMessage() for record in caplog.records)
    assert leaks.found() == []


@pytest.mark.parametrize("revision", ["older"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_secret_is_shown_when_a_call_fails(
    fault: str,
    leaks: Leaks,
    simulator: Simulator,
    api_type: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MSTOCK_READ_TIMEOUT", "0.2")
    monkeypatch.setenv("MSTOCK_DEADLINE", "0.4")
    for step in STEPS:
        simulator.faults.clear()
        simulator.faults.set(f"{api_type.lower()}/{step}", fault, when="before")
        walk(leaks, simulator)
    collect(leaks, simulator, caplog)
    assert leaks.found() == []


@pytest.mark.parametrize("revision", ["older"], indirect=True)
def test_no_object_prints_a_secret(leaks: Leaks, config: Config, simulator: Simulator) -> None:
    leaks.show("config", config)
    challenge = login.send_otp(config, Secret(simulator.demo.password))
    leaks.hide("ticket", challenge.ticket.reveal())
    leaks.show("challenge", challenge)
    client = client_for(config)
    leaks.show("client", client)
    leaks.show("client", vars(client))
    assert leaks.found() == []


def test_the_search_finds_what_is_there() -> None:
    leaks = Leaks()
    leaks.hide("key", "ab/cd+efgh@@")
    leaks.show("here", "GET /?k=ab%2Fcd%2Befgh%40%40")
    leaks.show("there", {"half": "ab/cd+"})
    leaks.show("nowhere", "abcd")
    assert leaks.found() == ["key 0 in here", "key 0 in there"]
