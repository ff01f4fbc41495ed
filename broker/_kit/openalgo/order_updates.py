"""Has OpenAlgo tell its pages, flows and strategies what became of the broker's orders."""

from __future__ import annotations

from broker._kit.broker import Broker
from broker._kit.openalgo import host

_SERVICE = "services.order_update_service"


def poll_orders(broker: Broker) -> None:
    """Let the host read the order book every few seconds and publish what changed (contract 8.6).

    It starts and stops this with the broker session. Raises `HostError`.
    """
    polled = host.attribute(_SERVICE, "_POLLING_BROKERS")
    if not isinstance(polled, set):
        raise host.incompatible(f"keeps {_SERVICE}._POLLING_BROKERS in another way")
    polled.add(broker.name)
