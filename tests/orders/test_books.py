"""mStock's books as the host shows them: the protocol's sample rows, both API types."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from broker.mstock.errors import DataException
from broker.mstock.mapping import order_data, vocabulary
from broker.mstock.mapping.margin_data import Margin, margin, sum_margins
from broker.mstock.mapping.orders import is_about_orders, order_update, orders, trades
from broker.mstock.mapping.positions import holding_rows, position_rows, positions
from broker.mstock.mapping.refusals import readable_refusal

SYMBOLS = {
    ("22", "NSE"): "ACC",
    ("22", "BSE"): "ANDHRA",
    ("1594", "NSE"): "INFY",
    ("50374", "NFO"): "NIFTY07NOV2424000CE",
    ("11377", "NSE"): "MAHABANK",
    ("14366", "NSE"): "IDEA",
    ("11915", "NSE"): "YESBANK",
    ("35001", "NFO"): "ACC28NOV24FUT",
    ("777", "NSE"): "SOMETHING",
    ("777", "NFO"): "NIFTY28NOV24FUT",
}

A_ORDER: dict[str, Any] = {
    "order_id": "1151240930103",
    "exchange_order_id": "1300000000097849",
    "parent_order_id": None,
    "status": "Rejected",
    "status_message": "EXCH:16308:The order has been canceled due to price freeze.",
    "order_timestamp": "30-09-2024 15:45:46",
    "modified": "false",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "instrument_token": 1594,
    "order_type": "MARKET",
    "transaction_type": "BUY",
    "validity": "DAY",
    "product": "INTRADAY",
    "quantity": 10,
    "disclosed_quantity": 0,
    "filled_quantity": 0,
    "pending_quantity": 0,
    "cancelled_quantity": 0,
    "price": Decimal("0.0"),
    "trigger_price": 0,
    "average_price": 0,
    "tag": [],
}
B_ORDER: dict[str, Any] = {
    "variety": None,
    "ordertype": "SL",
    "producttype": "MARGIN",
    "duration": "DAY",
    "price": "2400.00",
    "triggerprice": "2390",
    "quantity": "900",
    "disclosedquantity": "0",
    "tradingsymbol": "ACC-28Nov2024-FUT",
    "transactiontype": "BUY",
    "exchange": "NSE",
    "symboltoken": "35001",
    "instrumenttype": "FUTSTK",
    "cancelsize": "0",
    "averageprice": "0",
    "filledshares": "0",
    "unfilledshares": "900",
    "orderid": "1142241106106",
    "text": "CONFIRMED",
    "status": "Pending",
    "updatetime": "2024-Nov-06 12:42:18",
    "exchangeorderid": "1000000000017285",
}


def symbol_of(token: str, exchange: str) -> str | None:
    return SYMBOLS.get((token, exchange))


def host_order(api_type: str, row: dict[str, Any]) -> dict[str, Any]:
    (found,) = order_data.order_rows(orders(api_type, [row]), symbol_of)
    return found


class TestOrders:
    def test_type_a(self) -> None:
        assert host_order("A", A_ORDER) == {
            "symbol": "INFY",
            "exchange": "NSE",
            "action": "BUY",
            "quantity": 10,
            "price": 0.0,
            "trigger_price": 0.0,
            "pricetype": "MARKET",
            "product": "MIS",
            "orderid": "1151240930103",
            "order_status": "rejected",
            "timestamp": "2024-09-30 15:45:46",
            "filled_quantity": 0,
            "pending_quantity": 0,
            "average_price": 0.0,
            "rejection_reason": "The exchange refused the order: The order has been canceled due "
            "to price freeze. (EXCH 16308)",
        }

    def test_type_b_derivatives_come_back_on_their_own_exchange(self) -> None:
        row = host_order("B", B_ORDER)
        assert (row["symbol"], row["exchange"]) == ("ACC28NOV24FUT", "NFO")
        assert (row["pricetype"], row["product"]) == ("SL", "MARGIN")
        assert (row["price"], row["trigger_price"]) == (2400.0, 2390.0)
        assert (row["order_status"], row["pending_quantity"]) == ("open", 900)
        assert row["timestamp"] == "2024-11-06 12:42:18"

    def test_a_stop_without_a_price_is_a_stop_at_market(self) -> None:
        assert host_order("B", B_ORDER | {"price": "0.00"})["pricetype"] == "SL-M"

    def test_unknown_words_and_symbols_keep_mstocks_own(self) -> None:
        odd = {"producttype": "BNPL", "status": "Parked", "symboltoken": "1", "ordertype": "TWAP"}
        row = host_order("B", B_ORDER | odd)
        assert (row["product"], row["order_status"], row["pricetype"]) == ("BNPL", "Parked", "TWAP")
        assert (row["symbol"], row["exchange"]) == ("ACC-28Nov2024-FUT", "NFO")

    def test_type_a_tells_one_token_on_two_exchanges_by_the_name(self) -> None:
        row = host_order("A", A_ORDER | {"instrument_token": 777, "tradingsymbol": "NIFTY-FUT"})
        assert (row["symbol"], row["exchange"]) == ("NIFTY28NOV24FUT", "NFO")
        row = host_order("A", A_ORDER | {"instrument_token": 777, "tradingsymbol": "SOMETHING"})
        assert (row["symbol"], row["exchange"]) == ("SOMETHING", "NSE")

    @pytest.mark.parametrize("nothing", [None, [], "", "None"])
    def test_an_empty_book_is_empty(self, nothing: Any) -> None:
        assert orders("B", nothing) == []

    @pytest.mark.parametrize(
        "broken", [{"transactiontype": "?"}, {"quantity": ""}, {"quantity": "1.5"}]
    )
    def test_a_row_without_side_or_quantity_fails_the_book(self, broken: dict[str, str]) -> None:
        with pytest.raises(DataException, match=next(iter(broken))):
            orders("B", [B_ORDER, B_ORDER | broken])

    @pytest.mark.parametrize("garbage", [{"a": 1}, "book", [1], 3])
    def test_what_is_no_book_is_said_to_be_none(self, garbage: Any) -> None:
        with pytest.raises(DataException, match="order book"):
            orders("A", garbage)

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("Transit", "open"),
            ("Pending", "open"),
            ("O-Pending", "open"),
            ("O-Modified", "open"),
            ("O-Cancelled", "cancelled"),
            ("Triggered", "open"),
            ("Rejected", "rejected"),
            ("Cancelled", "cancelled"),
            ("Traded", "complete"),
            ("TRADE CONFIRMED,Traded", "complete"),
            ("TRADE CONFIRMED", "complete"),
            ("trigger pending", "trigger pending"),
        ],
    )
    def test_every_status_of_the_protocol(self, word: str, status: str) -> None:
        assert vocabulary.host_status(word) == status


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30-09-2024 15:45:46", "2024-09-30 15:45:46"),
        ("2025-02-06 05:19:05", "2025-02-06 05:19:05"),
        ("23-01-2025 02:55:55 PM", "2025-01-23 14:55:55"),
        ("2024-Nov-06 12:42:18", "2024-11-06 12:42:18"),
        ("2025-Feb-11 10: 20: 34", "2025-02-11 10:20:34"),
        ("", ""),
        ("soon", ""),
    ],
)
def test_every_time_format_of_the_books(text: str, expected: str) -> None:
    assert vocabulary.host_time(text) == expected


def test_every_product_and_price_type_goes_there_and_back() -> None:
    for api_type in ("A", "B"):
        for host, word in vocabulary.PRODUCTS[api_type].items():
            assert vocabulary.host_product(word) == host
        for host, word in vocabulary.PRICE_TYPES[api_type].items():
            assert vocabulary.host_price_type(word, has_price=host != "SL-M") == host
    for word, host in {"C": "CNC", "MFT": "MTF", "intraday": "MIS", "CO": "CO"}.items():
        assert vocabulary.host_product(word) == host
    for word, host in {"STOP_LOSS": "SL", "STOP_LOSS_MARKET": "SL-M", "lmt": "LIMIT"}.items():
        assert vocabulary.host_price_type(word, has_price=True) == host


@pytest.mark.parametrize("api_type", ["A", "B"])
def test_the_parts_of_a_margin(api_type: str) -> None:
    parts = [{"name": "SPANMARGIN", "amount": 700}, {"name": "EXPOMARGIN", "amount": 300}]
    data = {
        "A": {"total": 1000, "span": 700, "exposure": 300},
        "B": {"summary": {"total_charges": 1000, "breakup": parts}},
    }[api_type]
    assert margin(api_type, data) == Margin(Decimal(1000), Decimal(700), Decimal(300))


def test_a_sum_of_margins_has_the_parts_that_are_known() -> None:
    bare, whole = Margin(Decimal(5), None, None), Margin(Decimal(9), Decimal(7), Decimal(2))
    assert sum_margins([bare, bare]) == Margin(Decimal(10), None, None)
    assert sum_margins([bare, whole, whole]) == Margin(Decimal(23), Decimal(14), Decimal(4))


@pytest.mark.parametrize(
    ("exchange", "kind", "expected"),
    [
        ("NSE", "EQUITY", "NSE"),
        ("NSE", "OPTIDX", "NFO"),
        ("NSE", "FUTSTK", "NFO"),
        ("BSE", "OPTIDX", "BFO"),
        ("NSE", "FUTCUR", "CDS"),
        ("BSE", "OPTCUR", "BCD"),
        ("NFO", "OPTIDX", "NFO"),
        ("MCX", "FUTCOM", "MCX"),
    ],
)
def test_the_exchange_by_instrument_type(exchange: str, kind: str, expected: str) -> None:
    assert vocabulary.host_exchange(exchange, kind) == expected


def test_statistics_add_up() -> None:
    statuses = ("open", "trigger pending", "complete", "rejected", "cancelled", "Parked")
    rows = [{"action": "BUY" if n % 2 else "SELL", "order_status": each} for n, each in
            enumerate(statuses)]  # fmt: skip
    counts = order_data.calculate_order_statistics(rows)
    assert counts == {
        "total_buy_orders": 3,
        "total_sell_orders": 3,
        "total_completed_orders": 1,
        "total_open_orders": 2,
        "total_rejected_orders": 1,
        "total_cancelled_orders": 1,
        "total_other_orders": 1,
    }


def test_trades_find_their_symbol_by_token_not_by_the_company_name() -> None:
    row = {
        "BUY_SELL": "Buy",
        "EXCHANGE": "NSE",
        "FULL_SYMBOL": "VODAFONE IDEA LIMITED",
        "INSTRUMENT_NAME": "EQUITY",
        "ORDER_DATE_TIME": "10-06-2025 13:08:42",
        "ORDER_NUMBER": "21612506101476",
        "PRICE": Decimal("6.98"),
        "PRODUCT": "CNC",
        "QUANTITY": 4,
        "SEC_ID": "14366",
        "SYMBOL": "IDEA",
        "TRADE_NUMBER": "206465040",
        "TRADE_VALUE": Decimal("27.92"),
    }
    (found,) = order_data.trade_rows(trades([row]), symbol_of)
    assert found == {
        "symbol": "IDEA",
        "exchange": "NSE",
        "product": "CNC",
        "action": "BUY",
        "quantity": 4,
        "average_price": 6.98,
        "trade_value": 27.92,
        "orderid": "21612506101476",
        "timestamp": "2025-06-10 13:08:42",
    }


B_POSITION = {
    "exchange": "NSE",
    "symboltoken": "50374",
    "producttype": "CARRYFORWARD",
    "tradingsymbol": "",
    "symbolname": "NIFTY-07Nov2024-24000-CE",
    "instrumenttype": "OPTIDX",
    "multiplier": "1",
    "buyavgprice": "800.1",
    "sellavgprice": "799.97",
    "avgnetprice": "799.94",
    "netqty": "-500",
    "totalbuyvalue": "80010",
    "totalsellvalue": "479980",
}


class TestPositions:
    def rows(self, price: float | None, **changed: str) -> dict[str, Any]:
        found = positions("B", [B_POSITION | changed])
        (row,) = position_rows(found, symbol_of, lambda token, exchange: price)
        return row

    def test_type_b_with_a_quote(self) -> None:
        row = self.rows(790.0)
        assert (row["symbol"], row["exchange"]) == ("NIFTY07NOV2424000CE", "NFO")
        assert (row["product"], row["quantity"]) == ("NRML", -500)
        assert row["ltp"] == 790.0
        # 479980 - 80010 - 500 * 790; the open part against the average sold.
        assert (row["pnl"], row["unrealized"], row["realized"]) == (4970.0, 4985.0, -15.0)

    def test_nothing_is_booked_where_nothing_was_closed(self) -> None:
        short = self.rows(790.0, totalbuyvalue="0", netqty="-600")  # 799.97 on average, rounded
        assert (short["pnl"], short["unrealized"], short["realized"]) == (5980.0, 5980.0, 0.0)
        long = self.rows(
            15.0, netqty="300", buyavgprice="14.33", totalbuyvalue="4300", totalsellvalue="0"
        )
        assert (long["pnl"], long["unrealized"], long["realized"]) == (200.0, 200.0, 0.0)

    def test_type_b_without_a_quote_leaves_price_and_profit_out(self) -> None:
        row = self.rows(None)
        assert row["quantity"] == -500
        assert {"ltp", "pnl", "unrealized", "realized"}.isdisjoint(row)

    def test_a_closed_one_needs_no_quote(self) -> None:
        row = self.rows(None, netqty="0", totalbuyvalue="479000")
        assert (row["pnl"], row["realized"], row["unrealized"]) == (980.0, 980.0, 0.0)
        assert "ltp" not in row

    def test_type_a(self) -> None:
        row = {
            "tradingsymbol": "YESBANK",
            "exchange": "NSE",
            "product": "",
            "instrument_token": 11915,
            "quantity": 100,
            "multiplier": 1,
            "average_price": Decimal("19.05"),
            "last_price": Decimal("27.65"),
            "buy_price": Decimal("19.05"),
            "buy_value": 1905,
            "sell_value": 0,
        }
        found = positions("A", {"net": [row], "day": None})
        (shown,) = position_rows(found, symbol_of, lambda token, exchange: None)
        assert (shown["symbol"], shown["quantity"], shown["ltp"]) == ("YESBANK", 100, 27.65)
        assert shown["pnl"] == shown["unrealized"] == 860.0

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("SOMETHING", ("SOMETHING", "NSE")),
            ("NIFTY24N28FUT", ("NIFTY28NOV24FUT", "NFO")),
        ],
    )
    def test_type_a_tells_one_token_on_two_exchanges_by_the_name(
        self, name: str, expected: tuple[str, str]
    ) -> None:
        row = {"tradingsymbol": name, "exchange": "NSE", "instrument_token": 777, "quantity": 1}
        (found,) = position_rows(positions("A", [row]), symbol_of, lambda *_: None)
        assert (found["symbol"], found["exchange"]) == expected

    @pytest.mark.parametrize(
        "name", ["USDINR24NOVFUT", "X-28Nov2024-FUT", "NIFTY24N2824000CE", "X-07Nov2024-240-PE"]
    )
    def test_a_derivative_that_is_not_known_is_not_the_share_of_its_token(self, name: str) -> None:
        row = {"tradingsymbol": name, "exchange": "NSE", "instrument_token": 22, "quantity": 1}
        (found,) = position_rows(
            positions("A", [row]), lambda _, where: "ACC" if where == "NSE" else None, lambda *_: 1
        )
        assert (found["symbol"], found["exchange"]) == (name, "NFO")

    @pytest.mark.parametrize("unknown", ["totalsellvalue", "sellavgprice"])
    def test_what_has_no_known_cost_has_no_profit(self, unknown: str) -> None:
        row = self.rows(790.0, **{unknown: ""})
        assert row["ltp"] == 790.0
        assert {"pnl", "unrealized", "realized"}.isdisjoint(row)

    def test_what_was_carried_forward_has_its_cost_elsewhere(self) -> None:
        """Type B's averages of the day are 0 then (7.14)."""
        carried = {"sellavgprice": "0", "cfsellavgprice": "800", "totalsellvalue": "400000"}
        row = self.rows(790.0, **carried, totalbuyvalue="0", buyavgprice="0")
        assert (row["pnl"], row["unrealized"], row["realized"]) == (5000.0, 5000.0, 0.0)
        row = self.rows(790.0, **carried, totalbuyvalue="79000", buyavgprice="790", netqty="-400")
        assert (row["pnl"], row["unrealized"], row["realized"]) == (5000.0, 4000.0, 1000.0)

    def test_a_unit_may_count_for_several(self) -> None:
        values = {"totalbuyvalue": "0", "totalsellvalue": "840000", "sellavgprice": "84"}
        row = self.rows(85.0, **values, netqty="-10", multiplier="1000")
        assert (row["pnl"], row["unrealized"]) == (-10000.0, -10000.0)

    @pytest.mark.parametrize("nothing", [None, {"net": None}, {"net": []}])
    def test_none(self, nothing: Any) -> None:
        assert positions("A", nothing) == []

    def test_a_quantity_that_cannot_be_read_fails_the_book(self) -> None:
        with pytest.raises(DataException, match="netqty"):
            positions("B", [B_POSITION | {"netqty": "many"}])


