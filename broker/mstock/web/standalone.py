"""A small app around the login page, for use without OpenAlgo: log in, see the funds, log out."""

from __future__ import annotations

import math
import secrets
from datetime import datetime

from flask import (
    Flask,
    Response,
    jsonify,
    make_response,
    render_template,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

from broker.mstock.api.funds import get_fund_summary
from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Config
from broker.mstock.errors import MstockError, SettingError, TokenException
from broker.mstock.secret import Secret
from broker.mstock.session import login
from broker.mstock.session.login import Farewell
from broker.mstock.session.shelf import DaySession, TokenShelf
from broker.mstock.web import funds_page, pages, trouble
from broker.mstock.web.callback import create_blueprint
from broker.mstock.web.flow import LoginFlow
from broker.mstock.web.funds_page import Links
from broker.mstock.web.headers import harden
from broker.mstock.web.once import AlreadySent, SendOnce
from broker.mstock.web.pages import ENDPOINT, ConfigSource, Frame

# A page elsewhere whose name is pointed at this machine must not read ours.
TRUSTED_HOSTS = ["127.0.0.1", "localhost"]
_LARGEST_REQUEST = 16 * 1024
# Keys of the browser's session, which holds nothing secret.
_KEY, _ENDS, _NOTICE, _FAREWELL = "key", "ends", "notice", "farewell"
# Seconds that the second click of a double click waits for the first.
_PATIENCE = 35.0


class _NobodyIn(Exception):
    """A logout without a session."""


def create_app(
    config_source: ConfigSource,
    clock: Clock = SYSTEM_CLOCK,
    *,
    phone_url: str = "",
    flow: LoginFlow | None = None,
) -> Flask:
    """The app: `/mstock/callback` to log in, `/funds`, `/logout`.

    For loopback only (see `server.py`). `config_source` is asked at each request and may raise
    `SettingError`.
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
    app.before_request(trouble.turn_away_strangers)
    CSRFProtect(app)
    frame = Frame(config_source, phone_url)
    app.context_processor(frame)
    desk = _Desk(clock, TokenShelf(clock), frame)
    login_page = create_blueprint(
        config_source,
        desk.on_login,
        clock,
        on_entry=desk.on_entry,
        notice=lambda: str(session.pop(_NOTICE, "")),
        phone_url=phone_url,
        flow=flow,
    )
    app.register_blueprint(login_page)
    app.add_url_rule("/", "home", desk.home)
    app.add_url_rule("/funds", "funds", desk.funds)
    app.add_url_rule("/logout", "log_out", desk.log_out, methods=["POST"])
    app.add_url_rule("/logged-out", "logged_out", desk.logged_out)
    app.add_url_rule("/favicon.ico", "favicon", lambda: login_page.send_static_file("icon.svg"))
    trouble.register(app)
    app.after_request(harden)
    return app


class _Desk:
    """The views that know who is logged in."""

    def __init__(self, clock: Clock, shelf: TokenShelf, frame: Frame) -> None:
        self._clock = clock
        self._shelf = shelf
        self._frame = frame
        self._farewells: SendOnce[Farewell] = SendOnce()

    def on_login(self, token: Secret, config: Config) -> Response:
        """Keep the token here, give the browser a new session, and show the funds."""
        key, held = self._shelf.put(token, config)
        session.clear()
        session[_KEY] = key
        session[_ENDS] = held.ends_at.isoformat()
        return self._welcome()

    def on_entry(self) -> Response | None:
        """Whoever is logged in needs no login page."""
        return self._welcome() if self._held() else None

    def home(self) -> Response:
        """The funds when logged in, the login when not."""
        return pages.see_other(url_for("funds" if self._held() else ENDPOINT))

    def funds(self) -> Response:
        """The account's funds; mStock is asked only while the session can be alive."""
        held = self._held()
        if held is None:
            return self._to_login(self._why_not())
        try:
            summary = get_fund_summary(held.token.reveal(), config=self._settings_for(held))
        except TokenException as error:
            self._shelf.drop(session[_KEY])
            return self._to_login(str(error))
        except MstockError as error:
            page = funds_page.with_problem(self._frame, held.config, error, _links())
        else:
            page = funds_page.with_figures(self._frame, held.config, summary, self._clock, _links())
        return self._until_midnight(page, held)

    def log_out(self) -> Response:
        """End the session here and at mStock, and say whether mStock has confirmed it."""
        key = session.get(_KEY, "")
        why_not = self._why_not()
        try:
            farewell = self._farewells.run(key, lambda: self._end(key), _PATIENCE)
        except (AlreadySent, _NobodyIn):
            return self._to_login(why_not)
        session.clear()
        session[_FAREWELL] = [farewell.confirmed, farewell.message]
        return pages.see_other(url_for("logged_out"))

    def logged_out(self) -> Response:
        """How the logout went; asks mStock nothing."""
        if _FAREWELL not in session:
            return pages.see_other(url_for("home"))
        confirmed, message = session[_FAREWELL]
        page = render_template("mstock/goodbye.html", confirmed=confirmed, message=message)
        return make_response(page)

    def _end(self, key: str) -> Farewell:
        held = self._shelf.drop(key)
        if held is None:
            raise _NobodyIn
        return login.logout(self._settings_for(held), held.token)

    def _settings_for(self, held: DaySession) -> Config:
        """The settings of now when they are still the session's account's: a key may be renewed."""
        try:
            now = self._frame.config_source()
        except SettingError:
            return held.config
        return now if now.account == held.config.account else held.config

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
        # Only what says who was logged in: a login in another tab may be waiting for its OTP.
        for name in (_KEY, _ENDS, _FAREWELL):
            session.pop(name, None)
        if why:
            session[_NOTICE] = why
        return pages.see_other(url_for(ENDPOINT))

    def _welcome(self) -> Response:
        where = url_for("funds")
        if pages.wants_json():
            return jsonify(status="success", message="Logged in to mStock.", redirect=where)
        return pages.see_other(where)

    def _until_midnight(self, response: Response, held: DaySession) -> Response:
        """Have the browser come back when the session is over, to be told so; no script needed."""
        rest = (held.ends_at - self._clock.now()).total_seconds()
        response.headers["Refresh"] = f"{max(1, math.ceil(rest) + 1)}; url={url_for('funds')}"
        return response


def _links() -> Links:
    return Links(refresh=url_for("funds"), log_out=url_for("log_out"))
