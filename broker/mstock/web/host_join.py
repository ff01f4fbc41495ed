"""Makes what stands behind the pages inside OpenAlgo: store, views, login page, auto-login."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from broker.mstock import host
from broker.mstock.api.guard import whereabouts
from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Config, environment
from broker.mstock.errors import MstockError, PluginFault, SettingError
from broker.mstock.session.autologin import AutoLogin, start_ticking
from broker.mstock.session.calendar import Calendar, load_calendar
from broker.mstock.session.host_store import HostStore
from broker.mstock.session.line import Line
from broker.mstock.session.notices import Notice, teller
from broker.mstock.upkeep import Upkeep
from broker.mstock.web.auto_login import AutoLoginPage
from broker.mstock.web.callback import LoginPage
from broker.mstock.web.flow import LoginFlow
from broker.mstock.web.host_desk import DASHBOARD, HostDesk
from broker.mstock.web.host_keeper import Keeper, is_the_server
from broker.mstock.web.kept import Kept
from broker.mstock.web.limits import OPENALGO_LIMITS, LoginLimits

log = host.logger(__name__)


class Joined(NamedTuple):
    """The parts; `stop` ends the ticks."""

    store: HostStore
    keeper: Keeper
    desk: HostDesk
    login_page: LoginPage
    auto_page: AutoLoginPage
    stop: Callable[[], None]


def join(clock: Clock | None) -> Joined:
    """Make them. Auto-login that cannot be had is missing, and its page says why."""
    clock = clock or SYSTEM_CLOCK
    store = HostStore(may_write=True)
    keeper = Keeper(store, Config.from_env, clock)
    auto, trouble, stop = _auto_login(store, keeper, clock)
    kept = Kept(clock, store, auto, trouble)
    desk = HostDesk(store, keeper, kept, Config.from_env, clock)
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
    store: HostStore, keeper: Keeper, clock: Clock
) -> tuple[AutoLogin | None, MstockError | None, Callable[[], None]]:
    try:
        calendar, tell = _upkeep(clock)
        auto = AutoLogin(
            store, keeper.config_of, clock, calendar=calendar, tell=tell, on_login=keeper.renewed
        )
        stop = start_ticking(auto) if is_the_server(environment()) else lambda: None
    except Exception as error:
        fault = f"Auto-login could not be made ready ({whereabouts(error)})."
        log.error(f"mStock: {fault}")
        return None, PluginFault(fault, "Logins by hand work as ever."), lambda: None
    return auto, None, stop


def _upkeep(clock: Clock) -> tuple[Calendar, Callable[[Notice], None]]:
    """The trading days, and who is told of a failure; a wrong setting costs only what it is for."""
    try:
        upkeep = Upkeep.from_env()
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
