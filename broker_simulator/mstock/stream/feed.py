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

from .tick import Mode, Tick

OnTick = Callable[[Tick], None]


class Feed:
    """Makes ticks. Quotes are worked out here, in the market's thread and one of its own."""

    def __init__(
        self, world: World, is_followed: Callable[[Instrument], bool], on_tick: OnTick
    ) -> None:
        self._world = world
        self._is_followed = is_followed
        self._on_tick = on_tick
        self._asked: queue.SimpleQueue[tuple[Instrument, Mode, OnTick] | None] = queue.SimpleQueue()
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

    def ask(self, instrument: Instrument, mode: Mode, answer: OnTick) -> None:
        """Have the instrument's tick of now worked out, and `answer` called with it."""
        self._asked.put((instrument, mode, answer))

    def tick(self, instrument: Instrument, mode: Mode) -> Tick:
        """Return the instrument's tick of now, with as much as the mode needs.

        A last price is worked out in a hundredth of a quote's time; thousands are asked at once.
        """
        market = self._world.market
        if mode is not Mode.LTP:
            return self._tick(instrument, market.quote(instrument))
        ltp, now = market.ltp(instrument), self._world.clock.now()
        quote = Quote(ltp, ltp, ltp, ltp, ltp, 0, None, None, None, now, 0, ltp, 0, 0, (), ())
        return Tick(instrument, quote, now, None, ltp, ltp)

    def _moved(self, instrument: Instrument, quote: Quote) -> None:
        if self._is_followed(instrument):
            self._on_tick(self._tick(instrument, quote))

    def _answer(self) -> None:
        while (asked := self._asked.get()) is not None:
            instrument, mode, answer = asked
            # Nobody waits for what was given up meanwhile, a stop included.
            if self._is_followed(instrument):
                answer(self.tick(instrument, mode))

    def _tick(self, instrument: Instrument, quote: Quote) -> Tick:
        market, now = self._world.market, self._world.clock.now()
        key = instrument, now.date()
        year = self._years.get(key)
        if year is None:
            year = self._years[key] = market.year_range(instrument)
        high, low = max(year[0], quote.high), min(year[1], quote.low)
        opened = latest_session(now).start
        return Tick(instrument, quote, now, market.oi(instrument, opened), high, low)
