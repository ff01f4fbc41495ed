"""What stands behind the host's streaming door: subscriptions in, ticks out in the host's words.

The host calls every method on its event loop (contract 8.2): nothing here waits for the network.
Source of topics, modes and keys: contract 8.3 and 8.4.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import BrokerError, CorrectInput, LogInAgain
from broker._kit.faults import fault_location
from broker._kit.secret import Secret
from broker.mstock.database.instruments import instruments
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import FeedListener
from broker.mstock.streaming.lookup import InstrumentLookup
from broker.mstock.streaming.packets import DEPTH, LEVELS, LTP, QUOTE, Tick
from broker.mstock.streaming.requests import Instrument
from broker.mstock.streaming.shared_feed import SharedFeed, join_feed, leave_feed

_TOPICS = {LTP: "LTP", QUOTE: "QUOTE", DEPTH: "DEPTH"}
_LTP_KEYS = ("ltp", "ltt", "timestamp")


@dataclass(slots=True)
class _Record:
    """One instrument as the host asked for it."""

    symbol: str
    exchange: str
    instrument: Instrument
    modes: set[int] = field(default_factory=set)


class HostAdapter(Protocol):
    """What is used of the host's base class."""

    def publish_market_data(self, topic: str, data: dict[str, Any]) -> None: ...
    def get_auth_token_for_user(self, user_id: str, bypass_cache: bool = False) -> str | None: ...


class HostStream:
    """One adapter's subscriptions; adapters of one user share a feed."""

    def __init__(self, adapter: HostAdapter) -> None:
        self._adapter = adapter
        self._lock = threading.RLock()
        self._records: dict[tuple[str, str], _Record] = {}
        self._by_instrument: dict[Instrument, _Record] = {}
        self._lookup = InstrumentLookup(instruments)
        self._feed: SharedFeed | None = None
        self._feed_listener = FeedListener(self._on_tick)
        self._user = ""
        self._api_type = "B"

    @property
    def connected(self) -> bool:
        """True while logged in at mStock on an open connection."""
        return self._feed is not None and self._feed.is_connected

    def initialize(self, user: str) -> None:
        """Note whose prices these will be."""
        self._user = user

    def connect(self) -> dict[str, Any]:
        """Start the feed and return; subscriptions are kept until it is logged in."""
        try:
            self._login()
            with self._lock:
                if self._feed is None:
                    config = Config.from_env(None)
                    self._api_type = config.api_type
                    self._feed = join_feed(config, self._feed_listener, self._login)
        except Exception as error:
            return _failure("CONNECTION_FAILED", error)
        return {"status": "success", "message": "Connecting to mStock's live prices."}

    def subscribe(
        self, symbol: str, exchange: str, mode: int, depth_level: int = LEVELS
    ) -> dict[str, Any]:
        """Want an instrument in a mode; five levels of depth are served whatever was asked for."""
        try:
            with self._lock:
                if mode not in _TOPICS:
                    raise CorrectInput(f"Mode {mode} is not known; 1, 2 and 3 are.")
                record = self._records.get((symbol, exchange))
                if record is None:
                    found = self._lookup.find(self._api_type, symbol, exchange)
                    record = _Record(symbol, exchange, found)
                self._ask(record, {*record.modes, mode})
        except Exception as error:
            return _failure("SUBSCRIPTION_ERROR", error)
        answer = {"status": "success", "message": f"Subscribed to {symbol} on {exchange}."}
        return answer if mode != DEPTH else {**answer, "actual_depth": LEVELS}

    def unsubscribe(self, symbol: str, exchange: str, mode: int) -> dict[str, Any]:
        """Want it no more in this mode; the host's pool asks again for what it still needs."""
        try:
            with self._lock:
                record = self._records.get((symbol, exchange))
                if record is not None:
                    is_pooled = getattr(self._adapter, "_uses_shared_zmq", False)
                    rest = {each for each in record.modes if (each > mode or not is_pooled)}
                    self._ask(record, rest - {mode})
        except Exception as error:
            return _failure("UNSUBSCRIPTION_ERROR", error)
        return {"status": "success", "message": f"Unsubscribed from {symbol} on {exchange}."}

    def disconnect(self) -> None:
        """Let go of the feed; the last adapter of a user ends its connection."""
        with self._lock:
            feed, self._feed = self._feed, None
            self._records, self._by_instrument = {}, {}
            self._lookup.close()
        if feed is not None:
            leave_feed(feed, self._feed_listener)

    def _ask(self, record: _Record, modes: set[int]) -> None:
        """Set a record's modes, and what is asked of the feed for its instrument."""
        if self._feed is None:
            raise LogInAgain("The connection to mStock's live prices was not opened.", "Connect.")
        name, instrument = (record.symbol, record.exchange), record.instrument
        if modes:
            self._feed.subscribe(self._feed_listener, instrument, max(modes), record.exchange)
            # In the place of a symbol that mStock has given another number meanwhile.
            self._records[name] = self._by_instrument[instrument] = record
        else:
            self._records.pop(name, None)
            if self._by_instrument.get(instrument) is record:
                del self._by_instrument[instrument]
                self._feed.unsubscribe(self._feed_listener, instrument)
        record.modes = modes

    def _on_tick(self, tick: Tick) -> None:
        """On the feed's thread: publish once in the highest mode, and in the lower ones wanted."""
        now = int(SYSTEM_CLOCK.now().timestamp() * 1000)
        record = self._by_instrument.get(Instrument(tick.segment, tick.token))
        if record is None:
            return
        for mode in sorted(record.modes, reverse=True):
            if mode > tick.mode:
                continue  # the packet is of a lower mode than the one just asked for
            data = _published(tick.values, mode, now)
            if data is not None:
                data |= {"symbol": record.symbol, "exchange": record.exchange, "mode": mode}
                topic = f"{record.exchange}_{record.symbol}_{_TOPICS[mode]}"
                self._adapter.publish_market_data(topic, data)

    def _login(self) -> FeedLogin:
        """The newest session, read past the host's caches. Raises `LogInAgain` without one."""
        config = Config.from_env(None)
        token = self._adapter.get_auth_token_for_user(self._user, bypass_cache=True)
        if not token:
            raise LogInAgain("There is no mStock session.", "Log in to mStock in OpenAlgo.")
        return FeedLogin.of(config, Secret(str(token)))


def _published(values: dict[str, Any], mode: int, now: int) -> dict[str, Any] | None:
    """A packet's values for one mode; None when the host would drop them for want of a price."""
    if values["ltp"] <= 0 and mode != DEPTH:
        return None
    if mode == LTP:
        data = {key: values[key] for key in _LTP_KEYS if key in values}
    else:
        data = dict(values)
        if mode == QUOTE:
            data.pop("depth", None)
    data.setdefault("timestamp", now)
    data.setdefault("ltt", data["timestamp"])
    return data


def _failure(code: str, error: Exception) -> dict[str, Any]:
    words = str(error) if isinstance(error, BrokerError) else fault_location(error)
    if not isinstance(error, LogInAgain):
        # The host takes "401" anywhere in a text, as in a strike of 24010, for the end of the
        # session, and makes every connection of the user again (contract 8.3).
        for status in ("401", "403"):
            words = words.replace(status, f"{status[0]}\N{WORD JOINER}{status[1:]}")
    return {"status": "error", "code": code, "message": words}
