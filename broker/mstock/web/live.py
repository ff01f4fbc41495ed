"""Live figures of the page *Positions and orders*, by server-sent events.

All streams of a session share one connection to mStock, which ends with the last of them. Each
stream holds a thread of the server and one of the few connections that a browser makes to an
address: there are few of them, and each ends after some minutes; the browser then comes back.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import Response

from broker._kit.clock import Clock
from broker._kit.errors import BrokerError
from broker._kit.faults import fault_location
from broker._kit.sessions.token_guard import fingerprint
from broker._kit.web.broker_pages import PageTools, Visit
from broker._kit.web.formatting import clock_time
from broker.mstock.database.instruments import instruments
from broker.mstock.mapping.orders import Order, locate
from broker.mstock.streaming.feed import FeedState, FeedStatus
from broker.mstock.streaming.live_prices import LivePrice, LivePrices
from broker.mstock.streaming.order_listener import OrderBook
from broker.mstock.web import books
from broker.mstock.web.books_page import BooksPage

MOST_STREAMS = 4  # browsers make six connections to an address: pages need the others
LIFE_S = 300.0
LINGER_S = 10.0  # from the last stream's end to that of the connection
BEAT_S = 2.0  # without news; a closed page is noticed when something is sent to it
PAUSE_S = 0.5  # between two messages: prices in between are left out
ORDERS_EVERY_S = 2.0  # the page reads its books again each time
REFUSED_S = 10.0  # until an instrument without live prices is asked for again
_RETRY = "retry: 3000\n\n"
_FULL = "live figures are open in too many windows. Close one of them."

Name = tuple[str, str]

log = logging.getLogger(__name__)


class Live:
    """One session's live prices by (symbol, exchange), and what happened to its orders."""

    def __init__(self, visit: Visit, home: str, clock: Clock, page: BooksPage) -> None:
        self.prices: dict[Name, tuple[float, datetime]] = {}
        self.orders_changed_at: datetime | None = None
        self.order_words = ""
        self.streams = 0
        self._moved: set[Name] = set()
        self._moved_at = ""
        self._followed: set[Name] = set()
        self._refused: dict[Name, str] = {}
        self._forget_refused_at = 0.0
        self._clock = clock
        self._changed = threading.Condition()
        self._version = 0
        self.feed = LivePrices(
            visit.config,
            lambda: visit.token,
            on_price=self._on_price,
            on_order=self._on_order,
            on_state=self._on_state,
            find_in=lambda config: instruments(config, home),
            book=lambda: self._noting(page.order_book(visit)),
        )

    def _noting(self, book: OrderBook) -> OrderBook:
        """The same; what a reading shows without telling it is a change for the page too."""

        def read() -> list[Order]:
            found = book.read()
            self._orders_changed()
            return found

        return book._replace(read=read)

    def follow(self, names: Iterable[Name]) -> None:
        """Have the prices of these and of no others."""
        wanted, now = set(names), self._clock.monotonic()
        if now >= self._forget_refused_at:  # the instrument list may have been downloaded since
            self._refused, self._forget_refused_at = {}, now + REFUSED_S
        for name in self._followed - wanted:
            self.feed.unsubscribe(*name)
        for name in wanted - self._followed - self._refused.keys():
            try:
                self.feed.subscribe(*name)
            except BrokerError as error:
                self._refused[name] = str(error)
        self._followed = wanted - self._refused.keys()

    def wait(self, version: int, seconds: float) -> int:
        """Return when there is news since that version, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, seconds)
            return self._version

    def words(self) -> tuple[bool, str]:
        """Whether figures are live, and a sentence on it."""
        moved = len(self._moved & self._followed)
        return live_words(
            self.feed.status(), len(self._followed), moved, self._moved_at, self._refused.values()
        )

    def _on_price(self, price: LivePrice) -> None:
        name = (price.symbol, price.exchange)
        last = price.values.get("ltp")
        if last:
            now = self._clock.now()
            self.prices[name] = (last, now)
            self._moved.add(name)
            self._moved_at = clock_time(now)
            self._note()

    def _on_order(self, order: Order) -> None:
        self.order_words = f"{order.side} {order.symbol}, order {order.order_id}: {order.status}."
        self._orders_changed()

    def _orders_changed(self) -> None:
        self.orders_changed_at = self._clock.now()
        self._note()

    def _on_state(self, status: FeedStatus) -> None:
        if status.state is not FeedState.CONNECTED:
            self._moved.clear()
        self._note()

    def _note(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()


def live_words(
    status: FeedStatus, followed: int, moved: int, moved_at: str, refused: Iterable[str]
) -> tuple[bool, str]:
    """Whether the figures are live, and a sentence on it; pure."""
    rest = " ".join(sorted(set(refused)))
    if status.state is not FeedState.CONNECTED:
        last = f"The last price came at {moved_at}." if moved_at else "No price has come yet."
        reason = status.reason or "connecting to mStock."
        return False, f"Not live: {reason} {last} {rest}".rstrip()
    if not followed:
        words = "Live: changes of orders show by themselves."
    elif not moved:
        words = "Live, but no price has moved yet: these are the prices of the last reading."
    else:
        waits = followed - moved
        still = f" {waits} of {followed} prices have not moved yet." if waits else ""
        words = f"Live: last price at {moved_at}.{still}"
    return True, f"{words} {rest}".rstrip()


class EventStreams:
    """The route `events`; `page` knows the positions that a session sees, and its order book."""

    def __init__(self, tools: PageTools, page: BooksPage) -> None:
        self._clock = tools.clock
        self._home = tools.services.home
        self._visit = tools.visit
        self._page = page
        self._slots = threading.BoundedSemaphore(MOST_STREAMS)
        self._lock = threading.Lock()
        self._live: dict[str, Live] = {}

    def answer(self) -> Response:
        """The stream; 204, after which a browser does not come back, without a session."""
        visit = self._visit()
        if visit is None:
            return Response(status=204)
        return Response(self._events(visit), mimetype="text/event-stream")

    def _events(self, visit: Visit) -> Iterator[str]:
        yield _RETRY
        if not self._slots.acquire(blocking=False):
            yield _not_live(_FULL)
            return
        try:
            with self._joined(visit) as live:
                yield from self._news(visit, live)
        except BrokerError as error:
            yield _not_live(str(error))
        except Exception as error:
            log.error(f"Live figures: {fault_location(error)}")
            yield _not_live("something went wrong on this page's side.")
        finally:
            self._slots.release()

    def _news(self, visit: Visit, live: Live) -> Iterator[str]:
        begin = self._clock.monotonic()
        version, orders_at = -1, begin
        shown_at = self._page.last_read(visit).read_at("orders")
        while (now := self._clock.monotonic()) < begin + LIFE_S:
            if not visit.is_logged_in():
                yield _event("over", {})
                return
            last = self._page.last_read(visit)
            live.follow(locate(each, last.symbol_of) for each in last.positions if each.quantity)
            is_live, words = live.words()
            cells = books.live_cells(books.with_prices(last, live.prices))
            yield _event("figures", {"is_live": is_live, "words": words, "cells": cells})
            changed_at = live.orders_changed_at
            if changed_at and shown_at and changed_at > shown_at and now >= orders_at:
                shown_at, orders_at = changed_at, now + ORDERS_EVERY_S
                yield _event("orders", {"words": live.order_words})
            version = live.wait(version, BEAT_S)
            self._clock.sleep(PAUSE_S)

    @contextmanager
    def _joined(self, visit: Visit) -> Iterator[Live]:
        mark = fingerprint(visit.token)
        with self._lock:
            live = self._live.get(mark)
            if live is None:
                live = Live(visit, self._home, self._clock, self._page)
                live.feed.open()
                self._live[mark] = live
            live.streams += 1
        try:
            yield live
        finally:
            # Whoever loads the page again, or goes on after a stream's end, finds it connected.
            later = threading.Timer(
                LINGER_S if visit.is_logged_in() else 0, self._leave, (mark, live)
            )
            later.daemon = True
            later.start()

    def _leave(self, mark: str, live: Live) -> None:
        with self._lock:
            live.streams -= 1
            if not live.streams:
                del self._live[mark]
                live.feed.close()


def _not_live(reason: str) -> str:
    return _event("figures", {"is_live": False, "words": f"Not live: {reason}", "cells": {}})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
