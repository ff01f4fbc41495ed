"""A small app around the login page, for use without OpenAlgo: log in, see the funds, log out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from flask import (
    Flask,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError
from broker._kit.sessions.browser_sessions import BrowserSessions
from broker._kit.sessions.store import Store
from broker._kit.web import auto_login_page, error_pages
from broker._kit.web.headers import harden
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_page import create_blueprint
from broker._kit.web.responses import ConfigSource, Frame
from broker._kit.web.session_service import SessionService
from broker._kit.web.standalone_views import NOTICE, Desk
from broker.mstock.broker import MSTOCK

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLogin

# A page elsewhere whose name is pointed at this machine must not read ours.
TRUSTED_HOSTS = ["127.0.0.1", "localhost"]
_LARGEST_REQUEST = 16 * 1024


def create_app(
    config_source: ConfigSource,
    clock: Clock = SYSTEM_CLOCK,
    *,
    phone_url: str = "",
    flow: LoginFlow | None = None,
    store: Store | None = None,
    auto: AutoLogin | None = None,
    no_auto: BrokerError | None = None,
) -> Flask:
    """The app: `/mstock/callback` to log in, `/funds`, `/logout`, `/mstock/auto-login`.

    For loopback only (see `server.py`). `config_source` is asked at each request and may raise
    `SettingError`. With a `store` a login is kept in it, and a `flow` that is given should share
    its line (`session/line.py`); `auto` is what the auto-login page shows; `no_auto` says why
    there is no auto-login.
    """
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="mstock_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        TRUSTED_HOSTS=TRUSTED_HOSTS,
        MAX_CONTENT_LENGTH=_LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=_LARGEST_REQUEST,
        # A page opened at 08:00 must still work at 09:15; a restart makes every token void.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.before_request(error_pages.turn_away_strangers)
    CSRFProtect(app)
    frame = Frame(config_source, phone_url)
    app.context_processor(frame)
    kept = SessionService(clock, store, auto, no_auto)
    desk = Desk(clock, BrowserSessions(MSTOCK, store, clock), frame, kept)
    app.context_processor(lambda: {"auto_line": desk.auto_line})
    login_page = create_blueprint(
        config_source,
        desk.on_login,
        clock,
        on_entry=desk.on_entry,
        notice=lambda: str(session.pop(NOTICE, "")),
        phone_url=phone_url,
        flow=flow or LoginFlow(clock, line=kept.line),
    )
    app.register_blueprint(login_page)
    if kept.has_page:
        auto_page = auto_login_page.create_auto_login_blueprint(
            config_source,
            kept.auto,
            may_manage=desk.may_manage,
            clock=clock,
            phone_url=phone_url,
            session_of=kept.session,
            home=lambda: url_for("home"),
        )
        app.register_blueprint(auto_page)
    app.add_url_rule("/", "home", desk.home)
    app.add_url_rule("/funds", "funds", desk.funds)
    app.add_url_rule("/logout", "log_out", desk.log_out, methods=["POST"])
    app.add_url_rule("/logged-out", "logged_out", desk.logged_out)
    app.add_url_rule("/favicon.ico", "favicon", lambda: login_page.send_static_file("icon.svg"))
    error_pages.register(app)
    app.after_request(harden)
    return app
