"""Settles calls whose answer was lost, by the order book, also in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, LogInAgain, StoreError
from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.positions import Position, quantity_held
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import OPEN, Entry, Journal, State
from broker.mstock.orders.outcomes import could_be, find_sent, has_terms, likeness, rejection

log = logging.getLogger(__name__)

# The book, or the positions, of now, asked within so many seconds.
ReadBook = Callable[[float | None], list[Order]]
ReadPositions = Callable[[float | None], list[Position]]
Spawn = Callable[[Callable[[], None]], None]

BACKGROUND_PAUSE_S = 15.0
LOOKED_FOR = timedelta(minutes=20)  # what does not show by then is looked for no more


def in_a_thread(work: Callable[[], None]) -> None:
    """Run it beside everything else; it does not keep the program alive."""
    threading.Thread(target=work, name="mstock-settle", daemon=True).start()


class Settler:
    """Looks into one account's order book for what its journal does not know."""

    def __init__(
        self,
        journal: Journal,
        read_book: ReadBook,
        read_positions: ReadPositions,
        clock_offset: Callable[[], timedelta],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._read_book = read_book
        self._read_positions = read_positions
        self._clock_offset = clock_offset
        self._clock = clock
        self._running = threading.Lock()

    def look(self, seconds: float | None = None) -> list[Order]:
        """Settle what the book of now can settle, and return it. Raises `BrokerError`."""
        # The book first: whatever of ours it shows then stands in the journal.
        book = self._read_book(seconds)
        try:
            for entry in self._journal.unknown():
                if entry.kind == "place":
                    self._settle_order(entry, book)
                elif entry.kind == "convert":
                    self._settle_conversion(entry, seconds)
                elif (found := change_outcome(entry, book)) is not None:
                    self._journal.finish(entry.tag, found[0], note=found[1])
        except StoreError as error:
            log.error("Outcomes could not be written down. %s", error)
        return book

    def may_still_trade(self, entry: Entry, book: list[Order]) -> bool:
        """Whether an order of unknown outcome may be on its way, or rest in that book."""
        if self._is_looked_for(entry):
            return True
        sent = entry.by_mstocks_clock(self._clock_offset())
        return any(each.status not in FINAL and could_be(sent, each) for each in book)

    def _is_looked_for(self, entry: Entry) -> bool:
        return entry.at + LOOKED_FOR > self._clock.now()

    def _settle_conversion(self, entry: Entry, seconds: float | None) -> None:
        try:
            rows = self._read_positions(seconds)
        except LogInAgain:
            raise
        except BrokerError as error:  # whoever asked for the order book shall have it
            log.debug("A conversion was not looked up: %s", type(error).__name__)
            return
        brought = entry.quantity if entry.side == "BUY" else -entry.quantity
        # No proof of the contrary where the new product does not have it.
        if quantity_held(rows, entry.token, entry.product) == entry.held + brought:
            self._journal.finish(entry.tag, State.DONE)

    def _settle_order(self, entry: Entry, book: list[Order]) -> None:
        offset = self._clock_offset()
        sent = entry.by_mstocks_clock(offset)
        orders = [e.by_mstocks_clock(offset) for e in self._journal.orders_of(entry.token)]
        others = [each for each in orders if each.tag != entry.tag]
        tags = {each.tag for each in orders}
        order = find_sent(
            sent,
            book,
            owned=frozenset(each.order_id for each in others if each.order_id),
            rivals=[each for each in others if each.state in OPEN],
            echoes_tags=any(each.tag in tags for each in book),
        )
        if order is None:
            return
        state, note = State.DONE, ""
        if order.status == "rejected":
            # An equal order that was refused at once, without an id, may stand there as rejected.
            refused = (e for e in others if e.state is State.REFUSED and not e.order_id)
            if any(likeness(each) == likeness(sent) for each in refused):
                return
            state, note = State.REFUSED, rejection(order)
        self._journal.finish(entry.tag, state, order_id=order.order_id, note=note)

    def go_on(self, spawn: Spawn, *, at_once: bool = False) -> None:
        """Go on looking beside everything else, one at a time, as long as that may settle it."""
        if self._running.acquire(blocking=False):
            spawn(lambda: self._go_on(at_once))

    def _go_on(self, at_once: bool) -> None:
        try:
            while True:
                if not at_once:
                    self._clock.sleep(BACKGROUND_PAUSE_S)
                at_once = False
                try:
                    self.look()
                    if not any(map(self._is_looked_for, self._journal.open())):
                        return
                except (LogInAgain, StoreError):
                    return
                except BrokerError as error:
                    log.debug("The order book could not be read: %s", type(error).__name__)
        except Exception as error:
            log.error("Settling orders in the background failed: %s", type(error).__name__)
        finally:
            self._running.release()


def change_outcome(entry: Entry, book: list[Order]) -> tuple[State, str] | None:
    """What became of a modification or a cancel: its state and a note; None when not known."""
    order = next((each for each in book if each.order_id == entry.order_id), None)
    if order is None:
        return None
    if order.status == "cancelled" if entry.kind == "cancel" else has_terms(order, entry):
        return State.DONE, ""
    is_over = order.status in FINAL
    return (State.REFUSED, f"The order is {order.status} already.") if is_over else None
