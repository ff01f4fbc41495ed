"""The proofs of orders in their short form; files run side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from broker.mstock.orders.journal import file_url
from broker_simulator.mstock import Simulator
from proofs import Broken, orders
from proofs.simulated import SimulatedTime

QUIET = Console(quiet=True)


def test_orders() -> None:
    rows = {row["Fault"]: row for row in orders.run(QUIET, short=True)}
    total = rows["all"]
    assert total["Orders"] >= orders.SHORT
    for name in ("Placed twice", "Called failed though placed", "Lost"):
        assert total[name] == 0
    assert rows["none"]["Answered “unknown”"] == 0


@pytest.mark.parametrize("said", ["failed", "9"])
def test_an_order_that_is_called_something_else_is_noticed(tmp_path: Path, said: str) -> None:
    with Simulator(instruments=50, rate_limits=False) as box:
        clock = SimulatedTime(box, orders._MOMENT)
        config = orders.configured(box, "B")
        token = orders.logged_in(box, config)
        journal = orders.TaggedJournal(file_url(str(tmp_path)), config.account, clock)
        service = orders.order_service(config, token, journal, clock)
        instrument, price = orders.cheap_share(box)
        request = orders.OrderRequest(instrument.symbol, "NSE", "BUY", 1, "LIMIT", "MIS", price)
        placed = service.place(request, instrument)
        orders._judge(box, journal, orders.Tally(said={placed.tag: placed.order_id}))
        with pytest.raises(Broken):
            orders._judge(box, journal, orders.Tally(said={placed.tag: said}))
        with pytest.raises(Broken, match="Lost"):
            orders._judge(box, journal, orders.Tally())
