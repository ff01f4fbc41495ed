"""A browser without a window for Flask's test client, and an mStock made of five functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from broker._kit.broker import Broker, FundReport, LoginReply, LogoutResult
from broker._kit.errors import BrokerError, SessionExpired
from broker._kit.secret import Secret
from broker._kit.web.login_limits import SingleSubmit
from broker.mstock.broker import MSTOCK
from broker.mstock.mapping.fund_report import fund_report
from broker.mstock.mapping.funds import FundSummary
from broker.mstock.settings import Config

CALLBACK = "/mstock/callback"
AUTO_LOGIN = "/mstock/auto-login"
PASSWORD = "Correct-Horse-9"
OTP = "135790"
TOTP = "246802"
API_KEY = "SIMULATOR/typeB+test/9876@@"
SENT_TO = "Please enter the OTP that we sent on XXXXXXX452 and XXXX00@GMAIL.COM"


def settings(**more: str) -> dict[str, str]:
    """A `.env` for a loopback mStock that nobody serves."""
    return {
        "BROKER_API_KEY": "MA1234567",
        "BROKER_API_SECRET": API_KEY,
        "MSTOCK_REST_URL": "http://127.0.0.1:9",
        **more,
    }


@dataclass
class FakeMstock:
    """Stands in for the functions below the pages; notes what reaches it and fails when told to."""

    calls: list[str] = field(default_factory=list)
    fail: dict[str, list[BaseException]] = field(default_factory=dict)
    sent_to: str = SENT_TO
    summary: FundSummary | None = None
    otp: str = OTP
    farewell: LogoutResult = field(
        default_factory=lambda: LogoutResult(True, "mStock has confirmed.")
    )
    before: Callable[[str], None] = lambda name: None
    tickets: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    given_tickets: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send_otp(self, config: Config, password: Secret) -> LoginReply:
        self._called("send_otp")
        with self.lock:
            self.tickets.append(f"ticket-{len(self.tickets) + 1}-4c39bf94")
            return LoginReply(Secret(self.tickets[-1]), self.sent_to)

    def verify_otp(self, config: Config, otp: Secret, ticket: Secret) -> Secret:
        self.given_tickets.append(ticket.reveal())
        self._called("verify_otp")
        return self._token()

    def login_with_totp(self, config: Config, password: Secret, code: Secret) -> Secret:
        self._called("login_with_totp")
        return self._token()

    def check_session(self, config: Config, token: Secret) -> None:
        raise SessionExpired("The mStock session is over.", "Log in.")

    def logout(self, config: Config, token: Secret) -> LogoutResult:
        self._called("logout")
        return self.farewell

    def fund_report(self, config: Config, token: Secret) -> FundReport:
        self._called("fund_report")
        return fund_report(self.summary or fund_summary(), config.funds_view)

    @property
    def broker(self) -> Broker:
        """mStock, but for what reaches the wire."""
        return replace(
            MSTOCK,
            send_otp=self.send_otp,
            verify_otp=self.verify_otp,
            log_in_with_totp=self.login_with_totp,
            fund_report=self.fund_report,
            check_session=self.check_session,
            log_out=self.logout,
            after_login=lambda: None,
        )

    def _called(self, name: str) -> None:
        with self.lock:
            self.calls.append(name)
            queue = self.fail.get(name)
            error = queue.pop(0) if queue else None
        self.before(name)
        if error is not None:
            raise error

    def _token(self) -> Secret:
        with self.lock:
            self.tokens.append(f"eyJ.token-{len(self.tokens) + 1}.c2lnbmF0dXJl")
            return Secret(self.tokens[-1])

    def will_fail(self, name: str, *errors: BrokerError | Exception) -> None:
        self.fail.setdefault(name, []).extend(errors)


def fund_summary(**changed: Any) -> FundSummary:
    """A retail trader's morning; the figures differ, so that no two can be mistaken."""
    figures = {
        name: Decimal(f"{100 + n}.{n:02d}")
        for n, name in enumerate(FundSummary.__dataclass_fields__)
    }
    known: dict[str, Any] = {
        "limit_type": "CAPITAL",
        "seg": "A",
        "available_balance": Decimal("364340.85"),
        "amount_utilized": Decimal("96310.40"),
        "collaterals": Decimal("148200.50"),
        "realised_profits": Decimal("1840.5"),
        "mtm_combined": Decimal("-2315.25"),
    }
    return FundSummary(**{**figures, **known, **changed})


