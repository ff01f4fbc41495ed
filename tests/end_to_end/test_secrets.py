"""Nothing that can be seen holds a secret: every path of the doors, with logging at DEBUG."""

from __future__ import annotations

import base64
import json
import logging
import re
import traceback
from collections.abc import Iterator

import pytest
import requests

from broker._kit.http.routes import Answer
from broker._kit.secret import Secret
from broker.mstock.api import auth_api, funds
from broker.mstock.client import login
from broker.mstock.client.dialects import client_for
from broker.mstock.client.envelope import read
from broker.mstock.client.routes import user_routes
from broker.mstock.errors import TokenException
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from broker_simulator.mstock.faults import KINDS
from tests.support.leaks import Leaks
from tests.support.stage import morning_demo

STEPS = ("connect/login", "session/token", "session/verifytotp", "user/fundsummary", "logout")


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
    for ask in (funds.get_margin_data, funds.get_fund_summary, funds.check_auth_token):
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
@pytest.mark.parametrize("fault", KINDS)
def test_no_secret_is_shown_when_a_call_fails(
    fault: str,
    leaks: Leaks,
    simulator: Simulator,
    api_type: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("BROKER_READ_TIMEOUT", "0.1")
    monkeypatch.setenv("BROKER_DEADLINE", "0.2")
    for step in STEPS:
        simulator.faults.clear()
        simulator.faults.set(f"{api_type.lower()}/{step}", fault)
        walk(leaks, simulator)
    for session in simulator.sessions:  # some of them in answers that were lost on the way
        leaks.hide("token given out", session.token)
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
    body = f'{{"status": "true", "data": {{"jwtToken": "{challenge.ticket.reveal()}"}}}}'
    answer = Answer(200, body.encode())
    leaks.show("answer", answer)
    leaks.show("envelope", read(answer, user_routes("")["login"]))
    assert leaks.found() == []


@pytest.mark.parametrize("revision", ["older"], indirect=True)
def test_a_collector_of_local_variables_finds_nothing_in_a_door_s_error(
    leaks: Leaks, config: Config, simulator: Simulator
) -> None:
    simulator.faults.set("b/user/fundsummary", "dead_token")
    simulator.faults.set("a/user/fundsummary", "dead_token")
    with pytest.raises(TokenException) as caught:
        funds.get_fund_summary("eyJ.dead.token")
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in told.stack if frame.filename != __file__]
    assert len(frames) == 2  # the door and its guard
    leaks.show("locals", [frame.locals for frame in frames])
    assert leaks.found() == []


class Browser:
    """Opens pages and sends their forms over a real connection, and keeps all that it saw."""

    def __init__(self, leaks: Leaks) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._leaks = leaks
        self._page = ""

    def open(self, url: str) -> str:
        return self._saw(self._http.get(url, timeout=10))

    def submit(self, url: str, action: str, **fields: str) -> str:
        """Send the form of the page last seen whose hidden `action` is this, or that has none."""
        forms = re.findall(r"<form.*?</form>", self._page, re.DOTALL)
        form = next(each for each in forms if f'value="{action}"' in each or not action)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        return self._saw(self._http.post(url, data={**hidden, **fields}, timeout=10))

    def _saw(self, answer: requests.Response) -> str:
        for each in (*answer.history, answer):
            self._leaks.show("URL", each.url)
            self._leaks.show("page", each.text)
            self._leaks.show("header", each.headers)
        for cookie in self._http.cookies:
            self._leaks.show("cookie", cookie.value)
            payload = (cookie.value or "").split(".")[0]
            readable = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            self._leaks.show("cookie, read", readable.decode("utf-8", "replace"))
        self._page = answer.text
        return answer.text


@pytest.mark.parametrize("letter", ["A", "B"])
@pytest.mark.parametrize("way", ["otp", "totp"])
def test_no_secret_is_on_a_page_in_a_cookie_or_in_an_address(
    letter: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    leaks = Leaks()
    with caplog.at_level(logging.DEBUG), morning_demo(letter) as demo:
        account = demo.simulator.demo
        for name in ("password", "api_key_a", "api_key_b", "totp_secret"):
            leaks.hide(name, getattr(account, name))
        account.totp_enabled = way == "totp"
        browser, login_page = Browser(leaks), f"{demo.url}/mstock/callback"
        browser.open(login_page)
        wrong = leaks.hide("wrong password", "not-the-password-either")
        browser.submit(login_page, "login", password=wrong, method="otp")
        if way == "totp":
            code = leaks.hide("TOTP code", demo.simulator.totp_now(account.client_code))
            sent = {"password": account.password, "method": "totp", "totp": code}
            page = browser.submit(login_page, "login", **sent)
        else:
            browser.submit(login_page, "login", password=account.password, method="otp")
            otp = leaks.hide("OTP", demo.simulator.phone.last_otp(account.client_code))
            bad = leaks.hide("wrong OTP", f"{(int(otp) + 7) % 1_000_000:06}")
            browser.submit(login_page, "verify", otp=bad)
            page = browser.submit(login_page, "verify", otp=otp)
        assert "Available to trade now" in page
        leaks.hide("token", demo.simulator.sessions[0].token)
        for entry in demo.simulator.journal:
            if entry.route in ("b/session/token", "b/session/verifytotp"):
                leaks.hide("ticket", json.loads(entry.body)["refreshToken"])
        demo.simulator.faults.set(f"{letter.lower()}/user/fundsummary", "reset", times=3)
        assert "still logged in" in browser.open(f"{demo.url}/funds")
        assert "confirmed the logout" in browser.submit(f"{demo.url}/logout", "")
        collect(leaks, demo.simulator, caplog)
    assert leaks.found() == []


def test_the_search_finds_what_is_there() -> None:
    leaks = Leaks()
    leaks.hide("key", "ab/cd+efgh@@")
    leaks.show("here", "GET /?k=ab%2Fcd%2Befgh%40%40")
    leaks.show("there", {"half": "ab/cd+"})
    leaks.show("nowhere", "abcd")
    assert leaks.found() == ["key 0 in here", "key 0 in there"]
