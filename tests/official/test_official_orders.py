"""mStock's own clients place, modify and cancel orders and read every book of the simulator."""

from __future__ import annotations

from pathlib import Path

from tests.official.test_official_clients import walk
from tests.support.stage import morning_box
from tests.support.stub_market import StubMarket

ROUTES_OF_ORDERS = {
    "orders/place", "orders/modify", "orders/cancel", "orders/cancelall", "orders",
    "order/details", "tradebook", "trades", "portfolio/positions", "portfolio/convertposition",
    "portfolio/holdings", "margins/orders",
}  # fmt: skip


def test_the_official_client_trades_and_reads_every_book(
    revision: str, api_type: str, tmp_path: Path
) -> None:
    # Tolerant, because client B writes `Content-Type: None` on a GET and client A none at all on a
    # POST without fields. Baskets are not simulated.
    options = {"profile": "tolerant", "revision": revision, "market": StubMarket()}
    with morning_box(**options) as simulator:
        steps = walk(simulator, api_type, "otp", tmp_path, "trade.py")
        routes = {entry.route.split("/", 1)[1] for entry in simulator.journal}
        book = {o.order_id: o for o in simulator.exchange.order_book(simulator.demo.client_code)}
    assert routes >= ROUTES_OF_ORDERS
    refused = {"again"}
    for name in steps.keys() - refused:
        assert steps[name].get("http") == 200, (name, steps[name])
        body = steps[name]["body"]
        body = body[0] if isinstance(body, list) else body
        assert str(body["status"]).lower() in ("true", "success"), (name, body)
    # A second cancel of the same order is an exception in both clients: A names the error's type,
    # B knows codes that begin with MA or IA and calls RS-00093 a general one.
    assert steps["again"]["raised"] == {"A": "InputException", "B": "GeneralException"}[api_type]

    rows = steps["book"]["body"]["data"]
    shown = {row.get("order_id") or row["orderid"]: row["status"] for row in rows}
    assert shown == {order_id: order.status.value for order_id, order in book.items()}
    assert sorted(shown.values()) == sorted(
        ["Cancelled", "Traded", "Cancelled", "O-Cancelled", *(["Cancelled"] * (api_type == "A"))]
    )
    assert [row["status"] for row in steps["details"]["body"]["data"]] == [
        "Cancelled", "Pending", "Pending", "Transit",
    ]  # fmt: skip
    (trade,) = steps["trades"]["body"]["data"]
    assert (trade["QUANTITY"], trade["PRICE"]) == (10, 1250)
    assert len(steps["history"]["body"]["data"]) == 1
    positions = steps["positions"]["body"]["data"]
    (position,) = positions["net"] if api_type == "A" else positions
    assert int(position["quantity" if api_type == "A" else "netqty"]) == 10
    assert steps["holdings"]["body"]["data"][0]["quantity"] == 10
    margin = steps["margin"]["body"]["data"]
    if api_type == "A":
        assert margin["total"] == 1250
    else:
        assert margin["summary"]["total_charges"] == 6250
