"""Order updates: each change once and in order, over the socket, by the book, or by both."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import OutcomeUnknown, Unreachable
from broker._kit.secret import Secret
from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import file_url
from broker.mstock.orders.placing import OrderService
from broker.mstock.settings import Config
from broker.mstock.streaming import host_orders, order_listener
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import FeedListener
from broker.mstock.streaming.host_orders import HostOrders, order_adapter
from broker.mstock.streaming.live_prices import LivePrices
from broker.mstock.streaming.order_listener import OrderBook, OrderListener
from broker.mstock.streaming.order_updates import OrderChanges, ShortLives
from broker.mstock.streaming.shared_feed import has_feed, join_feed, leave_feed
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.orders.conftest import CLIENTS, MOMENT, Trader
from tests.streaming.test_feed import until
from tests.support.stub_market import INFY, StubMarket

POLL_S = 0.4
INSTRUMENT = Instrument(INFY.token, INFY.symbol, "NSE", 1, Decimal("0.05"))


def state(status: str, filled: int = 0, at: str = "", **more: Any) -> Order:
    values: dict[str, Any] = {
        **dict.fromkeys(Order._fields, ""),
        "order_id": "1", "status": status, "filled_quantity": filled, "quantity": 10,
        "price": Decimal(1240), "trigger_price": Decimal(0), "time_text": at,
        "price_type": "LIMIT", **more,
    }  # fmt: skip
    return Order(**values)


LIFE = (
    state("trigger pending", 0, "2026-11-23 10:00:00"),
    state("open", 0, "2026-11-23 10:00:01"),
    state("open", 0, "2026-11-23 10:00:02", price=Decimal(1241)),
    state("open", 4, "2026-11-23 10:00:03", price=Decimal(1241)),
    state("open", 6, "2026-11-23 10:00:03", price=Decimal(1241)),
    state("complete", 10, "2026-11-23 10:00:04", price=Decimal(1241)),
)


class TestChanges:
    def test_each_step_of_a_life_is_told_once(self) -> None:
        changes = OrderChanges()
        heard = [each for step in LIFE for each in (step, step) if changes.take(each)]
        assert heard == list(LIFE)

    @given(st.lists(st.sampled_from(range(len(LIFE))), max_size=30))
    def test_no_order_of_arrival_goes_back_or_tells_twice(self, arrivals: list[int]) -> None:
        changes = OrderChanges()
        told = [n for n in arrivals if changes.take(LIFE[n])]
        assert all(a < b for a, b in pairwise(told))
        if arrivals:
            assert told[-1] == max(arrivals)

    @pytest.mark.parametrize(
        ("known", "late"),
        [
            (state("complete", 10), state("open", 10)),
            (state("cancelled", 4), state("open", 4, "2030-01-01 10:00:00")),
            (state("open", 6), state("open", 4)),
            (state("open"), state("trigger pending")),
            (state("rejected"), state("something new")),
        ],
    )
    def test_an_older_state_is_not_told_without_times_either(
        self, known: Order, late: Order
    ) -> None:
        changes = OrderChanges()
        assert changes.take(known)
        assert not changes.take(late)

    def test_an_end_without_figures_is_an_end(self) -> None:
        changes = OrderChanges()
        assert changes.take(state("open", 4))
        assert changes.take(state("complete", 0))

    def test_a_time_written_in_another_way_is_no_change(self) -> None:
        changes = OrderChanges()
        assert changes.take(state("open", 4, "2026-11-23 10:00:00"))
        assert not changes.take(state("open", 4, "23-11-2026 10:00:01"))

    def test_a_stop_that_a_modification_made_again_is_told(self) -> None:
        changes = OrderChanges()
        assert changes.take(state("open", 0, "2026-11-23 10:00:00"))
        assert changes.take(state("trigger pending", 0, "2026-11-23 10:00:05", price_type="SL"))

    @pytest.mark.parametrize(
        "changed",
        [
            {"quantity": 20},
            {"price": Decimal(1241)},
            {"trigger_price": Decimal(1239)},
            {"price_type": "SL"},
        ],
        ids=str,
    )
    def test_each_term_that_a_modification_changes_is_told(self, changed: dict[str, Any]) -> None:
        changes = OrderChanges()
        assert changes.take(state("open"))
        assert changes.take(state("open", **changed))

    def test_the_first_book_tells_nothing_of_orders_that_were_never_heard_of(self) -> None:
        changes = OrderChanges()
        changes.take(state("open", order_id="2"))
        book = [state("complete", 10), state("complete", 10, order_id="2")]
        assert [each.order_id for each in changes.take_book(book)] == ["2"]
        later = [*book, state("open", order_id="3")]
        assert [each.order_id for each in changes.take_book(later)] == ["3"]
        assert changes.take_book(later) == []

    def test_an_update_without_an_id_is_none(self) -> None:
        assert not OrderChanges().take(state("open", order_id=""))


class TestShortLives:
    def test_three_in_a_row_are_too_many_and_a_long_one_starts_anew(self) -> None:
        lives, now = ShortLives(), 0.0
        seen = []
        for seconds in (1, 2, 60, 1, 2, 3):
            lives.connected(now)
            now += seconds
            seen.append(lives.ended(now))
        assert seen == [False, False, False, False, False, True]

    def test_attempts_without_a_login_do_not_count(self) -> None:
        lives = ShortLives()
        assert not any(lives.ended(now) for now in range(10))


class TestListener:
    def test_a_book_that_cannot_be_read_is_read_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(order_listener, "_AGAIN_S", 0.02)
        books: list[Any] = [[], ValueError("a bug"), Unreachable("no")]

        def read() -> list[Order]:
            found = books.pop()
            if isinstance(found, Exception):
                raise found
            return found

        listener = OrderListener(lambda _order: None, lambda: OrderBook(read))
        listener.start()
        until(lambda: not books)
        listener.stop()

    def test_a_callback_that_fails_costs_that_change_only(self) -> None:
        heard: list[str] = []

        def tell(order: Order) -> None:
            heard.append(order.order_id)
            if order.order_id == "1":
                raise RuntimeError("secret")

        books = iter([[], [state("open", order_id=n) for n in "12"]])
        listener = OrderListener(tell, lambda: OrderBook(lambda: next(books, [])))
        listener.start()
        listener.poll_every(0.05)
        until(lambda: heard == ["1", "2"])
        listener.stop()

    def test_what_a_text_does_not_say_is_read_in_the_book(self) -> None:
        heard: list[str] = []
        books = [[state("open")], list[Order]()]
        listener = OrderListener(
            lambda order: heard.append(order.status), lambda: OrderBook(books.pop)
        )
        listener.start()
        until(lambda: len(books) == 1)
        for _ in range(5):  # once for all of them
            listener.on_text(json.dumps({"type": "trade", "data": {"order_id": "1"}}))
            time.sleep(0.02)
        assert not heard
        until(lambda: heard == ["open"])
        listener.stop()


class DeskClock:
    """The simulator's day; seconds pass as they do."""

    def __init__(self, sim: Simulator) -> None:
        self.now = sim.clock.now
        self.monotonic = SYSTEM_CLOCK.monotonic
        self.sleep = SYSTEM_CLOCK.sleep


