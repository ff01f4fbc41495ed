"""Orders as the exchange keeps them: what was asked, each state an order went through, trades."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from broker_simulator.mstock.market import Instrument

ZERO: Final = Decimal(0)


class Side(StrEnum):
    """Buy or sell."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """The price types; both stop types come back as `SL` (4.1)."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "SL"
    STOP_MARKET = "SL-M"

    @property
    def is_stop(self) -> bool:
        """True while a trigger price is waited for."""
        return self in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)

    @property
    def has_limit(self) -> bool:
        """True when the price matters."""
        return self in (OrderType.LIMIT, OrderType.STOP_LIMIT)


class Product(StrEnum):
    """The products, in Type A's words (4.1)."""

    DELIVERY = "CNC"
    INTRADAY = "MIS"
    CARRYFORWARD = "NRML"
    MTF = "MTF"
    MARGIN = "MARGIN"


class Variety(StrEnum):
    """Regular, after-market and cover orders."""

    REGULAR = "regular"
    AMO = "amo"
    COVER = "co"


class Status(StrEnum):
    """The statuses of 12.4."""

    TRANSIT = "Transit"
    PENDING = "Pending"
    TRIGGERED = "Triggered"
    TRADED = "Traded"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"
    OFFLINE_PENDING = "O-Pending"
    OFFLINE_MODIFIED = "O-Modified"
    OFFLINE_CANCELLED = "O-Cancelled"


FINAL: Final = frozenset(
    {Status.TRADED, Status.REJECTED, Status.CANCELLED, Status.OFFLINE_CANCELLED}
)
OFFLINE: Final = frozenset({Status.OFFLINE_PENDING, Status.OFFLINE_MODIFIED})
RESTING: Final = frozenset({Status.PENDING, Status.TRIGGERED})


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for. Prices are rupees; 0 where the order type has none."""

    instrument: Instrument
    side: Side
    order_type: OrderType
    product: Product
    quantity: int
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    disclosed_quantity: int = 0
    ioc: bool = False
    variety: Variety = Variety.REGULAR
    tag: str = ""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What a modification asks for; None leaves a value as it is."""

    order_type: OrderType | None = None
    quantity: int | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    disclosed_quantity: int | None = None
    ioc: bool | None = None

    def applied_to(self, request: OrderRequest) -> OrderRequest:
        """Return the request with the given values replaced."""
        given = {
            name: value
            for name in self.__dataclass_fields__
            if (value := getattr(self, name)) is not None
        }
        return replace(request, **given)


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill."""

    trade_id: str
    order_id: str
    exchange_order_id: str
    instrument: Instrument
    side: Side
    product: Product
    order_type: OrderType
    quantity: int
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """One state of an order; an order's history is the list of its states.

    `trade` is the fill that led to this state, if one did. `visible_at`: when the book begins to
    show the order.
    """

    order_id: str
    request: OrderRequest
    status: Status
    text: str
    placed_at: datetime
    updated_at: datetime
    visible_at: datetime
    exchange_order_id: str = "0"
    parent_order_id: str = ""
    filled: int = 0
    value: Decimal = ZERO
    cancelled: int = 0
    modified: bool = False
    trade: Trade | None = field(default=None, repr=False)

    @property
    def is_open(self) -> bool:
        """True until the order is traded, rejected or cancelled."""
        return self.status not in FINAL

    @property
    def remaining(self) -> int:
        """The quantity that is neither filled nor cancelled."""
        return self.request.quantity - self.filled - self.cancelled

    @property
    def pending(self) -> int:
        """The quantity at the exchange (12.4: nothing in transit or after a refusal)."""
        return self.remaining if self.status in RESTING else 0

    @property
    def average_price(self) -> Decimal:
        """The average price of the fills, to the paisa; 0 without one."""
        return (self.value / self.filled).quantize(Decimal("0.01")) if self.filled else ZERO
