"""The data on the WebSocket: packets of both types equal to the market, and order updates."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from broker_simulator.mstock.exchange import OrderRequest
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side
from tests.simulator.conftest import TRADING
from tests.support.stream_client import StreamClient, new_token, wait_for

WITH_QUOTE = ("open", "high", "low", "close")
SIZES = {"a": {1: 8, 2: 44, 3: 200}, "b": {1: 51, 2: 123, 3: 379}}
INDEX_SIZES = {"a": {1: 8, 2: 28, 3: 32}, "b": {1: 51, 2: 123, 3: 379}}
A_FIELDS = {
    "user_id", "app_id", "placed_by", "exchange_order_id", "status", "status_message_raw",
    "exchange_update_timestamp", "variety", "tradingsymbol", "order_type", "validity",
    "quantity", "price", "average_price", "pending_quantity", "market_protection",
    "unfilled_quantity", "checksum", "order_id", "parent_order_id", "status_message",
    "order_timestamp", "exchange_timestamp", "exchange", "instrument_token",
    "transaction_type", "product", "disclosed_quantity", "trigger_price", "filled_quantity",
    "cancelled_quantity", "guid",
}  # fmt: skip
B_STRINGS = {
    "variety", "ordertype", "producttype", "quantity", "disclosedquantity", "duration",
    "tradingsymbol", "transactiontype", "exchange", "symboltoken", "instrumenttype",
    "optiontype", "expirydate", "lotsize", "cancelsize", "averageprice", "filledshares",
    "unfilledshares", "orderid", "text", "status", "orderstatus", "updatetime", "exchtime",
    "exchorderupdatetime", "fillid", "filltime", "parentorderid",
}  # fmt: skip
B_NUMBERS = {
    "price", "triggerprice", "squareoff", "stoploss", "trailingstoploss", "strikeprice",
}  # fmt: skip


@pytest.fixture
def sim(trading):
    """In trading hours, and prices stand still until a test moves them."""
    return trading


class TestPackets:
    @pytest.mark.parametrize("mode", [1, 2, 3])
    @pytest.mark.parametrize("what", ["share", "future", "option", "bse"])
    def test_a_tick_is_the_markets_quote(self, client, mode, what, infy, future):
        master = client.sim.world.market.master
        instrument = {
            "share": infy,
            "future": future,
            "option": next(i for i in master if i.kind == "CE" and i.exchange == "NFO"),
            "bse": master.by_symbol("BSE", "RELIANCE"),
        }[what]
        client.subscribe(instrument, mode=mode)
        (tick,) = client.ticks()
        market = client.sim.world.market
        quote = market.quote(instrument)
        assert tick["size"] == SIZES[client.api][mode]
        assert (str(tick["token"]), tick["ltp"]) == (instrument.token, quote.ltp)
        if client.api == "b":
            numbers = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4}
            assert (tick["mode"], tick["exchange"]) == (mode, numbers[instrument.exchange])
            assert (tick["number"], tick["at"]) == (1, TRADING)
        if mode > 1:
            for name in (*WITH_QUOTE, "last_quantity", "volume", "buy_quantity", "sell_quantity"):
                assert tick[name] == getattr(quote, name), name
            assert abs(tick["average_price"] - quote.average_price) < Decimal("0.01")
        if mode == 3:
            assert tick["at"] == TRADING
            assert tick["last_traded_at"] == quote.last_traded_at
            assert tick["oi"] == (quote.oi or 0)
            assert (tick["upper"], tick["lower"]) == (quote.upper_band, quote.lower_band)
            none = (Decimal(0), 0, 0)
            wanted = [tuple(level) for level in (*quote.bids, *quote.asks)]
            assert [level for level in tick["levels"] if level != none] == wanted
            assert tick["levels"][5:] == wanted[-5:]
            high, low = market.year_range(instrument)
            assert tick["year"] == (max(high, quote.high), min(low, quote.low))
            if client.api == "b":
                assert tick["flags"] == [1] * 5 + [0] * 5
                assert abs(tick["oi_change"]) < 100
            elif quote.oi:
                at_open = market.oi(instrument, TRADING.replace(hour=9, minute=15))
                assert tick["oi_range"] == (max(quote.oi, at_open), min(quote.oi, at_open))

    @pytest.mark.parametrize("mode", [1, 2, 3])
    def test_an_index_has_its_own_packets_on_type_a(self, client, mode):
        index = client.sim.world.market.master.get("NSE", "26000")
        client.subscribe(index, mode=mode)
        (tick,) = client.ticks()
        quote = client.sim.world.market.quote(index)
        assert tick["size"] == INDEX_SIZES[client.api][mode]
        assert tick["ltp"] == quote.ltp
        if mode > 1:
            assert [tick[n] for n in WITH_QUOTE] == [getattr(quote, n) for n in WITH_QUOTE]
        if client.api == "a" and mode == 2:
            assert tick["change"] == quote.ltp - quote.close
        if client.api == "b" and mode == 3:
            assert (tick["upper"], tick["lower"]) == (0, 0)
            assert set(tick["levels"]) == {(Decimal(0), 0, 0)}

    def test_every_move_of_a_price_is_told_in_order(self, client, infy):
        client.subscribe(infy, mode=1)
        client.ticks()
        prices = [Decimal("1500.00") + Decimal("0.05") * n for n in range(50)]
        for price in prices:
            client.sim.world.market.set_price(infy, price)
        ticks = [client.ticks()[0] for _ in prices]
        assert [tick["ltp"] for tick in ticks] == prices
        if client.api == "b":
            assert [tick["number"] for tick in ticks] == list(range(2, 52))

    def test_prices_move_by_themselves_in_trading_hours_only(self, client, infy):
        client.subscribe(infy, mode=1)
        client.ticks()
        client.sim.clock.set(TRADING.replace(hour=16), frozen=True)
        client.ticks()
        client.sim.clock.set(TRADING.replace(hour=17))
        assert client.is_quiet(1)
        client.sim.clock.set(TRADING)
        client.ticks()
        client.ticks()

    def test_type_b_frames_have_a_header_and_several_packets_if_told_so(self, sim, infy, future):
        sim.stream.settings.headed = True
        client = StreamClient(sim, "b")
        client.subscribe(infy, mode=1)
        assert client.binary()[:4] == bytes.fromhex("01003300")
        sim.stream.settings.packets_per_frame = 10
        client.subscribe(future, infy, mode=3)
        client.ticks_of(2)
        sim.clock.advance(timedelta(minutes=7))
        frame = client.binary()
        assert len(frame) == 4 + 2 * 379
        assert frame[:4] == bytes.fromhex("02007b01")

    def test_type_a_frames_take_several_packets_if_told_so(self, sim, infy, future):
        sim.stream.settings.packets_per_frame = 10
        client = StreamClient(sim, "a")
        client.subscribe(infy, mode=1)
        client.subscribe(future, mode=3)
        client.ticks_of(2)
        sim.clock.advance(timedelta(minutes=7))
        assert sorted(tick["size"] for tick in client.ticks()) == [8, 200]

    def test_each_socket_counts_its_own_packets_and_has_its_own_modes(self, sim, infy):
        token = new_token(sim, "b")
        first, second = (StreamClient(sim, "b", token=token) for _ in range(2))
        first.subscribe(infy, mode=1)
        first.ticks()
        second.subscribe(infy, mode=3)
        second.ticks()
        sim.world.market.set_price(infy, Decimal("1500.00"))
        assert [(t["size"], t["number"]) for c in (first, second) for t in c.ticks()] == [
            (51, 2), (379, 2),
        ]  # fmt: skip

    def test_thousands_of_instruments_in_one_request(self, sim, api):
        served = ("NSE", "NFO", "BSE", "BFO")
        instruments = [i for i in sim.world.market.master if i.exchange in served][:3000]
        client = StreamClient(sim, api)
        client.subscribe(*instruments, mode=1)
        # Type A has one exchange for a number.
        count = 3000 if api == "b" else len({i.token for i in instruments})
        wait_for(lambda: len(sim.stream.connections[0].subscribed) == count)
        client.ticks_of(500)


class TestOrderUpdates:
    def place(self, sim, instrument, price):

        request = OrderRequest(
            instrument, Side.BUY, OrderType.LIMIT, Product.INTRADAY, 10, price=price
        )
        return sim.exchange.place(sim.demo.client_code, request)

    def test_each_state_of_an_order_is_told_once_and_in_order(self, client, infy):
        sim = client.sim
        ltp = sim.world.market.ltp(infy)
        order = self.place(sim, infy, ltp - 5)
        sim.world.market.set_price(infy, ltp - 10)
        history = sim.exchange.history(sim.demo.client_code, order.order_id)
        updates = [client.text() for _ in history]
        states = sorted(history, key=lambda state: (state.updated_at, state.filled))
        if client.api == "a":
            told = [(u["type"], u["data"]["status"]) for u in updates]
            data = updates[-1]["data"]
            assert data.keys() >= A_FIELDS
            assert data["filled_quantity"] == 10
            assert (data["order_id"], data["instrument_token"]) == (order.order_id, 1594)
        else:
            told = [(u["order_status"], u["orderData"]["status"]) for u in updates]
            data = updates[-1]["orderData"]
            assert data.keys() >= B_STRINGS | B_NUMBERS
            assert {type(data[name]) for name in B_STRINGS} == {str}
            assert {type(data[name]) for name in B_NUMBERS} <= {int, float}
            assert data["fillid"]
            assert (data["orderid"], data["filledshares"]) == (order.order_id, "10")
        assert told[-1] == ("trade", "Traded")
        assert {kind for kind, _ in told[:-1]} == {"order"}
        assert sorted(status for _, status in told) == sorted(s.status.value for s in states)
        assert client.is_quiet()

    def test_nobody_hears_of_another_customers_orders(self, sim, api, infy):
        client = StreamClient(sim, api)
        order = self.place(sim, infy, Decimal("1400.00"))
        assert client.text()
        sim.exchange.cancel(sim.demo.client_code, order.order_id)
        while "Cancelled" not in str(client.text()):
            pass
        other = sim.accounts["MA0000002"]
        sim.demo, mine = other, sim.demo
        self.place(sim, infy, Decimal("1400.00"))
        sim.demo = mine
        assert client.is_quiet()

    def test_orders_and_prices_share_the_socket(self, client, infy):
        client.subscribe(infy, mode=1)
        client.ticks()
        self.place(client.sim, infy, Decimal("1400.00"))
        assert client.text()
        client.sim.world.market.set_price(infy, Decimal("1500.00"))
        assert client.ticks()[0]["ltp"] == Decimal("1500.00")