@dataclass
class Desk:
    """An account at the simulator, and what OpenAlgo was told."""

    trader: Trader
    service: OrderService
    config: Config
    rows: list[dict[str, Any]] = field(default_factory=list)
    adapters: list[HostOrders] = field(default_factory=list)
    looked_at: list[float] = field(default_factory=list)

    @property
    def sim(self) -> Simulator:
        return self.trader.sim

    def open(self, *, is_polled: bool = False) -> HostOrders:
        """Of what the first book shows nothing is told, and connected the book is left alone."""
        adapter = order_adapter("trader")
        assert isinstance(adapter, HostOrders)
        self.adapters.append(adapter)
        adapter.connect()
        until(lambda: self.looked_at and (is_polled or self.is_quiet()))
        return adapter

    def is_quiet(self) -> bool:
        """Nothing has read the book for longer than between two readings of a poll."""
        return time.monotonic() - self.looked_at[-1] > 3 * POLL_S

    def look(self) -> list[Order]:
        found = self.service.settler.look()
        self.looked_at.append(time.monotonic())
        return found

    def login(self) -> FeedLogin:
        return FeedLogin.of(self.config, Secret(self.trader.auth))

    def place(self, price: int, quantity: int = 10) -> str:
        request = OrderRequest("INFY", "NSE", "BUY", quantity, "LIMIT", "MIS", Decimal(price))
        return self.service.place(request, INSTRUMENT).order_id

    def told(self, order_id: str) -> list[tuple[str, int]]:
        return [
            (row["order_status"], row["filled_quantity"])
            for row in self.rows
            if row["orderid"] == order_id
        ]

    def is_heard(self) -> bool:
        return any(each.logged_in for each in self.sim.stream.connections)


