"""Settles calls whose answer was lost, by the order book, also in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, LogInAgain, StoreError
from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.positions import Position
from broker.mstock.mapping.refusals import readable_refusal
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import OPEN, Entry, Journal, State
from broker.mstock.orders.settle import Outcome, settle

log = logging.getLogger(__name__)

# The book, or the positions, of now, asked within so many seconds.
ReadBook = Callable[[float | None], list[Order]]
ReadPositions = Callable[[float | None], list[Position]]
Spawn = Callable[[Callable[[], None]], None]

BACKGROUND_PAUSE_S = 15.0
_BACKGROUND_LOOKS = 80  # twenty minutes
_PRICED = frozenset({"LIMIT", "SL"})
_TRIGGERED = frozenset({"SL", "SL-M"})


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

    def _settle_conversion(self, entry: Entry, seconds: float | None) -> None:
        try:
            rows = self._read_positions(seconds)
        except LogInAgain:
            raise
        except BrokerError as error:  # whoever asked for the order book shall have it
            log.debug("A conversion was not looked up: %s", type(error).__name__)
            return
        if is_converted(entry, rows):
            self._journal.finish(entry.tag, State.DONE)

    def _settle_order(self, entry: Entry, book: list[Order]) -> None:
        others = [each for each in self._journal.orders_like(entry) if each.tag != entry.tag]
        offset = self._clock_offset()
        found = settle(
            entry.sent(offset),
            book,
            owned=frozenset(each.order_id for each in others if each.order_id),
            rivals=[each.sent(offset) for each in others if each.state in OPEN],
            echoes_tags=_echoes_tags(book, (entry, *others)),
        )
        if found.order is None:
            return
        order_id, note = found.order.order_id, ""
        state = State.DONE
        if found.outcome is Outcome.REJECTED:
            likeness = entry.sent(offset).likeness
            if any(_may_own_rejected(each, likeness, offset) for each in others):
                return
            state, note = State.REFUSED, rejection(found.order)
        is_final = found.order.status in FINAL
        self._journal.finish(entry.tag, state, order_id=order_id, note=note, closed=is_final)

    def go_on(self, spawn: Spawn, *, at_once: bool = False) -> None:
        """Go on looking beside everything else, one at a time, until nothing is left to settle."""
        if self._running.acquire(blocking=False):
            spawn(lambda: self._go_on(at_once))

    def _go_on(self, at_once: bool) -> None:
        try:
            for n in range(_BACKGROUND_LOOKS):
                if n or not at_once:
                    self._clock.sleep(BACKGROUND_PAUSE_S)
                try:
                    self.look()
                    if not self._journal.open():
                        return
                except (LogInAgain, StoreError):
                    return
                except BrokerError as error:
                    log.debug("The order book could not be read: %s", type(error).__name__)
        except Exception as error:
            log.error("Settling orders in the background failed: %s", type(error).__name__)
        finally:
            self._running.release()


def rejection(order: Order) -> str:
    """Why an order was rejected, as a sentence."""
    return readable_refusal(order.text) or "mStock rejected the order and gave no reason."


def change_outcome(entry: Entry, book: list[Order]) -> tuple[State, str] | None:
    """What became of a modification or a cancel: its state and a note; None when not known."""
    order = next((each for each in book if each.order_id == entry.order_id), None)
    if order is None:
        return None
    if order.status == "cancelled" if entry.kind == "cancel" else _shows(order, entry):
        return State.DONE, ""
    is_over = order.status in FINAL
    return (State.REFUSED, f"The order is {order.status} already.") if is_over else None


def held(rows: list[Position], token: str, product: str) -> int:
    """The signed quantity of a token in a product."""
    return sum(row.quantity for row in rows if (row.token, row.product) == (token, product))


def is_converted(entry: Entry, rows: list[Position]) -> bool:
    """Whether the new product has what a conversion was to bring it; no proof where it has not."""
    brought = entry.quantity if entry.side == "BUY" else -entry.quantity
    return held(rows, entry.token, entry.product) == entry.held + brought


def _shows(order: Order, entry: Entry) -> bool:
    """Whether the order has the quantity and the prices that a modification asked for."""
    if order.quantity != entry.quantity:
        return False
    if entry.price_type in _PRICED and order.price != entry.price:
        return False
    return entry.price_type not in _TRIGGERED or order.trigger_price == entry.trigger_price


def _echoes_tags(book: list[Order], entries: Iterable[Entry]) -> bool:
    """Whether this account's book has been seen to carry the tags that were sent."""
    tags = {each.tag for each in entries}
    return any(order.tag in tags for order in book)


def _may_own_rejected(entry: Entry, likeness: tuple[object, ...], offset: timedelta) -> bool:
    """An equal order that was refused at once, without an id, may stand in the book as rejected."""
    is_refused = entry.state is State.REFUSED and not entry.order_id
    return is_refused and entry.sent(offset).likeness == likeness
