"""The blueprint in an app with CSRF, limiter, headers and error pages of its own, like OpenAlgo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, Response, abort, jsonify, redirect, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect

from broker._kit.broker import BrokerSettings
from broker._kit.secret import Secret
from broker._kit.web.auto_login_page import AutoLoginPage
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_page import LoginPage
from broker._kit.web.pages import Pages
from broker._kit.web.session_service import Banner, SessionService
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.auto import FakeAuto, switch_on
from tests.web.helpers import AUTO_LOGIN, CALLBACK, PASSWORD, TOTP, Browser, FakeMstock

TAKEN: list[tuple[str, str]] = []


class HostViews:
    """Lets its users in, and takes the token."""

    def on_entry(self) -> Response | None:
        if "user" not in session:
            return redirect("/auth/login")  # type: ignore[return-value]
        return None

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        TAKEN.append((token.reveal(), config.client_code))
        session["logged_in"] = True
        return jsonify(status="success", message="Authentication successful", redirect="/dashboard")

    def notice(self) -> str:
        return ""

    def banner(self) -> Banner | None:
        return None

    def may_manage(self) -> bool:
        return "user" in session

    def home(self) -> str:
        return "/dashboard"


@pytest.fixture
def host(config: Config, clock: FakeClock, flow: LoginFlow, mstock: FakeMstock) -> Iterator[Flask]:
    TAKEN.clear()
    app = Flask(__name__)
    app.config.update(SECRET_KEY="host", SESSION_COOKIE_NAME="mstock_session")
    CSRFProtect(app)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")

    @app.before_request
    def refuse() -> None:
        if request.method == "POST" and "REFUSE" in app.config:
            abort(app.config["REFUSE"])

    @app.route("/<broker>/callback", methods=["GET", "POST"])
    @limiter.limit("2 per minute")
    def generic(broker: str) -> str:
        return f"generic page of {broker}"

    @app.errorhandler(400)
    @app.errorhandler(429)
    @app.errorhandler(500)
    def hosts_own(error: Exception) -> tuple[str, int]:
        return "host's own error page", 418

    @app.after_request
    def hosts_policy(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", "default-src 'self'")
        return response

    app.register_blueprint(LoginPage(Pages(MSTOCK, lambda: config), HostViews(), flow).blueprint())
    return app


@pytest.fixture
def user(host: Flask) -> Browser:
    browser = Browser(host)
    with browser.client.session_transaction() as inside:
        inside["user"] = "trader"
    return browser


def test_the_literal_rule_wins_and_other_brokers_keep_theirs(user: Browser) -> None:
    assert user.get().step == "password"
    assert user.raw("/zerodha/callback", method="GET").text == "generic page of zerodha"


def test_the_hosts_entry_check_comes_first(host: Flask, mstock: FakeMstock) -> None:
    stranger = Browser(host)
    answer = stranger.raw(method="GET")
    assert (answer.status_code, answer.location) == (302, "/auth/login")


def test_the_whole_walk_ends_with_the_host(user: Browser, mstock: FakeMstock) -> None:
    page = user.ask_for_otp()
    user.enter(page)
    assert [code for _, code in TAKEN] == ["MA1234567"]
    with user.client.session_transaction() as inside:
        assert inside["user"] == "trader"
        assert inside["logged_in"] is True
        assert TAKEN[0][0] not in repr(dict(inside))
        assert "mstock_browser" not in inside


def test_the_hosts_own_login_form(user: Browser) -> None:
    answer = user.multipart(password=PASSWORD, totp=TOTP)
    assert answer.status_code == 200
    assert answer.json == {
        "status": "success",
        "message": "Authentication successful",
        "redirect": "/dashboard",
    }


def test_a_csrf_failure_is_ours_and_json(user: Browser, mstock: FakeMstock) -> None:
    answer = user.raw(
        method="POST",
        data={"password": PASSWORD, "totp": TOTP},
        content_type="multipart/form-data",
    )
    assert (answer.status_code, answer.json["status"]) == (400, "error")
    page = user.post({"password": PASSWORD})
    assert page.step == "password"
    assert "out of date" in page.alert
    assert mstock.calls == []


def test_our_limit_does_not_count_with_the_hosts(user: Browser, mstock: FakeMstock) -> None:
    for _ in range(10):
        user.get()
    for _ in range(5):
        assert user.json(password=PASSWORD).status_code == 409
    answer = user.json(password=PASSWORD)
    assert (answer.status_code, answer.json["status"]) == (429, "error")
    # The host's limiter still has its own two for its own page.
    statuses = [user.raw("/zerodha/callback", method="GET").status_code for _ in range(3)]
    assert statuses == [200, 200, 418]


@pytest.mark.parametrize("status", [400, 429])
def test_what_the_host_refuses_on_our_page_is_answered_as_ours(
    host: Flask, user: Browser, mstock: FakeMstock, status: int
) -> None:
    token = user.csrf()
    host.config["REFUSE"] = status
    answer = user.raw(method="POST", json={"password": PASSWORD}, headers={"X-CSRFToken": token})
    assert (answer.status_code, answer.json["status"]) == (status, "error")
    assert "nothing was sent" in answer.json["message"]
    assert mstock.calls == []


def test_a_fault_is_ours_and_not_the_hosts_redirect(user: Browser, mstock: FakeMstock) -> None:
    mstock.will_fail("login_with_totp", ZeroDivisionError("inside"))
    answer = user.multipart(password=PASSWORD, totp=TOTP)
    assert (answer.status_code, answer.json["status"]) == (500, "error")


def test_the_pages_own_policy_stands(user: Browser) -> None:
    assert "default-src 'none'" in user.get().response.headers["Content-Security-Policy"]
    assert user.get("/zerodha/callback").response.headers["Content-Security-Policy"] == (
        "default-src 'self'"
    )


def test_the_hosts_templates_are_not_touched(host: Flask) -> None:
    assert None not in host.template_context_processors or not any(
        "mstock" in getattr(each, "__module__", "")
        for each in host.template_context_processors[None]
    )


def test_an_app_without_csrf_is_refused(config: Config) -> None:
    page = LoginPage(Pages(MSTOCK, lambda: config), HostViews(), LoginFlow(MSTOCK))
    with pytest.raises(RuntimeError, match="CSRFProtect"):
        Flask(__name__).register_blueprint(page.blueprint())


def test_the_page_is_where_the_host_looks_for_it(user: Browser) -> None:
    assert CALLBACK == "/mstock/callback"
    assert 'action="/mstock/callback"' in user.get().html


def test_the_auto_login_page(config: Config, clock: FakeClock, flow: LoginFlow) -> None:
    host = Flask(__name__)
    host.config.update(SECRET_KEY="host", SESSION_COOKIE_NAME="mstock_session")
    CSRFProtect(host)
    pages, views = Pages(MSTOCK, lambda: config), HostViews()
    service = SessionService(clock, None, FakeAuto())  # type: ignore[arg-type]
    host.register_blueprint(LoginPage(pages, views, flow).blueprint())
    host.register_blueprint(AutoLoginPage(pages, views, service, clock).blueprint())
    browser = Browser(host)
    assert browser.get(AUTO_LOGIN).forms == []
    with browser.client.session_transaction() as inside:
        inside["user"] = "trader"
    assert "Auto-login is on." in switch_on(browser).alert
    page = browser.get(AUTO_LOGIN)
    assert 'href="/dashboard"' in page.html
    assert "default-src 'none'" in page.response.headers["Content-Security-Policy"]
    with browser.client.session_transaction() as inside:
        assert dict(inside)["user"] == "trader"


def test_the_auto_login_page_wants_csrf_too(config: Config, clock: FakeClock) -> None:
    service = SessionService(clock, None, FakeAuto())  # type: ignore[arg-type]
    page = AutoLoginPage(Pages(MSTOCK, lambda: config), HostViews(), service).blueprint()
    with pytest.raises(RuntimeError, match="CSRFProtect"):
        Flask(__name__).register_blueprint(page)
