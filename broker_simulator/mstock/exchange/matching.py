"""Who trades at what price: pure functions of an order's remaining quantity and a quote."""

from __future__ import annotations

from decimal import Decimal

from broker_simulator.mstock.market import Quote

from .orders import OrderRequest, OrderType, Side


def triggers(request: OrderRequest, ltp: Decimal) -> bool:
    """True when the last price has reached a stop order's trigger."""
    return (ltp - request.trigger_price) * request.side.sign >= 0


def fills(
    request: OrderRequest, quantity: int, quote: Quote, largest: int | None
) -> list[tuple[int, Decimal]]:
    """Return (quantity, price) of each fill that the depth gives an order now, best price first.

    A market order takes the last level's price for what lies beyond the depth, so that it always
    trades in full. `largest`: no more than this in one round.
    """
    wanted = min(quantity, largest or quantity)
    levels = quote.asks if request.side is Side.BUY else quote.bids
    at_market = request.order_type is not OrderType.LIMIT
    found: list[tuple[int, Decimal]] = []
    price = quote.ltp
    for price, offered, _ in levels:
        if not at_market and (price - request.price) * request.side.sign > 0:
            return found
        if taken := min(wanted, offered):
            found.append((taken, price))
            wanted -= taken
    acceptable = (quote.ltp - request.price) * request.side.sign <= 0
    if wanted and (at_market or (not levels and acceptable)):
        found.append((wanted, price))
    return found
