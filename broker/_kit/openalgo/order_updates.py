"""Has OpenAlgo tell its pages, flows and strategies what became of the broker's orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker._kit.broker import Broker
from broker._kit.errors import LogInAgain
from broker._kit.openalgo import host
from broker._kit.secret import Secret
from broker._kit.settings import environment

_SERVICE = "services.order_update_service"
_USUAL_INTERVAL = 5.0


def register_order_updates(broker: Broker) -> None:
    """Let the host make the broker's adapter for order updates, or poll where it has none.

    It starts and stops them with the broker session (contract 8.6). Raises `HostError`.
    """
    name = "_BROKER_FACTORIES" if broker.order_updates else "_POLLING_BROKERS"
    kept = host.attribute(_SERVICE, name)
    if isinstance(kept, set):
        kept.add(broker.name)
    elif isinstance(kept, dict):
        kept[broker.name] = broker.order_updates
    else:
        raise host.incompatible(f"keeps {_SERVICE}.{name} in another way")


def polling_adapter(broker_name: str, user: str) -> Any:
    """The host's own adapter, which reads the order book every few seconds. Raises `HostError`."""
    return host.call(
        "websocket_proxy.order_adapter",
        "PollingOrderUpdateAdapter",
        broker_name=broker_name,
        user_id=user,
    )


def poll_interval() -> float:
    """How often the host polls, in seconds."""
    try:
        return max(1.0, float(environment().get("ORDER_POLL_INTERVAL") or _USUAL_INTERVAL))
    except ValueError:
        return _USUAL_INTERVAL


def session_token(user: str) -> Secret:
    """The user's newest session, read past the host's caches. Raises `HostError`, `LogInAgain`."""
    with host.scoped_session():
        token = host.call(host.AUTH_DB, "get_auth_token", user, bypass_cache=True)
    if not token:
        raise LogInAgain("There is no broker session.", "Log in to the broker in OpenAlgo.")
    return Secret(str(token))


def publish_order(broker_name: str, user: str, row: Mapping[str, Any]) -> None:
    """Tell OpenAlgo of one order's new state. `row` as of its order book. Raises `HostError`."""
    event = host.call(
        "events",
        "OrderUpdateEvent",
        mode="live",
        api_type=f"{broker_name}.order_update",
        request_data={"user_id": user},
        broker=broker_name,
        rejection_reason=row.get("rejection_reason", ""),
        **{name: row[name] for name in _FIELDS},
    )
    host.attribute("utils.event_bus", "bus").publish(event)


_FIELDS = (
    *("orderid", "symbol", "exchange", "action", "quantity", "price", "trigger_price"),
    *("pricetype", "product", "order_status", "filled_quantity", "pending_quantity"),
    "average_price",
)
