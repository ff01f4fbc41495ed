"""The exchange: takes orders, matches them when prices move, tells who listens."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal

from broker_simulator.mstock.accounts import Account
from broker_simulator.mstock.clock import Clock
from broker_simulator.mstock.funds import FundRow
from broker_simulator.mstock.market import Instrument, Market, Quote
from broker_simulator.mstock.refusals import Reason, Refused

from .account import TradingAccount
from .behaviour import Behaviour
from .checks import check
from .engine import Engine
from .margin import HOLDINGS_SHORT, Margin, exchange_refusal, margin_of, margin_price, rms_text
from .orders import (
    FINAL,
    OFFLINE,
    RESTING,
    ZERO,
    Order,
    OrderChange,
    OrderRequest,
    Product,
    Side,
    Status,
    Trade,
    Variety,
)
from .positions import Holding, Position

OrderCallback = Callable[[str, Order], None]


class Exchange:
    """All trading state of the broker. Thread-safe.

    Time is looked at when somebody asks or a price moves: there is no thread. Methods take a client
    code, raise Refused when the exchange or the risk desk says no, and return states and
    copies that do not change later. KeyError for an unknown client.
    """

    def __init__(
        self,
        market: Market,
        clock: Clock,
        accounts: Mapping[str, Account],
        behaviour: Behaviour | None = None,
    ) -> None:
        self.market = market
        self.behaviour = behaviour or Behaviour()
        self._clock = clock
        self._accounts = {
            code: TradingAccount.opened(account, market) for code, account in accounts.items()
        }
        # Not re-entrant: a price that moves while this thread is at work waits for its turn.
        self._lock = threading.Lock()
        self._outbox_lock = threading.Lock()
        self._outbox: deque[tuple[str, Order]] = deque()
        self._callbacks: list[OrderCallback] = []
        self._prices: deque[tuple[Instrument, Quote]] = deque()
        # The last price at which each watched instrument was looked at.
        self._seen: dict[tuple[str, str], Decimal] = {}
        self._engine = Engine(self.behaviour, self._outbox.append)
        self._day: date = clock.now().date()
        self._unsubscribe = market.subscribe(self._price_moved)

    # Orders

    def place(self, client_code: str, request: OrderRequest) -> Order:
        """Accept an order: it gets an id, even if the risk desk then rejects it (6.6).

        Refused without an id: what `checks` lists, and an order while the market is closed.
        """
        with self._settled() as now:
            account = self._accounts[client_code]
            quote = self.market.quote(request.instrument)
            check(request, quote.ltp)
            is_open = self._is_open(now)
            if not is_open and request.variety is not Variety.AMO:
                raise Refused(Reason.MARKET_CLOSED)
            order = self._engine.accept(account, request, now)
            if refusal := self._risk_refusal(account, order, quote):
                return self._engine.change(
                    account, order, now, status=Status.REJECTED, text=refusal
                )
            account.block(
                order.order_id, account.needed(request, request.quantity, quote.ltp).total
            )
            if request.variety is Variety.AMO:
                return self._engine.hold_offline(account, order, now, is_open)
            if self.behaviour.transit:
                return order
            return self._engine.send(account, order, quote, now)

    def modify(self, client_code: str, order_id: str, change: OrderChange) -> Order:
        """Change an open order. The quantity is the whole order's, fills included."""
        with self._settled() as now:
            account, order = self._open_order(client_code, order_id)
            if order.status is Status.TRIGGERED and change.order_type and change.order_type.is_stop:
                # A stop that has fired does not wait again.
                change = OrderChange(quantity=change.quantity, price=change.price)
            request = change.applied_to(order.request)
            quote = self.market.quote(request.instrument)
            check(request, quote.ltp)
            if request.quantity <= order.filled:
                raise Refused(Reason.ORDER_FIELD, text="Enter valid quantity.")
            needed = account.needed(request, request.quantity - order.filled, quote.ltp).total
            try:
                account.afford(needed, freed=account.blocked.get(order_id, ZERO))
            except Refused as refused:
                price = margin_price(request, quote.ltp)
                text = rms_text(order_id, request, client_code, price, refused.text)
                raise Refused(Reason.FUNDS, text=text) from None
            if refusal := exchange_refusal(request, quote):
                raise Refused(Reason.ORDER_FIELD, text=refusal)
            account.block(order_id, needed)
            return self._engine.modified(account, order, request, quote, now)

    def cancel(self, client_code: str, order_id: str) -> Order:
        """Cancel an open order; the exit of a cover order is traded at the market instead."""
        with self._settled() as now:
            account, order = self._open_order(client_code, order_id)
            return self._cancel(account, order, now)

    def cancel_all(self, client_code: str) -> Order:
        """Cancel every open order and return the last one; refused when nothing is open."""
        with self._settled() as now:
            account = self._accounts[client_code]
            last = None
            for order in account.open_orders():
                last = self._cancel(account, order, now)
            if last is None:
                raise Refused(Reason.ORDER_GONE)
            return last

    # By hand: the control page and tests

    def fill(self, client_code: str, order_id: str, quantity: int | None = None) -> Order:
        """Trade an open order at its price, or at the last price; in part if asked to."""
        with self._settled() as now:
            account, order = self._open_order(client_code, order_id)
            if order.status not in RESTING:
                raise Refused(Reason.ORDER_GONE)
            ltp = self.market.ltp(order.request.instrument)
            price = order.request.price if order.request.order_type.has_limit else ltp
            return self._engine.fill(
                account, order, min(quantity or order.remaining, order.remaining), price, now
            )

    def reject(self, client_code: str, order_id: str, text: str) -> Order:
        """Have the exchange reject an open order."""
        with self._settled() as now:
            account, order = self._open_order(client_code, order_id)
            return self._engine.change(account, order, now, status=Status.REJECTED, text=text)

    def match(self) -> None:
        """Give every resting order another round of matching at the present prices."""
        with self._settled() as now:
            for account in self._accounts.values():
                for order in account.open_orders():
                    quote = self.market.quote(order.request.instrument)
                    self._engine.match(account, order.order_id, quote, now)

    # Books

    def order_book(self, client_code: str) -> list[Order]:
        """Return today's orders, oldest first, without those whose delay is not over."""
        with self._settled() as now:
            return self._accounts[client_code].todays(now)

    def all_orders(self) -> list[tuple[str, Order]]:
        """Return every client's orders with their codes, newest first, held back or not."""
        with self._settled():
            found = [
                (code, states[-1])
                for code, account in self._accounts.items()
                for states in account.orders.values()
            ]
        return sorted(found, key=lambda entry: entry[1].placed_at, reverse=True)

    def history(self, client_code: str, order_id: str) -> list[Order]:
        """Return every state of an order, oldest first; [] if unknown or still held back."""
        with self._settled() as now:
            states = self._accounts[client_code].orders.get(order_id, [])
            return list(states) if states and states[0].visible_at <= now else []

    def trades(
        self, client_code: str, first: date | None = None, last: date | None = None
    ) -> list[Trade]:
        """Return the trades of a range of days, oldest first; today's if none is given."""
        with self._settled() as now:
            account = self._accounts[client_code]
            first, last = first or now.date(), last or now.date()
            return [
                trade
                for trade in account.trades
                if first <= trade.at.date() <= last
                and account.orders[trade.order_id][0].visible_at <= now
            ]

    def positions(self, client_code: str) -> list[Position]:
        """Return copies of all positions that traded today or were carried over."""
        with self._settled():
            positions = self._accounts[client_code].positions.values()
            return [
                p.copy() for p in positions if p.total(Side.BUY).value or p.total(Side.SELL).value
            ]

    def holdings(self, client_code: str) -> list[Holding]:
        """Return copies of the holdings."""
        with self._settled():
            return [holding.copy() for holding in self._accounts[client_code].holdings]

    def fund_row(self, client_code: str) -> FundRow:
        """Return the fund summary that follows from orders and positions (12.1)."""
        with self._settled():
            return self._accounts[client_code].fund_row(self.market)

    def margin(self, request: OrderRequest) -> Margin:
        """Return what an order would need by itself; positions are not netted."""
        with self._settled():
            price = margin_price(request, self.market.ltp(request.instrument))
            return margin_of(
                request.instrument, request.side, request.product, request.quantity, price
            )

    def convert(
        self,
        client_code: str,
        instrument: Instrument,
        side: Side,
        quantity: int,
        products: tuple[Product, Product],
    ) -> None:
        """Move units of a position from the first product to the second.

        Raises Refused CONVERSION with the available quantity as its text, or FUNDS.
        """
        with self._settled():
            account = self._accounts[client_code]
            source, target = (account.position(instrument, product) for product in products)
            available = max(source.quantity * side.sign, 0)
            if not 0 < quantity <= available:
                raise Refused(Reason.CONVERSION, text=str(available))
            freed, needed = (
                margin_of(instrument, side, product, quantity, source.entry_price).total
                for product in products
            )
            account.afford(needed, freed)
            source.move(target, side, quantity)

    # Listeners

    def on_order(self, callback: OrderCallback) -> Callable[[], None]:
        """Call back with client code and state whenever an order changes; the result ends it.

        The state's `trade` is set when a fill led to it. Calls come one at a time and in order,
        with no lock of the exchange held.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def close(self) -> None:
        """Stop listening to the market."""
        self._unsubscribe()

    # Inside

    @contextmanager
    def _settled(self) -> Iterator[datetime]:
        """Hold the lock with everything up to now done, and tell the listeners afterwards."""
        try:
            with self._lock:
                now = self._clock.now()
                self._pass_time(now)
                self._match_prices(now)
                self._look_at_prices(now)
                yield now
        finally:
            self._catch_up()
            self._tell()

    def _price_moved(self, instrument: Instrument, quote: Quote) -> None:
        """Take a price from the market, which may hold its own lock: so never wait for ours."""
        if self._engine.watches(instrument):
            self._prices.append((instrument, quote))
        self._catch_up()
        self._tell()

    def _catch_up(self) -> None:
        """Match the prices that came; whoever holds the lock looks again after letting it go."""
        while self._prices and self._lock.acquire(blocking=False):
            try:
                now = self._clock.now()
                self._pass_time(now)
                self._match_prices(now)
            finally:
                self._lock.release()

    def _match_prices(self, now: datetime) -> None:
        while self._prices:
            instrument, quote = self._prices.popleft()
            for account, order_id in self._engine.watchers(instrument):
                self._engine.match(account, order_id, quote, now)

    def _look_at_prices(self, now: datetime) -> None:
        """Match what waits for a price that time has moved without a word."""
        for instrument in self._engine.watched():
            key = (instrument.exchange, instrument.token)
            ltp = self.market.ltp(instrument)
            if self._seen.get(key) != ltp:
                self._seen[key] = ltp
                quote = self.market.quote(instrument)
                for account, order_id in self._engine.watchers(instrument):
                    if self._engine.matched_at(order_id) != ltp:
                        self._engine.match(account, order_id, quote, now)

    def _tell(self) -> None:
        while self._outbox and self._outbox_lock.acquire(blocking=False):
            try:
                while self._outbox:
                    told = self._outbox.popleft()
                    for callback in tuple(self._callbacks):
                        callback(*told)
            finally:
                self._outbox_lock.release()

    def _is_open(self, now: datetime) -> bool:
        return self.behaviour.is_always_open or self.market.is_open(now)

    def _pass_time(self, now: datetime) -> None:
        new_day = now.date() > self._day
        is_open = self._is_open(now)
        if is_open and not new_day and not self._engine.waiting:
            return
        for account in self._accounts.values():
            for order in account.open_orders():
                if order.status in OFFLINE:
                    if is_open and self._engine.is_released(order, now):
                        self._send(account, order, now)
                elif order.status is Status.TRANSIT:
                    if now >= order.placed_at + self.behaviour.transit:
                        self._send(account, order, now)
                elif new_day or not is_open:
                    self._engine.expire(account, order, self._day if new_day else None, now)
            if new_day:
                account.begin_day()
        self._day = max(self._day, now.date())

    def _risk_refusal(self, account: TradingAccount, order: Order, quote: Quote) -> str:
        request = order.request
        reason = ""
        if request.product is Product.DELIVERY and request.side is Side.SELL:
            # The order itself is open by now and counts among the sales.
            available = account.deliverable(request.instrument) + request.quantity
            if request.quantity > available:
                reason = HOLDINGS_SHORT.format(available=max(available, 0))
        needed = account.needed(request, request.quantity, quote.ltp).total
        try:
            account.afford(needed)
        except Refused as refused:
            reason = refused.text
        price = margin_price(request, quote.ltp)
        code = account.client_code
        return rms_text(order.order_id, request, code, price, reason) if reason else ""

    def _cancel(self, account: TradingAccount, order: Order, now: datetime) -> Order:
        order = self._engine.cancel(account, order, now)
        quote = self.market.quote(order.request.instrument)
        return self._engine.match(account, order.order_id, quote, now)

    def _send(self, account: TradingAccount, order: Order, now: datetime) -> None:
        self._engine.send(account, order, self.market.quote(order.request.instrument), now)

    def _open_order(self, client_code: str, order_id: str) -> tuple[TradingAccount, Order]:
        account = self._accounts[client_code]
        order = account.last(order_id)
        if order is None or order.status in FINAL:
            raise Refused(Reason.ORDER_GONE)
        return account, order
