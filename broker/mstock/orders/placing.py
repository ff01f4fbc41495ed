"""Sends orders, modifications and cancels exactly once, and finds out what became of them.

A call stands in the journal before it goes out. When its answer is lost, the order book is looked
into for 15 seconds; what is not known then is `OutcomeUnknown`, and the look-up goes on in the
background. Nothing is ever sent a second time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, OutcomeUnknown, RateLimited, StoreError, Unreachable
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard, token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.dialects import Client, client_for
from broker.mstock.client.order_calls import OrderCalls
from broker.mstock.errors import GeneralException, InputException, MiraeException
from broker.mstock.mapping.margin_data import Margin, margin_request, sum_margins
from broker.mstock.mapping.orders import Order, Trade
from broker.mstock.mapping.positions import Position, quantity_held
from broker.mstock.mapping.refusals import readable_refusal
from broker.mstock.mapping.transform_data import (
    CASH,
    Instrument,
    OrderRequest,
    check_order,
    convert_body,
    modify_body,
    order_body,
    variety,
)
from broker.mstock.orders.journal import Entry, Journal, State, new_tag
from broker.mstock.orders.settler import Settler, Spawn, change_outcome, in_a_thread
from broker.mstock.settings import Config

log = logging.getLogger(__name__)

LOOK_UP_S = 15.0
_PAUSES = (0.3, 0.7, 1.0, 2.0, 3.0, 3.5, 3.5)  # the last look has a second of the 15 left
_SAID = re.compile("“(.*)”", re.S)
_QUIETLY_FAILED = (Unreachable, RateLimited)  # nothing was changed at mStock

T = TypeVar("T")


class Placed(NamedTuple):
    """An order that mStock took, and the tag under which the journal has it."""

    order_id: str
    tag: str


class OrderService:
    """One account's orders and books with one token; safe for several threads.

    Every method raises `BrokerError`s.
    """

    def __init__(
        self,
        config: Config,
        token: Secret,
        journal: Journal,
        *,
        client: Client | None = None,
        guard: TokenGuard | None = None,
        clock: Clock = SYSTEM_CLOCK,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self.api_type = config.api_type
        self.journal = journal
        # Under it one position is read and traded, or converted.
        self.position_lock = journal.position_locks.hold
        self.clock = clock
        self._config = config
        self._token = token
        self._calls = OrderCalls(client or client_for(config), config.api_type, clock)
        self._guard = guard or token_guard(MSTOCK)
        self._spawn = spawn
        self.settler = Settler(
            journal,
            self._book_within,
            self._positions_within,
            lambda: self._calls.clock_offset,
            clock,
        )

    # Books

    def order_book(self) -> list[Order]:
        """Today's orders."""
        return self._book_within(None)

    def trade_book(self) -> list[Trade]:
        """Today's fills."""
        return self._ask(lambda: self._calls.trade_book(self._token))

    def positions(self) -> list[Position]:
        """Net positions, closed ones of the day too."""
        return self._positions_within(None)

    def holdings(self) -> Any:
        """Holdings as mStock sends them."""
        return self._ask(lambda: self._calls.holdings(self._token))

    def find_order(self, order_id: str) -> Order:
        """An order of today. Raises `InputException` when the book has none of that id."""
        for order in self.order_book():
            if order.order_id == order_id:
                return order
        raise InputException(f"There is no order {order_id} today. Nothing was sent.")

    def history(self, order_id: str, exchange: str) -> list[Order]:
        """The states of one order on one of the host's exchanges, as mStock lists them."""
        segment = "E" if exchange in CASH else "D"
        return self._ask(lambda: self._calls.history(self._token, order_id, segment))

    def margin(self, legs: list[tuple[OrderRequest, Instrument]]) -> Margin:
        """The margin of these orders together; on Type A the sum of each alone."""
        if self.api_type == "A":
            return sum_margins([self._margin([leg]) for leg in legs])
        return self._margin(legs)

    def _margin(self, legs: list[tuple[OrderRequest, Instrument]]) -> Margin:
        body = margin_request(self.api_type, legs)
        return self._ask(lambda: self._calls.margin(self._token, body))

    def check(self, request: OrderRequest, instrument: Instrument) -> None:
        """Raises `InputException` for what the master does not allow.

        An order that reduces a position is never refused on master data.
        """
        try:
            check_order(request, instrument)
        except InputException:
            if not self._reduces(request, instrument):
                raise

    def _reduces(self, request: OrderRequest, instrument: Instrument) -> bool:
        try:
            held = quantity_held(self.positions(), instrument.token, request.product)
        except BrokerError:
            return False
        return held * (1 if request.action == "SELL" else -1) >= request.quantity

    # What changes something

    def place(
        self,
        request: OrderRequest,
        instrument: Instrument,
        *,
        door: str = "",
        held: int = 0,
        urgent: bool = False,
    ) -> Placed:
        """Place an order, once.

        `urgent` orders may use mStock's limit up. Raises `OutcomeUnknown` naming the tag when it
        is not known whether mStock took it.
        """
        self.check(request, instrument)
        tag = new_tag()
        body = order_body(self.api_type, request, instrument, tag)
        kind = variety(self.api_type, request)
        entry = self._entry("place", request, tag, door=door, held=held, token=instrument.token)
        self.journal.begin(entry, urgent=urgent)
        found = self._send(entry, lambda: self._calls.place(self._token, kind, body))
        return Placed(found, tag)

    def modify(self, order_id: str, request: OrderRequest, instrument: Instrument) -> None:
        """Change an open order to what `request` says, once."""
        self.check(request, instrument)
        body = modify_body(self.api_type, order_id, request, instrument)
        entry = self._entry("modify", request, new_tag(), order_id=order_id)
        self.journal.begin(entry)
        self._send(entry, lambda: self._calls.modify(self._token, order_id, body))

    def _entry(self, kind: str, request: OrderRequest, tag: str, **more: Any) -> Entry:
        shared = {name: getattr(request, name) for name in Entry._fields if hasattr(request, name)}
        return Entry(tag, kind, self.clock.now(), side=request.action, **shared, **more)

    def cancel(self, order_id: str) -> None:
        """Cancel an open order, once; it goes out even when the journal cannot be written."""
        entry = Entry(new_tag(), "cancel", self.clock.now(), order_id=order_id)
        try:
            self.journal.begin(entry, urgent=True)
        except StoreError as error:
            log.error("A cancel goes out without the journal. %s", error)
        self._send(entry, lambda: self._calls.cancel(self._token, order_id))

    def convert(self, row: Position, instrument: Instrument, quantity: int, product: str) -> None:
        """Convert that much of a position to another product of the host's, once.

        A lost answer is settled by the positions.
        """
        side = "BUY" if row.quantity > 0 else "SELL"  # of the trades that made it
        body = convert_body(self.api_type, row, instrument, side, quantity, product)
        entry = Entry(
            new_tag(),
            "convert",
            self.clock.now(),
            token=row.token,
            symbol=row.symbol,
            side=side,
            quantity=quantity,
            product=product,
            held=quantity_held(self.positions(), row.token, product),
        )
        self.journal.begin(entry)
        self._send(entry, lambda: self._calls.convert(self._token, body))

    def _send(self, entry: Entry, call: Callable[[], str | None]) -> str:
        try:
            order_id = self._ask(call) or entry.order_id
        except BrokerError as error:
            # What fails inside mStock may have failed before or after it was done.
            is_lost = isinstance(error, (OutcomeUnknown, GeneralException))
            if is_lost or (error.http_status or 0) >= 500:
                return self._look_up(entry, error)
            state = State.UNSENT if isinstance(error, _QUIETLY_FAILED) else State.REFUSED
            self._finish(entry, state, note=error.message)
            raise readable(error) from None
        except BaseException:
            self._finish(entry, State.UNKNOWN)
            raise
        self._finish(entry, State.DONE, order_id=order_id)
        return order_id

    def _look_up(self, entry: Entry, error: BrokerError) -> str:
        """What became of a call without an answer: its order id, or an error."""
        end = self.clock.monotonic() + LOOK_UP_S
        self._finish(entry, State.UNKNOWN, note=error.message)
        for pause in _PAUSES:
            self.clock.sleep(min(pause, max(0.0, end - self.clock.monotonic())))
            left = end - self.clock.monotonic()
            try:
                state, note, order_id = self._outcome(entry, left)
            except BrokerError as fault:
                log.debug("An outcome could not be looked up: %s", type(fault).__name__)
                state = State.UNKNOWN
            if state is State.DONE:
                self._finish(entry, state, order_id=order_id)
                return order_id
            if state is State.REFUSED:
                raise MiraeException(note)
            if left <= 0:
                break
        self.settler.go_on(self._spawn)
        what = f"to {entry.kind} {entry.order_id or entry.symbol}"
        where, do = ("positions", "do") if entry.kind == "convert" else ("order book", "does")
        raise OutcomeUnknown(
            f"Outcome unknown, check the {where}: mStock's answer ({what}) was lost and the "
            f"{where} {do} not settle it (tag {entry.tag}).",
            "Do not repeat it before you have looked.",
            http_status=error.http_status,
            is_silence=error.is_silence,
        )

    def _outcome(self, entry: Entry, seconds: float) -> tuple[State, str, str]:
        """State, note and order id of a call, as far as the order book of now tells."""
        book = self.settler.look(max(1.0, seconds))
        if entry.kind in ("modify", "cancel"):  # may have gone out without the journal
            return *(change_outcome(entry, book) or (State.UNKNOWN, "")), entry.order_id
        found = self.journal.entry(entry.tag)
        return (found.state, found.note, found.order_id) if found else (State.UNKNOWN, "", "")

    def _finish(self, entry: Entry, state: State, *, order_id: str = "", note: str = "") -> None:
        try:
            self.journal.finish(entry.tag, state, order_id=order_id, note=note)
        except StoreError as error:
            # What happened has happened: the caller must hear of it and not of the journal.
            log.error("The outcome of %s could not be written down. %s", entry.tag, error)

    def recover(self) -> None:
        """Settle in the background what a process that has ended left open."""
        if self.journal.unknown():
            self.settler.go_on(self._spawn, at_once=True)

    def _book_within(self, seconds: float | None) -> list[Order]:
        return self._ask(lambda: self._calls.order_book(self._token, seconds))

    def _positions_within(self, seconds: float | None) -> list[Position]:
        return self._ask(lambda: self._calls.positions(self._token, seconds))

    def _ask(self, call: Callable[[], T]) -> T:
        return self._guard.run(self._config, self._token, call)


def readable(error: BrokerError) -> BrokerError:
    """The same refusal, with mStock's RMS or exchange text as a sentence."""
    said = _SAID.search(error.message)
    if said is None or not re.search(r"RMS:|EXCH:|INSUFI+CIENT", said[1]):
        return error.with_traceback(None)
    return type(error)(
        readable_refusal(said[1]), "", code=error.code, http_status=error.http_status
    )
