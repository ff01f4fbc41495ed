"""The auto-login page at `/<broker>/auto-login`: its status, on, off, and one login as a test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from flask import Blueprint, Response, jsonify, request, session, url_for
from flask_wtf.csrf import generate_csrf  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, CorrectInput
from broker._kit.secret import Secret, masked
from broker._kit.sessions import report
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.record import Attempt
from broker._kit.web import messages, pages
from broker._kit.web.login_flow import password_misfit
from broker._kit.web.login_limits import AlreadySubmitted, SingleSubmit
from broker._kit.web.messages import Problem
from broker._kit.web.pages import AppViews, Pages
from broker._kit.web.session_service import SessionService

_FIELDS = ("action", "password", "totp_secret", "accepted", "form")
# A test may wait for a fresh code, look twice and time out.
DUPLICATE_SUBMIT_WAIT_S = 120.0
# An attempt's tone in the table, by its result.
_TONES = {"done": "gain", "retry": ""}


class _Answer(NamedTuple):
    """What came of a form, which is shown again when `problem` has a field; `more` is for JSON."""

    http: int
    problem: Problem
    more: Mapping[str, Any] = {}


class AutoLoginPage:
    """The view and its refusals; `service` may raise why there is no auto-login."""

    def __init__(
        self,
        pages: Pages,
        views: AppViews,
        service: SessionService,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._pages = pages
        self._views = views
        self._service = service
        self._clock = clock
        self._forms: SingleSubmit[_Answer] = SingleSubmit()
        # What came of a form, for the page that is fetched after it.
        self._result_key = f"{pages.broker.name}_auto_login_result"
        self._actions: dict[str, Callable[[AutoLogin, BrokerSettings], _Answer]] = {
            "enable": self._enable,
            "disable": self._disable,
            "test": self._test,
        }

    def blueprint(self) -> Blueprint:
        """The page, to be registered next to the login page."""
        rule = f"/{self._pages.broker.name}/auto-login"
        endpoint = self._pages.auto_login_endpoint
        return self._pages.form_blueprint(endpoint, rule, self.answer, self.on_refusal)

    def answer(self) -> Response:
        """GET shows how things stand; POST carries out one of the three actions."""
        config = self._pages.config_source()
        try:
            auto = self._service.auto()
        except BrokerError as error:
            return self._pages.broker_error(error, "Auto-login is not available")
        if request.method == "POST":
            return self._reply(auto, config, self._act(auto, config))
        result = session.pop(self._result_key, None)
        return self._page(auto, config, 200, Problem(**result) if result else None)

    def on_refusal(self, error: HTTPException) -> Response:
        """What was refused before the view was reached: nothing was done."""
        status, problem = error.code or 400, pages.refused_problem(error, _REFUSALS)
        if pages.wants_json():
            return pages.json_error(status, problem)
        try:
            return self._page(self._service.auto(), self._pages.config_source(), status, problem)
        except BrokerError as broken:
            return self._pages.broker_error(broken)

    def _act(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        sent = pages.sent_fields(_FIELDS)
        action, form = sent.get("action", ""), sent.get("form", "")
        if action not in self._actions or not (form or pages.wants_json()):
            raise BadRequest
        if not self._views.may_manage():
            words = f"Log in to {self._pages.broker.title} first."
            return _Answer(403, Problem(words, "Nothing was changed."))
        if not form:
            return self._carry_out(action, auto, config)
        try:
            return self._forms.run(
                (config.account, action, form),
                lambda: self._carry_out(action, auto, config),
                DUPLICATE_SUBMIT_WAIT_S,
            )
        except AlreadySubmitted:
            return _Answer(200, messages.FORM_USED)

    def _carry_out(self, action: str, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        try:
            return self._actions[action](auto, config)
        except BrokerError as error:
            return _Answer(messages.status_of(error), messages.problem_of(error))

    def _enable(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        sent = pages.sent_fields(_FIELDS)
        password, totp_secret = (Secret(sent.get(name, "")) for name in ("password", "totp_secret"))
        is_accepted = sent.get("accepted") == "yes"
        misfit = password_misfit(password)
        if misfit is not None:
            return _Answer(400, misfit)
        try:
            auto.enable(config, password, totp_secret, accepted=is_accepted)
        except CorrectInput as error:
            field = "totp_secret" if is_accepted else "accepted"
            return _Answer(400, Problem(error.message, error.next_step, field))
        title = self._pages.broker.title
        hint = f"Nothing has been sent to {title} yet: use Test now to see whether it works."
        return _Answer(200, _good("Auto-login is on.", hint))

    def _disable(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        words = "; ".join(auto.disable(config.account)) or "nothing was stored"
        return _Answer(200, _good("Auto-login is off.", f"{words[0].upper()}{words[1:]}."))

    def _test(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        attempt = auto.test(config)
        more = {"attempt": report.attempt_json(attempt)}
        if attempt.result == "done":
            words = f"The test has worked: {self._pages.broker.title} has logged you in."
            return _Answer(200, _good(words), more)
        problem = Problem(attempt.words, "See the attempts below.", code=attempt.code)
        return _Answer(502, problem, more)

    def _reply(self, auto: AutoLogin, config: BrokerSettings, answer: _Answer) -> Response:
        http, problem, more = answer
        if pages.wants_json():
            word = "success" if http == 200 else "error"
            body = jsonify(status=word, message=str(problem), **more)
            return pages.with_status(body, http)
        if problem.field or http == 403:
            is_accepted = request.form.get("accepted") == "yes"
            return self._page(auto, config, http, problem, is_accepted)
        session[self._result_key] = asdict(problem)
        return pages.see_other(url_for(self._pages.auto_login_endpoint))

    def _page(
        self,
        auto: AutoLogin,
        config: BrokerSettings,
        http: int,
        problem: Problem | None,
        is_accepted: bool = False,
    ) -> Response:
        status, may_manage = auto.status(config.account), self._views.may_manage()
        stored, trouble = None, ""
        try:
            stored = self._service.session(config)
        except BrokerError as error:
            trouble = str(error)
        if pages.wants_json():
            body = {
                "status": "success",
                **report.auto_login_json(status),
                "session": report.session_json(stored),
                "may_manage": may_manage,
                "csrf_token": generate_csrf(),
                "is_live": config.is_live,
                "client_code": masked(config.client_code),
            }
            return pages.with_status(jsonify(body), http)
        now = self._clock.now()
        return self._pages.render(
            "auto_login",
            http,
            config=config,
            problem=problem,
            status=status,
            state=report.state(status),
            trouble=trouble or status.blocked or status.notice,
            may_manage=may_manage,
            accepted=is_accepted,
            rows=[_row(attempt) for attempt in reversed(status.history)],
            session_lines=report.session_lines(self._pages.broker, stored, now),
            as_of=report.date_time(now),
            form_id=secrets.token_urlsafe(16),
            home=self._views.home(),
        )


def _row(attempt: Attempt) -> dict[str, str]:
    result = report.RESULT_WORDS[str(attempt.result)]
    return {
        "when": report.date_time(attempt.at),
        "result": result,
        "tone": _TONES.get(str(attempt.result), "loss"),
        "words": "" if attempt.words.rstrip(".") == result else attempt.words,
        "code": attempt.code,
    }


def _good(text: str, next_step: str = "") -> Problem:
    return Problem(text, next_step, is_news=True, is_good=True)


_REFUSALS = {
    400: messages.REFUSED,
    413: Problem("That was too long, so nothing was changed.", "Please enter it again."),
}
