"""The books add up, whatever is placed, changed, cancelled and however prices move (hypothesis)."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker_simulator.mstock import IST, Account
from broker_simulator.mstock import order_rows_a as a_rows
from broker_simulator.mstock import order_rows_b as b_rows
from broker_simulator.mstock.accounts import demo_accounts
from broker_simulator.mstock.clock import Clock
from broker_simulator.mstock.exchange import Exchange, OrderChange, OrderRequest
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side
from broker_simulator.mstock.funds import FUND_KEYS
from broker_simulator.mstock.refusals import Refused
from broker_simulator.mstock.settings import Settings
from tests.support.stub_market import ACC, INFY, StubMarket

MOMENT = datetime(2025, 1, 1, 10, 0, tzinfo=IST)
ME = "MA0000001"

instruments = st.sampled_from([INFY, ACC])
# Around each instrument's price, on its tick.
offsets = st.integers(-400, 400).map(lambda n: Decimal(n) / 20)
quantities = st.integers(1, 40)
actions = st.one_of(
    st.tuples(
        st.just("place"), instruments, st.sampled_from(Side), st.sampled_from(OrderType),
        st.sampled_from([Product.INTRADAY, Product.DELIVERY, Product.MTF]),
        quantities, offsets, offsets, st.booleans(),
    ),
    st.tuples(st.just("take"), instruments, st.sampled_from(Side), quantities),
    st.tuples(st.just("modify"), st.integers(0, 30), quantities, offsets),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("fill"), st.integers(0, 30), quantities),
    st.tuples(st.just("convert"), instruments, st.sampled_from(Side), st.integers(1, 5)),
    st.tuples(st.just("price"), instruments, offsets),
    st.tuples(st.just("match")),
    st.tuples(st.just("cancel_all")),
)  # fmt: skip


class Trader:
    """Does what hypothesis draws; a refusal is a valid outcome."""

    def __init__(self, depth: int, largest: int | None) -> None:
        clock = Clock()
        clock.set(MOMENT, frozen=True)
        self.account: Account = demo_accounts()[0]
        self.market = StubMarket(depth=depth)
        self.exchange = Exchange(self.market, clock, {ME: self.account})
        self.exchange.behaviour.largest_fill = largest

    def act(self, name: str, *drawn: Any) -> None:
        with contextlib.suppress(Refused):
            getattr(self, f"_{name}")(*drawn)

    def _id(self, n: int) -> str:
        book = self.exchange.order_book(ME)
        return book[n % len(book)].order_id if book else "none"

    def _place(self, instrument, side, order_type, product, quantity, price, trigger, ioc) -> None:
        ltp = self.market.ltp(instrument)
        self.exchange.place(
            ME,
            OrderRequest(
                instrument, side, order_type, product, quantity,
                price=ltp + price, trigger_price=ltp + trigger, ioc=ioc,
            ),
        )  # fmt: skip

    def _take(self, instrument, side, quantity) -> None:
        """An intraday market order, so that there is often something to close or convert."""
        self._place(
            instrument, side, OrderType.MARKET, Product.INTRADAY, quantity, Decimal(0), Decimal(0),
            False,
        )  # fmt: skip

    def _modify(self, n: int, quantity: int, price: Decimal) -> None:
        order_id = self._id(n)
        instrument = (self.exchange.history(ME, order_id) or [None])[0]
        base = self.market.ltp(instrument.request.instrument) if instrument else Decimal(0)
        self.exchange.modify(ME, order_id, OrderChange(quantity=quantity, price=base + price))

    def _cancel(self, n: int) -> None:
        self.exchange.cancel(ME, self._id(n))

    def _fill(self, n: int, quantity: int) -> None:
        self.exchange.fill(ME, self._id(n), quantity)

    def _convert(self, instrument, side, quantity) -> None:
        self.exchange.convert(ME, instrument, side, quantity, (Product.INTRADAY, Product.DELIVERY))

    def _price(self, instrument, offset) -> None:
        self.market.set_price(instrument, self.market.ltp(instrument) + offset)

    def _match(self) -> None:
        self.exchange.match()

    def _cancel_all(self) -> None:
        self.exchange.cancel_all(ME)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(actions, max_size=40),
    st.sampled_from([3, 17, 100_000]),
    st.sampled_from([None, 7]),
)
def test_the_books_add_up(drawn, depth, largest):
    trader = Trader(depth, largest)
    for action in drawn:
        trader.act(*action)
        orders_agree_with_their_trades(trader)
    positions_agree_with_the_trades(trader)
    both_types_rows_agree(trader)
    funds_add_up(trader)


def orders_agree_with_their_trades(trader: Trader) -> None:
    trades = defaultdict(list)
    for trade in trader.exchange.trades(ME):
        trades[trade.order_id].append(trade)
    for order in trader.exchange.order_book(ME):
        mine = trades[order.order_id]
        assert order.filled == sum(trade.quantity for trade in mine)
        assert order.value == sum(trade.quantity * trade.price for trade in mine)
        if order.status != "Rejected":
            assert order.filled + order.pending + order.cancelled == order.request.quantity
        if order.status == "Traded":
            assert order.filled == order.request.quantity
        if not order.is_open:
            assert order.pending == 0
        assert not (order.status == "Cancelled" and order.cancelled == 0)


def positions_agree_with_the_trades(trader: Trader) -> None:
    net: dict[Any, int] = defaultdict(int)
    cash = Decimal(0)
    for trade in trader.exchange.trades(ME):
        net[trade.instrument] += trade.quantity * trade.side.sign
        cash -= trade.quantity * trade.price * trade.side.sign
    positions = trader.exchange.positions(ME)
    for instrument, quantity in net.items():
        assert sum(p.quantity for p in positions if p.instrument == instrument) == quantity
    worth = sum(p.quantity * trader.market.ltp(p.instrument) for p in positions)
    m2m = sum(p.m2m(trader.market.ltp(p.instrument)) for p in positions)
    assert abs(m2m - (cash + worth)) < Decimal("0.0001")
    for p in positions:
        ltp = trader.market.ltp(p.instrument)
        assert abs(p.realised + p.unrealised(ltp) - p.m2m(ltp)) < Decimal("0.0001")


def both_types_rows_agree(trader: Trader) -> None:
    for p in trader.exchange.positions(ME):
        a, b = (
            a_rows.position_row(p, trader.market.quote(p.instrument)),
            b_rows.position_row(p, MOMENT),
        )
        assert a["quantity"] == int(b["netqty"]) == a["buy_quantity"] - a["sell_quantity"]
        assert int(b["buyqty"]) - int(b["sellqty"]) == int(b["netqty"])
        assert abs(Decimal(b["netvalue"]) + Decimal(str(a["value"]))) <= Decimal("0.01")
        net = Decimal(b["totalsellvalue"]) - Decimal(b["totalbuyvalue"])
        assert abs(net - Decimal(b["netvalue"])) <= Decimal("0.02")
        if a["quantity"]:
            average = abs(Decimal(b["netvalue"]) / a["quantity"])
            assert abs(average - Decimal(b["avgnetprice"])) <= Decimal("0.02")
    options = Settings()
    for order in trader.exchange.order_book(ME):
        a, b = a_rows.book_row(order, ME, options), b_rows.book_row(order, options)
        assert a["order_id"] == b["orderid"]
        assert a["status"] == b["status"] == b["orderstatus"]
        assert (a["filled_quantity"], a["pending_quantity"], a["cancelled_quantity"]) == (
            int(b["filledshares"]), int(b["unfilledshares"]), int(b["cancelsize"]),
        )  # fmt: skip


def funds_add_up(trader: Trader) -> None:
    base, row = trader.account.funds, trader.exchange.fund_row(ME)
    assert tuple(row) == FUND_KEYS
    figures = {k: Decimal(v or 0) for k, v in row.items() if k not in ("SEG", "LIMIT_TYPE")}
    gross = sum(figures[k] for k in ("LIMIT_SOD", "ADHOC_LIMIT", "BANK_HOLDING", "COLLATERALS"))
    assert figures["AVAILABLE_BALANCE"] == gross - figures["AMOUNT_UTILIZED"]
    assert figures["MTF_AVAILABLE_BALANCE"] == figures["AVAILABLE_BALANCE"]
    assert figures["PEAK_MARGIN"] >= figures["AMOUNT_UTILIZED"]
    own = figures["AMOUNT_UTILIZED"] - Decimal(base["AMOUNT_UTILIZED"])
    assert own >= 0
    open_orders = any(order.is_open for order in trader.exchange.order_book(ME))
    if not open_orders and not any(p.quantity for p in trader.exchange.positions(ME)):
        assert own == 0
    realised = sum(p.realised for p in trader.exchange.positions(ME))
    booked = figures["REALISED_PROFITS"] - Decimal(base["REALISED_PROFITS"])
    assert abs(booked - realised) <= Decimal("0.01")
