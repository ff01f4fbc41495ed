"""The login page at `/mstock/callback`, as a Blueprint that any Flask app with CSRF can register.

The app decides what a finished login means; the steps between, and the limit on tries, are ours.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from flask import (
    Blueprint,
    Response,
    jsonify,
    render_template,
    request,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFError, generate_csrf  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import SettingError
from broker._kit.secret import Secret, masked
from broker._kit.web import blueprints, formatting, messages, responses
from broker._kit.web.login_flow import Entry, LoginFlow, Visit
from broker._kit.web.messages import Outcome, Problem
from broker._kit.web.responses import ENDPOINT, ConfigSource, Frame

OnSuccess = Callable[[Secret, BrokerSettings], Response]

_BROWSER = "mstock_browser"
_ACTIONS = ("login", "verify", "resend", "restart")
_METHODS = ("otp", "totp")
_LONGEST_ID = 64
_FIELDS = ("action", "password", "method", "totp", "otp", "login_id", "form")


def create_blueprint(
    config_source: ConfigSource,
    on_success: OnSuccess,
    clock: Clock = SYSTEM_CLOCK,
    *,
    on_entry: Callable[[], Response | None] = lambda: None,
    notice: Callable[[], str] = lambda: "",
    phone_url: str = "",
    flow: LoginFlow | None = None,
) -> Blueprint:
    """The page with the literal rule `/mstock/callback`, for GET and POST.

    `config_source` gives the settings at each request and may raise `SettingError`. `on_success` is
    called with the day's token and answers page and JSON clients (see `wants_json`); it may be
    called twice with one token, for the two clicks of a double click. `on_entry` may turn a request
    away before anything happens, `notice` gives a sentence to show above a fresh login form, and
    `phone_url` is the simulated phone's page. Headers are set only where the app has not set them.
    """
    page = LoginPage(
        config_source,
        on_success,
        clock,
        on_entry=on_entry,
        notice=notice,
        phone_url=phone_url,
        flow=flow,
    )
    return blueprints.login_door(lambda: page)


class LoginPage:
    """The view and its error handlers, around one `LoginFlow`."""

    def __init__(
        self,
        config_source: ConfigSource,
        on_success: OnSuccess,
        clock: Clock = SYSTEM_CLOCK,
        *,
        on_entry: Callable[[], Response | None] = lambda: None,
        notice: Callable[[], str] = lambda: "",
        phone_url: str = "",
        flow: LoginFlow | None = None,
    ) -> None:
        self._config_source = config_source
        self._on_success = on_success
        self._on_entry = on_entry
        self._notice = notice
        self.frame = Frame(config_source, phone_url)
        self._flow = flow or LoginFlow(clock)

    def answer(self) -> Response:
        """GET shows where this browser stands; POST carries out what was entered."""
        visit = self._enter()
        if not isinstance(visit, Visit):
            return visit
        if request.method != "POST":
            return self._reply(visit, self._flow.state(visit))
        outcome = self._flow.act(visit, _entry(responses.sent(_FIELDS)))
        if outcome.token is not None:
            session.pop(_BROWSER, None)
            return self._on_success(outcome.token, visit.config)
        return self._reply(visit, outcome)

    def _enter(self) -> Visit | Response:
        """Who is asking; or what to answer, when the app turns them away or a setting is wrong."""
        turned_away = self._on_entry()
        if turned_away is not None:
            return turned_away
        try:
            config = self._config_source()
        except SettingError as error:
            return responses.setting_page(error)
        return Visit(config, _browser(), request.remote_addr or "")

    def on_stale_page(self, error: CSRFError) -> Response:
        """The form's CSRF token is missing or old: nothing is sent, a fresh form is shown."""
        if responses.wants_json():
            return responses.csrf_json()
        return self._fresh_form(400, responses.csrf_problem())

    def on_http_error(self, error: HTTPException) -> Response:
        """What Flask or an extension of the app refused before the view was reached."""
        status = error.code or 400
        if request.endpoint != ENDPOINT:
            return responses.error_page(status, "Not found", _NO_FILE)
        response = self._fresh_form(status, _refusals.get(status, _refusals[400]), error)
        if status == 429:
            response.headers.setdefault("Retry-After", str(_seconds(error)))
        return response

    def _fresh_form(
        self, status: int, problem: Problem, error: HTTPException | None = None
    ) -> Response:
        if responses.wants_json():
            body = {"status": "error", "message": str(problem)}
            wait = {"retry_after": _seconds(error)} if error is not None and status == 429 else {}
            return responses.with_status(jsonify(body | wait), status)
        visit = self._enter()
        if not isinstance(visit, Visit):
            return visit
        state = self._flow.state(visit)
        return self._page(visit, replace(state, problem=problem), status)

    def _reply(self, visit: Visit, outcome: Outcome) -> Response:
        if responses.wants_json():
            body = messages.to_json(outcome)
            if request.method != "POST":
                body["csrf_token"] = generate_csrf()
            response = responses.with_status(jsonify(body), outcome.http)
        elif outcome.has_moved:
            return responses.see_other(url_for(ENDPOINT))
        else:
            status = outcome.http if request.method == "POST" else 200
            response = self._page(visit, outcome, status, request.form.get("method", "otp"))
        if outcome.retry_after is not None:
            response.headers["Retry-After"] = str(outcome.retry_after)
        return response

    def _page(self, visit: Visit, outcome: Outcome, status: int, method: str = "otp") -> Response:
        waiting = outcome.waiting
        html = render_template(
            f"mstock/{outcome.step.value}.html",
            problem=outcome.problem,
            notice=self._notice() if status == 200 else "",
            client_code=masked(visit.config.client_code),
            form_id=secrets.token_urlsafe(16),
            method=method,
            waiting=waiting,
            sent_words=waiting and messages.sent_words(waiting),
            tries_words=waiting and messages.tries_words(waiting),
            present=formatting,
            **self.frame.of(visit.config),
        )
        return responses.with_status(html, status)


