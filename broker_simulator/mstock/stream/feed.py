"""From the market to ticks: price changes of what somebody follows, and first quotes on request."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from broker_simulator.mstock.market import Instrument, Market, Quote
from broker_simulator.mstock.market.trading_calendar import latest_session
from broker_simulator.mstock.world import World

from .tick import Tick

OnTick = Callable[[Tick], None]


class Feed:
    """Makes ticks. Quotes are worked out here, in the market's thread and one of its own."""

    def __init__(
        self, world: World, is_followed: Callable[[Instrument], bool], on_tick: OnTick
    ) -> None:
        self._world = world
        self._is_followed = is_followed
        self._on_tick = on_tick
        self._asked: queue.SimpleQueue[tuple[Instrument, OnTick] | None] = queue.SimpleQueue()
        self._years: dict[tuple[Instrument, date], tuple[Decimal, Decimal]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to answer ask(); the market is not opened yet."""
        self._thread = threading.Thread(target=self._answer, name="stream quotes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following the market."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._asked.put(None)
        self._thread.join()

    def follow(self) -> Market:
        """Follow the market from now on; returns it."""
        if self._unsubscribe is None:
            self._unsubscribe = self._world.market.subscribe(self._moved)
        return self._world.market

    def ask(self, instrument: Instrument, answer: OnTick) -> None:
        """Have the instrument's tick of now worked out, and `answer` called with it."""
        self._asked.put((instrument, answer))

    def tick(self, instrument: Instrument) -> Tick:
        """Return the instrument's tick of now."""
        return self._tick(instrument, self._world.market.quote(instrument))

    def _moved(self, instrument: Instrument, quote: Quote) -> None:
        if self._is_followed(instrument):
            self._on_tick(self._tick(instrument, quote))

    def _answer(self) -> None:
        while (asked := self._asked.get()) is not None:
            instrument, answer = asked
            # Nobody waits for what was given up meanwhile, a stop included.
            if self._is_followed(instrument):
                answer(self.tick(instrument))

    def _tick(self, instrument: Instrument, quote: Quote) -> Tick:
        market, now = self._world.market, self._world.clock.now()
        key = instrument, now.date()
        year = self._years.get(key)
        if year is None:
            year = self._years[key] = market.year_range(instrument)
        high, low = max(year[0], quote.high), min(year[1], quote.low)
        opened = latest_session(now).start
        return Tick(instrument, quote, now, market.oi(instrument, opened), high, low)
