"""Tells each change of an order once: from the feed's texts, and from the order book after gaps."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import NamedTuple

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError
from broker._kit.faults import fault_location
from broker._kit.secret import Secret
from broker.mstock.mapping.orders import Order, is_about_orders, order_update
from broker.mstock.settings import Config
from broker.mstock.streaming.feed import FeedState, FeedStatus
from broker.mstock.streaming.order_updates import OrderChanges

log = logging.getLogger(__name__)

_BETWEEN_S = 1.0  # two readings of the book, at the least
_AGAIN_S = 5.0  # after one that failed
_BOOK = ""  # no text of mStock's


class OrderBook(NamedTuple):
    """`read` settles what the journal does not know, and raises `BrokerError`; `is_needed` is
    True while something is not known."""

    read: Callable[[], list[Order]]
    is_needed: Callable[[], bool] = lambda: False


def order_book(config: Config, token: Callable[[], Secret]) -> OrderBook:
    """An account's order book and journal. `token` gives the newest one."""
    from broker.mstock.orders.service import order_service  # SQLAlchemy takes its time to load

    return OrderBook(
        lambda: order_service(config, token()).settler.look(),
        lambda: bool(order_service(config, token()).journal.unknown()),
    )


class OrderListener:
    """Its `on_…` are for a `FeedListener` and return at once; `tell` is called on its own thread.

    The book is read after each login, when a text does not say enough, when the journal has an
    order whose outcome is not known, and every few seconds while `poll_every` says so.
    """

    def __init__(
        self,
        tell: Callable[[Order], None],
        book: Callable[[], OrderBook],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._on_change = tell
        self._make_book = book
        self._clock = clock
        self._changes = OrderChanges()
        self._poll_every: float | None = None
        self._queue: Queue[str | None] = Queue()

    def start(self) -> None:
        """Read the book, and listen."""
        threading.Thread(target=self._run, name="mstock-orders", daemon=True).start()
        self._queue.put(_BOOK)

    def stop(self) -> None:
        """Listen no more."""
        self._queue.put(None)

    def poll_every(self, seconds: float | None) -> None:
        """Read the book now, and every so many seconds; None: only when there is a reason."""
        self._poll_every = seconds
        self._queue.put(_BOOK)

    def on_text(self, text: str) -> None:
        """A text of mStock's has come."""
        if is_about_orders(text):
            self._queue.put(text)

    def on_state(self, status: FeedStatus) -> None:
        """The feed's state has changed: what came before a login was not heard."""
        if status.state is FeedState.CONNECTED:
            self._queue.put(_BOOK)

    def _run(self) -> None:
        book: OrderBook | None = None
        due_at: float | None = None
        read_at = float("-inf")
        while True:
            now = self._clock.monotonic()
            try:
                text = self._queue.get(timeout=None if due_at is None else max(0.0, due_at - now))
                if text is None:
                    return
                if text == _BOOK or not self._take(text) or (book and book.is_needed()):
                    due_at = max(now, read_at + _BETWEEN_S)
                continue
            except Empty:
                pause = self._poll_every
            except Exception as error:
                log.error("mStock: an order update was not read (%s).", fault_location(error))
                continue
            try:
                book = book or self._make_book()
                for order in self._changes.take_book(book.read()):
                    self._tell(order)
            except Exception as error:
                level = logging.DEBUG if isinstance(error, BrokerError) else logging.ERROR
                log.log(level, "mStock: no order book was read (%s).", fault_location(error))
                pause = pause or _AGAIN_S
            read_at = self._clock.monotonic()
            due_at = None if pause is None else read_at + pause

    def _tell(self, order: Order) -> None:
        try:
            self._on_change(order)
        except Exception as error:  # the others must be told
            log.error("mStock: an order update was not told (%s).", fault_location(error))

    def _take(self, text: str) -> bool:
        """Tell what a text says; False when the book must say it."""
        order = order_update(text)
        if order is not None and self._changes.take(order):
            self._tell(order)
        return order is not None
