"""The auto-login page at `/mstock/auto-login`: how it stands, on, off, and one login as a test."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, render_template, request, session, url_for
from flask_wtf.csrf import CSRFError, generate_csrf  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, CorrectInput, SettingError
from broker._kit.secret import Secret, masked
from broker._kit.sessions.stored_session import StoredSession
from broker._kit.web import auto_login_view, blueprints, formatting, messages, responses
from broker._kit.web.form_fields import password_misfit
from broker._kit.web.messages import Problem
from broker._kit.web.responses import ConfigSource, Frame
from broker._kit.web.single_submit import AlreadySubmitted, SingleSubmit
from broker.mstock.terms import TERMS

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLogin

RULE = blueprints.AUTO_LOGIN_RULE
ENDPOINT = f"{blueprints.AUTO_LOGIN}.page"
_SAID = "mstock_auto_said"  # what came of a form, for the page that is fetched after it
_FIELDS = ("action", "password", "totp_secret", "accepted", "form")
_LONGEST_FORM_ID = 64
_LONGEST_SECRET = 512
_CODE = re.compile(r"[0-9]{6}|[0-9]{3}[ ][0-9]{3}")
# Seconds that the second click of a double click waits: a test may wait for a fresh code, look
# twice and time out.
_PATIENCE = 120.0


def create_auto_login_blueprint(
    config_source: ConfigSource,
    auto: Callable[[], AutoLogin],
    *,
    may_manage: Callable[[], bool],
    clock: Clock = SYSTEM_CLOCK,
    phone_url: str = "",
    session_of: Callable[[BrokerSettings], StoredSession | None] = lambda config: None,
    home: Callable[[], str] = lambda: "",
) -> Blueprint:
    """The page with the rule `/mstock/auto-login`, for GET and POST; next to the login page.

    `auto` may raise the `BrokerError` that says why there is no auto-login. Whoever `may_manage`
    sees the forms, others the status. `session_of` gives the kept session (it may raise
    `StoreError`), `home` the address that a link leads back to, "" for none.
    """
    page = AutoLoginPage(
        config_source,
        auto,
        may_manage=may_manage,
        clock=clock,
        phone_url=phone_url,
        session_of=session_of,
        home=home,
    )
    return blueprints.auto_login_door(lambda: page)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a form. `is_entry` when it is about what was entered: the form is shown again.

    `more` is for a script.
    """

    http: int
    problem: Problem
    is_entry: bool = False
    more: dict[str, Any] | None = None


