"""Orders as the exchange's tests place them, and what became of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from broker_simulator.mstock.clock import IST
from broker_simulator.mstock.exchange import Order, OrderRequest
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side
from tests.support.stub_market import (
    INFY,
    StubInstrument,
)

ME, SATYA, MOCK = "MA0000001", "MA0000002", "MA0000003"
WEDNESDAY = datetime(2025, 1, 1, 10, 0, tzinfo=IST)


def request(
    instrument: StubInstrument = INFY,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
    product: Product = Product.INTRADAY,
    quantity: int = 10,
    price: str = "1240",
    trigger: str = "0",
    **more: object,
) -> OrderRequest:
    return OrderRequest(
        instrument, side, order_type, product, quantity, Decimal(price), Decimal(trigger), **more
    )


def market_order(**more: object) -> OrderRequest:
    return request(order_type=OrderType.MARKET, price="0", **more)


def states(orders: list[Order]) -> list[tuple[str, str, int, int, int]]:
    return [(o.status.value, o.text, o.filled, o.pending, o.cancelled) for o in orders]


TRANSIT = ("Transit", "", 0, 0, 0)
RESTING = ("Pending", "CONFIRMED", 0, 10, 0)
TRADED = ("Traded", "TRADE CONFIRMED", 10, 0, 0)