def test_holdings_find_their_symbol_by_token_and_reckon_their_profit() -> None:
    row = {
        "tradingsymbol": "BANK OF MAHARASHTRA",
        "exchange": None,
        "quantity": 10,
        "averageprice": 30,
        "ltp": Decimal("84.7"),
        "symboltoken": "11377",
        "profitandloss": 0,
    }
    found = holding_rows("B", [row], symbol_of)
    assert found == [
        {
            "symbol": "MAHABANK",
            "exchange": "NSE",
            "quantity": 10,
            "product": "CNC",
            "average_price": 30.0,
            "ltp": 84.7,
            "pnl": 547.0,
            "pnlpercent": 182.33,
        }
    ]
    assert order_data.calculate_portfolio_statistics(found) == {
        "totalholdingvalue": 847.0,
        "totalinvvalue": 300.0,
        "totalprofitandloss": 547.0,
        "totalpnlpercentage": 182.33,
    }


def test_a_holding_without_a_last_price_is_no_loss() -> None:
    row = {"symboltoken": "11377", "exchange": "NSE", "quantity": 10, "averageprice": 30}
    found = holding_rows("B", [row | {"ltp": 33}, row | {"ltp": None}], symbol_of)
    assert not {"ltp", "pnl", "pnlpercent"} & found[1].keys()
    sums = order_data.calculate_portfolio_statistics(found)
    assert (sums["totalinvvalue"], sums["totalprofitandloss"]) == (300.0, 30.0)