_NO_FILE = Problem("There is no such file.")
_refusals: dict[int, Problem] = {
    400: Problem("That request could not be read, so nothing was sent.", "Please enter it again."),
    413: Problem("That was too long to be a login, so nothing was sent.", "Please enter it again."),
    429: Problem(
        "Too many tries for the moment, so nothing was sent to mStock.",
        "Wait a minute and try again.",
    ),
}


def _seconds(error: HTTPException) -> int:
    """How long the app's own limit makes its visitor wait, at most."""
    wait = getattr(error, "retry_after", None)
    if isinstance(wait, int):
        return wait
    item = getattr(getattr(error, "limit", None), "limit", None)  # as Flask-Limiter tells it
    return int(item.get_expiry()) if item is not None else 60


def _browser() -> str:
    """The random id that ties a pending login to this browser; it names nothing and nobody."""
    browser = session.get(_BROWSER)
    if not isinstance(browser, str):
        browser = session[_BROWSER] = secrets.token_urlsafe(24)
    return browser


def _entry(sent: Mapping[str, str]) -> Entry:
    """What was entered. A client that names no action is understood by the fields it sends.

    With a `totp` field, even an empty one, an authenticator code is meant, so that OpenAlgo's own
    page never makes mStock send an OTP by mistake.
    """
    action = sent.get("action") or ("verify" if "otp" in sent else "login")
    is_form = not responses.wants_json()
    method = sent.get("method", "totp" if "totp" in sent else "otp")
    if action not in _ACTIONS or method not in _METHODS or (is_form and not sent.get("form")):
        raise BadRequest
    if any(len(sent.get(name, "")) > _LONGEST_ID for name in ("form", "login_id")):
        raise BadRequest  # ours are shorter, and they are remembered
    return Entry(
        action,
        password=Secret(sent.get("password", "")),
        totp=Secret(sent.get("totp", "")) if method == "totp" else None,
        otp=Secret(sent.get("otp", "")),
        login_id=sent.get("login_id", ""),
        form=sent.get("form", ""),
    )
