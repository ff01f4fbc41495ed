"""Makes what the pages inside OpenAlgo need: store, sync, views, login page, auto-login."""

from __future__ import annotations

from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, SettingError
from broker._kit.openalgo import host
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.session_sync import SessionSync
from broker._kit.openalgo.views import OpenAlgoViews
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.notices import Notice, teller
from broker._kit.sessions.token_guard import token_guard
from broker._kit.sessions.trading_calendar import load_calendar
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
    # The host stores a new session, not the lock.
    lock = LoginLock(store, clock, saves=False)
    limits = LoginLimits(rules=host.login_limits() or OPENALGO_LIMITS)
    flow = LoginFlow(broker, clock, limits=limits, lock=lock)
    login_page = LoginPage(pages, views, flow)
    auto_login_page = AutoLoginPage(pages, views, service, clock)
    return Services(sync, views, login_page, auto_login_page, service)


def _auto_login(
    broker: Broker, store: OpenAlgoSessionStore, sync: SessionSync, clock: Clock
) -> tuple[AutoLogin | None, BrokerError | None]:
    """Auto-login, or why there is none; a wrong setting for notices costs only the notices."""
    try:
        settings = ServiceSettings.from_env()
        home, tell = settings.home, teller(broker, settings, clock)
    except SettingError as error:
        log.error(f"{broker.title}: nobody can be told of a failed auto-login. {error}")
        home, tell = None, _log_notice
    try:
        auto = AutoLogin(
            broker,
            store,
            sync.settings_of,
            clock,
            calendar=load_calendar(home),
            tell=tell,
            on_login=sync.store_renewed,
        )
    except BrokerError as error:
        log.error(f"{broker.title}: there is no auto-login. {error}")
        return None, error.with_traceback(None)
    return auto, None


def _log_notice(notice: Notice) -> None:
    log.error(f"Auto-login: {notice.words}")
