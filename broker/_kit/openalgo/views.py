"""The pages inside OpenAlgo that know who is logged in: entry, continue, funds, and the way on."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from flask import Response, jsonify, make_response, redirect, render_template, request, session
from flask import url_for as url_of

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, LogInAgain, SettingError
from broker._kit.openalgo import host
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.session_sync import SessionSync
from broker._kit.secret import Secret, masked
from broker._kit.sessions import stored_session
from broker._kit.sessions.stored_session import LoginMethod, StoredSession
from broker._kit.sessions.token_life import fingerprint
from broker._kit.web import auto_login_page, auto_login_view, funds_page, messages, responses
from broker._kit.web.funds_page import Links
from broker._kit.web.messages import Problem
from broker._kit.web.responses import ENDPOINT, ConfigSource, Frame
from broker._kit.web.session_service import SessionService
from broker.mstock.api.funds import get_fund_summary

_RESUME, _FUNDS = "mstock_host.resume", "mstock_host.funds"
DASHBOARD = "/dashboard"
_APP_LOGIN = "/auth/login"
# Keys of the host's browser session, which anyone can read who has the cookie: nothing secret.
_NOTICE, _ANEW = "mstock_notice", "mstock_anew"
_REMEMBERED = 16

_NOT_IN = Problem("Your OpenAlgo session is over.", "Log in to OpenAlgo again.")
_OVER = "Today's mStock session is over. Log in to mStock again."

log = host.logger(__name__)


class OpenAlgoViews:
    """The views and what the login page asks of them."""

    def __init__(
        self,
        store: OpenAlgoSessionStore,
        keeper: SessionSync,
        kept: SessionService,
        config_source: ConfigSource,
        clock: Clock,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._config_source = config_source
        self._clock = clock
        self.frame = Frame(config_source)
        self._kept = kept
        self._how: OrderedDict[str, LoginMethod] = OrderedDict()

    # What the login page asks.

    def on_entry(self) -> Response | None:
        """Turn away who is not in OpenAlgo, and who needs no login.

        The host's own route sends everyone to the dashboard who is logged in to OpenAlgo; whose
        token is dead would never get past it.
        """
        user = session.get("user")
        if not user:
            return self._to_app_login()
        try:
            standing = self._standing(user)
        except BrokerError as error:
            # A login by hand may well work all the same, and mends what cannot be read.
            log.warning(f"mStock: the stored session cannot be read. {error}")
            return None
        if standing is None:
            return None
        if session.get("logged_in"):
            session["broker"] = host.BROKER
            return _to_dashboard("You are logged in to mStock already.")
        if request.method != "GET" or responses.wants_json():
            return None
        if "new" in request.args:
            session[_ANEW] = True
        if session.get(_ANEW):
            return None
        return responses.see_other(url_of(_RESUME))

    def notice(self) -> str:
        """What to say above a fresh login form."""
        return str(session.pop(_NOTICE, ""))

    def remember(self, _config: BrokerSettings, token: Secret, how: LoginMethod) -> None:
        """How a session was got, until the host has it."""
        self._how[fingerprint(token)] = how
        while len(self._how) > _REMEMBERED:
            self._how.popitem(last=False)

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        """Hand the day's token to the host and give its answer; keep how and when it was got."""
        try:
            response = self._finish(token, config)
        except BrokerError as error:
            return responses.error_page(500, "OpenAlgo did not take it", messages.problem_of(error))
        session.pop(_ANEW, None)
        how = self._how.get(fingerprint(token), LoginMethod.OTP)
        try:
            with self._store.alone():
                stored_session.save_session(
                    self._store, config.account, token, self._clock.now(), how
                )
        except BrokerError as error:
            # The login stands without it; auto-login, which needs it more, will say so.
            log.warning(f"mStock: the record of the session was not kept. {error}")
        return response

    # The pages of ours.

    def resume(self) -> Response:
        """Offer to go on with today's session, which OpenAlgo has put aside; POST takes it up.

        The host does so at its own login whenever mStock cannot be asked at that moment, and the
        token in its database is as good as before.
        """
        user = session.get("user")
        if not user:
            return self._to_app_login()
        try:
            config = self._config_source()
        except SettingError as error:
            return responses.setting_page(error)
        try:
            standing = self._standing(user)
        except BrokerError as error:
            return _unreadable(error)
        if standing is None:
            return self._to_broker_login("" if request.method == "GET" else _OVER)
        if session.get("logged_in"):
            return _to_dashboard("You are logged in to mStock already.")
        if request.method != "POST":
            return self._offer(config, standing)
        try:
            get_fund_summary(standing.token.reveal(), config=config)
            response = self._finish(standing.token, config)
        except LogInAgain as error:
            session[_ANEW] = True  # even if it is still stored: mStock may not have confirmed it
            return self._to_broker_login(str(error))
        except BrokerError as error:
            if responses.wants_json():
                return responses.message_page(
                    messages.status_of(error), "", messages.problem_of(error)
                )
            return self._offer(config, standing, error)
        session.pop(_ANEW, None)
        return response

    def funds(self) -> Response:
        """All figures of the account, for whoever is logged in to OpenAlgo and to mStock."""
        user = session.get("user")
        if not user or not session.get("logged_in"):
            return self._to_app_login() if not user else self._to_broker_login("")
        try:
            config = self._config_source()
        except SettingError as error:
            return responses.setting_page(error)
        links = Links(refresh=url_of(_FUNDS), back=DASHBOARD, back_words="OpenAlgo's dashboard")
        try:
            standing = self._standing(user)
        except BrokerError as error:
            return funds_page.with_problem(self.frame, config, error, links)
        if standing is None:
            return self._to_broker_login(_OVER)
        try:
            summary = get_fund_summary(standing.token.reveal(), config=config)
        except LogInAgain as error:
            return self._to_broker_login(str(error))
        except BrokerError as error:
            return funds_page.with_problem(self.frame, config, error, links)
        return funds_page.with_figures(self.frame, config, summary, self._clock, links)

    def only_users(self) -> Response | None:
        """Turn away who is not in OpenAlgo."""
        return None if session.get("user") else self._to_app_login()

    def may_manage(self) -> bool:
        """Who may change auto-login: the user whose login it is, in OpenAlgo and at its broker."""
        user = session.get("user")
        if not user or not session.get("logged_in"):
            return False
        try:
            return bool(self._store.user_of(self._config_source().account) == user)
        except BrokerError:
            return True  # whatever they try says what is amiss

    def extras(self) -> dict[str, Any]:
        """What the pages' templates may call: a line on auto-login, where there is one."""
        return {"auto_line": self._auto_line} if self._kept.has_page else {}

    def _auto_line(self) -> auto_login_view.Line | None:
        try:
            account = self._config_source().account
        except SettingError:
            return None
        return self._kept.banner(account, url_of(auto_login_page.ENDPOINT))

    def end_if_over(self) -> None:
        """After midnight, when the host's pages ask whether the broker session stands: end it.

        Not earlier and not by a timer: a strategy that calls with the dead token is told that the
        session is over, and would be told that its key is wrong. Raises `BrokerError`.
        """
        self._keeper.end_if_over(self._config_source())

    def _standing(self, user: str) -> StoredSession | None:
        """The user's stored session, unless it is over for certain; mStock is not asked.

        Raises `BrokerError` when it cannot be read, which does not mean that there is none.
        """
        account = self._config_source().account
        if self._store.user_of(account) != user:
            return None
        kept = stored_session.load_session(self._store, account, self._clock.now())
        is_dead = kept is None or kept.is_over or self._keeper.is_ended(kept.token)
        return None if is_dead else kept

    def _finish(self, token: Secret, config: BrokerSettings) -> Response:
        with self._store.alone():
            answer: Any = host.finish_login(token, str(session["user"]), config.client_code)
        return make_response(answer)

    def _offer(
        self, config: BrokerSettings, standing: StoredSession, error: BrokerError | None = None
    ) -> Response:
        page = render_template(
            "mstock/resume.html",
            problem=messages.problem_of(error) if error else None,
            client_code=masked(config.client_code),
            logged_in_at=standing.logged_in_at,
            anew=url_of(ENDPOINT, new=1),
            **self.frame.of(config),
        )
        return responses.with_status(page, messages.status_of(error) if error else 200)

    def _to_app_login(self) -> Response:
        if responses.wants_json():
            body = jsonify(status="error", message=str(_NOT_IN), redirect=_APP_LOGIN)
            return responses.with_status(body, 401)
        return make_response(redirect(_APP_LOGIN))

    def _to_broker_login(self, why: str) -> Response:
        if responses.wants_json():
            words = why or "Log in to mStock first."
            body = jsonify(status="error", message=words, redirect=url_of(ENDPOINT))
            return responses.with_status(body, 401)
        if why:
            session[_NOTICE] = why
        return responses.see_other(url_of(ENDPOINT))


def _unreadable(error: BrokerError) -> Response:
    return responses.error_page(
        messages.status_of(error), "Today's session cannot be read", messages.problem_of(error)
    )


def _to_dashboard(words: str) -> Response:
    if responses.wants_json():
        return jsonify(status="success", message=words, redirect=DASHBOARD)
    return responses.see_other(DASHBOARD)
