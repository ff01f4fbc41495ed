"""A program that sends smart orders, each in a thread of its own, when it is told to.

Arguments: the time at mStock, how many, the target. Standard input: token, the journal's address,
and a line at which they all begin. It prints what became of each.
"""

from __future__ import annotations

import sys
import threading
from datetime import datetime

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.broker import MSTOCK
from broker.mstock.mapping.transform_data import OrderRequest
from broker.mstock.orders.journal import Journal
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService
from broker.mstock.orders.position_locks import PositionUnsure
from broker.mstock.orders.smart import move_to
from broker.mstock.settings import Config
from proofs.order_writer import Ahead
from tests.support.stub_instruments import StubInstruments
from tests.support.stub_market import StubMarket


def main() -> None:
    moment, count, target = sys.argv[1:]
    ahead = datetime.fromisoformat(moment) - SYSTEM_CLOCK.now()
    clock, config = Ahead(ahead.total_seconds()), Config.from_env()
    token, url = (Secret(sys.stdin.readline().strip()) for _ in range(2))
    service = OrderService(
        config,
        token,
        Journal(url, config.account, clock),
        guard=TokenGuard(MSTOCK, clock),
        clock=clock,
    )
    lookup = Lookup(StubInstruments(StubMarket().master))
    request = OrderRequest("INFY", "NSE", "BUY", 1)

    answers: list[str] = []

    def send() -> None:
        try:
            with service.position_lock(request.symbol, request.exchange, request.product):
                sent = move_to(service, lookup, request, int(target), 0)
            answers.append("sent" if sent else "nothing")
        except PositionUnsure:
            answers.append("unsure")
        except BrokerError as error:
            answers.append(f"{type(error).__name__}:{error}".replace(" ", "_"))

    threads = [threading.Thread(target=send) for _ in range(int(count))]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*answers)  # by one thread: what several print at once may run together


if __name__ == "__main__":
    main()
