"""A small app around the login page, for use without OpenAlgo: log in, see the funds, log out."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from flask import Flask, Response, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, SecurityError

from broker._kit.broker import Broker
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError
from broker._kit.sessions.auto_login import AutoLogin, account_source
from broker._kit.sessions.browser_sessions import BrowserSessions
from broker._kit.sessions.known_browsers import OneTimeKey
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.notices import teller
from broker._kit.sessions.store import Store, open_store
from broker._kit.sessions.timers import start_ticking
from broker._kit.sessions.token_guard import TokenGuard, token_guard
from broker._kit.sessions.trading_calendar import load_calendar
from broker._kit.settings import ServiceSettings
from broker._kit.web import messages
from broker._kit.web.auto_login_page import AutoLoginPage
from broker._kit.web.broker_pages import PageTools
from broker._kit.web.continue_page import ContinuePage
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_page import LoginPage
from broker._kit.web.messages import Problem
from broker._kit.web.pages import HEADERS, POLICY, ConfigSource, Pages, wants_json
from broker._kit.web.server import LoopbackServer
from broker._kit.web.session_service import SessionService
from broker._kit.web.standalone_views import StandaloneViews

# A page elsewhere whose name is pointed at this machine must not read ours.
TRUSTED_HOSTS = ["127.0.0.1", "localhost"]
_LARGEST_REQUEST = 16 * 1024


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
    store, auto, no_auto = None, None, None
    try:
        store = open_store(broker, services)
        calendar, tell = load_calendar(services.home), teller(broker, services, clock)
        config_of = account_source(config_source)
        auto = AutoLogin(broker, store, config_of, clock, calendar=calendar, tell=tell)
    except BrokerError as error:
        no_auto = error.with_traceback(None)
    app = create_app(
        broker, config_source, clock,
        services=services, store=store, auto=auto, no_auto=no_auto, one_time=one_time,
    )  # fmt: skip
    server.start(app)
    return start_ticking(auto.tick, every) if auto else lambda: None


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
