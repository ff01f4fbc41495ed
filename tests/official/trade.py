"""Trades with one of mStock's official Python clients; run as a process of its own.

`trade.py A|B otp`, with the client on PYTHONPATH; speaks with the test as walk.py does. Places,
modifies and cancels orders and reads every book.
"""

from __future__ import annotations

import sys
from typing import Any

from walk import answer_of, logged_in, tell

ALL_DAYS = ("2025-01-01", "2035-12-31")


def order_id_of(answer: dict[str, Any]) -> str:
    """The id in the reply of a placed order, of either type; it comes in a list of one."""
    (reply,) = answer["body"]
    return str(reply["data"].get("order_id") or reply["data"]["orderid"])


def trade_a(client: Any) -> None:
    """Type A: a resting order modified and cancelled, one that trades, one cancelled with all."""
    share = ("INFY", "NSE", "BUY")
    terms = ("MIS", "DAY")
    placed = answer_of(
        client.place_order, "regular", *share, "LIMIT", "10", *terms, "1240", "0", "0", "t1"
    )
    tell({"place": placed})
    order_id = order_id_of(placed)
    tell(
        {"modify": answer_of(client.modify_order, order_id, "LIMIT", "7", "1230", "DAY", "0", "0")}
    )
    tell({"cancel": answer_of(client.cancel_order, order_id)})
    tell({"again": answer_of(client.cancel_order, order_id)})
    market = ("MARKET", "10", *terms, "0", "0", "0", "")
    tell({"trade": answer_of(client.place_order, "regular", *share, *market)})
    stop = ("INFY", "NSE", "SELL", "SL", "10", *terms, "1190", "1200", "0", "")
    tell({"stop": answer_of(client.place_order, "regular", *stop)})
    tell({"amo": answer_of(client.place_order, "AMO", *share, *market)})
    cover = ("LIMIT", "10", *terms, "1240", "1200", "0", "")
    tell({"cover": answer_of(client.place_order, "CO", *share, *cover)})
    tell({"cancel_all": answer_of(client.cancel_all)})
    tell({"book": answer_of(client.get_order_book)})
    tell({"details": answer_of(client.get_order_details, order_id, "E")})
    tell({"trades": answer_of(client.get_trade_book)})
    tell({"history": answer_of(client.get_trade_history, *ALL_DAYS)})
    tell({"positions": answer_of(client.get_net_position)})
    converted = ("INFY", "NSE", "BUY", "DAY", "4", "MIS", "CNC")
    tell({"convert": answer_of(client.convert_position, *converted)})
    tell({"holdings": answer_of(client.get_holdings)})
    margin = ("NSE", "INFY", "BUY", "regular", "CNC", "MARKET", "1", "0", "0")
    tell({"margin": answer_of(client.calculate_order_margin, *margin)})


def trade_b(client: Any) -> None:
    """Type B: the same steps; it has no cover order."""
    share = ("INFY-EQ", "1594", "NSE")
    none = ("0", "0", "0", "0", "DAY")
    placed = answer_of(
        client.place_order,
        "NORMAL", *share, "BUY", "LIMIT", "10", "INTRADAY", "1240", "0", *none, "t1",
    )  # fmt: skip
    tell({"place": placed})
    order_id = order_id_of(placed)
    changed = ("LIMIT", "INTRADAY", "DAY", "1230", "7", *share, "0")
    tell({"modify": answer_of(client.modify_order, "NORMAL", order_id, *changed)})
    tell({"cancel": answer_of(client.cancel_order, "NORMAL", order_id)})
    tell({"again": answer_of(client.cancel_order, "NORMAL", order_id)})
    market = ("BUY", "MARKET", "10", "INTRADAY", "0", "0", *none, "")
    tell({"trade": answer_of(client.place_order, "NORMAL", *share, *market)})
    stop = ("SELL", "STOPLOSS_LIMIT", "10", "INTRADAY", "1190", "1200", *none, "")
    tell({"stop": answer_of(client.place_order, "STOPLOSS", *share, *stop)})
    tell({"amo": answer_of(client.place_order, "AMO", *share, *market)})
    tell({"cancel_all": answer_of(client.cancel_all)})
    tell({"book": answer_of(client.get_order_book)})
    tell({"details": answer_of(client.get_order_details, order_id)})
    tell({"trades": answer_of(client.get_trade_book)})
    tell({"history": answer_of(client.get_trade_history, *ALL_DAYS)})
    tell({"positions": answer_of(client.get_net_position)})
    unused = ("",) * 12
    converted = ("NSE", "1594", "INTRADAY", "DELIVERY", "INFY-EQ", "INFY", *unused, "BUY", 4, "DAY")
    tell({"convert": answer_of(client.convert_position, *converted)})
    tell({"holdings": answer_of(client.get_holdings)})
    margin = ("DELIVERY", "BUY", "5", "1250", "NSE", "INFY", "1594")
    tell({"margin": answer_of(client.calculate_order_margin, *margin)})


if __name__ == "__main__":
    API_TYPE, WAY = sys.argv[1:3]
    {"A": trade_a, "B": trade_b}[API_TYPE](logged_in(API_TYPE, WAY))
