"""Makes what the pages inside OpenAlgo need: store, sync, views, login page, auto-login."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, PluginFault, SettingError
from broker._kit.faults import fault_location
from broker._kit.openalgo import host
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.session_sync import SessionSync
from broker._kit.openalgo.views import OpenAlgoViews
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.notices import Notice, teller
from broker._kit.sessions.token_guard import token_guard
from broker._kit.sessions.trading_calendar import Calendar, load_calendar
from broker._kit.settings import ServiceSettings
from broker._kit.web.auto_login_page import AutoLoginPage
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_limits import OPENALGO_LIMITS, LoginLimits
from broker._kit.web.login_page import LoginPage
from broker._kit.web.pages import Pages
from broker._kit.web.session_service import SessionService

log = host.logger(__name__)


class Services(NamedTuple):
    """One broker's objects inside OpenAlgo."""

    sync: SessionSync
    views: OpenAlgoViews
    login_page: LoginPage
    auto_login_page: AutoLoginPage
    service: SessionService


def create_services(pages: Pages, clock: Clock) -> Services:
    """Make them; nothing is read from the database. Auto-login that fails says why on its page."""
    broker = pages.broker
    guard = token_guard(broker)
    store = OpenAlgoSessionStore(broker, may_write=True)
    sync = SessionSync(broker, store, guard, clock)
    service = SessionService(clock, store, *_auto_login(broker, store, sync, clock))
    views = OpenAlgoViews(pages, store, guard, sync, service, clock)
    lock = LoginLock(store, clock, views.remember)
    flow = LoginFlow(broker, clock, limits=_limits(), lock=lock)
    login_page = LoginPage(pages, views, flow)
    auto_login_page = AutoLoginPage(pages, views, service, clock)
    return Services(sync, views, login_page, auto_login_page, service)


def _auto_login(
    broker: Broker, store: OpenAlgoSessionStore, sync: SessionSync, clock: Clock
) -> tuple[AutoLogin | None, BrokerError | None]:
    try:
        calendar, tell = _calendar_and_notices(broker, clock)
        auto = AutoLogin(
            broker,
            store,
            sync.settings_of,
            clock,
            calendar=calendar,
            tell=tell,
            on_login=sync.store_renewed,
        )
    except Exception as error:
        fault = f"Auto-login could not be made ready ({fault_location(error)})."
        log.error(f"{broker.title}: {fault}")
        return None, PluginFault(fault, "Manual logins work as ever.")
    return auto, None


def _calendar_and_notices(
    broker: Broker, clock: Clock
) -> tuple[Calendar, Callable[[Notice], None]]:
    """The trading days, and where a failure is reported; a wrong setting costs only the latter."""
    try:
        settings = ServiceSettings.from_env()
        return load_calendar(settings.home), teller(broker, settings, clock)
    except SettingError as error:
        log.error(f"{broker.title}: nobody can be told of a failed auto-login. {error}")
        return load_calendar(), lambda notice: log.error(f"{broker.title}: {notice.words}")


def _limits() -> LoginLimits:
    """The attempts that the host allows at its own login pages; OpenAlgo's default otherwise."""
    try:
        return LoginLimits(rules=host.login_limits() or OPENALGO_LIMITS)
    except ValueError:
        return LoginLimits()
