"""Flask views inside OpenAlgo: login entry, continue with today's session, funds, auto-login."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from flask import Response, make_response, request, session, url_for

from broker._kit.broker import BrokerSettings
from broker._kit.errors import BrokerError, LogInAgain
from broker._kit.openalgo import auth_table, host
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.sessions.stored_session import EndReason, LoginMethod, StoredSession, save_session
from broker._kit.web import messages
from broker._kit.web.funds_page import FundsPage, Links
from broker._kit.web.pages import Pages, go, json_error, see_other, sent_fields, wants_json
from broker._kit.web.session_service import Banner

if TYPE_CHECKING:
    from broker._kit.openalgo.services import Services

_DASHBOARD, _BACK = "/dashboard", "OpenAlgo's dashboard"

log = host.logger(__name__)


class OpenAlgoViews:
    """Flask views inside OpenAlgo, and what the login and auto-login pages ask of the app."""

    def __init__(self, pages: Pages, services: Services) -> None:
        self._pages = pages
        self._services = services
        self._broker, self._clock = pages.broker, services.clock
        self._store, self._guard = services.store, services.guard
        self._funds_page = FundsPage(pages, self._guard, self._clock)
        # Keys of the host's browser session, a cookie that its owner can read: nothing secret.
        self._notice_key = f"{pages.broker.name}_notice"
        self._new_login_key = f"{pages.broker.name}_new_login"

    # What the login and auto-login pages ask.

    def on_entry(self) -> Response | None:
        """Turn away who is not logged in to OpenAlgo, and who needs no login.

        The host's own route sends everyone to the dashboard who is logged in to OpenAlgo: with a
        dead token nobody would get past it.
        """
        if turned_away := self.require_user():
            return turned_away
        try:
            stored = self._live_session(self._pages.config_source())
        except BrokerError as error:
            # A login may work all the same, and replaces what cannot be read.
            log.warning(f"{self._broker.title}: the stored session cannot be read. {error}")
            return None
        if stored is None:
            return None
        if session.get("logged_in"):
            session["broker"] = self._broker.name
            return self._to_dashboard()
        if request.method != "GET" or wants_json():
            return None
        if "new" in request.args:
            session[self._new_login_key] = True
        if session.get(self._new_login_key):
            return None
        return see_other(url_for(f"{self._broker.name}_openalgo.resume"))

    def notice(self) -> str:
        """What to say above a fresh login form."""
        return str(session.pop(self._notice_key, "")) or self._why_over()

    def banner(self) -> Banner | None:
        """Auto-login in one line."""
        return self._services.service.banner(self._pages.account())

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        """Hand the new token to the host and return its answer; store when and how it was got."""
        try:
            response = self._finish_login(token, config)
        except BrokerError as error:
            return self._pages.broker_error(error, "OpenAlgo did not take it")
        method = LoginMethod.OTP if sent_fields(("otp",)).get("otp") else LoginMethod.TOTP
        try:
            save_session(self._store, config.account, token, self._clock.now(), method)
        except BrokerError as error:
            # The login stands without it; auto-login, which needs it more, will say so.
            log.warning(f"{self._broker.title}: the session's record was not stored. {error}")
        return response

    def may_manage(self) -> bool:
        """Who may change auto-login: the user whose login it is, in OpenAlgo and at the broker."""
        user, account = session.get("user"), self._pages.account()
        if not user or not session.get("logged_in"):
            return False
        return account is None or self._store.user_of(account) == user

    def home(self) -> str:
        """OpenAlgo's dashboard."""
        return _DASHBOARD

    def require_user(self) -> Response | None:
        """Turn away who is not logged in to OpenAlgo."""
        words = "Your OpenAlgo session is over. Log in to OpenAlgo again."
        return None if session.get("user") else go("/auth/login", words, 401)

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
        status, problem = 200, None
        if request.method == "POST":
            try:
                self._guard.run(
                    config, stored.token, lambda: self._broker.check_session(config, stored.token)
                )
                return self._finish_login(stored.token, config)
            except LogInAgain as error:
                return self._to_broker_login(str(error))
            except BrokerError as error:
                status, problem = messages.status_of(error), messages.problem_of(error)
        if problem and wants_json():
            return json_error(status, problem)
        return self._pages.render(
            "resume",
            status,
            config=config,
            problem=problem,
            logged_in_at=stored.logged_in_at,
            new_login=f"{self._broker.callback_path}?new=1",
        )

    def funds(self) -> Response:
        """All figures of the account, for whoever is logged in to OpenAlgo and to the broker."""
        if session.get("user") and not session.get("logged_in"):
            return self._to_broker_login("")
        found = self._require_session()
        if isinstance(found, Response):
            return found
        config, stored = found
        links = Links(url_for(self._pages.funds_endpoint), "", _DASHBOARD, _BACK)
        try:
            return self._funds_page.show(config, stored.token, links, self.banner())
        except LogInAgain as error:
            return self._to_broker_login(str(error))

    def _why_over(self) -> str:
        """Why the last session is over, as a sentence; "" when nobody knows."""
        account, reason = self._pages.account(), None
        with contextlib.suppress(BrokerError):
            reason = self._services.why_ended(account) if account else None
        if reason is None:
            return ""
        words = report.end_words(self._broker, reason)
        if reason is EndReason.LOGGED_OUT_ELSEWHERE:
            words = "it was logged out in OpenAlgo"  # here nobody else takes a token away
        return f"The {self._broker.title} session is over: {words}."

    def _live_session(self, config: BrokerSettings) -> StoredSession | None:
        """This user's stored session unless it is known to be over. Raises `BrokerError`."""
        if self._store.user_of(config.account) != session.get("user"):
            return None
        stored, is_over = self._services.stored_session(config)
        return None if is_over else stored

    def _require_session(self) -> tuple[BrokerSettings, StoredSession] | Response:
        """The settings and the live session, or where to go without. Raises `BrokerError`."""
        if turned_away := self.require_user():
            return turned_away
        config = self._pages.config_source()
        stored, title = self._live_session(config), self._broker.title
        if stored is None:
            why = self._why_over() or f"Today's {title} session is over. Log in to {title}."
            return self._to_broker_login(why)
        return config, stored

    def _finish_login(self, token: Secret, config: BrokerSettings) -> Response:
        with self._store.alone:
            answer: Any = auth_table.finish_login(
                self._broker, token, str(session["user"]), config.client_code
            )
        session.pop(self._new_login_key, None)
        return make_response(answer)

    def _to_broker_login(self, why: str) -> Response:
        if why:
            session[self._new_login_key] = True  # also when the broker did not confirm the end
        if why and not wants_json():
            session[self._notice_key] = why
        return go(self._broker.callback_path, why or f"Log in to {self._broker.title} first.", 401)

    def _to_dashboard(self) -> Response:
        return go(_DASHBOARD, f"You are logged in to {self._broker.title} already.")