def test_a_holding_without_a_cost_is_no_gain() -> None:
    row = {"symboltoken": "11377", "exchange": "NSE", "quantity": 10, "averageprice": 0, "ltp": 33}
    found = holding_rows("B", [row, row | {"averageprice": 30}], symbol_of)
    assert found[0]["ltp"] == 33
    assert not {"pnl", "pnlpercent"} & found[0].keys()
    sums = order_data.calculate_portfolio_statistics(found)
    assert (sums["totalholdingvalue"], sums["totalprofitandloss"]) == (330.0, 30.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "RMS:1151240930103:NSE,EQUITY,1594,INFY,INTRADAY,,EQ,SATYA,B,10,I,1250.00000,FUND "
            "LIMIT INSUFFICIENT,AVAILABLE FUND=0,ADDITIONAL REQUIRED FUND=3125,CALCULATED MARGIN "
            "FOR ORDER=3125",
            "Not enough funds: the order needs ₹3,125.00 of margin, ₹0.00 is available, "
            "₹3,125.00 more is required.",
        ),
        (
            "EXCH:16284:The order price is out of the days price range.",
            "The exchange refused the order: The order price is out of the days price range. "
            "(EXCH 16284)",
        ),
        ("RMS:Blocked for trading", "mStock's risk check refused the order: Blocked for trading."),
        ("", ""),
    ],
)
def test_a_refusal_in_one_sentence(text: str, expected: str) -> None:
    assert readable_refusal(text) == expected


