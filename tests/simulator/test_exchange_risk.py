"""The exchange by itself: margins, refusals, and the day's end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from broker_simulator.mstock.exchange import OrderChange
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side, Variety
from broker_simulator.mstock.refusals import Reason, Refused
from tests.simulator.exchange_orders import (
    ME,
    WEDNESDAY,
    market_order,
    request,
    states,
)
from tests.support.stub_market import (
    ACC,
    ACC_FUT,
    INFY,
    NIFTY_CE,
    SENSEX,
)


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