def until_waiting(once: SingleSubmit[Any], others: int) -> None:
    """Return when that many repeats of a form wait for the one that is under way."""
    for _ in range(1000):
        futures = list(once._running.values())
        if sum(len(each._condition._waiters) for each in futures) >= others:
            return
        time.sleep(0.005)
    raise AssertionError("nobody waits")


class Page(HTMLParser):
    """What a test wants to know of a page: its words, its forms, its alerts, its fields."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.response = response
        self.status = response.status_code
        self.html = response.text
        self.words: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.fields: dict[str, dict[str, str | None]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.alerts: list[str] = []
        self._alert_depth = 0
        self.feed(self.html)
        self.text = " ".join(" ".join(self.words).split())
        self.alert = " ".join(" ".join(self.alerts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "form":
            self.forms.append({})
        if tag == "input" and given.get("name"):
            name = str(given["name"])
            self.fields[name] = given
            if given.get("type") == "hidden" or "checked" in given:
                self.forms[-1][name] = given.get("value") or ""
        if tag == "div" and (given.get("role") in ("alert", "status") or self._alert_depth):
            self._alert_depth += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._alert_depth:
            self._alert_depth -= 1

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._alert_depth:
            self.alerts.append(data)

    @property
    def role(self) -> str:
        """How the message on the page is announced."""
        roles = [str(each["role"]) for tag, each in self.tags if tag == "div" and "role" in each]
        return roles[0] if roles else ""

    def form(self, action: str) -> dict[str, str]:
        """The hidden fields and checked choices of the form for an action of the login page."""
        return next(form for form in self.forms if form.get("action") == action)

    @property
    def step(self) -> str:
        """Which step of the login the page shows."""
        return {"Log in to mStock": "password", "Enter the OTP": "code"}.get(self.heading, "")

    @property
    def heading(self) -> str:
        start = self.html.index("<h1>") + 4
        return self.html[start : self.html.index("<", start)].strip()


class Browser:
    """One browser session: keeps cookies, follows the redirect after a form, posts real forms."""

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        self.client: FlaskClient = app.test_client()
        self.address = address
        self.seen: list[TestResponse] = []

    def get(self, path: str = CALLBACK, **options: Any) -> Page:
        return Page(self._open(path, method="GET", follow_redirects=True, **options))

    def post(self, data: dict[str, str], path: str = CALLBACK, **options: Any) -> Page:
        return Page(self._open(path, method="POST", data=data, follow_redirects=True, **options))

    def raw(self, path: str = CALLBACK, **options: Any) -> TestResponse:
        """One request, redirects not followed."""
        return self._open(path, **options)

    def ask_for_otp(self, password: str = PASSWORD, page: Page | None = None) -> Page:
        form = (page or self.get()).form("login")
        return self.post({**form, "method": "otp", "password": password, "totp": ""})

    def enter(self, page: Page, otp: str = OTP) -> Page:
        return self.post({**page.form("verify"), "otp": otp})

    def log_in(self) -> Page:
        return self.enter(self.ask_for_otp())

    def csrf(self) -> str:
        answer = self.raw(method="GET", headers={"Accept": "application/json"})
        return str(answer.json["csrf_token"])

    def json(self, **fields: str) -> TestResponse:
        """A script's POST with a JSON body."""
        headers = {"X-CSRFToken": self.csrf()}
        return self._open(CALLBACK, method="POST", json=fields, headers=headers)

    def multipart(self, **fields: str) -> TestResponse:
        """A POST as OpenAlgo's own page makes it: FormData, and no Accept header."""
        data = {**fields, "csrf_token": self.csrf()}
        return self._open(CALLBACK, method="POST", data=data, content_type="multipart/form-data")

    def _open(self, path: str, **options: Any) -> TestResponse:
        response = self.client.open(
            path, buffered=True, environ_overrides={"REMOTE_ADDR": self.address}, **options
        )
        self.seen += [*response.history, response]
        return response