@pytest.fixture
def desk(api_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Simulator(market=StubMarket(), rate_limits=False) as sim:
        sim.clock.set(MOMENT)
        more = {"MSTOCK_WS_URL": sim.ws_url, "MSTOCK_ORDER_UPDATES": "socket"}
        for name, value in settings_for(sim, api_type, **more).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(host_orders, "poll_interval", lambda: POLL_S)
        monkeypatch.setattr(order_listener, "_BETWEEN_S", POLL_S / 2)
        config = Config.from_env()
        market = sim.world.market
        assert isinstance(market, StubMarket)
        clock: Any = DeskClock(sim)
        trader = Trader(sim, market, config, CLIENTS[api_type](sim), clock, file_url(str(tmp_path)))
        made = Desk(trader, trader.service(), config)
        book = OrderBook(made.look, lambda: bool(made.service.journal.unknown()))
        monkeypatch.setattr(host_orders, "session_token", lambda _user: Secret(trader.auth))
        monkeypatch.setattr(host_orders, "order_book", lambda _config, _token: book)
        monkeypatch.setattr(host_orders, "publish_order", lambda _b, _u, row: made.rows.append(row))
        yield made
        for adapter in made.adapters:
            adapter.disconnect()
        assert not has_feed(config)
        until(lambda: all(each.name != "mstock-orders" for each in threading.enumerate()))


class TestInsideOpenAlgo:
    def test_from_open_to_complete_over_the_socket(self, desk: Desk) -> None:
        adapter = desk.open()
        until(desk.is_heard)
        order_id = desk.place(1240)
        until(lambda: desk.told(order_id))
        desk.trader.market.depth = 4
        desk.trader.market.set_price(INFY, 1240)
        until(lambda: desk.told(order_id)[-1][1] == 4)
        desk.trader.market.depth = 100
        desk.trader.market.set_price(INFY, 1239)
        until(lambda: desk.told(order_id)[-1] == ("complete", 10))
        told = desk.told(order_id)
        assert len(told) == len(set(told))
        assert [filled for _, filled in told] == sorted(filled for _, filled in told)
        assert adapter.connected
        assert not adapter.is_polling
        assert desk.rows[-1]["symbol"].startswith("INFY")

    def test_what_a_gap_has_hidden_is_told_once(self, desk: Desk) -> None:
        desk.open()
        until(desk.is_heard)
        order_id = desk.place(1240)
        until(lambda: desk.told(order_id))
        desk.sim.stream.faults.set("login_refused")
        desk.sim.stream.faults.set("disconnect", times=1)
        until(lambda: not desk.is_heard())
        desk.trader.market.set_price(INFY, 1239)
        until(lambda: desk.told(order_id)[-1] == ("complete", 10), 10)  # polled meanwhile
        looks = len(desk.looked_at)
        until(lambda: len(desk.looked_at) > looks + 2)
        desk.sim.stream.faults.clear()
        until(desk.is_heard, 20)
        until(desk.is_quiet)
        assert [status for status, _ in desk.told(order_id)].count("complete") == 1

    def test_what_a_gap_has_hidden_is_told_after_it_without_a_poll(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk.open()
        order_id = desk.place(1240)
        until(lambda: desk.told(order_id))
        until(desk.is_quiet)
        monkeypatch.setattr(host_orders, "poll_interval", lambda: 60.0)
        desk.sim.stream.faults.set("bad_gateway")
        desk.sim.stream.faults.set("disconnect", times=1)
        until(lambda: not desk.is_heard())
        looks = len(desk.looked_at)
        until(lambda: len(desk.looked_at) > looks)
        desk.trader.market.set_price(INFY, 1239)
        desk.sim.stream.faults.clear()
        until(lambda: desk.told(order_id)[-1] == ("complete", 10), 10)

    def test_what_is_not_connected_from_the_start_is_polled(self, desk: Desk) -> None:
        desk.sim.stream.faults.set("upgrade_silent")
        desk.open(is_polled=True)
        order_id = desk.place(1240)
        until(lambda: desk.told(order_id))
        desk.trader.market.set_price(INFY, 1239)
        until(lambda: desk.told(order_id)[-1] == ("complete", 10))

    def test_two_sockets_where_mstock_allows_one_end_in_polling(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.sim.stream.settings.sockets_per_token = 1
        # The live prices, which run in another process: a feed that is not shared.
        ticks = FeedListener(lambda _tick: None)
        theirs = desk.config._replace(funds_view="balance", ws_url=desk.config.ws_url + "/")
        prices = join_feed(theirs, ticks, desk.login)
        try:
            until(lambda: prices.is_connected)
            adapter = desk.open(is_polled=True)
            until(lambda: adapter.is_polling, 30)
            assert "Orders are polled until the next login" in caplog.text
            until(lambda: prices.is_connected, 20)
            connections = prices.status().connections
            order_id = desk.place(1240)
            until(lambda: desk.told(order_id), 10)
            desk.trader.market.set_price(INFY, 1239)
            until(lambda: desk.told(order_id)[-1] == ("complete", 10), 10)
            assert adapter.connected
            assert prices.status().connections == connections
        finally:
            leave_feed(prices, ticks)

    def test_an_update_settles_an_order_whose_answer_was_lost(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("broker.mstock.orders.placing.LOOK_UP_S", 0.0)
        monkeypatch.setattr("broker.mstock.orders.placing._PAUSES", ())
        desk.open()
        until(desk.is_heard)
        desk.trader.fault("orders/place", "reset", when="after")
        with pytest.raises(OutcomeUnknown):
            desk.place(1240)
        until(lambda: not desk.service.journal.open(), 10)
        (order,) = desk.trader.orders()
        assert desk.told(order.order_id)
        assert desk.service.journal.working("INFY", "NSE", "MIS") == []
        assert desk.trader.sent() == 1

    def test_it_shares_the_socket_of_live_prices_in_the_same_process(self, desk: Desk) -> None:
        ticks = FeedListener(lambda _tick: None)
        prices = join_feed(desk.config, ticks, desk.login)
        try:
            until(lambda: prices.is_connected)
            desk.open()
            order_id = desk.place(1240)
            until(lambda: desk.told(order_id))
            assert len(desk.sim.stream.connections) == 1
        finally:
            leave_feed(prices, ticks)


def test_polling_is_the_default(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSTOCK_ORDER_UPDATES", "poll")
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(host_orders, "polling_adapter", lambda *given: made.append(given))
    order_adapter("trader")
    assert made == [("mstock", "trader")]


def test_without_openalgo_the_one_socket_does_both(desk: Desk) -> None:
    heard: list[Order] = []
    book = lambda: OrderBook(desk.service.settler.look)  # noqa: E731
    token = lambda: Secret(desk.trader.auth)  # noqa: E731
    with LivePrices(desk.config, token, on_order=heard.append, book=book) as prices:
        until(lambda: prices.status().connections)
        order_id = desk.place(1240)
        until(lambda: heard)
        desk.sim.stream.faults.set("disconnect", times=1)
        until(lambda: prices.status().state != "connected")
        desk.trader.market.set_price(INFY, 1239)
        until(lambda: [each.status for each in heard][-1] == "complete", 10)
        until(lambda: prices.status().connections == 2, 10)
        time.sleep(0.5)
        assert {each.order_id for each in heard} == {order_id}
        assert [each.status for each in heard].count("complete") == 1
        assert heard[-1].status in FINAL
        assert len(desk.sim.stream.connections) == 1
