"""Flask views inside OpenAlgo: login entry, continue with today's session, funds, auto-login."""

from __future__ import annotations

from collections import deque
from typing import Any

from flask import Response, jsonify, make_response, render_template, request, session

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, LogInAgain, SettingError
from broker._kit.openalgo import host, host_logins
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.session_sync import SessionSync
from broker._kit.secret import Secret, masked
from broker._kit.sessions.stored_session import LoginMethod, StoredSession, save_session
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.sessions.token_life import fingerprint
from broker._kit.web import auto_login_view, funds_page, messages, responses
from broker._kit.web.funds_page import Links
from broker._kit.web.responses import Frame
from broker._kit.web.session_service import SessionService

DASHBOARD = "/dashboard"
_APP_LOGIN = "/auth/login"
_NOT_LOGGED_IN = "Your OpenAlgo session is over. Log in to OpenAlgo again."

log = host.logger(__name__)


class OpenAlgoViews:
    """The pages, and what the login page asks of the app around it."""

    def __init__(
        self,
        broker: Broker,
        store: OpenAlgoSessionStore,
        guard: TokenGuard,
        sync: SessionSync,
        service: SessionService,
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._store = store
        self._guard = guard
        self._sync = sync
        self._service = service
        self._clock = clock
        self._methods: deque[tuple[str, LoginMethod]] = deque(maxlen=16)
        self.frame = Frame(self._settings)
        self.continue_path = f"/{broker.name}/continue"
        self.funds_path = f"/{broker.name}/funds"
        # Keys of the host's browser session, a cookie that its owner can read: nothing secret.
        self._notice_key = f"{broker.name}_notice"
        self._new_login_key = f"{broker.name}_new_login"

    # What the login page asks.

    def on_entry(self) -> Response | None:
        """Turn away who is not logged in to OpenAlgo, and who needs no login.

        The host's own route sends everyone to the dashboard who is logged in to OpenAlgo: with a
        dead token nobody would get past it.
        """
        if not session.get("user"):
            return _go(_APP_LOGIN, _NOT_LOGGED_IN, 401)
        try:
            stored = self._live_session(self._settings())
        except BrokerError as error:
            # A login may work all the same, and replaces what cannot be read.
            log.warning(f"{self._broker.title}: the stored session cannot be read. {error}")
            return None
        if stored is None:
            return None
        if session.get("logged_in"):
            session["broker"] = self._broker.name
            return self._to_dashboard()
        if request.method != "GET" or responses.wants_json():
            return None
        if "new" in request.args:
            session[self._new_login_key] = True
        if session.get(self._new_login_key):
            return None
        return responses.see_other(self.continue_path)

    def notice(self) -> str:
        """What to say above a fresh login form."""
        return str(session.pop(self._notice_key, ""))

    def remember(self, _config: BrokerSettings, token: Secret, method: LoginMethod) -> None:
        """Keep a login's method until the host has its token."""
        self._methods.append((fingerprint(token), method))

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        """Hand the new token to the host and return its answer; store when and how it was got."""
        try:
            response = self._finish_login(token, config)
        except BrokerError as error:
            return responses.error_page(500, "OpenAlgo did not take it", messages.problem_of(error))
        method = dict(self._methods).get(fingerprint(token), LoginMethod.OTP)
        try:
            save_session(self._store, config.account, token, self._clock.now(), method)
        except BrokerError as error:
            # The login stands without it; auto-login, which needs it more, will say so.
            log.warning(f"{self._broker.title}: the session's record was not stored. {error}")
        return response

    # The pages.

    def resume(self) -> Response:
        """Offer to continue with today's session, which OpenAlgo has put aside; POST does so.

        The host puts it aside at its own login when the broker cannot be asked at that moment.
        """
        found = self._require_session()
        if isinstance(found, Response):
            return found
        config, stored = found
        if session.get("logged_in"):
            return self._to_dashboard()
        problem: BrokerError | None = None
        if request.method == "POST":
            try:
                self._guard.run(
                    config, stored.token, lambda: self._broker.check_session(config, stored.token)
                )
                return self._finish_login(stored.token, config)
            except LogInAgain as error:
                return self._to_broker_login(str(error))
            except BrokerError as error:
                problem = error
        status = messages.status_of(problem) if problem else 200
        shown = messages.problem_of(problem) if problem else None
        if shown and responses.wants_json():
            return responses.message_page(status, "", shown)
        page = render_template(
            "mstock/resume.html",
            problem=shown,
            client_code=masked(config.client_code),
            logged_in_at=stored.logged_in_at,
            anew=f"{self._broker.callback_path}?new=1",
            **self.frame.of(config),
        )
        return responses.with_status(page, status)

    def funds(self) -> Response:
        """All figures of the account, for whoever is logged in to OpenAlgo and to the broker."""
        if session.get("user") and not session.get("logged_in"):
            return self._to_broker_login("")
        found = self._require_session()
        if isinstance(found, Response):
            return found
        config, stored = found
        links = Links(refresh=self.funds_path, back=DASHBOARD, back_words="OpenAlgo's dashboard")
        try:
            report = self._broker.fund_report(config, stored.token)
        except LogInAgain as error:
            return self._to_broker_login(str(error))
        except BrokerError as error:
            return funds_page.with_problem(self.frame, config, error, links)
        return funds_page.with_figures(self.frame, config, report, self._clock, links)

    def require_user(self) -> Response | None:
        """Turn away who is not logged in to OpenAlgo."""
        return None if session.get("user") else _go(_APP_LOGIN, _NOT_LOGGED_IN, 401)

    def may_manage(self) -> bool:
        """Who may change auto-login: the user whose login it is, in OpenAlgo and at the broker."""
        user = session.get("user")
        if not user or not session.get("logged_in"):
            return False
        try:
            return self._store.user_of(self._settings().account) == user
        except BrokerError:
            return True  # whatever they try says what is wrong

    def template_context(self) -> dict[str, Any]:
        """What the pages' templates may call: a line on auto-login, where there is one."""
        return {"auto_line": self._auto_line} if self._service.has_page else {}

    def _auto_line(self) -> auto_login_view.Line | None:
        try:
            account = self._settings().account
        except SettingError:
            return None
        return self._service.banner(account, f"/{self._broker.name}/auto-login")

    def _settings(self) -> BrokerSettings:
        return self._broker.read_settings(None)

    def _live_session(self, config: BrokerSettings) -> StoredSession | None:
        if self._store.user_of(config.account) != session.get("user"):
            return None
        return self._sync.live_session(config)

    def _require_session(self) -> tuple[BrokerSettings, StoredSession] | Response:
        """The settings and the user's live session, or what to answer without them."""
        if not session.get("user"):
            return _go(_APP_LOGIN, _NOT_LOGGED_IN, 401)
        try:
            config = self._settings()
            stored = self._live_session(config)
        except SettingError as error:
            return responses.setting_page(error)
        except BrokerError as error:
            problem = messages.problem_of(error)
            title = "Today's session cannot be read"
            return responses.error_page(messages.status_of(error), title, problem)
        if stored is None:
            title = self._broker.title
            return self._to_broker_login(f"Today's {title} session is over. Log in to {title}.")
        return config, stored

    def _finish_login(self, token: Secret, config: BrokerSettings) -> Response:
        with self._store.alone():
            answer: Any = host_logins.finish_login(
                self._broker, token, str(session["user"]), config.client_code
            )
        session.pop(self._new_login_key, None)
        return make_response(answer)

    def _to_broker_login(self, why: str) -> Response:
        if why:
            session[self._new_login_key] = True  # also when the broker did not confirm the end
        if why and not responses.wants_json():
            session[self._notice_key] = why
        return _go(self._broker.callback_path, why or f"Log in to {self._broker.title} first.", 401)

    def _to_dashboard(self) -> Response:
        return _go(DASHBOARD, f"You are logged in to {self._broker.title} already.", 200)


def _go(where: str, message: str, status: int) -> Response:
    """Redirect a browser; a script gets the same address and the message as JSON."""
    if not responses.wants_json():
        return responses.see_other(where)
    kind = "success" if status == 200 else "error"
    return responses.with_status(jsonify(status=kind, message=message, redirect=where), status)
