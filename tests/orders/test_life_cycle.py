"""Orders' lives drawn at random: placed, filled, changed, cancelled, answers lost, books late.

Whatever happens, the exchange has every tag at most once, the journal knows each order, and what a
door says is true.
"""

from __future__ import annotations

import tempfile
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker._kit.errors import BrokerError, OutcomeUnknown
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import State, file_url
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from proofs.simulated import SimulatedTime
from tests.conftest import settings_for
from tests.orders.conftest import CLIENTS, MOMENT, Trader
from tests.support.stub_market import INFY, StubMarket

INSTRUMENT = Instrument(INFY.token, INFY.symbol, "NSE", 1, Decimal("0.05"))
LOST = ("reset", "bad_gateway", "empty_body", "truncated_body", "no_order_id")
prices = st.integers(1200, 1249).map(Decimal)
quantities = st.integers(1, 20)


class Lives(RuleBasedStateMachine):
    """One account, one API type; the subclasses say which."""

    api_type = "B"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.box = Simulator(market=StubMarket(), rate_limits=False).start()
        market = self.box.world.market
        assert isinstance(market, StubMarket)
        clock = SimulatedTime(self.box, MOMENT)
        config = Config.from_env(settings_for(self.box, self.api_type))
        client = CLIENTS[self.api_type](self.box)
        journal = file_url(self.folder.name)
        self.trader = Trader(self.box, market, config, client, clock, journal)
        self.service = self.trader.service()
        self.ids: list[str] = []
        self.unknown = 0

    def teardown(self) -> None:
        self.box.stop()
        self.folder.cleanup()

    def order(self, order_id: str) -> Any:
        return next(each for each in self.trader.orders() if each.order_id == order_id)

    def request(self, price: Decimal, quantity: int) -> OrderRequest:
        return OrderRequest("INFY", "NSE", "BUY", quantity, "LIMIT", "MIS", price)

    @rule(price=prices, quantity=quantities)
    def place(self, price: Decimal, quantity: int) -> None:
        placed = self.service.place(self.request(price, quantity), INSTRUMENT)
        assert self.order(placed.order_id).request.tag == placed.tag
        self.ids.append(placed.order_id)

    @rule(price=prices, quantity=quantities, kind=st.sampled_from(LOST), late=st.booleans())
    def place_with_a_lost_answer(
        self, price: Decimal, quantity: int, kind: str, late: bool
    ) -> None:
        self.box.exchange.behaviour.delay_book(*((40, 40) if late else (0, 0)))
        self.trader.fault("orders/place", kind, when="after")
        try:
            placed = self.service.place(self.request(price, quantity), INSTRUMENT)
        except OutcomeUnknown:
            self.unknown += 1
        else:
            assert self.order(placed.order_id).request.tag == placed.tag
            self.ids.append(placed.order_id)
        finally:
            self.box.exchange.behaviour.delay_book(0, 0)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lost=st.booleans())
    def cancel(self, data: st.DataObject, lost: bool) -> None:
        order_id = data.draw(st.sampled_from(self.ids))
        if lost:
            self.trader.fault("orders/cancel", "reset", when="after")
        was_final = self.status(order_id) in FINAL
        try:
            self.service.cancel(order_id)
        except BrokerError:
            assert was_final
        else:
            assert self.status(order_id) == "cancelled"
        self.box.faults.clear()

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), price=prices, quantity=quantities, lost=st.booleans())
    def modify(self, data: st.DataObject, price: Decimal, quantity: int, lost: bool) -> None:
        order_id = data.draw(st.sampled_from(self.ids))
        if lost:
            self.trader.fault("orders/modify", "bad_gateway", when="after")
        try:
            self.service.modify(order_id, self.request(price, quantity), INSTRUMENT)
        except BrokerError:
            order = self.order(order_id)
            is_refused = self.status(order_id) in FINAL or order.filled >= quantity
            assert is_refused
        else:
            request = self.order(order_id).request
            assert (request.price, request.quantity) == (price, quantity)
        self.box.faults.clear()

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), part=quantities)
    def fill(self, data: st.DataObject, part: int) -> None:
        order_id = data.draw(st.sampled_from(self.ids))
        if self.status(order_id) == "open":
            self.box.exchange.fill(self.box.demo.client_code, order_id, part)

    @rule(seconds=st.integers(1, 60))
    def wait_and_settle(self, seconds: int) -> None:
        self.trader.clock.sleep(seconds)
        self.service.settler.look()

    def status(self, order_id: str) -> str:
        book = self.service.order_book()
        return next(each.status for each in book if each.order_id == order_id)

    @invariant()
    def nothing_is_doubled_lost_or_mistaken(self) -> None:
        found = {order.request.tag: order.order_id for order in self.trader.orders()}
        assert len(found) == len(self.trader.orders())
        assert len(found) == len(self.ids) + self.unknown
        for tag, order_id in found.items():
            entry = self.service.journal.entry(tag)
            assert entry is not None
            if entry.state is State.DONE:
                assert entry.order_id == order_id
            else:
                assert entry.state is State.UNKNOWN


@pytest.mark.parametrize("api_type", ["A", "B"])
def test_lives(api_type: str) -> None:
    machine = type(f"Lives{api_type}", (Lives,), {"api_type": api_type})
    machine.TestCase.settings = settings(
        max_examples=10,
        stateful_step_count=15,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    machine.TestCase("runTest").runTest()
