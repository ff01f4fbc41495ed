"""The host's doors to the rows of its books; pure.

`api/order_api.py` reads the books and finds the symbols; its rows come here as they go out, so the
`map_…` functions only pass them on. Names and parameters are the host's (contract 4.6).
"""

from __future__ import annotations

from typing import Any

from broker.mstock.mapping import vocabulary
from broker.mstock.mapping.orders import Order, SymbolOf, Trade, locate
from broker.mstock.mapping.refusals import readable_refusal

Rows = list[dict[str, Any]]


def order_rows(orders: list[Order], symbol_of: SymbolOf) -> Rows:
    """Orders as the host shows them, in the book's order."""
    return [_order_row(each, *locate(each, symbol_of)) for each in orders]


def _order_row(order: Order, symbol: str, exchange: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "symbol": symbol,
        "exchange": exchange,
        "action": order.side,
        "quantity": order.quantity,
        "price": float(order.price),
        "trigger_price": float(order.trigger_price),
        "pricetype": order.price_type,
        "product": order.product,
        "orderid": order.order_id,
        "order_status": order.status,
        "timestamp": vocabulary.host_time(order.time_text) or order.time_text,
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "average_price": order.average_price,
    }
    if order.status == "rejected":
        row["rejection_reason"] = readable_refusal(order.text)
    return row


def trade_rows(trades: list[Trade], symbol_of: SymbolOf) -> Rows:
    """Trades as the host shows them."""
    return [_trade_row(each, *locate(each, symbol_of)) for each in trades]


def _trade_row(trade: Trade, symbol: str, exchange: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "exchange": exchange,
        "product": trade.product,
        "action": trade.side,
        "quantity": trade.quantity,
        "average_price": trade.price,
        "trade_value": trade.value,
        "orderid": trade.order_id,
        "timestamp": vocabulary.host_time(trade.time_text) or trade.time_text,
    }


def map_order_data(order_data: Rows) -> Rows:
    """The host's first step: the rows are ready."""
    return order_data


def map_trade_data(trade_data: Rows) -> Rows:
    """As `map_order_data`."""
    return trade_data


def _ready(rows: Rows) -> Rows:
    """The host's other steps: the rows are ready."""
    return rows


map_position_data = map_portfolio_data = _ready
transform_order_data = transform_tradebook_data = _ready
transform_positions_data = transform_holdings_data = _ready


_COUNTED = {
    "complete": "total_completed_orders",
    "open": "total_open_orders",
    "trigger pending": "total_open_orders",
    "rejected": "total_rejected_orders",
    "cancelled": "total_cancelled_orders",
}


def calculate_order_statistics(order_data: Rows) -> dict[str, int]:
    """Counts by side and by status; a status that is not known is counted as `total_other_orders`.

    The five status counts add up to the number of rows, and so do the two sides.
    """
    counts = dict.fromkeys(
        (
            "total_buy_orders",
            "total_sell_orders",
            *_COUNTED.values(),
            "total_other_orders",
        ),
        0,
    )
    for row in order_data:
        counts["total_buy_orders" if row["action"] == "BUY" else "total_sell_orders"] += 1
        counts[_COUNTED.get(row["order_status"], "total_other_orders")] += 1
    return counts


def calculate_portfolio_statistics(holdings_data: Rows) -> dict[str, float]:
    """Totals in rupees over the holdings whose last price and cost are known.

    The percentage is of what was invested in these.
    """
    known = [row for row in holdings_data if "pnl" in row]
    invested = sum(row["average_price"] * row["quantity"] for row in known)
    value = sum(row["ltp"] * row["quantity"] for row in known)
    profit = value - invested
    return {
        "totalholdingvalue": round(value, 2),
        "totalinvvalue": round(invested, 2),
        "totalprofitandloss": round(profit, 2),
        "totalpnlpercentage": round(100 * profit / invested, 2) if invested else 0.0,
    }
