"""Order updates inside OpenAlgo: polled by the host, or over mStock's WebSocket where that is set.

In the process that serves OpenAlgo's pages (contract 8.6). Where OpenAlgo's live prices run in it
too, both share their one socket; elsewhere this is a socket of its own, without an instrument.
"""

from __future__ import annotations

from typing import Any

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError
from broker._kit.openalgo import host
from broker._kit.openalgo.order_updates import (
    poll_interval,
    polling_adapter,
    publish_order,
    session_token,
)
from broker.mstock.broker import MSTOCK
from broker.mstock.mapping.order_data import order_rows
from broker.mstock.mapping.orders import Order
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import FeedListener, FeedState, FeedStatus
from broker.mstock.streaming.order_listener import OrderBook, OrderListener, order_book
from broker.mstock.streaming.order_updates import ShortLives
from broker.mstock.streaming.shared_feed import SharedFeed, join_feed, leave_feed

log = host.logger(__name__)


def order_adapter(user: str) -> Any:
    """What OpenAlgo starts at a login and stops at a logout. Raises `SettingError`, `HostError`."""
    config = Config.from_env(None)
    if config.order_updates == "poll":
        return polling_adapter(MSTOCK.name, user)
    return HostOrders(user, config)


class HostOrders:
    """Order updates over the socket; polled while it is not connected, and once it is given up.

    It is given up, until the next login, when mStock ends it soon after its login three times in a
    row: then mStock allows one connection only, which the live prices shall have.
    """

    broker_name = MSTOCK.name

    def __init__(self, user: str, config: Config, clock: Clock = SYSTEM_CLOCK) -> None:
        self._user = user
        self._config = config
        self._clock = clock
        self._lives = ShortLives()
        self._listener: OrderListener | None = None
        self._feed: SharedFeed | None = None
        self._feed_listener = FeedListener(
            lambda _tick: None, self._on_text, on_state=self._on_state
        )

    @property
    def connected(self) -> bool:
        """True while order updates are heard or polled."""
        return self._listener is not None

    @property
    def is_polling(self) -> bool:
        """True when the socket was given up."""
        return self._listener is not None and self._feed is None

    def connect(self) -> None:
        """Start; returns at once."""
        if self._listener is None:
            self._listener = OrderListener(self._publish, self._book, self._clock)
            self._listener.poll_every(poll_interval())
            self._listener.start()
            self._feed = join_feed(self._config, self._feed_listener, self._login)
            if self._feed.is_connected:
                self._listener.poll_every(None)

    def disconnect(self) -> None:
        """Stop; returns at once."""
        listener, self._listener = self._listener, None
        self._leave()
        if listener is not None:
            listener.stop()

    def _leave(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            leave_feed(feed, self._feed_listener)

    def _on_text(self, text: str) -> None:
        if self._listener is not None:
            self._listener.on_text(text)

    def _on_state(self, status: FeedStatus) -> None:
        listener, now = self._listener, self._clock.monotonic()
        if listener is None:
            return
        if status.state is FeedState.CONNECTED:
            self._lives.connected(now)
            listener.poll_every(None)
            return
        listener.poll_every(poll_interval())
        if self._lives.ended(now):
            log.warning(
                "mStock ends the connection for order updates soon after each login: it seems to "
                "allow one connection only. Orders are polled until the next login. Set "
                "MSTOCK_ORDER_UPDATES=poll to keep it so."
            )
            self._leave()

    def _login(self) -> FeedLogin:
        return FeedLogin.of(Config.from_env(None), session_token(self._user))

    def _book(self) -> OrderBook:
        return order_book(self._config, lambda: session_token(self._user))

    def _publish(self, order: Order) -> None:
        from broker.mstock.orders.service import lookup_or_none

        (row,) = order_rows([order], lookup_or_none().symbol_of)
        try:
            publish_order(MSTOCK.name, self._user, row)
        except BrokerError as error:
            log.error("mStock: OpenAlgo was not told of an order's change. %s", error)
