"""The exchange by itself: the life cycle of 12.4, triggers, margins, refusals, the day's end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from broker_simulator.mstock.accounts import demo_accounts
from broker_simulator.mstock.clock import IST, Clock
from broker_simulator.mstock.exchange import Exchange, Order, OrderChange, OrderRequest
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side, Variety
from broker_simulator.mstock.refusals import Reason, Refused
from tests.support.stub_market import (
    ACC,
    ACC_FUT,
    INFY,
    NIFTY_CE,
    SENSEX,
    StubInstrument,
    StubMarket,
)

ME, SATYA, MOCK = "MA0000001", "MA0000002", "MA0000003"
WEDNESDAY = datetime(2025, 1, 1, 10, 0, tzinfo=IST)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.set(WEDNESDAY, frozen=True)
    return clock


@pytest.fixture
def market() -> StubMarket:
    return StubMarket()


@pytest.fixture
def exchange(market: StubMarket, clock: Clock) -> Exchange:
    return Exchange(market, clock, {account.client_code: account for account in demo_accounts()})


def request(
    instrument: StubInstrument = INFY,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
    product: Product = Product.INTRADAY,
    quantity: int = 10,
    price: str = "1240",
    trigger: str = "0",
    **more: object,
) -> OrderRequest:
    return OrderRequest(
        instrument, side, order_type, product, quantity, Decimal(price), Decimal(trigger), **more
    )


def market_order(**more: object) -> OrderRequest:
    return request(order_type=OrderType.MARKET, price="0", **more)


def states(orders: list[Order]) -> list[tuple[str, str, int, int, int]]:
    return [(o.status.value, o.text, o.filled, o.pending, o.cancelled) for o in orders]


TRANSIT = ("Transit", "", 0, 0, 0)
RESTING = ("Pending", "CONFIRMED", 0, 10, 0)
TRADED = ("Traded", "TRADE CONFIRMED", 10, 0, 0)


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


class TestRiskDesk:
    def test_intraday_costs_a_quarter_and_delivery_all(self, exchange):
        # 12.2: 10 x 1250 -> 3125; 5 x 2250 -> 11250.
        assert exchange.margin(request(price="1250")).total == 3125
        delivery = request(ACC, product=Product.DELIVERY, quantity=5, price="2250")
        assert exchange.margin(delivery).total == 11250

    def test_a_market_order_is_margined_at_the_last_price(self, exchange, market):
        market.set_price(ACC, "2289.44995")
        one = request(ACC, order_type=OrderType.MARKET, quantity=1, price="0")
        assert exchange.margin(one).total == Decimal("572.36")

    def test_options_and_futures(self, exchange):
        normal = {"product": Product.CARRYFORWARD, "quantity": 25, "price": "800"}
        assert exchange.margin(request(NIFTY_CE, **normal)).premium == 20_000
        sold = exchange.margin(request(NIFTY_CE, Side.SELL, **normal))
        assert (sold.premium, sold.span, sold.exposure) == (0, 72_000, 18_000)
        normal = {"product": Product.CARRYFORWARD, "quantity": 300, "price": "2260"}
        assert exchange.margin(request(ACC_FUT, **normal)).total == Decimal("101700")

    def test_the_refusal_has_mstocks_words_and_blocks_nothing(self, exchange):
        before = exchange.fund_row(ME)["AVAILABLE_BALANCE"]
        order = exchange.place(
            ME, request(ACC, product=Product.DELIVERY, quantity=1000, price="2250")
        )
        assert order.text == (
            "RMS:21612501010001:NSE,EQUITY,22,ACC,DELIVERY,,EQ,MA0000001,B,1000,I,2250.00000,"
            "FUND LIMIT INSUFFICIENT,AVAILABLE FUND=364340.85,"
            "ADDITIONAL REQUIRED FUND=1885659.15,CALCULATED MARGIN FOR ORDER=2250000"
        )
        assert states([order]) == [("Rejected", order.text, 0, 0, 0)]
        assert order.exchange_order_id == "0"
        assert exchange.fund_row(ME)["AVAILABLE_BALANCE"] == before

    def test_orders_block_funds_and_a_cancel_gives_them_back(self, exchange):
        before = exchange.fund_row(ME)
        order = exchange.place(ME, request(price="1240"))
        row = exchange.fund_row(ME)
        assert Decimal(row["AMOUNT_UTILIZED"]) - Decimal(before["AMOUNT_UTILIZED"]) == 3100
        assert Decimal(before["AVAILABLE_BALANCE"]) - Decimal(row["AVAILABLE_BALANCE"]) == 3100
        exchange.cancel(ME, order.order_id)
        assert exchange.fund_row(ME) == before

    def test_closing_needs_no_margin_even_without_funds(self, exchange):
        exchange.place(ME, market_order(quantity=1160))
        assert Decimal(exchange.fund_row(ME)["AVAILABLE_BALANCE"]) < 3125
        assert exchange.place(ME, market_order()).status == "Rejected"
        assert exchange.place(ME, market_order(side=Side.SELL, quantity=1160)).status == "Traded"

    def test_a_modification_beyond_the_funds_is_refused_and_changes_nothing(self, exchange):
        order = exchange.place(ME, request())
        with pytest.raises(Refused, match="funds") as refused:
            exchange.modify(ME, order.order_id, OrderChange(quantity=100_000))
        assert refused.value.text.startswith(f"RMS:{order.order_id}:NSE,EQUITY,1594,INFY,")
        assert exchange.history(ME, order.order_id)[-1] == order

    def test_delivery_sales_take_holdings_and_no_more(self, exchange):
        sale = {"side": Side.SELL, "product": Product.DELIVERY}
        assert exchange.place(ME, market_order(quantity=6, **sale)).status == "Traded"
        (holding,) = exchange.holdings(ME)
        assert (holding.quantity, holding.sold, holding.free) == (10, 6, 4)
        short = exchange.place(ME, market_order(quantity=5, **sale))
        assert short.text.endswith(",HOLDING QUANTITY INSUFFICIENT,AVAILABLE QUANTITY=4")
        assert exchange.place(ME, request(price="1300", quantity=4, **sale)).status == "Pending"
        assert exchange.place(ME, market_order(quantity=1, **sale)).status == "Rejected"

    @pytest.mark.parametrize(("price", "trigger"), [("1500.05", "0"), ("999.95", "0")])
    def test_a_price_outside_the_bands_is_rejected_by_the_exchange(self, exchange, price, trigger):
        order = exchange.place(ME, request(price=price, trigger=trigger))
        assert order.text == "EXCH:16284:The order price is out of the days price range."
        assert (order.status, order.exchange_order_id) == ("Rejected", "1300000000000001")

    def test_a_market_order_at_the_band_meets_the_price_freeze(self, exchange, market):
        market.set_price(INFY, 1500)
        order = exchange.place(ME, market_order())
        assert order.text == "EXCH:16308:The order has been canceled due to price freeze."

    @pytest.mark.parametrize(
        "asked",
        [
            request(quantity=0),
            request(price="0"),
            request(price="1240.01"),
            request(NIFTY_CE, product=Product.CARRYFORWARD, quantity=30, price="800"),
            request(NIFTY_CE, product=Product.CARRYFORWARD, quantity=1825, price="800"),
            request(NIFTY_CE, product=Product.DELIVERY, quantity=25, price="800"),
            request(product=Product.CARRYFORWARD),
            request(SENSEX, price="80000"),
            request(disclosed_quantity=10),
            request(disclosed_quantity=2),
            request(variety=Variety.COVER, product=Product.DELIVERY, trigger="1200"),
        ],
    )
    def test_what_is_refused_before_it_gets_an_id(self, exchange, asked):
        with pytest.raises(Refused) as refused:
            exchange.place(ME, asked)
        assert refused.value.reason is Reason.ORDER_FIELD
        assert refused.value.text
        assert exchange.order_book(ME) == []

    def test_a_disclosed_quantity_of_30_per_cent_is_taken(self, exchange):
        assert exchange.place(ME, request(disclosed_quantity=3)).status == "Pending"

    def test_conversion_moves_units_and_their_cost(self, exchange):
        exchange.place(ME, market_order())
        products = (Product.INTRADAY, Product.DELIVERY)
        exchange.convert(ME, INFY, Side.BUY, 4, products)
        intraday, delivery = exchange.positions(ME)
        assert (intraday.quantity, intraday.value) == (6, 7500)
        assert (delivery.quantity, delivery.value) == (4, 5000)
        with pytest.raises(Refused, match="convert") as refused:
            exchange.convert(ME, INFY, Side.BUY, 7, products)
        assert refused.value.text == "6"

    def test_conversion_needs_the_other_products_margin(self, exchange):
        exchange.place(ME, market_order(quantity=1000))
        with pytest.raises(Refused, match="funds"):
            exchange.convert(ME, INFY, Side.BUY, 1000, (Product.INTRADAY, Product.DELIVERY))
        assert [p.quantity for p in exchange.positions(ME)] == [1000]


class TestTheDay:
    def test_a_regular_order_needs_an_open_market(self, exchange, clock):
        clock.set(WEDNESDAY.replace(hour=16), frozen=True)
        with pytest.raises(Refused, match="closed"):
            exchange.place(ME, request())

    def test_after_market_orders_wait_for_the_opening(self, exchange, clock):
        clock.set(WEDNESDAY.replace(hour=20), frozen=True)
        amo = {"variety": Variety.AMO}
        kept, gone = exchange.place(ME, market_order(**amo)), exchange.place(ME, request(**amo))
        order = exchange.place(ME, request(**amo))
        assert {o.status.value for o in exchange.order_book(ME)} == {"O-Pending"}
        modified = exchange.modify(ME, order.order_id, OrderChange(quantity=5))
        assert (modified.status, modified.exchange_order_id) == ("O-Modified", "0")
        assert exchange.cancel(ME, gone.order_id).status == "O-Cancelled"
        clock.set(WEDNESDAY + timedelta(days=1), frozen=True)
        statuses = {o.order_id: o.status.value for o in exchange.order_book(ME)}
        assert statuses == {kept.order_id: "Traded", order.order_id: "Pending"}

    def test_an_after_market_order_in_market_hours_waits_for_the_next_day(self, exchange, clock):
        order = exchange.place(ME, market_order(variety=Variety.AMO))
        clock.advance(timedelta(hours=1))
        assert exchange.history(ME, order.order_id)[-1].status == "O-Pending"
        clock.advance(timedelta(days=1))
        assert exchange.history(ME, order.order_id)[-1].status == "Traded"

    def test_unfilled_orders_end_with_the_day(self, exchange, clock):
        order = exchange.place(ME, request())
        clock.set(WEDNESDAY.replace(hour=15, minute=30), frozen=True)
        assert exchange.order_book(ME)[0].status == "Cancelled"
        clock.set(WEDNESDAY + timedelta(days=1), frozen=True)
        assert exchange.order_book(ME) == []
        assert exchange.history(ME, order.order_id)[-1].cancelled == 10

    def test_an_order_does_not_outlive_a_night_that_nobody_watched(self, exchange, clock, market):
        order = exchange.place(ME, request())
        clock.set(WEDNESDAY + timedelta(days=1), frozen=True)
        market.set_price(INFY, 1230)
        last = exchange.history(ME, order.order_id)[-1]
        assert (last.status, last.updated_at) == (
            "Cancelled", WEDNESDAY.replace(hour=15, minute=30),
        )  # fmt: skip

    def test_overnight(self, exchange, clock, market):
        exchange.place(ME, market_order(product=Product.DELIVERY))
        exchange.place(ME, market_order(quantity=3))
        exchange.place(
            ME, market_order(instrument=NIFTY_CE, product=Product.CARRYFORWARD, quantity=50)
        )
        clock.set(WEDNESDAY + timedelta(days=1), frozen=True)
        (holding,) = exchange.holdings(ME)
        assert (holding.quantity, holding.average_price) == (20, Decimal("1285.25"))
        (carried,) = exchange.positions(ME)
        assert (carried.quantity, carried.overnight_quantity, carried.value) == (50, 50, 40_000)
        assert exchange.trades(ME) == []
        day = WEDNESDAY.date()
        assert len(exchange.trades(ME, day, day)) == 3


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
