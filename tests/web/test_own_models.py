"""What mStock's own pages show, without a page: books, quotes, depth, and the words on the feed."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from broker._kit.clock import IST
from broker._kit.errors import Unreachable
from broker.mstock.mapping.positions import Position
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.orders.journal import Entry
from broker.mstock.streaming.feed import FeedState, FeedStatus
from broker.mstock.web import books, market
from broker.mstock.web.books import LastRead, Read
from broker.mstock.web.live import live_words

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=IST)


def position(**changed: Any) -> dict[str, Any]:
    row = {
        "symbol": "INFY", "exchange": "NSE", "product": "MIS", "quantity": 50,
        "average_price": 1500.0, "ltp": 1510.5, "pnl": 525.0, "realized": 0.0, "unrealized": 525.0,
    }  # fmt: skip
    return {**row, **changed}


def without_price(**changed: Any) -> dict[str, Any]:
    left_out = ("ltp", "pnl", "realized", "unrealized")
    return {k: v for k, v in position(**changed).items() if k not in left_out}


def order(**changed: Any) -> dict[str, Any]:
    row = {
        "symbol": "INFY", "exchange": "NSE", "action": "BUY", "quantity": 10, "price": 1500.0,
        "trigger_price": 0.0, "pricetype": "LIMIT", "product": "MIS", "orderid": "21",
        "order_status": "open", "timestamp": "2026-11-23 09:31:07", "filled_quantity": 0,
        "pending_quantity": 10, "average_price": 0.0,
    }  # fmt: skip
    return {**row, **changed}


def table(name: str, rows: list[dict[str, Any]]) -> books.Table:
    return books.BOOKS[name].table(name, Read(rows, NOW))


def texts(cells: tuple[books.Cell, ...]) -> list[str]:
    return [cell.text for cell in cells]


class TestProfit:
    def test_it_is_the_sum_of_booked_and_open(self) -> None:
        rows = [position(), position(pnl=-75.5, realized=-100.0, unrealized=24.5)]
        found = books.profit_of(rows)
        assert found == (Decimal("449.5"), Decimal("-100.0"), Decimal("549.5"), 0)
        assert found.cells["total"].text == "+₹449.50"
        assert found.cells["booked"].tone == "loss"

    def test_a_position_without_a_price_is_counted_and_is_no_zero(self) -> None:
        found = books.profit_of([position(), without_price()])
        assert found.total == Decimal("525.0")
        assert found.missing_words == "Without 1 position whose last price or cost is not known."

    def test_without_any_price_there_is_no_figure(self) -> None:
        found = books.profit_of([without_price()])
        assert found.total is None
        assert found.cells["total"].text == "not known"


class TestTables:
    def test_a_position_without_profit_says_what_it_lacks(self) -> None:
        without_cost = without_price() | {"ltp": 790.0}
        for row, lacks in ((without_price(), "no last price"), (without_cost, "cost not known")):
            (cells,) = table("positions", [row]).rows
            assert lacks in [cell.small for cell in cells]

    def test_a_position(self) -> None:
        (row,) = table("positions", [position(realized=25.0)]).rows
        assert texts(row) == ["INFY", "50", "1,500.00", "1,510.50", "+₹525.00"]
        assert row[4].small == "+₹25.00 booked"

    def test_a_position_without_a_price_says_so(self) -> None:
        (row,) = table("positions", [without_price(quantity=-50)]).rows
        assert texts(row) == ["INFY", "−50", "1,500.00", "not known", "not known"]

    def test_open_positions_come_before_closed_ones(self) -> None:
        closed = without_price(quantity=0) | {"pnl": 10.0, "realized": 10.0, "unrealized": 0.0}
        shown = table("positions", [closed, position()])
        assert [row[1].text for row in shown.rows] == ["50", "closed"]
        assert shown.rows[1][3].text == "–"
        assert shown.summary == "1 open, 1 closed"

    def test_prices_of_currencies_keep_their_digits(self) -> None:
        assert books.price_text(84.0025) == "84.0025"
        assert books.price_text(84.5) == "84.50"

    def test_open_orders_come_first_then_the_newest(self) -> None:
        done = {"order_status": "complete", "filled_quantity": 10, "average_price": 1499.5}
        rows = [order(orderid="1"), order(orderid="2", **done), order(orderid="3", **done)]
        shown = table("orders", rows)
        assert [row[0].small[-1] for row in shown.rows] == ["1", "3", "2"]
        assert shown.summary == "1 open, 2 completed"
        assert texts(shown.rows[1]) == ["BUY INFY", "10 of 10", "1,499.50", "09:31:07", "complete"]
        assert shown.rows[1][2].small == "limit 1,500.00"

    def test_a_holding_without_a_last_price_is_no_loss(self) -> None:
        row = {
            "symbol": "INFY", "exchange": "NSE", "quantity": 10, "product": "CNC",
            "average_price": 100.0, "ltp": 110.0, "pnl": 100.0, "pnlpercent": 10.0,
        }  # fmt: skip
        bare = {name: row[name] for name in row if name not in ("ltp", "pnl", "pnlpercent")}
        shown = table("holdings", [row, bare])
        assert texts(shown.rows[1])[3:] == ["not known", "not known"]
        assert "profit and loss +₹100.00, without 1 holding" in shown.summary
        assert "₹" not in table("holdings", [bare]).summary

    def test_a_rejected_order_says_why(self) -> None:
        row = order(order_status="rejected", rejection_reason="No funds.", price=0.0)
        (cells,) = table("orders", [row]).rows
        assert (cells[0].note, cells[4].tone, cells[2].text) == ("No funds.", "loss", "market")

    def test_a_status_that_is_not_known_is_counted(self) -> None:
        assert table("orders", [order(order_status="Frozen")]).summary == "1 other"

    def test_an_empty_book_and_one_that_was_not_read_are_two_things(self) -> None:
        assert table("orders", []).empty == "No orders today."
        error = Unreachable("mStock is away.")
        failed = books.BOOKS["orders"].table("orders", Read(None, None, error))
        assert (failed.empty, failed.rows) == ("", [])
        assert failed.problem is not None
        kept = books.BOOKS["orders"].table("orders", Read([order()], NOW, error))
        assert kept.old_words == "These are the rows of 23 Nov 2026, 10:00:00 IST."
        assert len(kept.rows) == 1

    def test_a_call_of_unknown_outcome(self) -> None:
        entry = Entry(
            "oa12", "place", NOW, side="BUY", quantity=10, symbol="INFY", exchange="NSE",
            product="MIS", price_type="LIMIT", price=Decimal(1500),
        )  # fmt: skip
        page = books.page({"positions": Read([], NOW)}, [entry], NOW)
        assert page.unknown == ["10:00:00 order BUY 10 INFY NSE MIS LIMIT 1,500.00 (tag oa12)"]
        assert page.profit is None
        cancel = books.unknown_words(Entry("oa13", "cancel", NOW, order_id="77"))
        assert cancel == "10:00:00 cancel of order 77 (tag oa13)"


class TestLive:
    def held(self, last_price: float | None = None) -> Position:
        return Position(
            "1594", ("NSE",), "INFY-EQ", "MIS", "INTRADAY", 50, 1500.0, 1500.0, 75000.0, 0.0, 1.0,
            last_price,
        )  # fmt: skip

    @pytest.mark.parametrize("sent", [None, 1490.0], ids=["B", "A"])
    def test_a_live_price_replaces_that_of_the_page(self, sent: float | None) -> None:
        read = {"positions": Read([position()], NOW)}
        last = LastRead(read, [self.held(sent)], lambda token, exchange: "INFY")
        (row,) = books.with_prices(last, {("INFY", "NSE"): (1520.0, NOW)})
        assert (row["ltp"], row["pnl"]) == (1520.0, 1000.0)
        older = NOW - timedelta(seconds=1)  # than the reading of the page
        (row,) = books.with_prices(last, {("INFY", "NSE"): (1520.0, older)})
        assert (row["ltp"], row["pnl"]) == (1510.5, 525.0)
        (row,) = books.with_prices(last, {})
        assert (row["ltp"], row["pnl"]) == (1510.5, 525.0)

    def test_without_any_price_there_is_still_none(self) -> None:
        read = {"positions": Read([without_price()], NOW)}
        last = LastRead(read, [self.held()], lambda token, exchange: "INFY")
        cells = books.live_cells(books.with_prices(last, {}))
        assert cells["NSE:INFY:MIS pnl"][0] == cells["total"][0] == "not known"

    def test_every_cell_of_the_page_that_can_change_has_its_live_text(self) -> None:
        rows = [position()]
        shown = [cell for row in table("positions", rows).rows for cell in row if cell.key]
        shown += books.profit_of(rows).cells.values()
        cells = books.live_cells(rows)
        assert {cell.key: cell.text for cell in shown} == {k: v[0] for k, v in cells.items()}

    @pytest.mark.parametrize(
        ("state", "reason", "moved", "is_live", "words"),
        [
            (FeedState.CONNECTED, "", 2, True, "Live: last price at 10:00:00 IST."),
            (FeedState.CONNECTED, "", 1, True, "1 of 2 prices have not moved yet"),
            (FeedState.CONNECTED, "", 0, True, "no price has moved yet"),
            (FeedState.CONNECTING, "", 0, False, "Not live: connecting to mStock."),
            (FeedState.WAITING, "Gone silent.", 2, False, "Not live: Gone silent. The last price"),
            (FeedState.NO_SESSION, "Log in.", 0, False, "Not live: Log in."),
        ],
    )
    def test_the_words_on_the_feed(
        self, state: FeedState, reason: str, moved: int, is_live: bool, words: str
    ) -> None:
        status = FeedStatus(state, reason, 2, 2, moved, 1, 0)
        found = live_words(status, 2, moved, "10:00:00 IST" if moved else "", [])
        assert found[0] is is_live
        assert words in found[1]

    def test_what_has_no_live_price_is_named_once(self) -> None:
        status = FeedStatus(FeedState.CONNECTED, "", 0, 0, 0, 1, 0)
        _, words = live_words(status, 0, 0, "", ["No list.", "No list."])
        assert words.count("No list.") == 1


class TestMarket:
    def test_a_quote_leaves_out_what_mstock_did_not_give(self) -> None:
        view = market.quote_view({"ltp": 1510.5, "prev_close": 1500.0, "open": 1501.0})
        assert view.last == "1,510.50"
        assert view.change == ("+10.50 (+0.70 %)", "gain", "", "", "")
        assert view.figures == [("Open", "1,501.00"), ("Previous close", "1,500.00")]
        assert market.quote_view({"ltp": 9.0}).change is None
        fallen = market.quote_view({"ltp": 9.0, "prev_close": 10.0}).change
        assert fallen is not None
        assert fallen.text == "−1.00 (−10.00 %)"

    def test_depth_shows_no_zero_for_a_level_without_an_order(self) -> None:
        level, none = {"price": 99.5, "quantity": 1200}, {"price": 0, "quantity": 0}
        view = market.depth_view(
            {"bids": [level, *[none] * 4], "asks": [level, level, *[none] * 3], "totalbuyqty": 9000}
        )
        assert view.levels[0] == ("1,200", "99.50", "99.50", "1,200")
        assert view.levels[1] == ("", "", "99.50", "1,200")
        assert view.levels[4] == ("", "", "", "")
        assert (view.total_bid, view.total_ask) == ("9,000", "")

    def test_what_an_instrument_is(self) -> None:
        call = InstrumentRow(
            "NIFTY29DEC2624200CE", "N", "NIFTY", "NFO", "NFO", "5", "29-DEC-26", 24200.0, 75, "CE",
            0.05,
        )  # fmt: skip
        assert market.kind_words(call) == "Call option 24,200, 29-DEC-26"
        assert ("Lot size", "75") in market.about(call)
        share = InstrumentRow(
            "M&M", "M&M-EQ", "Mahindra", "NSE", "NSE", "2031", "", 0.0, 1, "EQ", -1
        )
        assert market.kind_words(share) == "Share, Mahindra"
        assert "Tick size" not in dict(market.about(share))
