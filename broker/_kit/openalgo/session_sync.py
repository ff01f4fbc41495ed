"""What goes on behind OpenAlgo's pages: dead tokens, logouts at mStock, sessions got by itself."""

from __future__ import annotations

import os.path
import sys
from collections import deque
from collections.abc import Mapping

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import HostError, SettingError
from broker._kit.faults import fault_location
from broker._kit.openalgo import host
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.sessions.token_life import fingerprint
from broker._kit.settings import Account, Timeouts
from broker._kit.web.responses import ConfigSource
from broker.mstock.client import login

log = host.logger(__name__)

# A logout in the background need not be waited for, and must not hang about.
_SHORT = Timeouts(connect=2.0, read=4.0, deadline=5.0)
# How often, and how long between, it is looked whether the host has carried a logout out.
_LOOKS, _BETWEEN = 20, 0.25
_REMEMBERED = 64


class SessionSync:
    """Ends sessions at mStock that ended here, ends them here when mStock has, and renews them.

    Its methods are called from the host's requests, its database and other threads; none of them
    raises but `renewed`.
    """

    def __init__(
        self, store: OpenAlgoSessionStore, config_source: ConfigSource, clock: Clock
    ) -> None:
        self._store = store
        self._config_source = config_source
        self._clock = clock
        self._ended_by_mstock: deque[str] = deque(maxlen=_REMEMBERED)

    def config_of(self, account: Account) -> BrokerSettings | None:
        """The settings in force if they are this account's."""
        try:
            config = self._config_source()
        except SettingError:
            return None
        return config if config.account == account else None

    def on_dead(self, account: Account, token: Secret) -> None:
        """mStock has ended this session: if it is still the stored one, revoke it in the host."""
        self._ended_by_mstock.append(fingerprint(token))
        try:
            with self._store.alone():
                stored_session.delete_session(self._store, account, token)
        except Exception as error:
            log.error(f"mStock: a session that is over was not ended in OpenAlgo: {_kind(error)}")

    def is_ended(self, token: Secret) -> bool:
        """True when mStock has ended this session, whether or not the host could be told."""
        return fingerprint(token) in self._ended_by_mstock

    def end_if_over(self, config: BrokerSettings) -> None:
        """Revoke a stored token that is over, so that the host offers a new login.

        It is after midnight, and whenever a revoke at mStock's word did not go through.
        """
        with self._store.alone():
            kept = stored_session.load_session(self._store, config.account, self._clock.now())
            if kept is not None and (kept.is_over or self.is_ended(kept.token)):
                stored_session.delete_session(self._store, config.account, kept.token)

    def log_out(self, user: str, sealed: str) -> None:
        """The host has taken this token away, or is about to: log it out at mStock."""
        try:
            token = host.decrypt(sealed)
            if not token or self.is_ended(token):
                return
            if not self._is_gone(user, sealed):
                return  # the host did not carry it out: the token is still in use
            config = self._config_source()
            farewell = login.logout(config._replace(timeouts=_SHORT), token)
        except Exception as error:
            log.error(f"mStock: no logout was sent after OpenAlgo's: {_kind(error)}")
        else:
            log.info(f"mStock logout after OpenAlgo's: {farewell.message}")

    def _is_gone(self, user: str, sealed: str) -> bool:
        for look in range(_LOOKS):
            if look:
                self._clock.sleep(_BETWEEN)
            rows = [row for row in host.auth_rows() if row.user == user]
            if not any(row.token.reveal() == sealed and not row.is_revoked for row in rows):
                return True
        return False

    def renewed(self, config: BrokerSettings, token: Secret) -> None:
        """Put the session that auto-login got into the host, as a login by hand would.

        The device comes first, as in the host's own login: with it there, yesterday's browser tab
        ends only itself and not the token that is stored next. Raises `BrokerError`.
        """
        with self._store.alone():
            user = self._store.user_of(config.account)
            if not user:
                raise HostError(
                    "OpenAlgo has no user whom the mStock session belongs to.",
                    "Log in to mStock in OpenAlgo once.",
                )
            host.register_device(user)
            stored_session.save_session(
                self._store, config.account, token, self._clock.now(), LoginMethod.AUTO
            )
        host.prepare_contract()
        log.info("mStock auto-login: OpenAlgo has the new session.")


def is_the_server(env: Mapping[str, str]) -> bool:
    """True in the one process that serves OpenAlgo's pages.

    Not in a child that another Python started for a piece of work, and not in the process that only
    watches the files of a development server.
    """
    import multiprocessing

    if multiprocessing.parent_process() is not None:
        return False
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    is_development = os.path.basename(main) == "app.py" and env.get(
        "FLASK_DEBUG", ""
    ).strip().lower() in ("true", "1", "t")
    return not is_development or env.get("WERKZEUG_RUN_MAIN") == "true"


def _kind(error: Exception) -> str:
    """An error in words that hold nothing of what was under way."""
    return str(error) if isinstance(error, HostError) else fault_location(error)
