"""What stands over or before the values of OpenAlgo's fields; pure."""

from __future__ import annotations

# Where a field's own name does not say it.
_TITLES = {
    "at": "Time",
    "average_price": "Average",
    "brexchange": "mStock's exchange",
    "brsymbol": "mStock's symbol",
    "filled_quantity": "Filled",
    "instrumenttype": "Kind",
    "lotsize": "Lot size",
    "ltp": "Last price",
    "order_id": "Order id",
    "order_status": "Status",
    "orderid": "Order id",
    "pending_quantity": "Pending",
    "pnl": "Profit and loss",
    "pnlpercent": "In %",
    "price_type": "Type",
    "prev_close": "Previous close",
    "pricetype": "Type",
    "realized": "Booked",
    "rejection_reason": "Reason",
    "timestamp": "Time",
    "trade_value": "Value",
    "trigger_price": "Trigger",
    "unrealized": "Open",
}


def title(name: str) -> str:
    """What stands over or before the values of a field."""
    return _TITLES.get(name, name.replace("_", " ").capitalize())
