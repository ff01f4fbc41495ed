"""Makes what stands behind the pages inside OpenAlgo: store, views, login page, auto-login."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, PluginFault, SettingError
from broker._kit.faults import fault_location
from broker._kit.openalgo import host
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.session_sync import SessionSync, is_the_server
from broker._kit.openalgo.views import DASHBOARD, OpenAlgoViews
from broker._kit.sessions.auto_login import AutoLogin, start_ticking
from broker._kit.sessions.login_lock import Line
from broker._kit.sessions.notices import Notice, teller
from broker._kit.sessions.trading_calendar import Calendar, load_calendar
from broker._kit.settings import ServiceSettings, environment
from broker._kit.web.auto_login_page import AutoLoginPage
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_limits import OPENALGO_LIMITS, LoginLimits
from broker._kit.web.login_page import LoginPage
from broker._kit.web.session_service import SessionService
from broker.mstock.settings import Config

log = host.logger(__name__)


class Joined(NamedTuple):
    """The parts; `stop` ends the ticks."""

    store: OpenAlgoSessionStore
    keeper: SessionSync
    desk: OpenAlgoViews
    login_page: LoginPage
    auto_page: AutoLoginPage
    stop: Callable[[], None]


def join(clock: Clock | None) -> Joined:
    """Make them. Auto-login that cannot be had is missing, and its page says why."""
    clock = clock or SYSTEM_CLOCK
    store = OpenAlgoSessionStore(may_write=True)
    keeper = SessionSync(store, Config.from_env, clock)
    auto, trouble, stop = _auto_login(store, keeper, clock)
    kept = SessionService(clock, store, auto, trouble)
    desk = OpenAlgoViews(store, keeper, kept, Config.from_env, clock)
    login_page = LoginPage(
        Config.from_env,
        desk.on_success,
        clock,
        on_entry=desk.on_entry,
        notice=desk.notice,
        flow=LoginFlow(clock, limits=_limits(), line=Line(store, clock, desk.remember)),
    )
    auto_page = AutoLoginPage(
        Config.from_env,
        kept.auto,
        may_manage=desk.may_manage,
        clock=clock,
        session_of=kept.session,
        home=lambda: DASHBOARD,
    )
    return Joined(store, keeper, desk, login_page, auto_page, stop)


def _auto_login(
    store: OpenAlgoSessionStore, keeper: SessionSync, clock: Clock
) -> tuple[AutoLogin | None, BrokerError | None, Callable[[], None]]:
    try:
        calendar, tell = _upkeep(clock)
        auto = AutoLogin(
            store, keeper.config_of, clock, calendar=calendar, tell=tell, on_login=keeper.renewed
        )
        stop = start_ticking(auto) if is_the_server(environment()) else lambda: None
    except Exception as error:
        fault = f"Auto-login could not be made ready ({fault_location(error)})."
        log.error(f"mStock: {fault}")
        return None, PluginFault(fault, "Logins by hand work as ever."), lambda: None
    return auto, None, stop


def _upkeep(clock: Clock) -> tuple[Calendar, Callable[[Notice], None]]:
    """The trading days, and who is told of a failure; a wrong setting costs only what it is for."""
    try:
        upkeep = ServiceSettings.from_env()
        return load_calendar(upkeep.home), teller(upkeep, clock)
    except SettingError as error:
        log.error(f"mStock: nobody can be told of a failed auto-login. {error}")
        return load_calendar(), lambda notice: log.error(f"mStock auto-login: {notice.words}")


def _limits() -> LoginLimits:
    """The tries that the host allows for its own login pages; OpenAlgo's own figures otherwise.

    By the wall clock, which is the only one that their engine knows.
    """
    try:
        return LoginLimits(rules=host.login_limits() or OPENALGO_LIMITS)
    except ValueError:
        return LoginLimits()
