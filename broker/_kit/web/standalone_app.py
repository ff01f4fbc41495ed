"""A small app around the login page, for use without OpenAlgo: log in, see the funds, log out."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request, session, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, SecurityError

from broker._kit.broker import Broker, BrokerSettings, LogoutResult
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, LogInAgain, SettingError
from broker._kit.secret import Secret
from broker._kit.sessions.browser_sessions import BrowserSessions, DaySession
from broker._kit.sessions.known_browsers import OneTimeKey
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.report import END_WORDS
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import EndReason, StoredSession
from broker._kit.sessions.token_guard import TokenGuard, token_guard
from broker._kit.settings import Account, ServiceSettings
from broker._kit.web import messages
from broker._kit.web.auto_login_page import AutoLoginPage
from broker._kit.web.broker_pages import PageTools, Visit
from broker._kit.web.continue_page import ContinuePage
from broker._kit.web.funds_page import FundsPage, Links
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_limits import AlreadySubmitted, SingleSubmit
from broker._kit.web.login_page import LoginPage
from broker._kit.web.messages import Problem
from broker._kit.web.pages import HEADERS, POLICY, ConfigSource, Pages, see_other, wants_json
from broker._kit.web.session_service import Banner, SessionService

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLogin, AutoLoginStatus
    from broker._kit.web.server import LoopbackServer

# A page elsewhere whose name is pointed at this machine must not read ours.
TRUSTED_HOSTS = ["127.0.0.1", "localhost"]
_LARGEST_REQUEST = 16 * 1024
# Keys of the browser's session, which holds nothing secret.
_KEY, _ENDS, _NOTICE, _LOGOUT = "key", "ends", "notice", "logout"
# Seconds that the second click of a double click waits for the first.
_DUPLICATE_SUBMIT_WAIT_S = 35.0
# How often, in seconds, a page that waits for auto-login is loaded again: at least, at most.
_REFRESH_S = (5.0, 300.0)


def create_app(
    broker: Broker,
    config_source: ConfigSource,
    clock: Clock = SYSTEM_CLOCK,
    *,
    phone_url: str = "",
    flow: LoginFlow | None = None,
    store: Store | None = None,
    auto: AutoLogin | None = None,
    no_auto: BrokerError | None = None,
    guard: TokenGuard | None = None,
    services: ServiceSettings | None = None,
    one_time: OneTimeKey | None = None,
) -> Flask:
    """The app: `/<broker>/callback` to log in, `/funds`, `/logout`, `/<broker>/auto-login`.

    For loopback only (see `server.py`). `config_source` is asked at each request and may raise
    `SettingError`. With a `store` a login is stored in it, and a `flow` that is given should share
    its login lock; `auto` is what the auto-login page shows; `no_auto` says why there is none.
    `guard` is the process's one unless the app has a clock of its own. With `services` the broker's
    own pages are served too. `one_time` is the key of an address that goes on with the stored
    session.
    """
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME=f"{broker.name}_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        TRUSTED_HOSTS=TRUSTED_HOSTS,
        MAX_CONTENT_LENGTH=_LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=_LARGEST_REQUEST,
        # A page opened at 08:00 must still work at 09:15; a restart makes every token void.
        WTF_CSRF_TIME_LIMIT=None,
    )
    pages = Pages(broker, config_source, phone_url=phone_url)
    service = SessionService(clock, store, auto, no_auto)
    browsers = BrowserSessions(broker, store, clock)
    goes_on = ContinuePage(pages, store, clock, one_time)
    guard = guard or token_guard(broker)
    views = StandaloneViews(pages, browsers, service, goes_on, guard, clock)
    lock = None if store is None else LoginLock(store, clock)
    login = LoginPage(pages, views, flow or LoginFlow(broker, clock, lock=lock)).blueprint()
    app.before_request(lambda: _on_cross_site(pages))
    CSRFProtect(app)
    app.register_blueprint(login)
    if service.has_page:
        app.register_blueprint(AutoLoginPage(pages, views, service, clock).blueprint())
    if broker.pages is not None and services is not None:
        own = broker.pages(PageTools(pages, services, guard, clock, views.show, views.visit))
        pages.more_pages = own.navigation
        app.register_blueprint(own.blueprint)
    app.add_url_rule("/", "home", views.index)
    app.add_url_rule("/funds", "funds", views.funds)
    app.add_url_rule("/logout", "log_out", views.log_out, methods=["POST"])
    app.add_url_rule("/logged-out", "logged_out", views.logged_out)
    goes_on.add_to(app, views.go_on)
    app.add_url_rule("/favicon.ico", "favicon", lambda: login.send_static_file("icon.svg"))
    app.register_error_handler(SecurityError, lambda error: _on_untrusted_host(pages))
    app.register_error_handler(HTTPException, lambda error: _on_http_error(pages, error))
    app.register_error_handler(Exception, pages.on_error)
    app.after_request(pages.harden)
    return app


def start(
    broker: Broker,
    config_source: ConfigSource,
    services: ServiceSettings,
    server: LoopbackServer,
    clock: Clock = SYSTEM_CLOCK,
    every: float = 20.0,
    one_time: OneTimeKey | None = None,
) -> Callable[[], None]:
    """Serve the pages on this server, with auto-login at work; returns what stops auto-login.

    Where the store or the table of trading days cannot be used, the pages are served all the same
    and say so: a trader can still log in by hand. `every` is the seconds between two ticks. The
    stopping waits for a login that is under way.
    """
    from broker._kit.sessions.auto_login import AutoLogin
    from broker._kit.sessions.notices import teller
    from broker._kit.sessions.store import open_store
    from broker._kit.sessions.timers import start_ticking
    from broker._kit.sessions.trading_calendar import load_calendar

    def config_of(account: Account) -> BrokerSettings | None:
        try:
            config = config_source()
        except SettingError:
            return None
        return config if config.account == account else None

    make_app = partial(
        create_app, broker, config_source, clock, services=services, one_time=one_time
    )
    store: Store | None = None
    try:
        store = open_store(broker, services)
        calendar, tell = load_calendar(services.home), teller(broker, services, clock)
        auto = AutoLogin(broker, store, config_of, clock, calendar=calendar, tell=tell)
    except BrokerError as error:
        no_auto = error.with_traceback(None)
        server.start(make_app(store=store, no_auto=no_auto))
        return lambda: None
    server.start(make_app(store=store, auto=auto))
    return start_ticking(auto, every)


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
        self._browsers.drop(key)
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
        is_late = self._clock.now() >= datetime.fromisoformat(ends)
        if is_late and reason in (None, EndReason.MIDNIGHT):
            return f"Your {title} session ended at midnight IST. Log in again for the new day."
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

    def _enter(self, token: Secret, config: BrokerSettings) -> Response:
        key, day = self._browsers.put(token, config, instead_of=session.get(_KEY, ""))
        session.clear()
        session.update({_KEY: key, _ENDS: day.ends_at.isoformat()})
        return self._logged_in()

    def _logged_in(self) -> Response:
        where = url_for("funds")
        message = f"Logged in to {self._broker.title}."
        if wants_json():
            return jsonify(status="success", message=message, redirect=where)
        return see_other(where)

    def _refresh(
        self, page: Response, when: datetime | None, after: float, at_most: float = math.inf
    ) -> Response:
        """Have the browser show the funds again, `after` seconds after `when`, or after now."""
        rest = (when - self._clock.now()).total_seconds() if when else 0
        seconds = math.ceil(min(max(after, rest + after), at_most))
        page.headers["Refresh"] = f"{seconds}; url={url_for('funds')}"
        return page


def _on_cross_site(pages: Pages) -> Response | None:
    """Answer a request that another site caused with a page that asks for a click.

    The browser withholds a strict cookie from it, so that answering as usual would look like a
    logout and give the browser a new session in place of its own.
    """
    if request.routing_exception or request.headers.get("Sec-Fetch-Site") != "cross-site":
        return None
    if request.endpoint == f"{pages.broker.name}_login.static":
        return None
    return pages.error(
        200 if request.method == "GET" and not wants_json() else 403,
        f"{pages.broker.title} login",
        Problem("You came here from another website.", "Nothing has been done.", is_news=True),
        back=url_for("home"),
        back_words="Continue",
    )


def _on_untrusted_host(pages: Pages) -> Response:
    # Nothing can be routed here, and the style sheet would be asked of the untrusted name.
    own = f"http://127.0.0.1:{request.environ['SERVER_PORT']}"
    response = pages.error(
        400,
        "Not at this address",
        Problem(
            "This page answers to the names of this computer only.", f"Open {own}/ in its browser."
        ),
        back=f"{own}/",
        back_words="Open it",
        api_type="",  # a stranger need not know what runs here
        phone_url="",
        style=f"{own}{pages.static}/style.css",
        script="",
        icon=f"{own}{pages.static}/icon.svg",
    )
    response.headers[POLICY] = HEADERS[POLICY].replace("'self'", own)
    return response


# A handler of its own has what goes wrong on the login and auto-login pages.
_TITLES: dict[int, tuple[str, Problem]] = {
    404: ("No such page", Problem("There is no page at this address.", "Check what was typed.")),
    405: (
        "Not that way",
        Problem("This address cannot be opened like that.", "Nothing was sent or changed."),
    ),
}


def _on_http_error(pages: Pages, error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, CSRFError):
        return pages.error(status, "An old page", messages.PAGE_STALE)
    title, problem = _TITLES.get(status, ("That did not work", messages.REFUSED))
    response = pages.error(status, title, problem)
    response.headers.extend({k: v for k, v in error.get_headers() if k.lower() == "allow"})
    return response