class AutoLoginPage:
    """The view and its error handlers."""

    def __init__(
        self,
        config_source: ConfigSource,
        auto: Callable[[], AutoLogin],
        *,
        may_manage: Callable[[], bool],
        clock: Clock = SYSTEM_CLOCK,
        phone_url: str = "",
        session_of: Callable[[BrokerSettings], StoredSession | None] = lambda config: None,
        home: Callable[[], str] = lambda: "",
    ) -> None:
        self._config_source = config_source
        self._auto = auto
        self._may_manage = may_manage
        self._clock = clock
        self._session_of = session_of
        self._home = home
        self.frame = Frame(config_source, phone_url)
        self._once: SingleSubmit[_Answer] = SingleSubmit()
        self._actions: dict[str, Callable[[AutoLogin, BrokerSettings], _Answer]] = {
            "enable": self._enable,
            "disable": self._disable,
            "test": self._test,
        }

    def answer(self) -> Response:
        """GET shows how things stand; POST carries out one of the three actions."""
        try:
            config = self._config_source()
        except SettingError as error:
            return responses.setting_page(error)
        try:
            auto = self._auto()
        except BrokerError as error:
            return _not_there(error)
        if request.method == "POST":
            return self._reply(auto, config, self._act(auto, config))
        said = session.pop(_SAID, None)
        return self._page(auto, config, 200, Problem(**said) if said else None)

    def on_stale_page(self, error: CSRFError) -> Response:
        """The form's CSRF token is missing or old: nothing was done."""
        if responses.wants_json():
            return responses.csrf_json()
        return self._fresh(400, responses.csrf_problem())

    def on_http_error(self, error: HTTPException) -> Response:
        """What Flask or an extension of the app refused."""
        status = error.code or 400
        return self._fresh(status, _TOO_LONG if status == 413 else responses.REFUSED)

    def _fresh(self, status: int, problem: Problem) -> Response:
        if responses.wants_json():
            return responses.with_status(jsonify(status="error", message=str(problem)), status)
        try:
            return self._page(self._auto(), self._config_source(), status, problem)
        except BrokerError as error:
            return _not_there(error)

    def _act(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        sent = responses.sent(_FIELDS)
        action, form = sent.get("action", ""), sent.get("form", "")
        act = self._actions.get(action)
        if act is None or len(form) > _LONGEST_FORM_ID or not (form or responses.wants_json()):
            raise BadRequest
        if not self._may_manage():
            return _Answer(403, _LOG_IN_FIRST)
        if not form:
            return self._carried_out(act, auto, config)
        try:
            return self._once.run(
                (config.account, action, form),
                lambda: self._carried_out(act, auto, config),
                _PATIENCE,
            )
        except AlreadySubmitted:
            return _Answer(200, messages.FORM_USED)

    def _carried_out(
        self,
        act: Callable[[AutoLogin, BrokerSettings], _Answer],
        auto: AutoLogin,
        config: BrokerSettings,
    ) -> _Answer:
        try:
            return act(auto, config)
        except BrokerError as error:
            return _Answer(messages.status_of(error), messages.problem_of(error))

    def _enable(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        sent = responses.sent(_FIELDS)
        password, totp_secret = (
            Secret(sent.get("password", "")),
            Secret(sent.get("totp_secret", "")),
        )
        accepted = sent.get("accepted") == "yes"
        misfit = (
            password_misfit(password)
            or _secret_misfit(totp_secret)
            or (None if accepted else _NOT_ACCEPTED)
        )
        if misfit is not None:
            return _Answer(400, misfit, is_entry=True)
        try:
            auto.enable(config, password, totp_secret, accepted=accepted)
        except CorrectInput as error:
            # What else could be wrong has been looked at.
            problem = Problem(error.message, error.next_step, field="totp_secret")
            return _Answer(400, problem, is_entry=True)
        return _Answer(200, _SWITCHED_ON)

    def _disable(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        removed = auto.disable(config.account)
        words = f"{'; '.join(removed)}." if removed else "nothing was kept."
        words = words[0].upper() + words[1:]
        return _Answer(200, Problem("Auto-login is off.", words, is_news=True, is_good=True))

    def _test(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        attempt = auto.test(config)
        is_done = attempt.result == "done"
        problem = Problem(
            "The test has worked: mStock has logged you in." if is_done else attempt.words,
            "" if is_done else "See the attempts below.",
            code="" if is_done else attempt.code,
            is_news=is_done,
            is_good=is_done,
        )
        more = {"attempt": auto_login_view.attempt_json(attempt)}
        return _Answer(200 if is_done else 502, problem, more=more)

    def _reply(self, auto: AutoLogin, config: BrokerSettings, answer: _Answer) -> Response:
        if responses.wants_json():
            word = "success" if answer.http == 200 else "error"
            body = {"status": word, "message": str(answer.problem), **(answer.more or {})}
            return responses.with_status(jsonify(body), answer.http)
        if answer.is_entry or answer.http == 403:
            return self._page(auto, config, answer.http, answer.problem)
        session[_SAID] = asdict(answer.problem)
        return responses.see_other(url_for(ENDPOINT))

    def _page(
        self, auto: AutoLogin, config: BrokerSettings, http: int, problem: Problem | None
    ) -> Response:
        status = auto.status(config.account)
        kept, trouble = self._kept(config)
        if responses.wants_json():
            body = {"status": "success", **auto_login_view.to_json(status, kept)}
            body |= {"may_manage": self._may_manage(), "csrf_token": generate_csrf()}
            body |= {"client_code": masked(config.client_code), "is_live": config.is_live}
            return responses.with_status(jsonify(body), http)
        now = self._clock.now()
        html = render_template(
            "mstock/auto_login.html",
            problem=problem,
            status=status,
            state=auto_login_view.state_of(status),
            trouble=trouble or auto_login_view.trouble_of(status),
            may_manage=self._may_manage(),
            accepted=request.method == "POST" and request.form.get("accepted") == "yes",
            rows=auto_login_view.rows(status.history),
            session_lines=auto_login_view.session_lines(kept, now),
            as_of=formatting.date_time(now),
            terms=TERMS,
            form_id=secrets.token_urlsafe(16),
            client_code=masked(config.client_code),
            home=self._home(),
            **self.frame.of(config),
        )
        return responses.with_status(html, http)

    def _kept(self, config: BrokerSettings) -> tuple[StoredSession | None, str]:
        try:
            return self._session_of(config), ""
        except BrokerError as error:
            return None, str(error)


def _not_there(error: BrokerError) -> Response:
    return responses.error_page(
        messages.status_of(error), "Auto-login is not available", messages.problem_of(error)
    )


def _secret_misfit(totp_secret: Secret) -> Problem | None:
    text = totp_secret.reveal().strip()
    if not text:
        return _SECRET_MISSING
    if _CODE.fullmatch(text):
        return _SECRET_IS_CODE
    return _SECRET_TOO_LONG if len(text) > _LONGEST_SECRET else None


_SWITCHED_ON = Problem(
    "Auto-login is on.",
    "Nothing has been sent to mStock yet: use Test now to see whether it works.",
    is_news=True,
    is_good=True,
)
_LOG_IN_FIRST = Problem("Log in to mStock first.", "Nothing was changed.")
_NOT_ACCEPTED = Problem(
    "Auto-login was not switched on: you have not agreed to the points above.",
    "Tick the box if you do.",
    field="accepted",
)
_SECRET_MISSING = Problem(
    "The TOTP secret is required.", "mStock showed it when you set up TOTP.", field="totp_secret"
)
_SECRET_IS_CODE = Problem(
    "That is a code of six digits; the TOTP secret is the longer text of letters and digits that "
    "mStock showed when you set up TOTP.",
    "Enter the secret itself: a code is of no use tomorrow.",
    field="totp_secret",
)
_SECRET_TOO_LONG = Problem("This is too long to be a TOTP secret.", field="totp_secret")
_TOO_LONG = Problem("That was too long, so nothing was changed.", "Please enter it again.")
