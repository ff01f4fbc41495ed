"""The order routes over real sockets: one state behind both types, and the control page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker_simulator.mstock import Simulator
from broker_simulator.mstock import order_rows_a as a_rows
from broker_simulator.mstock import order_rows_b as b_rows
from broker_simulator.mstock.settings import Settings
from tests.support.stub_market import INFY
from tests.support.trading_clients import ClientA, ClientB

GONE = "Order Does not Exsist.Need to refresh orderbook / relogin in application "


class TestTheSimulatorsOwnMarket:
    """Orders and data meet in one market: what is quoted is what trades."""

    @pytest.fixture
    def market(self) -> None:
        return None

    @pytest.mark.parametrize("dialect", [ClientA, ClientB], ids=["A", "B"])
    def test_an_order_waits_for_its_price_and_trades_when_it_comes(self, sim, dialect):
        client, market = dialect(sim), sim.world.market
        infy = market.master.by_symbol("NSE", "INFY-EQ")
        assert infy.token == INFY.token
        wanted = market.quote(infy).bids[-1].price
        client.place(price=str(wanted))
        assert (client.book()[0]["status"], client.trades()) == ("Pending", [])
        market.set_price(infy, wanted - 2 * infy.tick_size)
        assert client.book()[0]["status"] == "Traded"
        (trade,) = client.trades()
        assert (trade["QUANTITY"], wanted - 1 < trade["PRICE"] <= wanted) == (10, True)

    def test_funds_stay_as_they_are_until_something_is_traded(self, sim, a):
        before = a.funds()
        assert a.book() == []
        assert a.funds() == before
        a.place(order_type="MARKET", price="0")
        assert a.funds() != before

    def test_the_demos_holdings_are_in_the_market(self, a, sim):
        assert len(a.holdings()) == len(sim.demo.holdings)


class TestOneState:
    def test_both_types_see_the_same_orders_trades_positions_and_funds(self, a, b):
        ids = [a.place(), b.place(price="1250"), b.place(transactiontype="SELL", price="1260")]
        assert [row["order_id"] for row in a.book()] == ids[::-1]
        assert [row["orderid"] for row in b.book()] == ids[::-1]
        assert a.trades() == b.trades()
        assert [row["ORDER_NUMBER"] for row in a.trades()] == [ids[1]]
        (row_a,), (row_b,) = a.positions(), b.positions()
        assert (row_a["quantity"], row_b["netqty"]) == (10, "10")
        assert a.funds() == b.funds()
        assert a.holdings()[0]["quantity"] == b.holdings()[0]["quantity"] == 10

    def test_one_type_modifies_and_cancels_what_the_other_placed(self, a, b):
        first, second = a.place(), b.place()
        assert b.modify(first, price="1230").json()["data"] == {
            "orderid": f" {first}", "uniqueorderid": "",
        }  # fmt: skip
        assert a.modify(second, quantity=7).json() == {
            "status": "success", "data": {"order_id": second},
        }  # fmt: skip
        assert [(r["price"], r["quantity"]) for r in a.book()] == [(1241, 7), (1230, 10)]
        assert b.cancel(first).json()["data"] == {"orderid": first, "uniqueorderid": ""}
        assert a.cancel(second).json()["data"] == {"order_id": second}
        assert {row["status"] for row in b.book()} == {"Cancelled"}

    def test_cancel_all_answers_alike_on_both_types(self, a, b):
        for client in (a, b):
            a.place()
            last = b.place()
            answer = client.call("POST", "orders/cancelall")
            assert answer.json() == {"status": "success", "data": {"order_id": last}}
            answer = client.call("POST", "orders/cancelall")
            assert (answer.status_code, answer.json()) == (
                200,
                {"status": "error", "message": GONE, "error_type": "InputException", "data": None},
            )

    def test_books_are_null_when_empty_and_trade_history_is_a_list(self, a, b):
        for client in (a, b):
            for path in ("orders", "tradebook", "portfolio/positions"):
                assert client.data("GET", path) is None
        days = {"fromdate": "2025-01-01", "todate": "2025-01-01"}
        assert a.data("POST", "trades", data=days) == []
        assert b.data("POST", "trades", json=days) == []

    def test_each_customer_sees_his_own(self, sim, a, market):
        a.place()
        assert sim.exchange.order_book("MA0000002") == []


class TestTags:
    @pytest.mark.parametrize(
        ("tags", "in_book", "in_details"),
        [("dropped", "", ""), ("details", "", "t1"), ("book", "t1", "t1")],
    )
    def test_where_a_tag_comes_back(self, start, tags, in_book, in_details):
        sim = start(tags=tags)
        a, b = ClientA(sim), ClientB(sim)
        ids = (a.place(tag="t1"), b.place(ordertag="t1"))
        assert [row["tag"] for row in a.book()] == [[in_book] if in_book else []] * 2
        assert [row.get("ordertag", "") for row in b.book()] == [in_book] * 2
        for order_id in ids:
            assert a.details(order_id)[0]["tag"] == (in_details or None)
            assert b.details(order_id)[0]["ordertag"] == in_details


class TestOrderUpdates:
    def test_messages_of_both_types_for_an_order_and_its_trade(self, sim, a, market):
        told = []
        sim.exchange.on_order(lambda client, order: told.append((client, order)))
        order_id = a.place(tag="t1")
        market.set_price(INFY, 1240)
        messages = [
            (
                a_rows.order_update(client, order, Settings()),
                b_rows.order_update(order, Settings()),
            )
            for client, order in told
        ]
        assert [m["type"] for m, _ in messages] == ["order", "order", "trade"]
        assert [m["order_status"] for _, m in messages] == ["order", "order", "trade"]
        a_trade, b_trade = messages[-1][0]["data"], messages[-1][1]["orderData"]
        assert set(a_trade) == A_UPDATE | {"tag"}
        assert set(b_trade) == B_UPDATE
        assert (a_trade["order_id"], a_trade["filled_quantity"]) == (order_id, 10)
        assert (b_trade["filledshares"], b_trade["averageprice"]) == ("10", "1240")
        assert (b_trade["fillid"], b_trade["filltime"]) == ("206000001", "14:42:18")
        for name in ("price", "triggerprice", "squareoff", "stoploss", "strikeprice"):
            assert isinstance(b_trade[name], int)


# 10.7 and 11.5.
A_UPDATE = {
    "user_id", "app_id", "placed_by", "exchange_order_id", "status", "status_message_raw",
    "exchange_update_timestamp", "variety", "tradingsymbol", "order_type", "validity", "quantity",
    "price", "average_price", "pending_quantity", "market_protection", "unfilled_quantity",
    "checksum", "order_id", "parent_order_id", "status_message", "order_timestamp",
    "exchange_timestamp", "exchange", "instrument_token", "transaction_type", "product",
    "disclosed_quantity", "trigger_price", "filled_quantity", "cancelled_quantity", "guid",
}  # fmt: skip
B_UPDATE = {
    "variety", "ordertype", "ordertag", "producttype", "quantity", "disclosedquantity",
    "duration", "tradingsymbol", "transactiontype", "exchange", "symboltoken", "instrumenttype",
    "optiontype", "expirydate", "lotsize", "cancelsize", "averageprice", "filledshares",
    "unfilledshares", "orderid", "text", "status", "orderstatus", "updatetime", "exchtime",
    "exchorderupdatetime", "fillid", "filltime", "parentorderid", "price", "triggerprice",
    "squareoff", "stoploss", "trailingstoploss", "strikeprice",
}  # fmt: skip


class TestControlPage:
    def post(self, sim: Simulator, path: str, **form: object) -> int:
        app = sim_app(sim)
        token = app.get("/").text.split('name="token" value="')[1].split('"')[0]
        answer = app.post(
            f"/control/{path}",
            data={"token": token, **form},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        return answer.status_code

    def test_the_book_is_shown_and_orders_are_settled_by_hand(self, sim, a):
        ids = [a.place(), a.place(), a.place()]
        page = sim_app(sim).get("/").text
        assert all(order_id in page for order_id in ids)
        who = {"client_code": sim.demo.client_code}
        assert self.post(sim, "order", action="fill", order_id=ids[0], quantity="4", **who) == 303
        assert self.post(sim, "order", action="reject", order_id=ids[1], **who) == 303
        assert self.post(sim, "order", action="cancel", order_id=ids[2], **who) == 303
        assert self.post(sim, "order", action="cancel", order_id=ids[2], **who) == 400
        assert [(r["status"], r["filled_quantity"]) for r in a.book()] == [
            ("Cancelled", 0), ("Rejected", 0), ("Pending", 4),
        ]  # fmt: skip

    def test_the_exchanges_behaviour_is_set(self, sim, a):
        form = {"shortest": "1", "longest": "2.5", "seed": "7", "transit": "3", "by_hand": "on"}
        assert self.post(sim, "exchange", largest_fill="5", **form) == 303
        behaviour = sim.exchange.behaviour
        assert behaviour.book_delay_bounds == (1.0, 2.5)
        assert (behaviour.largest_fill, behaviour.matching) == (5, False)
        assert behaviour.transit == timedelta(seconds=3)
        assert self.post(sim, "exchange", shortest="5", longest="1") == 400

    def test_to_look_at_the_page_or_to_set_behaviour_opens_nothing(self):
        with Simulator() as sim:
            assert "No order yet." in sim_app(sim).get("/").text
            assert self.post(sim, "exchange", transit="3") == 303
            assert not sim.world.has_market
            assert not sim.world.has_exchange
            assert sim.exchange.behaviour.transit == timedelta(seconds=3)


def sim_app(sim: Simulator):
    from broker_simulator.mstock.control import create_control

    return create_control(sim).test_client()