class TestUpdates:
    def test_type_a(self) -> None:
        row = A_ORDER | {"price": 0, "status": "Traded", "filled_quantity": 10}
        found = order_update(json.dumps({"type": "order", "data": row}))
        assert found is not None
        assert (found.order_id, found.status, found.filled_quantity) == (
            "1151240930103",
            "complete",
            10,
        )

    def test_type_b(self) -> None:
        found = order_update(json.dumps({"order_status": "order", "orderData": B_ORDER}))
        assert found is not None
        assert (found.order_id, found.candidates) == ("1142241106106", ("NFO",))

    @pytest.mark.parametrize(("filled", "is_taken"), [(4, True), (6, False)])
    def test_a_trade_is_taken_when_its_figures_are_the_orders(
        self, filled: int, is_taken: bool
    ) -> None:
        figures = {"filled_quantity": filled, "pending_quantity": 6, "cancelled_quantity": 0}
        row = A_ORDER | {"quantity": 10, "status": "O-Pending", **figures}
        text = json.dumps({"type": "trade", "data": row}, default=float)
        assert is_about_orders(text)
        assert (order_update(text) is not None) == is_taken

    @pytest.mark.parametrize(
        ("kind", "changed"),
        [
            # One fill of 4 shares, which is not all of the order's 10.
            ("trade", {"quantity": 4, "filled_quantity": 4, "pending_quantity": 0}),
            ("order", {"quantity": 10, "filled_quantity": 0}),
            ("order", {"status": None}),
        ],
    )
    def test_what_may_mislead_is_left_to_the_book(self, kind: str, changed: dict[str, Any]) -> None:
        row = A_ORDER | {"status": "Traded"} | changed
        text = json.dumps({"type": kind, "data": row}, default=float)
        assert is_about_orders(text)
        assert order_update(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "hello",
            "3",
            "[]",
            '{"type":"login","status":"success"}',
            '{"type":"trade","data":{}}',
            '{"type":"order","data":{"order_id":"1"}}',
            '{"type":"order","data":null}',
            '{"type":["order"],"data":{}}',
        ],
    )
    def test_any_other_text_is_none(self, text: str) -> None:
        assert order_update(text) is None
