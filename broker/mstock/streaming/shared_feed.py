"""One feed for each session of mStock, shared by everything in this process that wants prices.

mStock may allow one socket per token only (protocol 15): so the host's pool of adapters, depth
look-ups and a strategy's own subscriptions meet here. Each instrument is asked for once, in the
highest mode that anybody wants.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from broker._kit.errors import CorrectInput
from broker.mstock.streaming.feed import Feed, FeedListener, FeedStatus
from broker.mstock.streaming.packets import Tick
from broker.mstock.streaming.requests import Instrument

OnTick = Callable[[Tick], None]


class Subscriber(NamedTuple):
    """Who wants prices: called on the feed's thread for each tick of its instruments."""

    on_tick: OnTick
    on_text: Callable[[str], None] = lambda _text: None
    on_gap: Callable[[], None] = lambda: None
    on_state: Callable[[FeedStatus], None] = lambda _status: None


class SharedFeed:
    """A `Feed` with several subscribers; `make` builds it around a listener."""

    def __init__(self, make: Callable[[FeedListener], Feed]) -> None:
        self._lock = threading.Lock()
        self._subscribers: tuple[Subscriber, ...] = ()
        # Replaced, never changed in place: the feed's thread reads it without the lock.
        self._wanted: dict[Instrument, dict[Subscriber, int]] = {}
        self._exchanges: dict[Instrument, str] = {}
        self.feed = make(FeedListener(self._on_tick, self._on_text, self._on_gap, self._on_state))

    def join(self, subscriber: Subscriber) -> None:
        """Listen; the first one starts the feed."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)
            self.feed.start()

    def leave(self, subscriber: Subscriber) -> bool:
        """Listen no more; the last one stops the feed: then True."""
        with self._lock:
            self._subscribers = tuple(each for each in self._subscribers if each is not subscriber)
            gone = [each for each, wanted in self._wanted.items() if subscriber in wanted]
            for instrument in gone:
                self._change(instrument, subscriber, None)
            if not self._subscribers:
                self.feed.stop()
            return not self._subscribers

    def subscribe(
        self, subscriber: Subscriber, instrument: Instrument, mode: int, exchange: str
    ) -> None:
        """Want an instrument in this mode.

        Raises `CorrectInput` when its number is already subscribed on another exchange and the
        packets do not say which (Type A).
        """
        with self._lock:
            other = self._exchanges.setdefault(instrument, exchange)
            if instrument.segment == 0 and other != exchange:
                raise CorrectInput(
                    f"mStock's number {instrument.token} is already subscribed on {other}, and its "
                    f"Type A prices do not say which exchange they are of; {exchange} was refused.",
                    f"Unsubscribe it on {other} first, or use a Type B key.",
                )
            self._change(instrument, subscriber, mode)

    def unsubscribe(self, subscriber: Subscriber, instrument: Instrument) -> None:
        """Want an instrument no more."""
        with self._lock:
            self._change(instrument, subscriber, None)

    def _change(self, instrument: Instrument, subscriber: Subscriber, mode: int | None) -> None:
        wanted = dict(self._wanted.get(instrument, {}))
        before = max(wanted.values(), default=None)
        if mode is None:
            wanted.pop(subscriber, None)
        else:
            wanted[subscriber] = mode
        after = max(wanted.values(), default=None)
        if after is None:
            self._wanted.pop(instrument, None)
            self._exchanges.pop(instrument, None)
            self.feed.unsubscribe([instrument])
        else:
            self._wanted[instrument] = wanted
            if after != before:
                self.feed.subscribe({instrument: after})

    def _on_tick(self, tick: Tick) -> None:
        for subscriber in self._wanted.get(Instrument(tick.segment, tick.token), ()):
            subscriber.on_tick(tick)

    def _on_text(self, text: str) -> None:
        for subscriber in self._subscribers:
            subscriber.on_text(text)

    def _on_gap(self) -> None:
        for subscriber in self._subscribers:
            subscriber.on_gap()

    def _on_state(self, status: FeedStatus) -> None:
        for subscriber in self._subscribers:
            subscriber.on_state(status)
