"""Live prices and order updates for a strategy of one's own, without OpenAlgo.

    with LivePrices() as prices:
        prices.subscribe("INFY", "NSE")
        for price in prices:
            print(price.symbol, price.values["ltp"])

Log in first: `mstock login`; download the instruments once a day: `mstock instruments`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CorrectInput, LogInAgain
from broker._kit.secret import Secret
from broker._kit.sessions.store import Store, open_store
from broker._kit.sessions.stored_session import load_session
from broker._kit.settings import ServiceSettings, file_environment
from broker.mstock.broker import MSTOCK
from broker.mstock.database.instruments import Instruments, instruments
from broker.mstock.mapping.orders import Order
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import FeedListener, FeedStatus
from broker.mstock.streaming.lookup import find_instrument
from broker.mstock.streaming.order_listener import OrderBook, OrderListener, order_book
from broker.mstock.streaming.packets import DEPTH, LTP, QUOTE, Tick
from broker.mstock.streaming.requests import Instrument
from broker.mstock.streaming.shared_feed import (
    SharedFeed,
    check_exchange,
    join_feed,
    leave_feed,
)

MODES = {"LTP": LTP, "QUOTE": QUOTE, "DEPTH": DEPTH}


class LivePrice(NamedTuple):
    """The newest packet of one instrument; `values` as `packets.Tick` has them."""

    symbol: str
    exchange: str
    mode: int
    values: dict[str, Any]


class LivePrices:
    """One connection to mStock; callbacks run on its thread and must not wait.

    Iterating gives each instrument's newest price: a slow reader misses prices in between, and
    never the last one. `on_order` gets each change of an order once, on a thread of its own; what
    an outage has hidden is read from the order book. `on_gap` is called after an outage.
    """

    def __init__(
        self,
        config: Config | None = None,
        login: Callable[[], Secret] | None = None,
        *,
        on_price: Callable[[LivePrice], None] | None = None,
        on_order: Callable[[Order], None] | None = None,
        on_gap: Callable[[], None] = lambda: None,
        on_state: Callable[[FeedStatus], None] = lambda _status: None,
        find_in: Callable[[Config], Instruments] | None = None,
        book: Callable[[], OrderBook] | None = None,
    ) -> None:
        """Settings are those of the `.env` of the working folder or above it, unless given.

        `login` gives the newest token, unless given the one that the command line stored.

        Raises `SettingError`.
        """
        self._config = config or Config.from_env(file_environment())
        self._login = login or (lambda: stored_token(self._config))
        self._on_price = on_price
        self._find_in = find_in or _instruments
        self._names: dict[Instrument, tuple[str, str]] = {}
        self._wanted: dict[tuple[str, str], tuple[Instrument, int]] = {}
        self._newest: dict[tuple[str, str], LivePrice] = {}
        self._arrived = threading.Condition()
        self._orders: OrderListener | None = None
        self._feed_listener = FeedListener(self._take, on_gap=on_gap, on_state=on_state)
        if on_order is not None:
            orders = self._orders = OrderListener(
                on_order, book or (lambda: order_book(self._config, self._login))
            )

            def on_new_state(status: FeedStatus) -> None:
                orders.on_state(status)
                on_state(status)

            self._feed_listener = FeedListener(self._take, orders.on_text, on_gap, on_new_state)
        self._shared: SharedFeed | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect in the background, and stay connected.

        Raises `LogInAgain` without a session, `CorrectInput` when what was subscribed before is
        more than the settings allow.
        """
        self._login()
        if self._shared is None:
            self._shared = join_feed(self._config, self._feed_listener, self._feed_login)
            if self._orders is not None:
                self._orders.start()
            try:
                for (_, exchange), (instrument, mode) in list(self._wanted.items()):
                    self._shared.subscribe(self._feed_listener, instrument, mode, exchange)
            except CorrectInput:
                self.close()
                raise

    def close(self) -> None:
        """End the connection, unless others of this process use it, and every iterator."""
        with self._arrived:
            shared, self._shared = self._shared, None
            self._arrived.notify_all()
        if shared is not None:
            leave_feed(shared, self._feed_listener)
            if self._orders is not None:
                self._orders.stop()

    def subscribe(self, symbol: str, exchange: str, mode: int = LTP) -> None:
        """Want a symbol's prices, in one mode.

        Raises `CorrectInput`, `NoInstruments`; what is refused changes nothing.
        """
        if mode not in MODES.values():
            raise CorrectInput(f"Mode {mode} is not known; 1, 2 and 3 are.")
        name, instrument = (symbol, exchange), self._find(symbol, exchange)
        other = self._names.get(instrument, name)
        check_exchange(instrument, (other if other in self._wanted else name)[1], exchange)
        if self._wanted.get(name, (instrument, mode))[0] != instrument:
            self.unsubscribe(*name)  # mStock gave the symbol another number overnight
        self._names[instrument] = name
        if (shared := self._shared) is not None:
            shared.subscribe(self._feed_listener, instrument, mode, exchange)
        self._wanted[name] = (instrument, mode)

    def unsubscribe(self, symbol: str, exchange: str) -> None:
        """Want them no more."""
        instrument, _ = self._wanted.pop((symbol, exchange), (None, 0))
        if instrument is not None and self._names.get(instrument) == (symbol, exchange):
            del self._names[instrument]
            if (shared := self._shared) is not None:
                shared.unsubscribe(self._feed_listener, instrument)

    def status(self) -> FeedStatus:
        """How the connection stands."""
        shared = self._shared
        return FeedStatus() if shared is None else shared.status()

    def __iter__(self) -> Iterator[LivePrice]:
        while (price := self.next()) is not None:
            yield price

    def next(self, seconds: float | None = None) -> LivePrice | None:
        """The next price; None when none came within that time or `close` was called."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._newest or self._shared is None, seconds)
            if not self._newest or self._shared is None:
                return None
            return self._newest.pop(next(iter(self._newest)))

    def _find(self, symbol: str, exchange: str) -> Instrument:
        return find_instrument(self._find_in(self._config), self._config.api_type, symbol, exchange)

    def _take(self, tick: Tick) -> None:
        name = self._names.get(Instrument(tick.segment, tick.token))
        if name is None:
            return
        price = LivePrice(*name, tick.mode, tick.values)
        if self._on_price is not None:
            self._on_price(price)
            return
        with self._arrived:
            self._newest[name] = price
            self._arrived.notify()

    def _feed_login(self) -> FeedLogin:
        return FeedLogin.of(self._config, self._login())


def _instruments(config: Config) -> Instruments:
    return instruments(config, ServiceSettings.from_env(file_environment()).home)


def stored_token(config: Config, store: Store | None = None, clock: Clock = SYSTEM_CLOCK) -> Secret:
    """The token that the command line stored. Raises `LogInAgain`, `StoreError`."""
    store = store or open_store(MSTOCK, ServiceSettings.from_env(file_environment()))
    session = load_session(store, config.account, clock.now())
    if session is None or session.is_over:
        raise LogInAgain("There is no mStock session.", "Log in: mstock login")
    return session.token
