"""The standalone app's views: the funds, the logout, and the ways between them and the login."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from flask import Response, jsonify, session, url_for

from broker._kit.broker import BrokerSettings, LogoutResult
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, SessionExpired, SettingError
from broker._kit.secret import Secret
from broker._kit.sessions.browser_sessions import BrowserSessions, DaySession
from broker._kit.sessions.report import END_WORDS
from broker._kit.sessions.stored_session import EndReason
from broker._kit.sessions.token_guard import TokenGuard, fingerprint
from broker._kit.web import funds_page
from broker._kit.web.funds_page import Links, Shown
from broker._kit.web.pages import Pages, see_other, wants_json
from broker._kit.web.session_service import Banner, SessionService
from broker._kit.web.single_submit import AlreadySubmitted, SingleSubmit

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLoginStatus

# Keys of the browser's session, which holds nothing secret.
_KEY, _ENDS, _NOTICE, _LOGOUT = "key", "ends", "notice", "logout"
# Seconds that the second click of a double click waits for the first.
DUPLICATE_SUBMIT_WAIT_S = 35.0
# How often, in seconds, a page that waits for auto-login is loaded again: at least, at most.
_REFRESH_S = (5.0, 300.0)


class _NotLoggedIn(Exception):
    """A logout without a session."""


class StandaloneViews:
    """Flask views of the standalone app, and what its login and auto-login pages ask of it."""

    def __init__(
        self,
        pages: Pages,
        browsers: BrowserSessions,
        service: SessionService,
        guard: TokenGuard,
        clock: Clock,
    ) -> None:
        self._pages = pages
        self._broker = pages.broker
        self._browsers = browsers
        self._service = service
        self._guard = guard
        self._clock = clock
        self._logouts: SingleSubmit[LogoutResult] = SingleSubmit()
        self._last: dict[str, Shown] = {}

    # What the login and auto-login pages ask.

    def on_entry(self) -> Response | None:
        """Redirect to the funds page when already logged in."""
        return self._logged_in() if self._session() else None

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        """Keep the token here, give the browser a new session, and show the funds."""
        key, day = self._browsers.put(token, config, instead_of=session.get(_KEY, ""))
        session.clear()
        session[_KEY] = key
        session[_ENDS] = day.ends_at.isoformat()
        return self._logged_in()

    def notice(self) -> str:
        """Why the browser was led to the login; told once."""
        return str(session.pop(_NOTICE, ""))

    def banner(self) -> Banner | None:
        """Auto-login in one line."""
        return self._service.banner(self._pages.account())

    def may_manage(self) -> bool:
        """True for a browser that has logged in to the account of the settings."""
        config = self._browsers.whose(session.get(_KEY, ""))
        return config is not None and config.account == self._pages.account()

    def home(self) -> str:
        """The app's first address."""
        return url_for("home")

    # The views.

    def index(self) -> Response:
        """The funds when logged in, or when auto-login is to log in; the login when not."""
        is_in = self._session() or self._awaited()
        return see_other(url_for("funds" if is_in else self._pages.login_endpoint))

    def funds(self) -> Response:
        """The account's funds; the broker is asked only while the session can be alive."""
        day = self._session()
        if day is None:
            status = self._awaited()
            return self._to_login(self._end_reason()) if status is None else self._wait(status)
        if session.get(_ENDS) != day.ends_at.isoformat():
            session[_ENDS] = day.ends_at.isoformat()  # auto-login has renewed the session
        config, banner = self._settings_for(day), self.banner()
        links = Links(refresh=url_for("funds"), log_out=url_for("log_out"))
        try:
            report = self._guard.run(
                config, day.token, lambda: self._broker.fund_report(config, day.token)
            )
        except SessionExpired as error:
            self._browsers.end(session[_KEY], day.token)
            if self._session() is not None:
                return see_other(url_for("funds"))  # a newer one had been stored meanwhile
            return self._to_login(str(error))
        except BrokerError as error:
            last = self._last.get(fingerprint(day.token))
            page = funds_page.with_problem(self._pages, config, error, links, banner, last)
        else:
            # Only this session's: figures of another day or account are nobody's last.
            self._last = {fingerprint(day.token): Shown(report, self._clock.now())}
            page = funds_page.with_figures(self._pages, config, report, self._clock, links, banner)
        # The browser comes back when the session is over, to be told so; no script needed.
        return self._refresh(page, max(1, self._seconds_to(day.ends_at) + 1))

    def log_out(self) -> Response:
        """End the session here and at the broker, and say whether the broker has confirmed it.

        Yesterday's page does not end today's session.
        """
        shown = (session.get(_KEY, ""), session.get(_ENDS, ""))
        reason = self._end_reason()
        try:
            result = self._logouts.run(shown, lambda: self._end(*shown), DUPLICATE_SUBMIT_WAIT_S)
        except (AlreadySubmitted, _NotLoggedIn):
            return self._to_login(reason)
        session.clear()
        session[_LOGOUT] = [*result]
        return see_other(url_for("logged_out"))

    def logged_out(self) -> Response:
        """How the logout went; asks the broker nothing."""
        if _LOGOUT not in session:
            return see_other(url_for("home"))
        confirmed, message = session[_LOGOUT]
        return self._pages.render("goodbye", confirmed=confirmed, message=message)

    def _end(self, key: str, ends: str) -> LogoutResult:
        day = self._browsers.get(key)
        if day is None or day.ends_at.isoformat() != ends:
            raise _NotLoggedIn
        self._browsers.drop(key)
        self._last = {}
        config = self._settings_for(day)
        result = self._broker.log_out(config, day.token)
        self._service.delete(config.account, day.token)
        return result

    def _wait(self, status: AutoLoginStatus) -> Response:
        """The session is over and auto-login will renew it: a page that loads itself again."""
        at_least, at_most = _REFRESH_S
        rest = self._seconds_to(status.next_at) if status.next_at else 0
        page = self._pages.render("waiting", status=status)
        return self._refresh(page, min(at_most, max(at_least, rest + at_least)))

    def _awaited(self) -> AutoLoginStatus | None:
        """Auto-login's status, if this browser had logged in and auto-login will do so again."""
        account = self._pages.account()
        is_known = account is not None and self.may_manage()
        return self._service.awaited(account) if account and is_known else None

    def _session(self) -> DaySession | None:
        return self._browsers.get(session.get(_KEY, ""))

    def _settings_for(self, day: DaySession) -> BrokerSettings:
        """The settings of now when they are still the session's account's: a key may be renewed."""
        try:
            now = self._pages.config_source()
        except SettingError:
            return day.config
        return now if now.account == day.config.account else day.config

    def _end_reason(self) -> str:
        """Why a browser that was logged in is not any more; "" when it never was."""
        ends = session.get(_ENDS)
        if ends is None:
            return ""
        title, account = self._broker.title, self._pages.account()
        if self._clock.now() >= datetime.fromisoformat(ends):
            return f"Your {title} session ended at midnight IST. Log in again for the new day."
        reason = self._service.end_reason(account) if account else None
        if reason in (None, EndReason.LOGGED_OUT):
            return "You are logged out."
        return f"Your {title} session is over: {END_WORDS[reason]}. Log in again."

    def _to_login(self, reason: str) -> Response:
        # Only what says who was logged in: a login in another tab may be waiting for its OTP. The
        # key stays while it is known: auto-login may get a new session for this browser.
        is_known = self._browsers.whose(session.get(_KEY, "")) is not None
        for name in (_ENDS, _LOGOUT) if is_known else (_KEY, _ENDS, _LOGOUT):
            session.pop(name, None)
        if reason:
            session[_NOTICE] = reason
        return see_other(url_for(self._pages.login_endpoint))

    def _logged_in(self) -> Response:
        where = url_for("funds")
        if wants_json():
            message = f"Logged in to {self._broker.title}."
            return jsonify(status="success", message=message, redirect=where)
        return see_other(where)

    def _seconds_to(self, moment: datetime) -> int:
        return math.ceil((moment - self._clock.now()).total_seconds())

    def _refresh(self, page: Response, seconds: float) -> Response:
        page.headers["Refresh"] = f"{math.ceil(seconds)}; url={url_for('funds')}"
        return page
