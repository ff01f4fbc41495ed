"""The auto-login page at `/<broker>/auto-login`: its status, on, off, and one login as a test."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from flask import Blueprint, Response, jsonify, request, session, url_for
from flask_wtf.csrf import generate_csrf  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, CorrectInput
from broker._kit.secret import Secret, masked
from broker._kit.sessions import report
from broker._kit.sessions.stored_session import StoredSession
from broker._kit.web import messages, pages
from broker._kit.web.login_flow import password_misfit
from broker._kit.web.messages import Problem
from broker._kit.web.pages import Pages
from broker._kit.web.session_service import SessionService
from broker._kit.web.single_submit import AlreadySubmitted, SingleSubmit

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLogin, AutoLoginStatus
    from broker._kit.sessions.record import Attempt

_FIELDS = ("action", "password", "totp_secret", "accepted", "form")
_LONGEST_SECRET = 512
_CODE = re.compile(r"[0-9]{6}|[0-9]{3}[ ][0-9]{3}")
# A test may wait for a fresh code, look twice and time out.
DUPLICATE_SUBMIT_WAIT_S = 120.0
# An attempt's tone in the table, by its result.
_TONES = {"done": "gain", "retry": ""}


class AutoLoginViews(Protocol):
    """What the app around the auto-login page knows."""

    def may_manage(self) -> bool:
        """Whether this visitor may change auto-login, or only see how it stands."""

    def home(self) -> str:
        """The address that a link leads back to, "" for none."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a form; with `is_entry` the form is shown again. `more` is for a script."""

    http: int
    problem: Problem
    is_entry: bool = False
    more: dict[str, Any] | None = None


class AutoLoginPage:
    """The view and its refusals; `service` may raise why there is no auto-login."""

    def __init__(
        self,
        pages: Pages,
        views: AutoLoginViews,
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
        sent, title = pages.sent_fields(_FIELDS), self._pages.broker.title
        password = Secret(sent.get("password", ""))
        totp_secret = Secret(sent.get("totp_secret", ""))
        is_accepted = sent.get("accepted") == "yes"
        misfit = (
            password_misfit(password)
            or _secret_misfit(totp_secret, title)
            or (None if is_accepted else _NOT_ACCEPTED)
        )
        if misfit is not None:
            return _Answer(400, misfit, is_entry=True)
        try:
            auto.enable(config, password, totp_secret, accepted=is_accepted)
        except CorrectInput as error:
            # What else could be wrong has been looked at.
            problem = Problem(error.message, error.next_step, field="totp_secret")
            return _Answer(400, problem, is_entry=True)
        return _Answer(
            200,
            _good(
                "Auto-login is on.",
                f"Nothing has been sent to {title} yet: use Test now to see whether it works.",
            ),
        )

    def _disable(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        removed = auto.disable(config.account)
        words = f"{'; '.join(removed)}." if removed else "nothing was stored."
        return _Answer(200, _good("Auto-login is off.", words[0].upper() + words[1:]))

    def _test(self, auto: AutoLogin, config: BrokerSettings) -> _Answer:
        attempt = auto.test(config)
        more = {"attempt": report.attempt_json(attempt)}
        if attempt.result == "done":
            title = self._pages.broker.title
            problem = _good(f"The test has worked: {title} has logged you in.")
            return _Answer(200, problem, more=more)
        problem = Problem(attempt.words, "See the attempts below.", code=attempt.code)
        return _Answer(502, problem, more=more)

    def _reply(self, auto: AutoLogin, config: BrokerSettings, answer: _Answer) -> Response:
        if pages.wants_json():
            word = "success" if answer.http == 200 else "error"
            body = {"status": word, "message": str(answer.problem), **(answer.more or {})}
            return pages.with_status(jsonify(body), answer.http)
        if answer.is_entry or answer.http == 403:
            is_accepted = request.form.get("accepted") == "yes"
            return self._page(auto, config, answer.http, answer.problem, is_accepted)
        session[self._result_key] = asdict(answer.problem)
        return pages.see_other(url_for(self._pages.auto_login_endpoint))

    def _page(
        self,
        auto: AutoLogin,
        config: BrokerSettings,
        http: int,
        problem: Problem | None,
        is_accepted: bool = False,
    ) -> Response:
        status = auto.status(config.account)
        stored, trouble = self._session(config)
        may_manage = self._views.may_manage()
        if pages.wants_json():
            body = {"status": "success", **report.auto_login_json(status)}
            body |= {"session": report.session_json(stored), "may_manage": may_manage}
            body |= {"csrf_token": generate_csrf(), "is_live": config.is_live}
            body |= {"client_code": masked(config.client_code)}
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
            rows=_rows(status),
            session_lines=report.session_lines(stored, now),
            as_of=report.date_time(now),
            form_id=secrets.token_urlsafe(16),
            home=self._views.home(),
        )

    def _session(self, config: BrokerSettings) -> tuple[StoredSession | None, str]:
        try:
            return self._service.session(config), ""
        except BrokerError as error:
            return None, str(error)


def _rows(status: AutoLoginStatus) -> list[dict[str, str]]:
    """The attempts for the table, newest first."""
    return [_row(attempt) for attempt in reversed(status.history)]


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


def _secret_misfit(totp_secret: Secret, title: str) -> Problem | None:
    text, field = totp_secret.reveal().strip(), "totp_secret"
    if not text:
        shown = f"{title} showed it when you set up TOTP."
        return Problem("The TOTP secret is required.", shown, field=field)
    if _CODE.fullmatch(text):
        return Problem(
            "That is a code of six digits; the TOTP secret is the longer text of letters and "
            f"digits that {title} showed when you set up TOTP.",
            "Enter the secret itself: a code is of no use tomorrow.",
            field=field,
        )
    is_long = len(text) > _LONGEST_SECRET
    return Problem("This is too long to be a TOTP secret.", field=field) if is_long else None


_NOT_ACCEPTED = Problem(
    "Auto-login was not switched on: you have not agreed to the points above.",
    "Tick the box if you do.",
    field="accepted",
)
_REFUSALS = {
    400: messages.REFUSED,
    413: Problem("That was too long, so nothing was changed.", "Please enter it again."),
}
