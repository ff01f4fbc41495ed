"""The life cycle of 12.4: each function brings an order from one state to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from broker_simulator.mstock.clock import IST
from broker_simulator.mstock.market import Instrument, Quote

from . import matching
from .account import TradingAccount
from .behaviour import Behaviour
from .ids import IdMaker
from .margin import book_exchange, exchange_refusal
from .orders import (
    FINAL,
    OFFLINE,
    RESTING,
    ZERO,
    Order,
    OrderRequest,
    OrderType,
    Status,
    Trade,
    Variety,
)

CLOSING_TIME: Final = time(15, 30)

CONFIRMED: Final = "CONFIRMED"
STOP_TRIGGERED: Final = "STOPLOSS TRIGGER"
TRADE_CONFIRMED: Final = "TRADE CONFIRMED"
CANCELLED: Final = "Order cancelled by the client."
IOC_CANCELLED: Final = "IOC order: the unfilled quantity is cancelled."
EXPIRED: Final = "Order expired at the end of the day."

Watcher = tuple[TradingAccount, str]


class Engine:
    """Changes orders; its caller holds the exchange's lock. `tell` gets every new state."""

    def __init__(self, behaviour: Behaviour, tell: Callable[[tuple[str, Order]], None]) -> None:
        self._behaviour = behaviour
        self._tell = tell
        self._ids = IdMaker()
        # Who waits for an instrument's price.
        self._watchers: dict[tuple[str, str], dict[str, Watcher]] = {}
        # The price at which each resting order was matched last.
        self._matched_at: dict[str, Decimal] = {}
        # Accepted orders that time alone brings to the exchange.
        self.waiting: set[str] = set()
        # The first day on which an after-market order may go to the exchange.
        self._release_days: dict[str, date] = {}

    def watches(self, instrument: Instrument) -> bool:
        """True if an order waits for this instrument's price."""
        return bool(self._watchers.get((instrument.exchange, instrument.token)))

    def watchers(self, instrument: Instrument) -> list[Watcher]:
        """The accounts and orders that wait for this instrument's price, oldest order first."""
        return list(self._watchers.get((instrument.exchange, instrument.token), {}).values())

    def watched(self) -> list[Instrument]:
        """The instruments whose price some order waits for."""
        waiting = [next(iter(orders.values())) for orders in self._watchers.values() if orders]
        return [account.orders[order_id][-1].request.instrument for account, order_id in waiting]

    def matched_at(self, order_id: str) -> Decimal | None:
        """Return the last price at which a resting order was matched."""
        return self._matched_at.get(order_id)

    def accept(
        self, account: TradingAccount, request: OrderRequest, now: datetime, parent: str = ""
    ) -> Order:
        """Give an order its id: in transit, with nothing filled or pending."""
        order = Order(
            order_id=self._ids.order(now),
            request=request,
            status=Status.TRANSIT,
            text="",
            placed_at=now,
            updated_at=now,
            visible_at=now + self._behaviour.draw_book_delay(),
            parent_order_id=parent,
        )
        return self._record(account, order)

    def change(self, account: TradingAccount, order: Order, now: datetime, **changes: Any) -> Order:
        """Record the next state of an order."""
        return self._record(account, replace(order, updated_at=now, trade=None, **changes))

    def hold_offline(
        self, account: TradingAccount, order: Order, now: datetime, market_open: bool
    ) -> Order:
        """Keep an after-market order until the market opens next."""
        days = 1 if market_open else 0
        self._release_days[order.order_id] = now.date() + timedelta(days=days)
        return self.change(account, order, now, status=Status.OFFLINE_PENDING)

    def is_released(self, order: Order, now: datetime) -> bool:
        """True once an after-market order may go to the exchange."""
        return now.date() >= self._release_days[order.order_id]

    def send(self, account: TradingAccount, order: Order, quote: Quote, now: datetime) -> Order:
        """Bring an accepted order to the exchange: rejected by its bands, resting or traded."""
        self._release_days.pop(order.order_id, None)
        number = self._ids.exchange_order(book_exchange(order.request.instrument))
        refusal = exchange_refusal(order.request, quote)
        status, text = (Status.REJECTED, refusal) if refusal else (Status.PENDING, CONFIRMED)
        order = self.change(account, order, now, status=status, text=text, exchange_order_id=number)
        return self.match(account, order.order_id, quote, now)

    def match(self, account: TradingAccount, order_id: str, quote: Quote, now: datetime) -> Order:
        """Trigger and trade an order as far as a quote allows."""
        order = account.orders[order_id][-1]
        if order.status not in RESTING:
            return order
        self._matched_at[order_id] = quote.ltp
        if self._behaviour.matching:
            order = self._matched(account, order, quote, now)
        if order.request.ioc and order.is_open:
            order = self._end(account, order, now, IOC_CANCELLED)
        return order

    def _matched(self, account: TradingAccount, order: Order, quote: Quote, now: datetime) -> Order:
        kind = order.request.order_type
        if kind.is_stop:
            if not matching.triggers(order.request, quote.ltp):
                return order
            fired = OrderType.LIMIT if kind is OrderType.STOP_LIMIT else OrderType.MARKET
            request = replace(order.request, order_type=fired)
            order = self.change(
                account, order, now,
                request=request, status=Status.TRIGGERED, text=STOP_TRIGGERED,
            )  # fmt: skip
        largest = self._behaviour.largest_fill
        for quantity, price in matching.fills(order.request, order.remaining, quote, largest):
            order = self.fill(account, order, quantity, price, now)
        return order

    def fill(
        self, account: TradingAccount, order: Order, quantity: int, price: Decimal, now: datetime
    ) -> Order:
        """Trade so many units of an order."""
        request = order.request
        trade = Trade(
            trade_id=self._ids.trade(),
            order_id=order.order_id,
            exchange_order_id=order.exchange_order_id,
            instrument=request.instrument,
            side=request.side,
            product=request.product,
            order_type=request.order_type,
            quantity=quantity,
            price=price,
            at=now,
        )
        account.book(trade)
        done = quantity == order.remaining
        order = replace(
            order,
            filled=order.filled + quantity,
            value=order.value + quantity * price,
            status=Status.TRADED if done else Status.PENDING,
            text=TRADE_CONFIRMED if done else CONFIRMED,
            updated_at=now,
            trade=trade,
        )
        if not done:
            needed = account.needed(request, order.remaining, price)
            account.block(order.order_id, needed.total)
        return self._record(account, order)

    def modified(
        self,
        account: TradingAccount,
        order: Order,
        request: OrderRequest,
        quote: Quote,
        now: datetime,
    ) -> Order:
        """Replace what an order asks for, and trade it if it can now."""
        state: dict[str, Any] = {}
        if order.status in OFFLINE:
            state = {"status": Status.OFFLINE_MODIFIED}
        elif order.status in RESTING:
            state = {"text": CONFIRMED}
        order = self.change(account, order, now, request=request, modified=True, **state)
        return self.match(account, order.order_id, quote, now)

    def cancel(self, account: TradingAccount, order: Order, now: datetime) -> Order:
        """Cancel an order as its client asks."""
        if order.parent_order_id:
            # To give up the exit of a cover order is to leave the position now.
            request = replace(order.request, order_type=OrderType.MARKET, trigger_price=ZERO)
            return self.change(account, order, now, request=request, text=CONFIRMED)
        return self._end(account, order, now, CANCELLED)

    def expire(
        self, account: TradingAccount, order: Order, day: date | None, now: datetime
    ) -> None:
        """End a resting order with its day: at the closing time of `day`, or now."""
        at = datetime.combine(day, CLOSING_TIME, IST) if day else now
        self._end(account, order, max(at, order.updated_at), EXPIRED)

    def _end(self, account: TradingAccount, order: Order, now: datetime, text: str) -> Order:
        offline = order.status in OFFLINE
        return self.change(
            account,
            order,
            now,
            status=Status.OFFLINE_CANCELLED if offline else Status.CANCELLED,
            text=text,
            cancelled=order.remaining,
        )

    def _record(self, account: TradingAccount, order: Order) -> Order:
        account.record(order)
        instrument = order.request.instrument
        watchers = self._watchers.setdefault((instrument.exchange, instrument.token), {})
        if order.status in RESTING:
            watchers[order.order_id] = (account, order.order_id)
        else:
            watchers.pop(order.order_id, None)
            self._matched_at.pop(order.order_id, None)
        if order.is_open and order.status not in RESTING:
            self.waiting.add(order.order_id)
        else:
            self.waiting.discard(order.order_id)
        self._tell((account.client_code, order))
        is_entry = order.request.variety is Variety.COVER and not order.parent_order_id
        if is_entry and order.filled and order.status in FINAL:
            self._place_exit(account, order)
        return order

    def _place_exit(self, account: TradingAccount, entry: Order) -> None:
        asked = entry.request
        request = replace(
            asked,
            side=asked.side.opposite,
            order_type=OrderType.STOP_MARKET,
            quantity=entry.filled,
            price=ZERO,
            disclosed_quantity=0,
        )
        order = self.accept(account, request, entry.updated_at, entry.order_id)
        number = self._ids.exchange_order(book_exchange(asked.instrument))
        self.change(
            account, order, entry.updated_at,
            status=Status.PENDING, text=CONFIRMED, exchange_order_id=number,
        )  # fmt: skip
