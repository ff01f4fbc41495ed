"""One feed for each session of mStock, shared by everything in this process that wants prices.

mStock may allow one socket per token only (protocol 15): so the host's pool of adapters, looks at
the depth, order updates and a strategy's own subscriptions meet here. Each instrument is asked for
once, in the highest mode that anybody wants. More sockets only where the settings allow them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import CorrectInput, LogInAgain
from broker._kit.faults import fault_location
from broker._kit.settings import Account
from broker.mstock.market_data.calendar import trading_calendar
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import Feed, FeedListener, FeedState, FeedStatus
from broker.mstock.streaming.packets import Tick
from broker.mstock.streaming.requests import DIALECTS, Instrument

Login = Callable[[], FeedLogin]

_QUIET_S = 60.0

_failed_at: dict[str, float] = {}

log = logging.getLogger(__name__)


class SharedFeed:
    """One `Feed`, or several where one is full, with several listeners: each of them gets the ticks
    of its own instruments, and one that fails costs the others nothing.

    Order updates are heard on the first.
    """

    def __init__(self, config: Config) -> None:
        self._dialect = DIALECTS[config.api_type]
        self._calendar = trading_calendar()
        self._most_instruments, self._most_sockets = config.most_instruments, config.most_sockets
        self._lock = threading.Lock()
        self._logins: dict[FeedListener, Login] = {}
        self._listeners: tuple[FeedListener, ...] = ()
        # Replaced, never changed in place: the feed's thread reads it without the lock.
        self._wanted: dict[Instrument, dict[FeedListener, int]] = {}
        self._exchanges: dict[Instrument, str] = {}
        tell = (partial(self._tell, name) for name in ("on_text", "on_gap", "on_state"))
        first = self._make(FeedListener(self._on_tick, *tell))
        self._feeds: dict[Feed, set[Instrument]] = {first: set()}

    def join(self, listener: FeedListener, login: Login) -> None:
        """Listen; the first one starts the feed. `login` as of `Feed`."""
        with self._lock:
            self._logins[listener] = login
            self._listeners = tuple(self._logins)
            self._start()

    def leave(self, listener: FeedListener) -> bool:
        """Listen no more; the last one stops the feed: then True."""
        with self._lock:
            self._logins.pop(listener, None)
            self._listeners = tuple(self._logins)
            gone = [each for each, wanted in self._wanted.items() if listener in wanted]
            for instrument in gone:
                self._change(instrument, listener, None)
            if not self._listeners:
                for feed in self._feeds:
                    feed.stop()
            return not self._listeners

    def login(self) -> FeedLogin:
        """The session of whoever has been here for the longest. Raises `LogInAgain`."""
        login = next(iter(self._logins.copy().values()), None)
        if login is None:
            raise LogInAgain("Nobody wants live prices any more.")
        return login()

    def subscribe(
        self, listener: FeedListener, instrument: Instrument, mode: int, exchange: str
    ) -> None:
        """Want an instrument in this mode; nothing when it has left.

        Raises `CorrectInput` when no socket has room for it, or when its number is already
        subscribed on another exchange and the packets do not say which (Type A).
        """
        with self._lock:
            if listener not in self._logins:
                return
            other = self._exchanges.get(instrument, exchange)
            check_exchange(instrument, other, exchange)
            if instrument not in self._wanted:
                self._find_room(instrument)
            self._exchanges[instrument] = other
            self._change(instrument, listener, mode)

    def unsubscribe(self, listener: FeedListener, instrument: Instrument) -> None:
        """Want an instrument no more."""
        with self._lock:
            self._change(instrument, listener, None)

    def status(self) -> FeedStatus:
        """How things stand on all sockets together: the state is the worst of theirs."""
        statuses = [each.status() for each in tuple(self._feeds)]
        worst = next((each for each in statuses if each.state is not FeedState.CONNECTED), None)
        totals = {
            name: sum(getattr(each, name) for each in statuses)
            for name in ("desired", "sent", "flowing", "connections", "dropped")
        }
        return (worst or statuses[0])._replace(**totals)

    @property
    def is_connected(self) -> bool:
        """True while logged in on every socket that is wanted."""
        return all(each.is_connected for each in tuple(self._feeds))

    def _find_room(self, instrument: Instrument) -> None:
        """Give a new instrument to the first socket with room, or to one more."""
        most = self._most_instruments
        feed = next((each for each, held in self._feeds.items() if len(held) < most), None)
        if feed is None and len(self._feeds) < self._most_sockets:
            feed = self._make(
                FeedListener(
                    self._on_tick, on_state=lambda _status: self._tell("on_state", self.status())
                )
            )
        if feed is None:
            raise CorrectInput(
                f"{most * self._most_sockets} instruments are subscribed, which is as many as the "
                f"settings allow: {most} on a connection (MSTOCK_WS_MAX_INSTRUMENTS), and "
                f"{self._most_sockets} of them (MSTOCK_WS_SOCKETS). This one was refused.",
                "Unsubscribe others, or raise one of the two in .env if mStock serves more.",
            )
        self._feeds.setdefault(feed, set()).add(instrument)
        if self._listeners:
            self._start()

    def _make(self, listener: FeedListener) -> Feed:
        is_open = self._calendar.is_open
        return Feed(self._dialect, self.login, listener, is_market_open=is_open)

    def _start(self) -> None:
        for feed in self._feeds:
            feed.start()

    def _change(self, instrument: Instrument, listener: FeedListener, mode: int | None) -> None:
        wanted = dict(self._wanted.get(instrument, {}))
        before = max(wanted.values(), default=None)
        if mode is None:
            wanted.pop(listener, None)
        else:
            wanted[listener] = mode
        after = max(wanted.values(), default=None)
        feed = next((each for each, held in self._feeds.items() if instrument in held), None)
        if feed is None:
            return
        if after is None:
            self._wanted.pop(instrument, None)
            self._exchanges.pop(instrument, None)
            feed.unsubscribe([instrument])
            self._feeds[feed].discard(instrument)
            if not self._feeds[feed] and feed is not next(iter(self._feeds)):
                feed.stop()
                del self._feeds[feed]
        else:
            self._wanted[instrument] = wanted
            # Whoever is new gets the present price, of an instrument that does not trade too.
            if mode is not None or after != before:
                feed.subscribe({instrument: after})

    def _on_tick(self, tick: Tick) -> None:
        for listener in self._wanted.get(Instrument(tick.segment, tick.token), ()):
            try:
                listener.on_tick(tick)
            except Exception as error:
                _log_failure(error)

    def _tell(self, name: str, *news: object) -> None:
        for listener in self._listeners:
            try:
                getattr(listener, name)(*news)
            except Exception as error:
                _log_failure(error)


def _log_failure(error: Exception) -> None:
    """Log where a listener has failed, each place once a minute: every tick would fill the disk.

    Not its text: it could quote a strategy's secrets.
    """
    place, now = fault_location(error), SYSTEM_CLOCK.monotonic()
    if now - _failed_at.get(place, -_QUIET_S) >= _QUIET_S:
        _failed_at[place] = now
        log.error("mStock: a listener of the feed failed (%s).", place)


def check_exchange(instrument: Instrument, subscribed: str, exchange: str) -> None:
    """Raises `CorrectInput` when an instrument's packets cannot tell these two exchanges apart."""
    if instrument.segment == 0 and subscribed != exchange:
        raise CorrectInput(
            f"mStock's number {instrument.token} is already subscribed on {subscribed}, and its "
            f"Type A prices do not say which exchange they are of; {exchange} was refused.",
            f"Unsubscribe it on {subscribed} first, or use a Type B key.",
        )


_shared: dict[tuple[Account, str], SharedFeed] = {}
_shared_lock = threading.Lock()


def join_feed(config: Config, listener: FeedListener, login: Login) -> SharedFeed:
    """Listen on this process's one feed for the account, which is made if there is none."""
    key = config.account, config.ws_url
    with _shared_lock:
        shared = _shared.get(key)
        if shared is None:
            shared = _shared[key] = SharedFeed(config)
        shared.join(listener, login)
        return shared


def leave_feed(shared: SharedFeed, listener: FeedListener) -> None:
    """Listen no more; the last one ends its connections."""
    with _shared_lock:
        if shared.leave(listener):
            for key in [key for key, each in _shared.items() if each is shared]:
                del _shared[key]


def has_feed(config: Config) -> bool:
    """True when this process has a feed for the account, connected or trying to be."""
    return (config.account, config.ws_url) in _shared
