"""The standalone app's views: funds, logout, and what its other pages ask about the browser."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from datetime import datetime

from flask import Response, request, session, url_for

from broker._kit.broker import BrokerSettings, LogoutResult
from broker._kit.clock import Clock
from broker._kit.errors import LogInAgain, SettingError
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.sessions.browser_sessions import BrowserSessions, DaySession
from broker._kit.sessions.stored_session import EndReason, StoredSession
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.web.broker_pages import Visit
from broker._kit.web.continue_page import ContinuePage
from broker._kit.web.funds_page import FundsPage, Links
from broker._kit.web.login_limits import AlreadySubmitted, SingleSubmit
from broker._kit.web.pages import Pages, go, see_other
from broker._kit.web.session_service import Banner, SessionService

# Keys of the browser's session, which holds nothing secret.
_KEY, _ENDS, _NOTICE, _LOGOUT = "key", "ends", "notice", "logout"
# Seconds that the second click of a double click waits for the first.
_DUPLICATE_SUBMIT_WAIT_S = 35.0
# How often, in seconds, a page that waits for auto-login is loaded again: at least, at most.
_REFRESH_S = (5.0, 300.0)


class StandaloneViews:
    """Flask views of the standalone app, and what its login and auto-login pages ask of it."""

    def __init__(
        self,
        pages: Pages,
        browsers: BrowserSessions,
        service: SessionService,
        goes_on: ContinuePage,
        guard: TokenGuard,
        clock: Clock,
    ) -> None:
        self._pages = pages
        self._broker = pages.broker
        self._browsers = browsers
        self._service = service
        self._goes_on = goes_on
        self._guard = guard
        self._clock = clock
        self._logouts: SingleSubmit[LogoutResult | None] = SingleSubmit()
        self._funds_page = FundsPage(pages, guard, clock)

    # What the login and auto-login pages ask: see `AppViews`.

    def on_entry(self) -> Response | None:
        """Redirect to the funds page when already logged in."""
        return self._logged_in() if self._session() else None

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        """Keep the token here, give the browser a new session, and show the funds."""
        return self._goes_on.remember(self._enter(token, config), config)

    def go_on(self, stored: StoredSession, config: BrokerSettings) -> Response:
        """Give the browser a new session with the stored token, and show the funds."""
        return self._enter(stored.token, config)

    def notice(self) -> str:
        """Why the browser was led to the login; told once."""
        return str(session.pop(_NOTICE, ""))

    def banner(self) -> Banner | None:
        return self._service.banner(self._pages.account())

    def may_manage(self) -> bool:
        """True for a browser that has logged in to the account of the settings."""
        config = self._browsers.whose(session.get(_KEY, ""))
        return config is not None and config.account == self._pages.account()

    def home(self) -> str:
        return url_for("home")

    # The views.

    def index(self) -> Response:
        """The funds when logged in, or when auto-login is to log in; the login when not."""
        if not self._session() and (offer := self._goes_on.offer()):
            return offer
        is_in = self._session() or self._awaited()
        return see_other(url_for("funds" if is_in else self._pages.login_endpoint))

    def funds(self) -> Response:
        """The account's funds."""
        return self.show(self._funds)

    def show(self, view: Callable[[Visit], Response]) -> Response:
        """What `view` answers a browser that is logged in; others are led to the login.

        The broker is asked only while the session can be alive; a `LogInAgain` ends it here.
        """
        day = self._session()
        if day is None:
            if offer := self._goes_on.offer():
                return offer
            status = self._awaited()
            return self._to_login(self._end_reason()) if status is None else self._wait(status)
        if session.get(_ENDS) != day.ends_at.isoformat():
            session[_ENDS] = day.ends_at.isoformat()  # auto-login has renewed the session
        try:
            page = view(self._visit(day))
        except LogInAgain as error:
            self._browsers.end(session[_KEY], day.token)
            if self._session() is not None:  # a newer one had been stored meanwhile
                is_get = request.method == "GET"
                return see_other(request.full_path.rstrip("?") if is_get else url_for("home"))
            return self._to_login(str(error))
        # The browser comes back when the session is over, to be told so; no script needed.
        return self._refresh(page, day.ends_at, 1)

    def visit(self) -> Visit | None:
        """Who is logged in on this browser, for what is no page."""
        day = self._session()
        return None if day is None else self._visit(day)

    def _visit(self, day: DaySession) -> Visit:
        key = session[_KEY]

        def is_logged_in() -> bool:
            now = self._browsers.get(key)
            return now is not None and now.token == day.token

        return Visit(self._settings_for(day), day.token, is_logged_in)

    def _funds(self, visit: Visit) -> Response:
        links = Links(refresh=url_for("funds"), log_out=url_for("log_out"))
        return self._funds_page.show(visit.config, visit.token, links, self.banner())

    def log_out(self) -> Response:
        """End the session here and at the broker, and say whether the broker has confirmed it.

        Yesterday's page does not end today's session.
        """
        shown = (session.get(_KEY, ""), session.get(_ENDS, ""))
        reason = self._end_reason()
        try:
            result = self._logouts.run(shown, lambda: self._end(*shown), _DUPLICATE_SUBMIT_WAIT_S)
        except AlreadySubmitted:
            result = None
        if result is None:
            return self._to_login(reason)
        session.clear()
        session[_LOGOUT] = [*result]
        return self._goes_on.forget(see_other(url_for("logged_out")))

    def logged_out(self) -> Response:
        """How the logout went; asks the broker nothing."""
        if _LOGOUT not in session:
            return see_other(url_for("home"))
        confirmed, message = session[_LOGOUT]
        return self._pages.render("goodbye", confirmed=confirmed, message=message)

    def _end(self, key: str, ends: str) -> LogoutResult | None:
        day = self._browsers.get(key)
        if day is None or day.ends_at.isoformat() != ends:
            return None
        self._browsers.drop(key, day)
        self._funds_page.forget()
        config = self._settings_for(day)
        result = self._broker.end_session(config, day.token)
        self._service.delete(config.account, day.token)
        return result

    def _wait(self, status: AutoLoginStatus) -> Response:
        """The session is over and auto-login will renew it: a page that loads itself again."""
        page = self._pages.render("waiting", status=status)
        return self._refresh(page, status.next_at, *_REFRESH_S)

    def _awaited(self) -> AutoLoginStatus | None:
        """Auto-login's status, if this browser had logged in and auto-login will do so again."""
        account = self._pages.account()
        is_known = self.may_manage() or self._goes_on.knows_browser()
        return self._service.awaited(account) if account and is_known else None

    def _session(self) -> DaySession | None:
        return self._browsers.get(session.get(_KEY, ""))

    def _settings_for(self, day: DaySession) -> BrokerSettings:
        """The settings of now when they are still the session's account's: a key may be renewed."""
        with contextlib.suppress(SettingError):
            now = self._pages.config_source()
            if now.account == day.config.account:
                return now
        return day.config

    def _end_reason(self) -> str:
        """Why a browser that was logged in is not any more; "" when it never was."""
        ends = session.get(_ENDS)
        if ends is None:
            return ""
        title, account = self._broker.title, self._pages.account()
        reason = self._service.end_reason(account) if account else None
        if reason is None and self._clock.now() >= datetime.fromisoformat(ends):
            reason = EndReason.EXPIRED
        if reason in (None, EndReason.LOGGED_OUT):
            return "You are logged out."
        words = report.end_words(self._broker, reason)
        return f"Your {title} session is over: {words}. Log in again."

    def _to_login(self, reason: str) -> Response:
        # Only what says who was logged in: a login in another tab may be waiting for its OTP. The
        # key stays while it is known: auto-login may get a new session for this browser.
        is_known = self._browsers.whose(session.get(_KEY, "")) is not None
        for name in (_ENDS, _LOGOUT) if is_known else (_KEY, _ENDS, _LOGOUT):
            session.pop(name, None)
        if reason:
            session[_NOTICE] = reason
        return see_other(url_for(self._pages.login_endpoint))

    def _enter(self, token: Secret, config: BrokerSettings) -> Response:
        key, day = self._browsers.put(token, config, instead_of=session.get(_KEY, ""))
        session.clear()
        session.update({_KEY: key, _ENDS: day.ends_at.isoformat()})
        return self._logged_in()

    def _logged_in(self) -> Response:
        return go(url_for("funds"), f"Logged in to {self._broker.title}.")

    def _refresh(
        self, page: Response, when: datetime | None, after: float, at_most: float = math.inf
    ) -> Response:
        """Have the browser show the funds again, `after` seconds after `when`, or after now."""
        rest = (when - self._clock.now()).total_seconds() if when else 0
        seconds = math.ceil(min(max(after, rest + after), at_most))
        page.headers["Refresh"] = f"{seconds}; url={url_for('funds')}"
        return page
