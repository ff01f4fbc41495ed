"""Walks one of mStock's official Python clients from login to logout; run as a process of its own.

`walk.py A|B otp|totp|orders`, with the client on PYTHONPATH: `orders` logs in by OTP, then places,
modifies and cancels orders and reads every book. Reads a JSON object with `url`,
`client_code`, `password` and `api_key`, writes one JSON line a step, and asks for the code of the
second step with the line `"code?"`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def tell(step: Any) -> None:
    print(json.dumps(step), flush=True)


def answer_of(call: Any, *args: Any) -> dict[str, Any]:
    """The client's result: the HTTP status and body it got, or the class of what it raised."""
    try:
        response = call(*args)
    except Exception as error:
        return {"raised": type(error).__name__, "text": str(error)}
    return {"http": response.status_code, "body": response.json()}


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
    tell({"history": answer_of(client.get_trade_history, given_day(), given_day())})
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
    tell({"history": answer_of(client.get_trade_history, given_day(), given_day())})
    tell({"positions": answer_of(client.get_net_position)})
    unused = ("",) * 12
    converted = ("NSE", "1594", "INTRADAY", "DELIVERY", "INFY-EQ", "INFY", *unused, "BUY", 4, "DAY")
    tell({"convert": answer_of(client.convert_position, *converted)})
    tell({"holdings": answer_of(client.get_holdings)})
    margin = ("DELIVERY", "BUY", "5", "1250", "NSE", "INFY", "1594")
    tell({"margin": answer_of(client.calculate_order_margin, *margin)})


def given_day() -> str:
    """The day that the simulator's clock shows, which the test chose."""
    return sys.argv[3]


def main(api_type: str, way: str) -> None:
    given = json.loads(sys.stdin.readline())
    if api_type == "A":
        from tradingapi_a.mconnect import MConnect as Client
    else:
        from tradingapi_b.mconnect import MConnectB as Client
    client = Client()
    client.default_root_uri = given["url"] + "/"
    key = given["api_key"]

    login = answer_of(client.login, given["client_code"], given["password"])
    tell({"login": login})
    tell("code?")
    code = sys.stdin.readline().strip()
    if api_type == "A":
        second = (
            answer_of(client.verify_totp, key, code)
            if way == "totp"
            else answer_of(client.generate_session, key, code, "L")
        )
    else:
        data = login["body"]["data"]
        ticket = data["refreshToken"] or data["jwtToken"]
        step = client.verify_totp if way == "totp" else client.generate_session
        second = answer_of(step, key, ticket, code)
    tell({"second": second})
    if way == "orders":
        (trade_a if api_type == "A" else trade_b)(client)
    tell({"funds": answer_of(client.get_fund_summary)})
    tell({"logout": answer_of(client.logout)})
    tell({"after": answer_of(client.get_fund_summary)})


if __name__ == "__main__":
    main(*sys.argv[1:3])
