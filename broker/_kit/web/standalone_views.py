"""The standalone app's views: the funds, the logout, and the ways between them and the login."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from flask import (
    Response,
    jsonify,
    make_response,
    render_template,
    session,
    url_for,
)

from broker._kit.broker import BrokerSettings, LogoutResult
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, SessionExpired, SettingError
from broker._kit.secret import Secret
from broker._kit.sessions.browser_sessions import BrowserSessions, DaySession
from broker._kit.settings import Account
from broker._kit.web import auto_login_page, auto_login_view, funds_page, responses
from broker._kit.web.funds_page import Links
from broker._kit.web.responses import ENDPOINT, Frame
from broker._kit.web.session_service import SessionService
from broker._kit.web.single_submit import AlreadySubmitted, SingleSubmit
from broker.mstock.api.funds import get_fund_summary
from broker.mstock.client import login

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLoginStatus

# Keys of the browser's session, which holds nothing secret.
_KEY, _ENDS, NOTICE, _FAREWELL = "key", "ends", "notice", "farewell"
# Seconds that the second click of a double click waits for the first.
_PATIENCE = 35.0
# How often, in seconds, a page that waits for auto-login looks again: at least, at most.
_LOOK_AGAIN = (5.0, 300.0)


class _NobodyIn(Exception):
    """A logout without a session."""


class Desk:
    """The views that know who is logged in."""

    def __init__(
        self, clock: Clock, shelf: BrowserSessions, frame: Frame, kept: SessionService
    ) -> None:
        self._clock = clock
        self._shelf = shelf
        self._frame = frame
        self._kept = kept
        self._farewells: SingleSubmit[LogoutResult] = SingleSubmit()

    def on_login(self, token: Secret, config: BrokerSettings) -> Response:
        """Keep the token here, give the browser a new session, and show the funds."""
        key, held = self._shelf.put(token, config, instead_of=session.get(_KEY, ""))
        session.clear()
        session[_KEY] = key
        session[_ENDS] = held.ends_at.isoformat()
        return self._welcome()

    def on_entry(self) -> Response | None:
        """Whoever is logged in needs no login page."""
        return self._welcome() if self._held() else None

    def may_manage(self) -> bool:
        """True for a browser that has logged in to the account of the settings."""
        logged_in = self._shelf.whose(session.get(_KEY, ""))
        return logged_in is not None and logged_in.account == self._account()

    def auto_line(self) -> auto_login_view.Line | None:
        """What a page says of auto-login, None when there is nothing to say."""
        account = self._account()
        if account is None or not self._kept.has_page:
            return None
        return self._kept.banner(account, url_for(auto_login_page.ENDPOINT))

    def home(self) -> Response:
        """The funds when logged in, or when auto-login is to log in; the login when not."""
        is_in = self._held() or self._awaited()
        return responses.see_other(url_for("funds" if is_in else ENDPOINT))

    def funds(self) -> Response:
        """The account's funds; mStock is asked only while the session can be alive."""
        held = self._held()
        if held is None:
            status = self._awaited()
            return self._to_login(self._why_not()) if status is None else self._wait_for(status)
        if session.get(_ENDS) != held.ends_at.isoformat():
            session[_ENDS] = held.ends_at.isoformat()  # auto-login has renewed the session
        try:
            summary = get_fund_summary(held.token.reveal(), config=self._settings_for(held))
        except SessionExpired as error:
            self._shelf.end(session[_KEY], held.token)
            if self._held() is not None:
                return responses.see_other(url_for("funds"))  # a newer one had been kept meanwhile
            return self._to_login(str(error))
        except BrokerError as error:
            page = funds_page.with_problem(self._frame, held.config, error, _links())
        else:
            page = funds_page.with_figures(self._frame, held.config, summary, self._clock, _links())
        return self._until_midnight(page, held)

    def _awaited(self) -> AutoLoginStatus | None:
        """How auto-login stands, if this browser had logged in and auto-login will do so again."""
        account = self._account()
        if account is None or not self.may_manage():
            return None
        status = self._kept.status(account)
        if (
            status is None
            or status.next_at is None
            or auto_login_view.state_of(status) != auto_login_view.ON
        ):
            return None
        return status

    def _wait_for(self, status: AutoLoginStatus) -> Response:
        """The session is over and auto-login will renew it: no page to hurry from."""
        config = self._frame.config_source()
        html = render_template("mstock/waiting.html", status=status, **self._frame.of(config))
        at_least, at_most = _LOOK_AGAIN
        rest = (status.next_at - self._clock.now()).total_seconds() if status.next_at else 0
        response = make_response(html)
        seconds = min(at_most, max(at_least, rest + at_least))
        response.headers["Refresh"] = f"{math.ceil(seconds)}; url={url_for('funds')}"
        return response

    def log_out(self) -> Response:
        """End the session here and at mStock, and say whether mStock has confirmed it."""
        key = session.get(_KEY, "")
        why_not = self._why_not()
        try:
            farewell = self._farewells.run(key, lambda: self._end(key), _PATIENCE)
        except (AlreadySubmitted, _NobodyIn):
            return self._to_login(why_not)
        session.clear()
        session[_FAREWELL] = [farewell.confirmed, farewell.message]
        return responses.see_other(url_for("logged_out"))

    def logged_out(self) -> Response:
        """How the logout went; asks mStock nothing."""
        if _FAREWELL not in session:
            return responses.see_other(url_for("home"))
        confirmed, message = session[_FAREWELL]
        page = render_template("mstock/goodbye.html", confirmed=confirmed, message=message)
        return make_response(page)

    def _end(self, key: str) -> LogoutResult:
        held = self._shelf.drop(key)
        if held is None:
            raise _NobodyIn
        config = self._settings_for(held)
        farewell = login.logout(config, held.token)
        self._kept.forget(config.account, held.token)
        other = self._kept.other(config, held.token)
        if other is None:
            return farewell
        # A session that auto-login got while this one was alive, such as by a test.
        second = login.logout(config, other)
        self._kept.forget(config.account, other)
        return farewell if not farewell.confirmed else second

    def _settings_for(self, held: DaySession) -> BrokerSettings:
        """The settings of now when they are still the session's account's: a key may be renewed."""
        try:
            now = self._frame.config_source()
        except SettingError:
            return held.config
        return now if now.account == held.config.account else held.config

    def _account(self) -> Account | None:
        """Whose account the settings name, None when they are unusable."""
        try:
            return self._frame.config_source().account
        except SettingError:
            return None

    def _held(self) -> DaySession | None:
        return self._shelf.get(session.get(_KEY, ""))

    def _why_not(self) -> str:
        """Why a browser that was logged in is not any more; "" when it never was."""
        ends = session.get(_ENDS)
        if ends is None:
            return ""
        if self._clock.now() >= datetime.fromisoformat(ends):
            return "Your mStock session ended at midnight IST. Log in again for the new day."
        return "You are logged out."

    def _to_login(self, why: str) -> Response:
        # Only what says who was logged in: a login in another tab may be waiting for its OTP. The
        # key stays while the shelf knows it: auto-login may get a new session for this browser.
        is_known = self._shelf.whose(session.get(_KEY, "")) is not None
        for name in (_ENDS, _FAREWELL) if is_known else (_KEY, _ENDS, _FAREWELL):
            session.pop(name, None)
        if why:
            session[NOTICE] = why
        return responses.see_other(url_for(ENDPOINT))

    def _welcome(self) -> Response:
        where = url_for("funds")
        if responses.wants_json():
            return jsonify(status="success", message="Logged in to mStock.", redirect=where)
        return responses.see_other(where)

    def _until_midnight(self, response: Response, held: DaySession) -> Response:
        """Have the browser come back when the session is over, to be told so; no script needed."""
        rest = (held.ends_at - self._clock.now()).total_seconds()
        response.headers["Refresh"] = f"{max(1, math.ceil(rest) + 1)}; url={url_for('funds')}"
        return response


def _links() -> Links:
    return Links(refresh=url_for("funds"), log_out=url_for("log_out"))
