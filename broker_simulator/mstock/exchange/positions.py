"""Positions and holdings: quantities, values and averages that follow from the trades alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from broker_simulator.mstock.market import Instrument

from .orders import ZERO, Product, Side, Trade


@dataclass
class Tally:
    """Units and rupees on one side."""

    quantity: int = 0
    value: Decimal = ZERO

    def add(self, quantity: int, value: Decimal) -> None:
        """Add (or with negative figures take away) units and their value."""
        self.quantity += quantity
        self.value += value

    @property
    def price(self) -> Decimal:
        """The average price, to the paisa; 0 without units."""
        return (self.value / self.quantity).quantize(Decimal("0.01")) if self.quantity else ZERO


@dataclass
class Position:
    """One client's position in one instrument and product.

    `day` holds today's trades per side, `carried` what came over from earlier days.
    """

    instrument: Instrument
    product: Product
    day: dict[Side, Tally]
    carried: dict[Side, Tally]

    @classmethod
    def flat(cls, instrument: Instrument, product: Product) -> Position:
        """Return a position without trades."""
        sides = (Side.BUY, Side.SELL)
        return cls(instrument, product, {s: Tally() for s in sides}, {s: Tally() for s in sides})

    def copy(self) -> Position:
        """Return a copy that later trades do not change."""
        day = {side: replace(tally) for side, tally in self.day.items()}
        carried = {side: replace(tally) for side, tally in self.carried.items()}
        return Position(self.instrument, self.product, day, carried)

    def total(self, side: Side) -> Tally:
        """Return today's and carried units of a side together."""
        day, carried = self.day[side], self.carried[side]
        return Tally(day.quantity + carried.quantity, day.value + carried.value)

    @property
    def quantity(self) -> int:
        """Net quantity: negative when sold short."""
        return self.total(Side.BUY).quantity - self.total(Side.SELL).quantity

    @property
    def overnight_quantity(self) -> int:
        """Net quantity that was carried over."""
        return self.carried[Side.BUY].quantity - self.carried[Side.SELL].quantity

    @property
    def value(self) -> Decimal:
        """Money paid minus money received."""
        return self.total(Side.BUY).value - self.total(Side.SELL).value

    @property
    def average_price(self) -> Decimal:
        """Net value over net quantity (7.14: 399970 / 500 = 799.94); 0 when flat."""
        if not self.quantity:
            return ZERO
        return abs(self.value / self.quantity).quantize(Decimal("0.01"))

    @property
    def entry_price(self) -> Decimal:
        """Average price of the side that is open; what an open unit cost."""
        if not self.quantity:
            return ZERO
        side = self.total(Side.BUY if self.quantity > 0 else Side.SELL)
        return side.value / side.quantity

    @property
    def realised(self) -> Decimal:
        """Profit on the units that were both bought and sold."""
        buy, sell = self.total(Side.BUY), self.total(Side.SELL)
        closed = min(buy.quantity, sell.quantity)
        if not closed:
            return ZERO
        return closed * (sell.value / sell.quantity - buy.value / buy.quantity)

    def unrealised(self, ltp: Decimal) -> Decimal:
        """Profit on the open units at the last price."""
        return self.quantity * (ltp - self.entry_price)

    def m2m(self, ltp: Decimal) -> Decimal:
        """All of the profit at the last price: realised and unrealised (6.14)."""
        return self.quantity * ltp - self.value

    def book(self, trade: Trade) -> None:
        """Take in a trade."""
        self.day[trade.side].add(trade.quantity, trade.quantity * trade.price)

    def move(self, target: Position, side: Side, quantity: int) -> None:
        """Move open units of a side to another product, at their average price."""
        for mine, other in ((self.day, target.day), (self.carried, target.carried)):
            tally = mine[side]
            moved = min(quantity, tally.quantity)
            if moved:
                value = tally.value * moved / tally.quantity
                tally.add(-moved, -value)
                other[side].add(moved, value)
                quantity -= moved

    def carry_over(self) -> None:
        """Begin a new day: only the open units stay, at what they cost."""
        quantity, price = self.quantity, self.entry_price
        for side in (Side.BUY, Side.SELL):
            self.day[side] = Tally()
            units = max(quantity * side.sign, 0)
            self.carried[side] = Tally(units, units * price)


@dataclass
class Holding:
    """Delivered shares. `sold`: today's sales of them."""

    instrument: Instrument
    quantity: int
    average_price: Decimal
    sold: int = 0
    t1_quantity: int = 0

    def copy(self) -> Holding:
        """Return a copy that later trades do not change."""
        return replace(self)

    @property
    def free(self) -> int:
        """What can still be sold today."""
        return self.quantity + self.t1_quantity - self.sold
