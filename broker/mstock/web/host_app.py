"""Joins this plugin to a running OpenAlgo: `register(app)`, the one line in its `app.py`.

Each part stands alone: what cannot be joined is logged, and OpenAlgo starts and runs without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, Flask

from broker.mstock import host
from broker.mstock.api.guard import whereabouts
from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Config, environment
from broker.mstock.errors import MstockError, SettingError
from broker.mstock.session import watching
from broker.mstock.session.autologin import AutoLogin, start_ticking
from broker.mstock.session.calendar import Calendar, load_calendar
from broker.mstock.session.host_store import HostStore
from broker.mstock.session.line import Line
from broker.mstock.session.notices import Notice, teller
from broker.mstock.upkeep import Upkeep
from broker.mstock.web import pages
from broker.mstock.web.auto_login import create_auto_login_blueprint
from broker.mstock.web.callback import create_blueprint
from broker.mstock.web.flow import LoginFlow
from broker.mstock.web.headers import harden
from broker.mstock.web.host_desk import BLUEPRINT, DASHBOARD, HostDesk
from broker.mstock.web.host_keeper import Keeper, is_the_server
from broker.mstock.web.kept import Kept
from broker.mstock.web.limits import OPENALGO_LIMITS, LoginLimits

log = host.logger(__name__)


class Joined(NamedTuple):
    """What `register` has made; in `app.extensions["mstock"]`."""

    store: HostStore
    keeper: Keeper
    desk: HostDesk
    ticking: list[Callable[[], None]]

    def stop(self) -> None:
        """End what goes on by itself."""
        for stop in self.ticking:
            stop()


def register(app: Flask, clock: Clock = SYSTEM_CLOCK) -> None:
    """Give OpenAlgo the mStock pages, logouts at mStock, and the daily login. Raises nothing."""
    try:
        app.extensions["mstock"] = _join(app, clock)
    except Exception as error:
        _tell("nothing of it", error)


def _join(app: Flask, clock: Clock) -> Joined:
    store = HostStore(may_write=True)
    keeper = Keeper(store, Config.from_env, clock)
    desk = HostDesk(store, keeper, Config.from_env, clock)
    ticking: list[Callable[[], None]] = []
    parts: tuple[tuple[str, Callable[[], None]], ...] = (
        ("the login page", lambda: _add_login(app, desk, store, clock)),
        ("the funds page", lambda: _add_pages(app, desk)),
        ("the end of a session at midnight", lambda: _add_midnight(app, desk)),
        ("the end of a session that mStock refuses", lambda: watching.when_dead(keeper.on_dead)),
        ("the logout at mStock", lambda: host.on_revoked(keeper.on_revoked)),
        ("auto-login", lambda: ticking.extend(_add_auto_login(app, desk, store, keeper, clock))),
    )
    for name, add in parts:
        try:
            add()
        except Exception as error:
            _tell(name, error)
    return Joined(store, keeper, desk, ticking)


def _add_login(app: Flask, desk: HostDesk, store: HostStore, clock: Clock) -> None:
    flow = LoginFlow(clock, limits=_limits(clock), line=Line(store, clock, desk.remember))
    page = create_blueprint(
        Config.from_env,
        desk.on_success,
        clock,
        on_entry=desk.on_entry,
        notice=desk.notice,
        flow=flow,
    )
    page.context_processor(desk.extras)
    app.register_blueprint(page)


def _limits(clock: Clock) -> LoginLimits:
    """The tries that the host allows for its own login pages; OpenAlgo's own figures otherwise."""
    try:
        return LoginLimits(clock, host.login_limits() or OPENALGO_LIMITS)
    except ValueError:
        return LoginLimits(clock)


def _add_pages(app: Flask, desk: HostDesk) -> None:
    blueprint = Blueprint(BLUEPRINT, __name__, template_folder="templates")
    blueprint.add_url_rule("/mstock/continue", "resume", desk.resume, methods=["GET", "POST"])
    blueprint.add_url_rule("/mstock/funds", "funds", desk.funds)
    blueprint.register_error_handler(Exception, pages.on_fault)
    blueprint.context_processor(desk.frame)
    blueprint.context_processor(desk.extras)
    blueprint.after_request(harden)
    app.register_blueprint(blueprint)


def _add_midnight(app: Flask, desk: HostDesk) -> None:
    app.before_request(desk.before_host)


def _add_auto_login(
    app: Flask, desk: HostDesk, store: HostStore, keeper: Keeper, clock: Clock
) -> list[Callable[[], None]]:
    calendar, tell = _upkeep(clock)
    auto = AutoLogin(
        store, keeper.config_of, clock, calendar=calendar, tell=tell, on_login=keeper.renewed
    )
    desk.kept = kept = Kept(clock, store, auto)
    page = create_auto_login_blueprint(
        Config.from_env,
        kept.auto,
        may_manage=desk.may_manage,
        clock=clock,
        session_of=kept.session,
        home=lambda: DASHBOARD,
    )
    page.before_request(desk.only_users)
    app.register_blueprint(page)
    return [start_ticking(auto)] if is_the_server(environment()) else []


def _upkeep(clock: Clock) -> tuple[Calendar, Callable[[Notice], None]]:
    """The trading days, and who is told of a failure; a wrong setting costs only what it is for."""
    try:
        upkeep = Upkeep.from_env()
        return load_calendar(upkeep.home), teller(upkeep, clock)
    except SettingError as error:
        log.error(f"mStock: nobody can be told of a failed auto-login. {error}")
        return load_calendar(), lambda notice: log.error(f"mStock auto-login: {notice.words}")


def _tell(what: str, error: Exception) -> None:
    words = str(error) if isinstance(error, MstockError) else whereabouts(error)
    log.error(f"mStock: OpenAlgo runs without {what}. {words}")
