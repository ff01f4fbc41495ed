"""No secret in any log record, page, header, cookie, address or repr, on good ways and bad."""

from __future__ import annotations

import itertools
import logging
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from zlib import decompress

import pytest
from flask import Flask

from broker._kit.broker import LoginReply
from broker._kit.secret import Secret
from broker._kit.web import login_flow as flow_module
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_limits import LoginLimits
from broker._kit.web.pending_logins import PendingLogins
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support.clock import FakeClock
from tests.support.stage import morning_box
from tests.web.helpers import CALLBACK, Browser


@pytest.fixture
def box() -> Iterator[Simulator]:
    with morning_box() as simulator:
        yield simulator


class Ears:
    """Hears every secret that passes through the broker's login calls."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        names = ("send_otp", "verify_otp", "log_in_with_totp", "log_out")
        heard: Any = {name: self._listening(getattr(MSTOCK, name)) for name in names}
        self.broker = replace(MSTOCK, **heard)

    def _listening(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(config: Config, *given: Secret) -> object:
            self.heard |= {each.reveal() for each in given}
            result = function(config, *given)
            if isinstance(result, LoginReply):
                self.heard.add(result.ticket.reveal())
            if isinstance(result, Secret):
                self.heard.add(result.reveal())
            return result

        return call


def unpacked(cookie: str) -> str:
    """What a reader of Flask's session cookie sees: it is signed, not encrypted."""
    body = cookie.split("=", 1)[1].split(";")[0]
    if not body:
        return ""
    packed = body.startswith(".")
    raw = urlsafe_b64decode(body.lstrip(".").split(".")[0] + "===")
    return (decompress(raw) if packed else raw).decode()


def walk(browser: Browser, box: Simulator, clock: FakeClock) -> None:
    """Every way through the pages that a secret takes part in, the wrong ones too."""
    account = box.demo

    def newest_otp() -> str:
        return box.phone.last_otp(account.client_code) or ""

    browser.ask_for_otp("Wrong-Password-7")
    page = browser.ask_for_otp(account.password)
    page = browser.enter(page, "987123")
    clock.advance(61)
    page = browser.post(page.form("resend"))
    browser.post({**page.form("verify"), "csrf_token": "x", "otp": newest_otp()})
    browser.post(browser.get().form("restart"))
    for kind in ("bad_gateway", "garbage", "reset"):
        box.faults.set("b/session/token", kind, times=1)
        page = browser.enter(browser.ask_for_otp(account.password), newest_otp())
        clock.advance(61)
    page = browser.enter(browser.ask_for_otp(account.password), newest_otp())
    assert page.heading == "Funds"
    box.faults.set("b/user/fundsummary", "bad_gateway", times=3)
    browser.get("/funds")
    page = browser.get("/funds")
    browser.post(page.forms[0], "/logout")
    clock.advance(61)
    account.totp_enabled = True
    form = {**browser.get().form("login"), "method": "totp", "password": account.password}
    page = browser.post({**form, "totp": "456123"})
    code = box.totp_now(account.client_code)
    page = browser.post({**form, "form": "fresh", "totp": code})
    assert page.heading == "Funds"
    box.faults.set("b/logout", "bad_gateway")
    browser.post(page.forms[0], "/logout")
    clock.advance(61)
    browser.multipart(password=account.password, totp="654321")
    browser.json(password=account.password)
    browser.raw(f"{CALLBACK}?password=Typed-Into-Address", method="GET")


def test_no_secret_leaves(
    box: Simulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    ears = Ears()
    config = Config.from_env(settings_for(box))
    flow = LoginFlow(
        ears.broker,
        clock,
        pending=PendingLogins(clock, later=lambda seconds, job: None),
        limits=LoginLimits(clock, "50 per minute"),
    )
    browser = Browser(create_app(ears.broker, lambda: config, clock, flow=flow))
    walk(browser, box, clock)

    secret = {each for each in ears.heard if each} | {
        config.api_key.reveal(),
        box.demo.totp_secret,
        "Wrong-Password-7",
    }
    assert len(secret) > 12  # passwords, OTPs, tickets, tokens: the walk has met them all

    shown: list[tuple[str, str]] = []
    for response in browser.seen:
        where = f"{response.request.method} {response.request.path}"
        shown.append((f"page {where}", response.text))
        shown.append((f"address of {where}", response.request.url))
        for name, value in response.headers.items():
            shown.append((f"{name} of {where}", value))
            if name == "Set-Cookie":
                shown.append((f"inside of the cookie of {where}", unpacked(value)))
    for record in caplog.records:
        shown.append((f"log {record.name}", f"{record.getMessage()} {record.exc_text}"))
        shown.append((f"log {record.name}", repr(record.args)))
    out = capfd.readouterr()
    shown += [("output", out.out + out.err), ("repr", repr(vars(flow.pending)))]
    leaks = [
        where
        for (where, text), each in itertools.product(shown, secret)
        if each in text and "Typed-Into-Address" not in text
    ]
    assert leaks == []


def test_a_password_is_never_put_back_into_a_page(app: Flask) -> None:
    browser = Browser(app)
    for password in ("Visible-1", "Visible-2"):
        form = {**browser.get().form("login"), "method": "totp", "totp": "1"}
        assert password not in browser.post({**form, "password": password}).html


def test_what_the_flow_holds_does_not_print_it() -> None:
    entry = flow_module.Entry("login", password=Secret("pw-in-repr"), totp=Secret("123123"))
    assert "pw-in-repr" not in repr(entry)
    assert "123123" not in repr(entry)
