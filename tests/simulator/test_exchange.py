"""The exchange by itself: the life cycle of 12.4, triggers, cover orders, who is told."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from broker_simulator.mstock.accounts import demo_accounts
from broker_simulator.mstock.exchange import Exchange, Order, OrderChange
from broker_simulator.mstock.exchange.orders import OrderType, Side, Variety
from broker_simulator.mstock.refusals import Refused
from tests.simulator.exchange_orders import (
    ME,
    MOCK,
    RESTING,
    SATYA,
    TRADED,
    TRANSIT,
    WEDNESDAY,
    market_order,
    request,
    states,
)
from tests.support.stub_market import (
    INFY,
    StubInstrument,
    StubMarket,
)


class TestLifeCycle:
    def test_a_limit_order_rests_until_its_price_comes(self, exchange, market):
        order = exchange.place(ME, request())
        assert (order.order_id, order.exchange_order_id) == ("21612501010001", "1300000000000001")
        market.set_price(INFY, "1240.05")
        assert states(exchange.history(ME, order.order_id)) == [TRANSIT, RESTING]
        market.set_price(INFY, 1240)
        assert states(exchange.history(ME, order.order_id)) == [TRANSIT, RESTING, TRADED]
        assert exchange.history(ME, order.order_id)[0].exchange_order_id == "0"

    def test_a_marketable_order_trades_at_the_better_price(self, exchange):
        order = exchange.place(ME, request(price="1300"))
        assert (order.status, order.average_price) == ("Traded", 1250)

    def test_depth_and_the_largest_fill_make_partial_fills(self, exchange, market):
        market.depth = 4
        order = exchange.place(ME, request(price="1250"))
        assert states([order]) == [("Pending", "CONFIRMED", 4, 6, 0)]
        market.depth, exchange.behaviour.largest_fill = 1_000_000, 5
        market.set_price(INFY, 1249)
        exchange.match()
        (order,) = exchange.order_book(ME)
        assert states([order]) == [TRADED]
        assert [trade.quantity for trade in exchange.trades(ME)] == [4, 5, 1]
        assert order.average_price == Decimal("1249.40")

    def test_a_market_order_trades_in_full_beyond_the_depth(self, exchange, market):
        market.depth = 3
        assert states([exchange.place(ME, market_order())]) == [TRADED]

    def test_an_order_in_transit_is_not_at_the_exchange(self, exchange, clock):
        exchange.behaviour.transit = timedelta(seconds=5)
        exchange.place(ME, market_order())
        assert states(exchange.order_book(ME)) == [TRANSIT]
        clock.advance(timedelta(seconds=5))
        assert states(exchange.order_book(ME)) == [TRADED]

    def test_ioc_cancels_what_is_not_filled_at_once(self, exchange, market):
        market.depth = 4
        order = exchange.place(ME, request(price="1250", ioc=True))
        assert (order.status, order.filled, order.pending, order.cancelled) == (
            "Cancelled", 4, 0, 6,
        )  # fmt: skip

    def test_cancel_keeps_what_was_filled(self, exchange, market):
        market.depth = 4
        order = exchange.place(ME, request(price="1250"))
        order = exchange.cancel(ME, order.order_id)
        assert (order.status, order.filled, order.pending, order.cancelled) == (
            "Cancelled", 4, 0, 6,
        )  # fmt: skip
        with pytest.raises(Refused, match="finished"):
            exchange.cancel(ME, order.order_id)
        with pytest.raises(Refused, match="finished"):
            exchange.modify(ME, order.order_id, OrderChange(quantity=20))
        with pytest.raises(Refused, match="finished"):
            exchange.cancel(ME, "21612501019999")

    def test_modify_moves_price_and_quantity_and_may_trade(self, exchange):
        order = exchange.place(ME, request())
        order = exchange.modify(ME, order.order_id, OrderChange(quantity=7))
        assert (order.pending, order.modified) == (7, True)
        order = exchange.modify(ME, order.order_id, OrderChange(price=Decimal(1250)))
        assert (order.status, order.filled) == ("Traded", 7)

    def test_a_quantity_cannot_go_below_what_is_filled(self, exchange, market):
        market.depth = 4
        order = exchange.place(ME, request(price="1250"))
        with pytest.raises(Refused, match="invalid order field"):
            exchange.modify(ME, order.order_id, OrderChange(quantity=4))

    def test_cancel_all_cancels_the_open_ones_and_names_the_last(self, exchange):
        first, last = exchange.place(ME, request()), exchange.place(ME, request(price="1230"))
        other = exchange.place(SATYA, request())
        assert exchange.cancel_all(ME).order_id == last.order_id
        assert {o.status.value for o in exchange.order_book(ME)} == {"Cancelled"}
        assert exchange.history(SATYA, other.order_id)[-1].status == "Pending"
        assert exchange.history(ME, first.order_id)[-1].cancelled == 10
        with pytest.raises(Refused, match="finished"):
            exchange.cancel_all(ME)

    def test_by_hand(self, exchange):
        exchange.behaviour.matching = False
        order = exchange.place(ME, request(price="1260"))
        assert states([order]) == [RESTING]
        assert exchange.fill(ME, order.order_id, 4).filled == 4
        assert exchange.fill(ME, order.order_id).status == "Traded"
        rejected = exchange.place(ME, request())
        assert exchange.reject(ME, rejected.order_id, "EXCH:1:x").text == "EXCH:1:x"

    def test_order_ids_go_on_after_9999_a_day_and_begin_again_the_next(self, exchange, clock):
        exchange.behaviour.matching = False
        ids = {exchange.place(MOCK, request(quantity=1)).order_id for _ in range(10_001)}
        assert len(ids) == 10_001
        assert {"21612501010001", "21612501019999", "21622501010000"} <= ids
        clock.set(WEDNESDAY + timedelta(days=1), frozen=True)
        assert exchange.place(ME, request()).order_id == "21612501020001"


class TestStops:
    @pytest.mark.parametrize(
        ("order_type", "price", "fired"),
        [(OrderType.STOP_MARKET, "0", "MARKET"), (OrderType.STOP_LIMIT, "1190", "LIMIT")],
    )
    def test_a_stop_fires_when_the_price_reaches_its_trigger(
        self, exchange, market, order_type, price, fired
    ):
        order = exchange.place(
            ME, request(side=Side.SELL, order_type=order_type, price=price, trigger="1200")
        )
        market.set_price(INFY, "1200.05")
        assert states(exchange.order_book(ME)) == [RESTING]
        market.set_price(INFY, 1200)
        history = exchange.history(ME, order.order_id)
        assert states(history) == [
            TRANSIT, RESTING, ("Triggered", "STOPLOSS TRIGGER", 0, 10, 0), TRADED,
        ]  # fmt: skip
        assert history[-1].request.order_type == fired

    def test_a_fired_stop_limit_rests_at_its_limit(self, exchange, market):
        order = exchange.place(
            ME, request(order_type=OrderType.STOP_LIMIT, price="1305", trigger="1300")
        )
        market.set_price(INFY, 1310)
        assert exchange.history(ME, order.order_id)[-1].status == "Triggered"
        market.set_price(INFY, 1305)
        assert exchange.history(ME, order.order_id)[-1].average_price == 1305

    @pytest.mark.parametrize(
        ("side", "price", "trigger"),
        [
            (Side.BUY, "1260", "1240"),  # below the market
            (Side.SELL, "1240", "1260"),  # above the market
            (Side.BUY, "1255", "1260"),  # the limit is worse than the trigger
            (Side.SELL, "1245", "1240"),
            (Side.SELL, "1240", "0"),
        ],
    )
    def test_a_trigger_on_the_wrong_side_is_refused(self, exchange, side, price, trigger):
        with pytest.raises(Refused, match="trigger") as refused:
            exchange.place(
                ME,
                request(side=side, order_type=OrderType.STOP_LIMIT, price=price, trigger=trigger),
            )
        assert refused.value.text == "Enter valid trigger price."


class TestCover:
    def test_the_exit_is_placed_when_the_entry_is_done(self, exchange, market):
        entry = exchange.place(ME, market_order(variety=Variety.COVER, trigger="1200"))
        (_, exit_) = exchange.order_book(ME)
        assert (exit_.parent_order_id, exit_.request.side, exit_.pending) == (
            entry.order_id, Side.SELL, 10,
        )  # fmt: skip
        market.set_price(INFY, 1200)
        assert exchange.history(ME, exit_.order_id)[-1].status == "Traded"
        assert exchange.positions(ME)[0].quantity == 0

    def test_cancelling_the_exit_leaves_the_position(self, exchange):
        exchange.place(ME, market_order(variety=Variety.COVER, trigger="1200"))
        exit_ = exchange.order_book(ME)[1]
        assert exchange.cancel(ME, exit_.order_id).status == "Traded"
        assert exchange.positions(ME)[0].quantity == 0

    def test_a_cancelled_entry_covers_what_it_has_filled(self, exchange, market):
        market.depth = 4
        entry = exchange.place(ME, request(price="1250", variety=Variety.COVER, trigger="1200"))
        exchange.cancel(ME, entry.order_id)
        assert exchange.order_book(ME)[1].request.quantity == 4


class TestListeners:
    def test_every_state_is_told_in_order_without_a_lock(self, exchange, market):
        told: list[tuple[str, str, int]] = []

        def listen(client_code: str, order: Order) -> None:
            assert exchange.order_book(client_code)  # asking back is allowed
            told.append(
                (client_code, order.status.value, order.trade.quantity if order.trade else 0)
            )

        stop = exchange.on_order(listen)
        exchange.place(ME, request())
        market.set_price(INFY, 1240)
        assert told == [(ME, "Transit", 0), (ME, "Pending", 0), (ME, "Traded", 10)]
        stop()
        exchange.place(ME, request())
        assert len(told) == 3

    def test_a_market_that_holds_its_lock_while_it_tells_cannot_block_us(self, clock):
        market = LockingMarket()
        exchange = Exchange(market, clock, {a.client_code: a for a in demo_accounts()})
        exchange.behaviour.largest_fill = 1
        market.set_price(INFY, 1240)
        told: list[str] = []
        exchange.on_order(lambda code, order: told.append(order.order_id))

        done = threading.Event()

        def move() -> None:
            for n in itertools.takewhile(lambda n: not done.is_set(), itertools.count()):
                market.set_price(INFY, 1230 + n % 20)

        def trade() -> None:
            try:
                for _ in range(50):
                    order = exchange.place(MOCK, request(price="1245"))
                    try:
                        exchange.cancel(MOCK, order.order_id)
                    except Refused:
                        assert exchange.history(MOCK, order.order_id)[-1].status == "Traded"
            finally:
                done.set()

        run_all(move, move, trade, trade)
        orders = exchange.order_book(MOCK)
        assert len(orders) == 100
        assert {order.order_id for order in orders} == set(told)
        assert exchange.positions(MOCK)[0].quantity == sum(order.filled for order in orders) > 0


class LockingMarket(StubMarket):
    """Tells price changes under its own lock, which every question takes too."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()

    def quote(self, instrument: StubInstrument) -> object:
        with self.lock:
            return super().quote(instrument)

    def set_price(self, instrument: StubInstrument, price: Decimal | int | str) -> None:
        with self.lock:
            super().set_price(instrument, price)


def run_all(*work: Callable[[], None]) -> None:
    failed: list[BaseException] = []

    def guarded(what: Callable[[], None]) -> None:
        try:
            what()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(what,), daemon=True) for what in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not failed
    assert not any(thread.is_alive() for thread in threads)
