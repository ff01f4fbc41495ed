"""The program that is killed: places one order after the other and reports each.

Arguments: the journal's folder, by how many seconds its clock is ahead, token and symbol of a
share, first price, tick, quantity. The session's token comes on standard input.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from decimal import Decimal

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.broker import MSTOCK
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.orders.journal import Journal, file_url
from broker.mstock.orders.placing import OrderService
from broker.mstock.settings import Config


class Ahead:
    """The machine's clock and a difference."""

    def __init__(self, seconds: float) -> None:
        self._difference = timedelta(seconds=seconds)
        self.monotonic = SYSTEM_CLOCK.monotonic
        self.sleep = SYSTEM_CLOCK.sleep

    def now(self) -> datetime:
        return SYSTEM_CLOCK.now() + self._difference


def main() -> None:
    home, ahead, token, symbol, first, tick, quantity = sys.argv[1:]
    clock, config = Ahead(float(ahead)), Config.from_env()
    service = OrderService(
        config,
        Secret(sys.stdin.readline().strip()),
        Journal(file_url(home), config.account, clock),
        guard=TokenGuard(MSTOCK, clock),
        clock=clock,
    )
    instrument = Instrument(token, symbol, "NSE")
    print("begins", flush=True)
    for n in range(20):
        price = Decimal(first) - Decimal(tick) * n
        order = OrderRequest(symbol, "NSE", "BUY", int(quantity), "LIMIT", "MIS", price)
        placed = service.place(order, instrument)
        print(f"{placed.tag}={placed.order_id}", flush=True)


if __name__ == "__main__":
    main()
