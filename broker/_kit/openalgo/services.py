"""What the pages inside OpenAlgo need, and the session that OpenAlgo and the broker both have."""

from __future__ import annotations

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, HostError, SettingError
from broker._kit.openalgo import auth_table, host
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.openalgo.views import OpenAlgoViews
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import AutoLogin, account_source
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.notices import Notice, teller
from broker._kit.sessions.stored_session import (
    EndReason,
    LoginMethod,
    StoredSession,
    delete_session,
    end_reason,
    load_session,
    save_session,
)
from broker._kit.sessions.token_guard import token_guard
from broker._kit.sessions.trading_calendar import load_calendar
from broker._kit.settings import Account, ServiceSettings, Timeouts
from broker._kit.web.auto_login_page import AutoLoginPage
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_limits import OPENALGO_LIMITS, LoginLimits
from broker._kit.web.login_page import LoginPage
from broker._kit.web.pages import Pages
from broker._kit.web.session_service import SessionService

log = host.logger(__name__)

# For calls that OpenAlgo makes on the side: a page or a logout thread must not wait for long.
_SHORT = Timeouts(connect=2.0, read=4.0, deadline=5.0)
# How often, and how many seconds apart, to look whether the host has committed a logout.
_LOOKS, _BETWEEN = 20, 0.25


class Services:
    """One broker's objects inside OpenAlgo; nothing is read from the database to make them.

    The methods are called from the host's requests, its database events and other threads.
    """

    def __init__(self, pages: Pages, clock: Clock) -> None:
        broker = self.broker = pages.broker
        self.clock = clock
        self.guard = token_guard(broker)
        self.store = OpenAlgoSessionStore(broker, may_write=True)
        self.service = SessionService(clock, self.store, *self._auto_login())
        self.views = OpenAlgoViews(pages, self)
        # The host stores a new session, not the lock.
        lock = LoginLock(self.store, clock, saves=False)
        limits = LoginLimits(rules=host.login_limits() or OPENALGO_LIMITS)
        flow = LoginFlow(broker, clock, limits=limits, lock=lock)
        self.login_page = LoginPage(pages, self.views, flow)
        self.auto_login_page = AutoLoginPage(pages, self.views, self.service, clock)

    def stored_session(self, config: BrokerSettings) -> tuple[StoredSession | None, bool]:
        """The stored session, and whether it is known to be over; the broker is not asked.

        Raises `BrokerError` when it cannot be read, which does not mean that there is none.
        """
        stored = load_session(self.store, config.account, self.clock.now())
        if stored is None:
            return None, False
        return stored, stored.is_over or self.guard.is_revoked(config.account, stored.token)

    def revoke_if_over(self) -> None:
        """Revoke a session that is over in the host, which then offers a new login.

        To be called when a logged-in browser asks, and not earlier: while the row stands, API
        traffic reads that the session is over; without it OpenAlgo says "Invalid openalgo apikey".
        The broker is asked once more before; when it cannot be, the row stands. Raises
        `BrokerError`.
        """
        config = self.broker.read_settings(None)
        stored, is_over = self.stored_session(config)
        short = config.with_timeouts(_SHORT)
        if stored and is_over and self.guard.confirm_over(short, stored.token):
            reason = stored.end_reason or EndReason.REFUSED
            delete_session(self.store, config.account, stored.token, reason)

    def why_ended(self, account: Account) -> EndReason | None:
        """Why the account's last session is over, None while it may be alive or nobody knows."""
        now = self.clock.now()
        session = self.store.load(account).session
        reason = end_reason(self.store, account, now)
        if session is None or reason is None:
            is_over = session and session.token and self.guard.is_revoked(account, session.token)
            return EndReason.REFUSED if is_over else None
        began = session.logged_in_at
        is_late = began is not None and self.broker.session_end(began) <= now
        # The host takes yesterday's token away only later in the night.
        is_night = is_late and reason is EndReason.LOGGED_OUT_ELSEWHERE
        return EndReason.EXPIRED if is_night else reason

    def log_out(self, user: str, encrypted: str) -> None:
        """Log out at the broker what the host has revoked or is about to."""
        token = auth_table.decrypt(encrypted)
        config = self.broker.read_settings(None)
        if not token or self.guard.is_revoked(config.account, token):
            return
        if self._is_committed(user, encrypted):  # else rolled back: the token is still in use
            result = self.broker.end_session(config.with_timeouts(_SHORT), token)
            log.info(f"{self.broker.title} logout after OpenAlgo's: {result.message}")

    def store_renewed(self, config: BrokerSettings, token: Secret) -> None:
        """Store the session of an automatic login as the host's own login would.

        The device comes first, as in the host's own login: with it there, yesterday's browser tab
        ends only itself and not the token that is stored next. Raises `BrokerError`.
        """
        user, title = self.store.user_of(config.account), self.broker.title
        if not user:
            raise HostError(
                f"OpenAlgo has no user whom the {title} session belongs to.",
                f"Log in to {title} in OpenAlgo once.",
            )
        auth_table.register_device(self.broker, user)
        save_session(self.store, config.account, token, self.clock.now(), LoginMethod.AUTO)
        auth_table.prepare_contract(self.broker)
        log.info(f"{title} auto-login: OpenAlgo has the new session.")

    def _is_committed(self, user: str, encrypted: str) -> bool:
        for look in range(_LOOKS):
            if look:
                self.clock.sleep(_BETWEEN)
            rows = [row for row in auth_table.auth_rows() if row.user == user]
            if not any(row.token.reveal() == encrypted and not row.is_revoked for row in rows):
                return True
        return False

    def _auto_login(self) -> tuple[AutoLogin | None, BrokerError | None]:
        """Auto-login, or why there is none; a wrong setting for notices costs only the notices."""
        broker, title = self.broker, self.broker.title
        try:
            settings = ServiceSettings.from_env()
            home, tell = settings.home, teller(broker, settings, self.clock)
        except SettingError as error:
            log.error(f"{title}: nobody can be told of a failed auto-login. {error}")
            home, tell = None, _log_notice
        try:
            auto = AutoLogin(
                broker,
                self.store,
                account_source(lambda: broker.read_settings(None)),
                self.clock,
                calendar=load_calendar(home),
                tell=tell,
                on_login=self.store_renewed,
            )
        except BrokerError as error:
            log.error(f"{title}: there is no auto-login. {error}")
            return None, error.with_traceback(None)
        return auto, None


def _log_notice(notice: Notice) -> None:
    log.error(f"Auto-login: {notice.words}")
