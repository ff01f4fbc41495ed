"""Starts what the standalone app is made of: the store, auto-login with its ticks, the pages."""

from __future__ import annotations

from collections.abc import Callable

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, SettingError
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.auto_login import AutoLogin, load_calendar, start_ticking
from broker._kit.sessions.notices import teller
from broker._kit.sessions.store import Store
from broker._kit.sessions.store_factory import open_store
from broker._kit.sessions.token_guard import token_guard
from broker._kit.settings import Account, ServiceSettings
from broker._kit.web.responses import ConfigSource
from broker._kit.web.server import LoopbackServer
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK


def start(
    config_source: ConfigSource,
    upkeep: ServiceSettings,
    server: LoopbackServer,
    clock: Clock = SYSTEM_CLOCK,
    every: float = 20.0,
) -> Callable[[], None]:
    """Serve the pages on this server, with auto-login at work; returns what stops auto-login.

    Where the store or the table of trading days cannot be used, the pages are served all the same
    and say so: a trader can still log in by hand. `every` is the seconds between two ticks. The
    stopping waits for a login that is under way.
    """
    store: Store | None = None
    auto: AutoLogin | None = None
    trouble: BrokerError | None = None
    try:
        store = open_store(MSTOCK, upkeep)
        calendar = load_calendar(upkeep.home)
        tell = teller(MSTOCK, upkeep, clock)
        auto = AutoLogin(
            MSTOCK, store, _settings(config_source), clock, calendar=calendar, tell=tell
        )
    except BrokerError as error:
        trouble = error.with_traceback(None)
    if store is not None:
        token_guard(MSTOCK).on_revoked = _marking(store)
    server.start(create_app(config_source, clock, store=store, auto=auto, no_auto=trouble))
    return start_ticking(auto, every) if auto is not None else lambda: None


def _settings(config_source: ConfigSource) -> Callable[[Account], BrokerSettings | None]:
    """An account's settings, if they are those that this program runs with."""

    def config_of(account: Account) -> BrokerSettings | None:
        try:
            config = config_source()
        except SettingError:
            return None
        return config if config.account == account else None

    return config_of


def _marking(store: Store) -> Callable[[Account, Secret], None]:
    """Marks the kept session when mStock has ended it."""

    def mark(account: Account, token: Secret) -> None:
        stored_session.mark_revoked(store, account, token)

    return mark
