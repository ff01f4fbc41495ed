"""Orders, books, positions, holdings, conversion and margins on the wire, both API types.

Source: protocol sections 6.6-6.17 and 7.6-7.17. What changes something goes out once and counts
in the rate class "orders"; reads may be repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import OutcomeUnknown
from broker._kit.http.routes import Route, http_date
from broker._kit.secret import Secret
from broker.mstock.client.dialects import Client
from broker.mstock.client.envelope import Envelope
from broker.mstock.client.routes import OrderCall
from broker.mstock.mapping import orders, positions
from broker.mstock.mapping.margin_data import Margin, margin
from broker.mstock.mapping.orders import Order, Trade
from broker.mstock.mapping.positions import Position

_LARGEST_BOOK = 32 * 1024 * 1024
_OFFSETS = 16
_LOOK = "Look in the order book before you do it again."
_NO_ID = "mStock accepted the order but its answer names no order id."


def order_routes(root: str, place: str) -> dict[OrderCall, Route]:
    """The order and portfolio modules below a dialect's root; `place` is where new orders go."""

    def once(call: OrderCall, method: str, path: str) -> Route:
        doubt = (f"Whether mStock carried it out ({call}) is unknown.", _LOOK)
        return Route(call, method, f"{root}/{path}", limit="orders", unknown=doubt)

    def read(call: OrderCall, method: str, path: str) -> Route:
        return Route(call, method, f"{root}/{path}", repeat=True, max_bytes=_LARGEST_BOOK)

    routes = (
        once(OrderCall.PLACE, "POST", place),
        once(OrderCall.MODIFY, "PUT", "orders/regular/{order_id}"),
        once(OrderCall.CANCEL, "DELETE", "orders/regular/{order_id}"),
        once(OrderCall.CONVERT, "POST", "portfolio/convertposition"),
        read(OrderCall.BOOK, "GET", "orders"),
        read(OrderCall.DETAILS, "POST", "order/details"),
        read(OrderCall.TRADES, "GET", "tradebook"),
        read(OrderCall.POSITIONS, "GET", "portfolio/positions"),
        read(OrderCall.HOLDINGS, "GET", "portfolio/holdings"),
        read(OrderCall.MARGIN, "POST", "margins/orders"),
    )
    return {OrderCall(route.call): route for route in routes}


# Type B has its varieties in the body, and one path for all (7.6).
ROUTES = {
    "A": order_routes("/openapi/typea", "orders/{variety}"),
    "B": order_routes("/openapi/typeb", "orders/regular"),
}


class OrderCalls:
    """One account's order calls; each method is one call on the wire and raises `BrokerError`s."""

    def __init__(self, client: Client, api_type: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self.api_type = api_type
        self._client = client
        self._routes = ROUTES[api_type]
        self._sends_json = api_type == "B"
        self._clock = clock
        self._offsets: deque[timedelta] = deque(maxlen=_OFFSETS)

    @property
    def clock_offset(self) -> timedelta:
        """What to add to our clock to get a time that mStock's clock has surely reached.

        Its Date header is in whole seconds and older than our reading of it: the largest
        difference is the closest. Zero before the first answer.
        """
        return max(self._offsets, default=timedelta(0))

    def place(self, token: Secret, variety: str, body: Mapping[str, str]) -> str:
        """Send an order; its id. `OutcomeUnknown` also for a success that names no id."""
        path = {} if self._sends_json else {"variety": variety}
        return _order_id(self._send(OrderCall.PLACE, token, body, **path).data)

    def modify(self, token: Secret, order_id: str, body: Mapping[str, str]) -> None:
        """Change an open order."""
        self._send(OrderCall.MODIFY, token, body, order_id=order_id)

    def cancel(self, token: Secret, order_id: str) -> None:
        """Cancel an open order."""
        body = {"variety": "NORMAL", "orderid": order_id} if self._sends_json else None
        self._send(OrderCall.CANCEL, token, body, order_id=order_id)

    def convert(self, token: Secret, body: Mapping[str, Any]) -> None:
        """Convert a position's product."""
        self._send(OrderCall.CONVERT, token, body)

    def order_book(self, token: Secret, seconds: float | None = None) -> list[Order]:
        """Today's orders; within `seconds` where given."""
        data = self._ask(OrderCall.BOOK, token, seconds).data
        return orders.orders(self.api_type, data)

    def history(self, token: Secret, order_id: str, segment: str) -> list[Order]:
        """The states of one order; `segment` is E for shares, D for derivatives."""
        fields = {"order_no": order_id, "segment": segment}
        reply = self._send(OrderCall.DETAILS, token, fields)
        return orders.orders(self.api_type, reply.data, "order history")

    def trade_book(self, token: Secret) -> list[Trade]:
        """Today's fills."""
        return orders.trades(self._ask(OrderCall.TRADES, token).data)

    def positions(self, token: Secret, seconds: float | None = None) -> list[Position]:
        """Net positions, closed ones of the day too; within `seconds` where given."""
        data = self._ask(OrderCall.POSITIONS, token, seconds).data
        return positions.positions(self.api_type, data)

    def holdings(self, token: Secret) -> Any:
        """Holdings as mStock sends them, for `mapping.positions.holding_rows`."""
        return self._ask(OrderCall.HOLDINGS, token).data

    def margin(self, token: Secret, body: Mapping[str, Any]) -> Margin:
        """The margin of one order (Type A) or of up to 50 (Type B)."""
        return margin(self.api_type, self._ask(OrderCall.MARGIN, token, json=body).data)

    def _send(
        self, call: OrderCall, token: Secret, body: Mapping[str, Any] | None, **path: str
    ) -> Envelope:
        fields: dict[str, Any] = {"json" if self._sends_json else "form": body}
        return self._ask(call, token, path=path or None, **fields)

    def _ask(
        self, call: OrderCall, token: Secret, seconds: float | None = None, **fields: Any
    ) -> Envelope:
        route = self._routes[call]._replace(seconds=seconds)
        reply = self._client._ask(route, token, **fields)
        then = http_date(reply.date)
        if then is not None:
            self._offsets.append(then - self._clock.now())
        return reply


def _order_id(data: Any) -> str:
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    for name in ("order_id", "orderid"):
        value = data.get(name) if isinstance(data, Mapping) else None
        # An id may come as a number, or with a blank before it (5.1).
        if isinstance(value, str | int) and str(value).strip(" 0"):
            return str(value).strip()
    raise OutcomeUnknown(_NO_ID, _LOOK)
