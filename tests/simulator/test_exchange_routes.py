"""The order routes of both types over real sockets: one state, and each type's shapes and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from broker_simulator.mstock import IST, Simulator
from broker_simulator.mstock import order_rows_a as a_rows
from broker_simulator.mstock import order_rows_b as b_rows
from broker_simulator.mstock.settings import Settings
from tests.support.stub_market import ACC_FUT, INFY, NIFTY_CE, StubMarket
from tests.support.trading_clients import ClientA, ClientB

MOMENT = datetime(2025, 1, 1, 14, 42, 18, tzinfo=IST)
ORDER_ID = "21612501010001"
GONE = "Order Does not Exsist.Need to refresh orderbook / relogin in application "


@pytest.fixture
def market() -> StubMarket:
    return StubMarket()


@pytest.fixture
def start(market: StubMarket) -> Iterator[Callable[..., Simulator]]:
    running: list[Simulator] = []

    def start(**settings: object) -> Simulator:
        sim = Simulator(market=market, **settings).start()  # type: ignore[arg-type]
        running.append(sim)
        sim.clock.set(MOMENT, frozen=True)
        return sim

    yield start
    for sim in running:
        sim.stop()


@pytest.fixture
def sim(start) -> Simulator:
    return start()


@pytest.fixture
def a(sim: Simulator) -> ClientA:
    return ClientA(sim)


@pytest.fixture
def b(sim: Simulator) -> ClientB:
    return ClientB(sim)


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


class TestTypeA:
    def test_place_answers_in_a_list_and_the_book_has_the_documents_fields(self, a):
        assert a.try_place().json() == [{"status": "success", "data": {"order_id": ORDER_ID}}]
        (row,) = a.book()
        assert row == {
            "placed_by": "MA0000001", "order_id": ORDER_ID,
            "exchange_order_id": "1300000000000001", "parent_order_id": None,
            "status": "Pending", "status_message": "CONFIRMED", "status_message_raw": None,
            "order_timestamp": "01-01-2025 14:42:18", "exchange_update_timestamp": None,
            "exchange_timestamp": None, "variety": None, "modified": "false", "exchange": "NSE",
            "tradingsymbol": "INFY", "instrument_token": 1594, "order_type": "LIMIT",
            "transaction_type": "BUY", "validity": "DAY", "product": "INTRADAY", "quantity": 10,
            "disclosed_quantity": 0, "price": 1240, "trigger_price": 0, "average_price": 0,
            "filled_quantity": 0, "pending_quantity": 10, "cancelled_quantity": 0,
            "market_protection": 0, "meta": {"demat_consent": "physical"}, "tag": [], "guid": "",
        }  # fmt: skip

    def test_details_are_the_history_latest_first(self, a, market):
        order_id = a.place(transaction_type="SELL", order_type="SL", price=1190, trigger_price=1200)
        market.set_price(INFY, 1199)
        rows = a.details(order_id)
        assert [(r["status"], r["status_message"], r["order_type"]) for r in rows] == [
            ("Traded", "TRADE CONFIRMED", "LIMIT"),
            ("Triggered", "STOPLOSS TRIGGER", "LIMIT"),
            ("Pending", "CONFIRMED", "SL"),
            ("Transit", "", "SL"),
        ]
        assert {r["order_timestamp"] for r in rows} == {"01-01-2025 02:42:18 PM"}
        assert all(r["modified"] is False and r["tag"] is None for r in rows)
        assert a.data("POST", "order/details", data={"order_no": "1", "segment": "E"}) is None

    def test_a_risk_refusal_shows_in_the_book_only(self, a):
        order_id = a.place(quantity=100_000)
        (row,) = a.book()
        assert (row["order_id"], row["status"], row["exchange_order_id"]) == (
            order_id, "Rejected", "0",
        )  # fmt: skip
        assert row["status_message"].startswith(f"RMS:{order_id}:NSE,EQUITY,1594,INFY,INTRADAY,,EQ")

    @pytest.mark.parametrize("symbol", ["INFY", "INFY-EQ"])
    def test_symbols_with_and_without_their_series(self, a, symbol):
        a.place(tradingsymbol=symbol)
        assert a.book()[0]["instrument_token"] == 1594

    @pytest.mark.parametrize(
        "change",
        [
            {"tradingsymbol": "NOSUCH"}, {"exchange": "NFO"}, {"order_type": "STOPLOSS_LIMIT"},
            {"quantity": "ten"}, {"quantity": -1}, {"price": "NaN"}, {"validity": "GTC"},
            {"product": "BO"}, {"variety": "iceberg"}, {"disclosed_quantity": 10},
        ],
    )  # fmt: skip
    def test_bad_input_is_an_input_exception_without_an_id(self, a, change):
        answer = a.try_place(**change)
        assert (answer.status_code, answer.json()["error_type"]) == (200, "InputException")
        assert answer.json()["message"]
        assert a.book() == []

    def test_a_missing_field_gets_the_frameworks_body(self, a):
        form = a.order()
        del form["product"]
        answer = a.call("POST", "orders/regular", data=form)
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"product": ["The product field is required."]}

    def test_outside_market_hours(self, sim, a):
        sim.clock.set(MOMENT.replace(hour=20), frozen=True)
        a = ClientA(sim)
        assert a.try_place().json() == {
            "status": "error",
            "message": "System is not connected to NSE Equity market",
            "error_type": "InputException",
            "data": None,
        }
        a.place("amo")
        assert a.book()[0]["status"] == "O-Pending"

    def test_modify_and_cancel_of_an_unknown_order(self, a):
        for answer in (a.modify("21612501019999"), a.cancel("21612501019999")):
            assert answer.status_code == 200
            assert answer.json() == {
                "status": "error", "message": GONE, "error_type": "InputException", "data": None,
            }  # fmt: skip

    def test_node_puts_the_variety_into_the_path(self, a):
        order_id = a.place("co", order_type="LIMIT", trigger_price=1200)
        assert a.call("DELETE", f"orders/co/{order_id}").json()["status"] == "success"

    def test_cover_order_has_a_parent(self, a):
        order_id = a.place("co", order_type="MARKET", price=0, trigger_price=1200)
        exit_, entry = a.book()
        assert (entry["parent_order_id"], exit_["parent_order_id"]) == (None, order_id)
        assert (exit_["order_type"], exit_["transaction_type"]) == ("SL", "SELL")

    def test_conversion(self, a):
        a.place(price=1250)
        form = {
            "tradingsymbol": "INFY", "exchange": "NSE", "transaction_type": "BUY",
            "position_type": "DAY", "quantity": 10, "old_product": "MIS", "new_product": "CNC",
        }  # fmt: skip
        assert a.call("POST", "portfolio/convertposition", data=form).json() == {
            "status": "success", "data": None,
        }  # fmt: skip
        assert [(r["product"], r["quantity"]) for r in a.positions()] == [("CNC", 10)]
        answer = a.call("POST", "portfolio/convertposition", data=form).json()
        assert answer["error_type"] == "MiraeException"
        assert answer["message"] == (
            "NSE EQUITY 1594 EQ MA0000001 B 10 I INSUFICIENT QUANTITY TO CONVERT. "
            "INSUFICIENT QUANTITY: 10 AVAILABLE QUANTITY: 0"
        )

    def test_positions_and_m2m(self, a, market):
        a.place(price=1250)
        market.set_price(INFY, 1260)
        (row,) = a.positions()
        assert (row["average_price"], row["value"], row["m2m"]) == (1250, 12500, 100)
        assert (row["pnl"], row["realised"], row["unrealised"]) == (0, 0, 0)
        assert a.data("GET", "portfolio/positions")["day"] is None

    def test_margin(self, a):
        order = {
            "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY",
            "variety": "regular", "product": "CNC", "order_type": "MARKET", "quantity": 1,
            "price": 0, "trigger_price": 0,
        }  # fmt: skip
        data = a.data("POST", "margins/orders", json=order)
        assert (data["total"], data["tradingsymbol"], data["span"]) == (1250, "INFY", 0)

    def test_trade_history_names_the_company_and_the_exchanges_order(self, a):
        a.place(price=1250)
        (row,) = a.data("POST", "trades", data={"fromdate": "01-01-2025", "todate": "01-01-2025"})
        assert (row["tradingsymbol"], row["instrument_token"]) == ("INFY LIMITED", 0)
        assert row["order_id"] == row["exchange_order_id"] == "1300000000000001"
        assert (row["order_timestamp"], row["fill_timestamp"]) == (
            "2025-01-01 14:42:18", "14:42:18",
        )  # fmt: skip


class TestTypeB:
    def test_place_answers_in_a_list_and_the_book_has_strings_and_nulls(self, b):
        data = {"script": "INFY-EQ", "orderid": ORDER_ID, "uniqueorderid": ""}
        assert b.try_place().json() == [
            {"status": "true", "message": "SUCCESS", "errorcode": "", "data": data}
        ]
        (row,) = b.book()
        assert row == {
            "variety": None, "ordertype": "LIMIT", "producttype": "INTRADAY", "duration": "DAY",
            "price": "1240.00", "triggerprice": "0", "quantity": "10", "disclosedquantity": "0",
            "squareoff": "0", "stoploss": "0", "trailingstoploss": "0", "tradingsymbol": "INFY",
            "transactiontype": "BUY", "exchange": "NSE", "symboltoken": "1594",
            "instrumenttype": "EQUITY", "strikeprice": "0", "optiontype": "XX",
            "expirydate": "2025-Jan-01", "lotsize": "", "cancelsize": "0", "averageprice": "0",
            "filledshares": "0", "unfilledshares": "10", "orderid": ORDER_ID,
            "text": "CONFIRMED", "status": "Pending", "orderstatus": "Pending",
            "updatetime": "2025-Jan-01 14:42:18", "exchtime": "",
            "exchorderupdatetime": "2025-Jan-01 14:42:18", "fillid": "", "filltime": "",
            "parentorderid": "", "uniqueorderid": "", "exchangeorderid": "1300000000000001",
        }  # fmt: skip

    def test_derivatives_come_back_under_the_cash_exchange(self, b):
        b.place(instrument=NIFTY_CE, quantity="25", producttype="CARRYFORWARD", price="810")
        b.place(instrument=ACC_FUT, quantity="300", producttype="CARRYFORWARD", price="2300")
        future, option = b.book()
        assert (option["exchange"], option["symboltoken"]) == ("NSE", "50374")
        assert (option["tradingsymbol"], option["instrumenttype"]) == (
            "NIFTY-30Jan2025-24000-CE", "OPTIDX",
        )  # fmt: skip
        assert (option["strikeprice"], option["optiontype"], option["expirydate"]) == (
            "24000", "CE", "2025-Jan-30",
        )  # fmt: skip
        assert (future["tradingsymbol"], future["instrumenttype"]) == (
            "ACC-30Jan2025-FUT",
            "FUTSTK",
        )
        assert (future["strikeprice"], future["optiontype"]) == ("-0.01", "XX")
        position = {row["symboltoken"]: row for row in b.positions()}["50374"]
        assert (position["tradingsymbol"], position["symbolname"]) == (
            "", "NIFTY-30Jan2025-24000-CE",
        )  # fmt: skip
        assert (position["expirydate"], position["lotsize"]) == ("30-Jan-2025", "25")

    def test_the_sample_position_of_the_documents(self, b, market):
        """100 bought at 800.10, 600 sold at 799.97: net -500 at 799.94 (7.14)."""
        order = {"instrument": NIFTY_CE, "producttype": "INTRADAY", "ordertype": "MARKET"}
        b.sim.accounts["MA0000001"].funds = dict(b.sim.accounts["MA0000002"].funds)
        market.set_price(NIFTY_CE, "800.1")
        b.place(quantity="100", price="0", **order)
        market.set_price(NIFTY_CE, "799.97")
        b.place(quantity="600", price="0", transactiontype="SELL", **order)
        (row,) = b.positions()
        assert all(isinstance(value, str) for value in row.values())
        assert (row["buyqty"], row["sellqty"], row["netqty"]) == ("100", "600", "-500")
        assert (row["buyamount"], row["sellamount"]) == ("800.1", "799.97")
        assert (row["totalbuyvalue"], row["totalsellvalue"]) == ("80010", "479982")
        assert (row["netvalue"], row["avgnetprice"], row["netprice"]) == (
            "399972", "799.94", "799.94",
        )  # fmt: skip

    def test_details_have_numbers_a_tag_and_no_exchange_order_id(self, b):
        order_id = b.place(ordertag="tag1")
        latest, first = b.details(order_id)
        assert (first["status"], latest["status"]) == ("Transit", "Pending")
        assert (latest["price"], latest["triggerprice"], latest["strikeprice"]) == (1240, 0, 0)
        assert latest["updatetime"] == "01-01-2025 02:42:18 PM"
        assert latest["ordertag"] == "tag1"
        assert "exchangeorderid" not in latest
        answer = b.call("GET", "order/details", json={"order_no": order_id})
        assert answer.json()["data"] == b.details(order_id)

    def test_the_trade_book_row(self, a, b):
        order_id = b.place(price="1250", producttype="DELIVERY")
        (row,) = b.trades()
        assert row == {
            "ALGO_ID": "0", "BUY_SELL": "Buy", "CLIENT_ID": "MA0000001", "ENCASH_FLG": "N",
            "EXCHANGE": "NSE", "EXCH_ORDER_NUMBER": "1300000000000001", "EXPIRY_DATE": "0",
            "FULL_SYMBOL": "INFY LIMITED", "GTC_FLG": "N", "INSTRUMENT_NAME": "EQUITY",
            "MKT_PROTECT_FLG": "N", "MKT_PROTECT_VAL": 0, "MKT_TYPE": "NL", "OPT_TYPE": "XX",
            "ORDER_DATE_TIME": "01-01-2025 14:42:18", "ORDER_NUMBER": order_id,
            "ORDER_TYPE": "LIMIT", "PAN_NO": "AAAAA0000A", "PARTICIPANT_TYPE": "B",
            "PRICE": 1250, "PRODUCT": "CNC", "QUANTITY": 10, "R": 1, "REMARKS1": "NA",
            "REMARKS2": "NA", "SEC_ID": "1594", "SEGMENT": "E", "SETTLOR": "90144",
            "SOURCE_FLG": "WEB", "STRIKE_PRICE": 0, "SYMBOL": "INFY",
            "TRADE_NUMBER": "206000001", "TRADE_VALUE": 12500,
        }  # fmt: skip

    def test_a_risk_refusal_comes_at_once_or_in_the_book(self, start):
        for at_once in (True, False):
            b = ClientB(start(refuse_at_once=at_once))
            answer = b.try_place(quantity="100000").json()
            (row,) = b.book()
            assert row["status"] == "Rejected"
            if at_once:
                assert (answer["status"], answer["errorcode"]) == ("false", "RS-0111")
                assert answer["message"] == row["text"]
            else:
                assert answer[0]["data"]["orderid"] == row["orderid"]

    @pytest.mark.parametrize(
        ("change", "errorcode"),
        [
            ({"symboltoken": "99"}, "IA400"), ({"exchange": "BSE"}, "IA400"),
            ({"ordertype": "SL"}, "IA400"), ({"variety": "ROBO"}, "IA400"),
            ({"producttype": "BO"}, "400"), ({"disclosedquantity": "10"}, "IA400"),
            ({"ordertag": "a" * 20}, "IA400"), ({"ordertag": "a b"}, "IA400"),
            ({"ordertype": "STOPLOSS_LIMIT", "triggerprice": "0"}, "IA400"),
        ],
    )  # fmt: skip
    def test_bad_input_has_a_code_and_no_id(self, b, change, errorcode):
        answer = b.try_place(**change)
        assert (answer.status_code, answer.json()["errorcode"]) == (400, errorcode)
        assert answer.json()["message"]
        assert b.book() == []

    def test_numbers_for_strings_are_for_the_tolerant_profile(self, start):
        assert ClientB(start()).try_place(quantity=10).status_code == 400
        ClientB(start(profile="tolerant")).place(quantity=10)

    def test_modify_and_cancel_of_dead_orders(self, b):
        order_id = b.place(price="1250")
        text = "Order is Cancelled.Kindly refresh your OrderBook"
        for answer, code in ((b.modify(order_id), "RS-0034"), (b.cancel(order_id), "RS-00093")):
            assert answer.status_code == 200
            assert answer.json() == {
                "status": "false", "message": text, "errorcode": code, "data": None,
            }  # fmt: skip

    def test_trigger_prices_of_a_modification(self, b):
        order_id = b.place()
        blank = b.modify(order_id, triggerprice="")
        assert (blank.json()["errorcode"], blank.json()["message"]) == (
            "IA400", "Trigger price can not be blank.",
        )  # fmt: skip
        wrong = b.modify(order_id, ordertype="STOPLOSS_LIMIT", triggerprice="1200")
        assert (wrong.status_code, wrong.json()["errorcode"], wrong.json()["message"]) == (
            401, "400", "Enter valid trigger price.",
        )  # fmt: skip

    def test_get_on_place_is_405(self, b):
        assert b.call("GET", "orders/regular").status_code == 405

    def test_token_and_key_refusals_by_route(self, b):
        b.http.headers["Authorization"] = "Bearer dead"
        for path, status in (("orders", 400), ("portfolio/positions", 401)):
            answer = b.call("GET", path)
            assert (answer.status_code, answer.json()["errorcode"]) == (status, "IA401")
            assert answer.json()["status"] is False
        assert b.call("POST", "margins/orders", json={"orders": []}).status_code == 200
        b.http.headers["X-PrivateKey"] = "unknown"
        answer = b.call("GET", "orders")
        assert (answer.status_code, answer.json()["errorcode"]) == (400, "IA403")

    def test_margin_sums_up_and_needs_orders(self, b):
        order = {
            "product_type": "DELIVERY", "transaction_type": "BUY", "quantity": "5",
            "price": "2250", "exchange": "NSE", "symbol_name": "ACC", "token": "22",
            "trigger_price": 0,
        }  # fmt: skip
        future = order | {
            "product_type": "CARRYFORWARD", "exchange": "NFO", "token": ACC_FUT.token,
            "quantity": 300, "price": 2260,
        }  # fmt: skip
        data = b.data("POST", "margins/orders", json={"orders": [order, future]})
        assert data["summary"]["total_charges"] == 11250 + 101700
        amounts = {part["name"]: part["amount"] for part in data["charges"][1]["breakup"]}
        assert (amounts["SPANMARGIN"], amounts["EXPOMARGIN"]) == (81360, 20340)
        assert [charge["total_charges"] for charge in data["charges"]] == [11250, 101700]
        answer = b.call("POST", "margins/orders", json={})
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"orders": ["The orders field is required."]}

    def test_conversion_of_a_derivative_under_the_cash_exchange(self, b):
        b.place(instrument=NIFTY_CE, quantity="25", producttype="CARRYFORWARD", price="810")
        body = {
            "exchange": "NSE", "symboltoken": NIFTY_CE.token, "oldproducttype": "CARRYFORWARD",
            "newproducttype": "INTRADAY", "tradingsymbol": NIFTY_CE.symbol,
            "symbolname": "NIFTY", "transactiontype": "BUY", "quantity": 25, "type": "DAY",
        }  # fmt: skip
        assert b.data("POST", "portfolio/convertposition", json=body) is None
        assert [row["producttype"] for row in b.positions()] == ["INTRADAY"]
        answer = b.call("POST", "portfolio/convertposition", json=body).json()
        assert (answer["errorcode"], answer["status"]) == ("MA0034", "false")

    def test_after_market_order(self, sim):
        sim.clock.set(MOMENT.replace(hour=20), frozen=True)
        b = ClientB(sim)
        assert b.try_place().json()["message"] == "System is not connected to NSE Equity market"
        order_id = b.place(variety="AMO")
        b.modify(order_id, price="1230")
        assert b.book()[0]["status"] == "O-Modified"
        b.cancel(order_id)
        assert b.book()[0]["orderstatus"] == "O-Cancelled"


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
