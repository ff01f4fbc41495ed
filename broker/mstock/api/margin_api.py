"""The host's door to the margin calculator."""

from __future__ import annotations

from typing import Any

from broker._kit.errors import BrokerError
from broker._kit.faults import guarded
from broker._kit.secret import Secret
from broker.mstock.api.order_api import Result
from broker.mstock.errors import InputException
from broker.mstock.mapping.margin_data import host_margin
from broker.mstock.mapping.transform_data import read_order
from broker.mstock.orders.service import lookup, order_service
from broker.mstock.orders.statuses import OK, status_of
from broker.mstock.settings import Config

_MOST_LEGS = 50


def calculate_margin_api(positions: list[dict[str, Any]], auth: str) -> tuple[Result, Any]:
    """The margin of 1 to 50 orders: `(response, body)`, status as of `place_order_api`.

    One leg that cannot be resolved fails the request. Type A's calculator takes one order: its
    figure for a basket is a sum, and the body's `note` says so.
    """

    def read() -> dict[str, Any]:
        if not 1 <= len(positions) <= _MOST_LEGS:
            raise InputException(f"positions must be 1 to {_MOST_LEGS}. Nothing was sent.")
        config, master = Config.from_env(), lookup()
        token = Secret(auth if isinstance(auth, str) else "")
        orders = [read_order(each) for each in positions]
        legs = [(each, master.instrument(each.symbol, each.exchange)) for each in orders]
        found = order_service(config, token).margin(legs)
        return host_margin(found, is_sum=config.api_type == "A" and len(legs) > 1)

    try:
        return Result(OK), {"status": "success", "data": guarded(read)}
    except BrokerError as error:
        return Result(status_of(error)), {"status": "error", "message": str(error)}
