"""The login page at `/<broker>/callback`, as a Blueprint that any Flask app with CSRF can register.

The app decides what a finished login means; the steps between, and the limit on attempts, are ours.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, Response, jsonify, request, session, url_for
from flask_wtf.csrf import generate_csrf  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.web import messages, pages
from broker._kit.web.login_flow import Entry, LoginFlow, Visit
from broker._kit.web.messages import Outcome, Problem
from broker._kit.web.pages import AppViews, Pages

_ACTIONS = ("login", "verify", "resend", "restart")
_METHODS = ("otp", "totp")
_FIELDS = ("action", "password", "method", "totp", "otp", "login_id", "form")


class LoginPage:
    """The view and its refusals, around one `LoginFlow`."""

    def __init__(self, pages: Pages, views: AppViews, flow: LoginFlow) -> None:
        self._pages = pages
        self._views = views
        self._flow = flow
        self._browser_key = f"{pages.broker.name}_browser"

    def blueprint(self) -> Blueprint:
        """The page with its literal rule, and the style sheet."""
        endpoint, rule = self._pages.login_endpoint, self._pages.broker.callback_path
        return self._pages.form_blueprint(
            endpoint, rule, self.answer, self.on_refusal, has_static=True
        )

    def answer(self) -> Response:
        """GET shows where this browser stands; POST carries out what was entered."""
        visit = self._enter()
        if isinstance(visit, Response):
            return visit
        if request.method != "POST":
            return self._reply(visit, self._flow.state(visit))
        outcome = self._flow.act(visit, _entry(pages.sent_fields(_FIELDS)))
        if outcome.token is not None:
            session.pop(self._browser_key, None)
            return self._views.on_success(outcome.token, visit.config)
        return self._reply(visit, outcome)

    def on_refusal(self, error: HTTPException) -> Response:
        """What was refused before the view was reached: nothing is sent, a fresh form is shown."""
        status = error.code or 400
        if request.endpoint != self._pages.login_endpoint:
            return self._pages.error(status, "Not found", Problem("There is no such file."))
        problem = pages.refused_problem(error, _REFUSALS)
        wait = {"retry_after": 60} if status == 429 else {}
        try:
            visit = None if pages.wants_json() else self._enter()
        except BrokerError as broken:
            return self._pages.broker_error(broken)
        if isinstance(visit, Response):
            return visit
        if visit is None:
            response = pages.json_error(status, problem, **wait)
        else:
            response = self._page(visit, replace(self._flow.state(visit), problem=problem), status)
        if wait:
            response.headers.setdefault("Retry-After", "60")
        return response

    def _enter(self) -> Visit | Response:
        """Who is asking; or what to answer when the app turns them away."""
        turned_away = self._views.on_entry()
        if turned_away is not None:
            return turned_away
        # A random id ties a pending login to this browser; it names nothing and nobody.
        browser = session.get(self._browser_key)
        if not isinstance(browser, str):
            browser = session[self._browser_key] = secrets.token_urlsafe(24)
        return Visit(self._pages.config_source(), browser, request.remote_addr or "")

    def _reply(self, visit: Visit, outcome: Outcome) -> Response:
        is_post = request.method == "POST"
        if pages.wants_json():
            body = messages.to_json(outcome, self._pages.broker)
            body |= {} if is_post else {"csrf_token": generate_csrf()}
            response = pages.with_status(jsonify(body), outcome.http)
        elif outcome.has_moved:
            return pages.see_other(url_for(self._pages.login_endpoint))
        else:
            status = outcome.http if is_post else 200
            response = self._page(visit, outcome, status, request.form.get("method", "otp"))
        if outcome.retry_after is not None:
            response.headers["Retry-After"] = str(outcome.retry_after)
        return response

    def _page(self, visit: Visit, outcome: Outcome, status: int, method: str = "otp") -> Response:
        waiting, broker = outcome.waiting, self._pages.broker
        return self._pages.render(
            "code" if waiting else "password",
            status,
            config=visit.config,
            problem=outcome.problem,
            notice=self._views.notice() if status == 200 else "",
            banner=self._views.banner(),
            form_id=secrets.token_urlsafe(16),
            method=method,
            waiting=waiting,
            sent_words=waiting and messages.sent_words(broker, waiting.sent_to),
            tries_words=waiting and messages.tries_words(waiting, broker.title),
            otp_left=waiting and self._flow.seconds_left(waiting),
        )


_REFUSALS: dict[int, Problem] = {
    400: Problem("That request could not be read, so nothing was sent.", "Please enter it again."),
    413: Problem("That was too long to be a login, so nothing was sent.", "Please enter it again."),
    429: Problem(
        "Too many attempts for the moment, so nothing was sent to the broker.",
        "Wait a minute and try again.",
    ),
}


def _entry(sent: Mapping[str, str]) -> Entry:
    """What was entered. A client that names no action is understood by the fields it sends.

    With a `totp` field, even an empty one, an authenticator code is meant, so that OpenAlgo's own
    page never makes the broker send an OTP by mistake.
    """
    action = sent.get("action") or ("verify" if "otp" in sent else "login")
    method = sent.get("method", "totp" if "totp" in sent else "otp")
    is_form = not pages.wants_json()
    if action not in _ACTIONS or method not in _METHODS or (is_form and not sent.get("form")):
        raise BadRequest
    return Entry(
        action,
        password=Secret(sent.get("password", "")),
        totp=Secret(sent.get("totp", "")) if method == "totp" else None,
        otp=Secret(sent.get("otp", "")),
        login_id=sent.get("login_id", ""),
        form=sent.get("form", ""),
    )
