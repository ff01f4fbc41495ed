"""One client's side of the exchange: orders, trades, positions, holdings and the blocked margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from broker_simulator.mstock.accounts import Account
from broker_simulator.mstock.funds import FundRow, balanced, figure
from broker_simulator.mstock.market import Instrument, Market
from broker_simulator.mstock.refusals import Reason, Refused

from .margin import Margin, funds_short, margin_of, margin_price, paise
from .orders import ZERO, Order, OrderRequest, Product, Side, Trade
from .positions import Holding, Position

PositionKey = tuple[str, str, Product]


@dataclass
class TradingAccount:
    """What the exchange knows of one client. `orders`: every state of each order, by order id."""

    account: Account
    orders: dict[str, list[Order]] = field(default_factory=dict)
    open_ids: dict[str, None] = field(default_factory=dict)
    blocked: dict[str, Decimal] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    positions: dict[PositionKey, Position] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    blocked_total: Decimal = ZERO
    peak: Decimal = ZERO

    @classmethod
    def opened(cls, account: Account, market: Market) -> TradingAccount:
        """Open an account with the holdings that the market knows."""
        found = (
            (market.master.get(exchange, token), quantity, price)
            for exchange, token, quantity, price in account.holdings
        )
        holdings = [Holding(row, quantity, Decimal(price)) for row, quantity, price in found if row]
        return cls(account, holdings=holdings)

    @property
    def client_code(self) -> str:
        """The client code."""
        return self.account.client_code

    def last(self, order_id: str) -> Order | None:
        """Return an order's present state."""
        states = self.orders.get(order_id)
        return states[-1] if states else None

    def open_orders(self) -> Iterator[Order]:
        """The orders that can still trade, oldest first; safe against changes meanwhile."""
        return iter([self.orders[order_id][-1] for order_id in self.open_ids])

    def todays(self, now: datetime) -> list[Order]:
        """The order book: today's orders, oldest first, without those still held back."""
        return [
            states[-1]
            for states in self.orders.values()
            if states[0].visible_at <= now and _belongs_to(states[-1], now)
        ]

    def record(self, order: Order) -> None:
        """Add an order's new state and block or free its margin."""
        self.orders.setdefault(order.order_id, []).append(order)
        if order.is_open:
            self.open_ids[order.order_id] = None
        else:
            self.open_ids.pop(order.order_id, None)
            self.block(order.order_id, ZERO)

    def block(self, order_id: str, amount: Decimal) -> None:
        """Block margin for an order; 0 frees it."""
        self.blocked_total += amount - self.blocked.pop(order_id, ZERO)
        if amount:
            self.blocked[order_id] = amount

    def position(self, instrument: Instrument, product: Product) -> Position:
        """Return the position of an instrument and product, a flat one if there is none."""
        key = (instrument.exchange, instrument.token, product)
        if key not in self.positions:
            self.positions[key] = Position.flat(instrument, product)
        return self.positions[key]

    def held(self, instrument: Instrument) -> Holding | None:
        """Return the holding of an instrument; shares are the same on both exchanges (ISIN)."""
        return next((h for h in self.holdings if h.instrument.isin == instrument.isin), None)

    def book(self, trade: Trade) -> None:
        """Take in a trade: the position, and the holding a delivery sale takes from."""
        self.trades.append(trade)
        position = self.position(trade.instrument, trade.product)
        before = max(position.quantity, 0)
        position.book(trade)
        if trade.product is Product.DELIVERY and trade.side is Side.SELL:
            holding = self.held(trade.instrument)
            if holding:
                holding.sold += max(trade.quantity - before, 0)

    def deliverable(self, instrument: Instrument) -> int:
        """Units left to sell: free holdings and today's purchases, less what is on sale already."""
        holding = self.held(instrument)
        position = self.position(instrument, Product.DELIVERY)
        selling = sum(
            order.remaining
            for order in self.open_orders()
            if order.request.instrument.isin == instrument.isin
            and order.request.side is Side.SELL
            and order.request.product is Product.DELIVERY
        )
        return (holding.free if holding else 0) + max(position.quantity, 0) - selling

    def needed(self, request: OrderRequest, quantity: int, ltp: Decimal) -> Margin:
        """Return the margin of an order; what closes an open position needs none.

        A delivery sale needs none either: it needs shares.
        """
        if request.product is Product.DELIVERY and request.side is Side.SELL:
            return Margin()
        position = self.position(request.instrument, request.product)
        closing = max(-position.quantity * request.side.sign, 0)
        price = margin_price(request, ltp)
        opening = max(quantity - closing, 0)
        return margin_of(request.instrument, request.side, request.product, opening, price)

    def position_margin(self) -> Margin:
        """Return the margin of all open positions, at what they cost."""
        parts = [
            margin_of(
                p.instrument,
                Side.BUY if p.quantity > 0 else Side.SELL,
                p.product,
                abs(p.quantity),
                p.entry_price,
            )
            for p in self.positions.values()
            if p.quantity and not (p.product is Product.DELIVERY and p.quantity < 0)
        ]
        return sum(parts, Margin())

    def utilised(self) -> Decimal:
        """Margin blocked by this exchange's orders and positions."""
        used = paise(self.blocked_total + self.position_margin().total)
        self.peak = max(self.peak, used)
        return used

    def available(self) -> Decimal:
        """What a new order may use: the account's own balance less what is blocked."""
        return figure(self.account.funds, "AVAILABLE_BALANCE") - self.utilised()

    def afford(self, margin: Decimal, freed: Decimal = ZERO) -> None:
        """Raise Refused with the funds clause if the margin is more than is available.

        What needs no margin is always affordable: a close goes through without funds.
        """
        available = self.available() + freed
        if margin > max(available, ZERO):
            raise Refused(Reason.FUNDS, text=funds_short(available, margin))

    def fund_row(self, market: Market) -> FundRow:
        """Return the fund summary: the account's own row, and on top of it what happened here.

        An account that never traded keeps its row to the letter.
        """
        row = self.account.funds
        if not self.orders and not self.positions:
            return row
        used = self.utilised()
        realised = sum((p.realised for p in self.positions.values()), ZERO)
        open_profit = sum(
            (p.unrealised(market.ltp(p.instrument)) for p in self.positions.values() if p.quantity),
            ZERO,
        )
        premium = paise(self.position_margin().premium)
        own_peak = figure(row, "AMOUNT_UTILIZED") + self.peak
        added = {
            "AMOUNT_UTILIZED": used,
            "OPT_BUY_PRIMIUM_UTILIZE": premium,
            "REALISED_PROFITS": paise(realised),
            "MTM_COMBINED": paise(open_profit),
        }
        changed = {key: str(figure(row, key) + amount) for key, amount in added.items() if amount}
        if own_peak > figure(row, "PEAK_MARGIN"):
            changed["PEAK_MARGIN"] = str(own_peak)
        return balanced({**row, **changed})

    def begin_day(self) -> None:
        """Carry positions over: delivery goes to the holdings, intraday is gone, the rest stays."""
        for key, position in list(self.positions.items()):
            if position.product is Product.DELIVERY:
                self._deliver(position)
            if position.product in (Product.DELIVERY, Product.INTRADAY) or not position.quantity:
                del self.positions[key]
            else:
                position.carry_over()
        for holding in list(self.holdings):
            holding.quantity, holding.sold = holding.quantity - holding.sold, 0
            if not holding.quantity + holding.t1_quantity:
                self.holdings.remove(holding)

    def _deliver(self, position: Position) -> None:
        bought = position.quantity
        if bought <= 0:
            return
        holding = self.held(position.instrument)
        if holding is None:
            holding = Holding(position.instrument, 0, ZERO)
            self.holdings.append(holding)
        cost = holding.quantity * holding.average_price + bought * position.entry_price
        holding.quantity += bought
        holding.average_price = paise(cost / holding.quantity)


def _belongs_to(order: Order, now: datetime) -> bool:
    return order.is_open or order.updated_at.date() == now.date()
