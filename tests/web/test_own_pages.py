"""mStock's own pages over real sockets, against the simulator, with both API types."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from broker._kit.settings import Account, ServiceSettings
from broker._kit.web.server import LoopbackServer
from broker._kit.web.standalone_app import start
from broker.mstock.broker import MSTOCK
from broker.mstock.database.symbol_table import SymbolTable
from broker.mstock.orders.journal import Entry, Journal, State, file_url
from broker.mstock.settings import Config
from broker.mstock.web import live
from broker_simulator.demo.stage import Demo
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support.clock import FakeClock
from tests.support.stage import MORNING, morning_demo
from tests.support.visitor import Visitor, instrument, move, trade, words_of

POSITIONS, EVENTS, MARKET = "/mstock/positions", "/mstock/positions/events", "/mstock/market"


@pytest.fixture
def demo(api_type: str) -> Iterator[Demo]:
    with morning_demo(api_type) as running:
        yield running


@pytest.fixture
def visitor(demo: Demo) -> Visitor:
    return Visitor(demo).log_in()


@pytest.fixture
def with_list(visitor: Visitor) -> Visitor:
    assert visitor.post(MARKET, MARKET).ok
    return visitor


def fault(demo: Demo, api_type: str, route: str, kind: str = "bad_gateway") -> None:
    demo.simulator.faults.set(f"{api_type.lower()}/{route}", kind)


@pytest.fixture
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LINGER_S", 0.1)


class Events:
    """An open stream of the page; reading waits for the next message."""

    def __init__(self, visitor: Visitor) -> None:
        self.answer = visitor.http.get(f"{visitor.demo.url}{EVENTS}", stream=True, timeout=10)
        assert self.answer.headers["Content-Type"].startswith("text/event-stream")
        self._lines = self.answer.iter_lines(decode_unicode=True)

    def next(self) -> tuple[str, dict[str, Any]]:
        name = ""
        for line in self._lines:
            kind, _, value = line.partition(": ")
            if kind == "event":
                name = value
            elif kind == "data":
                return name, json.loads(value)
        raise EOFError

    def until(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The next message of that name with these values; the server's own limit ends it."""
        while True:
            found, data = self.next()
            if found == name and all(data[key] == value for key, value in wanted.items()):
                return data


@contextmanager
def events(visitor: Visitor) -> Iterator[Events]:
    stream = Events(visitor)
    with stream.answer:
        yield stream


def until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestPositionsAndOrders:
    def test_a_day_without_anything(self, visitor: Visitor) -> None:
        words = visitor.page(POSITIONS)
        assert "No positions today." in words
        assert "No orders today." in words
        assert "profit and loss" not in words.lower()
        for name in ("Funds", "Positions and orders", "Market", "Auto-login"):
            assert name in words

    def test_positions_orders_and_the_days_profit(self, demo: Demo, with_list: Visitor) -> None:
        trade(demo, "BUY", 50, "INFY")
        trade(
            demo, "BUY", 10, "INFY", demo.simulator.world.market.ltp(instrument(demo, "INFY")) - 30
        )
        trade(demo, "BUY", 900000, "ACC")
        words = with_list.page(POSITIONS)
        assert "Positions 1 open, 0 closed" in words
        assert "INFY NSE · MIS 50" in words
        assert "1 open, 1 completed, 1 rejected" in words
        assert "0 of 10" in words
        assert "Not enough funds" in words
        assert "Day's profit and loss" in words
        assert "Trades" not in words.replace("Show trades", "")
        more = with_list.page(f"{POSITIONS}?all=1")
        assert "Trades" in more
        assert "Holdings worth" in more

    def test_without_the_list_of_instruments_mstocks_own_words_are_shown(
        self, demo: Demo, visitor: Visitor
    ) -> None:
        trade(demo, "BUY", 50, "INFY")
        assert "INFY-EQ" in visitor.page(POSITIONS) or "INFY NSE" in visitor.page(POSITIONS)

    def test_one_table_that_fails_does_not_hide_the_other(
        self, demo: Demo, api_type: str, visitor: Visitor
    ) -> None:
        trade(demo, "BUY", 50, "INFY")
        before = visitor.page(POSITIONS)
        fault(demo, api_type, "portfolio/positions")
        words = visitor.page(POSITIONS)
        assert "502" in words
        assert words.count("These are the rows of 23 Nov 2026, 09:15") == 2  # the profit's, too
        assert "Positions 1 open, 0 closed" in words
        assert "1 completed" in words
        assert before.count("50 of 50") == words.count("50 of 50") == 1

    def test_an_error_at_the_first_look_shows_no_empty_table(
        self, demo: Demo, api_type: str, visitor: Visitor
    ) -> None:
        fault(demo, api_type, "portfolio/positions")
        words = visitor.page(POSITIONS)
        assert "No positions today." not in words
        assert "No orders today." in words
        fault(demo, api_type, "orders")
        assert "No orders today." in visitor.page(POSITIONS, status=503)  # of the last look

    def test_nothing_can_be_read(self, demo: Demo, visitor: Visitor) -> None:
        demo.simulator.faults.set("*", "bad_gateway")
        words = visitor.page(POSITIONS, status=503)
        assert "today." not in words
        assert words.count("gave an error page instead of an answer (HTTP 502)") == 1
        assert words.count("Not read either, for the same reason.") == 1
        demo.simulator.faults.clear()
        assert "No orders today." in visitor.page(POSITIONS)

    @pytest.mark.parametrize("api_type", ["B"])  # Type A's positions carry their last price
    def test_a_position_without_a_last_price_has_no_profit(
        self, demo: Demo, api_type: str, visitor: Visitor
    ) -> None:
        trade(demo, "BUY", 50, "INFY")
        fault(demo, api_type, "instruments/quote")
        words = visitor.page(POSITIONS)
        assert "Without 1 position whose last price or cost is not known." in words
        assert "Day's profit and loss not known" in words
        assert "₹0.00" not in words

    def test_an_order_of_unknown_outcome_stands_on_top(
        self, demo: Demo, api_type: str, visitor: Visitor
    ) -> None:
        rest = demo.simulator.rest_url
        account = Account(rest, api_type, demo.client_code)
        journal = Journal(file_url(demo.home), account, FakeClock(MORNING))
        entry = Entry(
            "oaUNKNOWN1", "place", MORNING, symbol="ACC", exchange="NSE", side="BUY", quantity=7
        )
        journal.begin(entry)
        journal.finish(entry.tag, State.UNKNOWN)
        words = visitor.page(POSITIONS)
        assert "1 call whose outcome is not known: look for it in the mStock app" in words
        assert "BUY 7 ACC NSE (tag oaUNKNOWN1)" in words
        assert words.index("oaUNKNOWN1") < words.index("No positions today.")

    def test_a_session_that_mstock_has_ended_leads_to_the_login(
        self, demo: Demo, visitor: Visitor
    ) -> None:
        visitor.page(POSITIONS)
        demo.simulator.world.end_sessions()
        answer = visitor.get(POSITIONS)
        assert answer.url.endswith("/mstock/callback")
        assert "Log in to mStock" in answer.text


def test_without_a_login_there_is_nothing(demo: Demo) -> None:
    stranger = Visitor(demo)
    for path in (POSITIONS, MARKET, f"{MARKET}/NSE/INFY"):
        assert stranger.get(path).url.endswith("/mstock/callback")
    assert stranger.get(EVENTS).status_code == 204
    assert stranger.get(f"{MARKET}/suggestions?q=IN").status_code == 401
    assert stranger.get(f"{MARKET}/NSE/INFY/chart.svg").status_code == 404


class TestMarket:
    def test_without_the_list_the_page_says_how_to_get_it(self, visitor: Visitor) -> None:
        words = visitor.page(MARKET)
        assert "The instrument list is not here yet" in words
        assert "mstock instruments" in words
        assert visitor.get(f"{MARKET}/suggestions?q=IN").json() == {"instruments": []}
        assert visitor.post(MARKET, MARKET).url.endswith(MARKET)
        assert "instruments, of 23 Nov 2026" in visitor.page(MARKET)

    def test_a_download_that_fails_says_why(
        self, demo: Demo, api_type: str, visitor: Visitor
    ) -> None:
        path = "scriptmaster" if api_type == "A" else "OpenAPIScripMaster"
        fault(demo, api_type, f"instruments/{path}")
        answer = visitor.post(MARKET, MARKET)
        assert answer.status_code == 503
        assert "The instruments were not downloaded" in answer.text
        assert "not here yet" in visitor.page(MARKET)

    def test_yesterdays_list_serves_and_says_so(self, demo: Demo, with_list: Visitor) -> None:
        assert "not of today" not in with_list.page(MARKET)
        demo.simulator.clock.set(MORNING.replace(day=25))
        again = Visitor(demo).log_in()
        assert "This list is not of today" in again.page(MARKET)
        assert "NSE" in again.page(f"{MARKET}?q=INFY")
        again.post(MARKET, MARKET)
        assert "not of today" not in again.page(MARKET)

    def test_a_search(self, with_list: Visitor) -> None:
        words = with_list.page(f"{MARKET}?q=infy fut")
        assert "FUT" in words
        assert "Future, " in words
        assert "There are more: add an expiry" in with_list.page(f"{MARKET}?q=nifty")
        assert "There are more" not in with_list.page(f"{MARKET}?q=nifty fut")
        assert "Nothing in the list is called <b>x" in with_list.page(f"{MARKET}?q=<b>x")
        assert with_list.get(f"{MARKET}?q=nse:m%26m").url.endswith(f"{MARKET}/NSE/M&M")
        found = with_list.get(f"{MARKET}/suggestions?q=INFY").json()["instruments"]
        assert found[0]["name"] == "NSE:INFY"
        assert found[0]["about"].startswith("Share")

    def test_one_instrument(self, demo: Demo, with_list: Visitor) -> None:
        price = f"{demo.simulator.world.market.ltp(instrument(demo, 'INFY')):,.0f}"[:-1]
        words = with_list.page(f"{MARKET}/NSE/INFY")
        assert f"Last price {price}" in words
        assert "Previous close" in words
        assert "Bid quantity Bid Ask Ask quantity" in words
        assert re.search(r"Ask quantity( [\d,]+ [\d,.]+ [\d,.]+ [\d,]+){5}", words)
        assert "Token 1594" in words
        with_list.page(f"{MARKET}/NSE/NONSENSE", status=404)
        chart = with_list.get(f"{MARKET}/NSE/INFY/chart.svg?interval=1h")
        assert chart.headers["Content-Type"].startswith("image/svg+xml")
        assert chart.text.count('class="v"') > 50
        assert with_list.get(f"{MARKET}/NSE/INFY/chart.svg?interval=9y").status_code == 404

    def test_an_index_has_no_depth(self, with_list: Visitor) -> None:
        words = with_list.page(f"{MARKET}/NSE_INDEX/NIFTY")
        assert "NIFTY is an index, which has no market depth." in words
        assert "Last price 2" in words

    def test_a_quote_and_a_chart_that_fail_leave_the_rest(
        self, demo: Demo, with_list: Visitor
    ) -> None:
        demo.simulator.faults.set("*", "bad_gateway")
        words = with_list.page(f"{MARKET}/NSE/INFY")
        assert "502" in words
        assert "Last price" not in words
        assert "Token 1594" in words
        chart = with_list.get(f"{MARKET}/NSE/INFY/chart.svg")
        assert chart.status_code == 503
        assert "mStock" in words_of(chart.text.replace("INFY on NSE, D", ""))


@pytest.mark.usefixtures("no_lingering")
class TestEvents:
    def test_a_price_that_moves_is_told_with_the_profit(
        self, demo: Demo, with_list: Visitor
    ) -> None:
        trade(demo, "BUY", 50, "INFY")
        with_list.page(POSITIONS)
        with events(with_list) as stream:
            stream.until("figures", is_live=True)
            move(demo, "INFY", "1600")
            while True:
                data = stream.until("figures", is_live=True)
                text, _ = data["cells"]["NSE:INFY:MIS ltp"]
                if text.startswith("1,6"):
                    break
            assert data["words"].startswith("Live: last price at 09:15")
            assert data["cells"]["total"][0].startswith("+₹3,")
            assert data["cells"]["total"][1] == "gain"
        until(lambda: not demo.simulator.stream.connections)

    def test_each_message_does_not_look_the_symbols_up_again(
        self, demo: Demo, with_list: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trade(demo, "BUY", 50, "INFY")
        with_list.page(POSITIONS)
        monkeypatch.setattr(SymbolTable, "by_token", lambda *_: pytest.fail("looked up again"))
        with events(with_list) as stream:
            assert "NSE:INFY:MIS ltp" in stream.until("figures", is_live=True)["cells"]

    def test_what_was_refused_is_asked_for_again(
        self, demo: Demo, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "REFUSED_S", 0.5)
        trade(demo, "BUY", 50, "INFY")
        visitor.page(POSITIONS)
        with events(visitor) as stream:
            assert "instrument list" in stream.until("figures", is_live=True)["words"]
            assert visitor.post(MARKET, MARKET).ok
            while "instrument list" in stream.until("figures", is_live=True)["words"]:
                pass

    def test_a_change_of_an_order_is_told(self, demo: Demo, with_list: Visitor) -> None:
        with_list.page(POSITIONS)
        with events(with_list) as stream:
            stream.until("figures", is_live=True)
            assert stream.until("orders") == {"words": ""}  # what changed before it was connected
            trade(demo, "BUY", 5, "INFY")
            assert "INFY" in stream.until("orders")["words"]

    def test_a_change_between_the_page_and_its_stream_is_told(
        self, demo: Demo, with_list: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "LINGER_S", 30.0)
        with_list.page(POSITIONS)
        with events(with_list) as first:
            first.until("orders")
            with_list.page(POSITIONS)
            trade(demo, "BUY", 5, "INFY")
            first.until("orders")
            with events(with_list) as second:
                assert "INFY" in second.until("orders")["words"]

    def test_streams_share_one_connection_are_few_and_starve_nobody(
        self, demo: Demo, with_list: Visitor
    ) -> None:
        with_list.page(POSITIONS)
        with ExitStack() as stack:
            for _ in range(live.MOST_STREAMS):
                stack.enter_context(events(with_list)).until("figures", is_live=True)
            assert len(demo.simulator.stream.connections) == 1
            with events(with_list) as refused:
                assert "too many windows" in refused.until("figures", is_live=False)["words"]
                with pytest.raises(EOFError):
                    refused.next()
            with_list.page(POSITIONS)
        until(lambda: not demo.simulator.stream.connections)
        with events(with_list) as stream:  # the places of the closed ones are free again
            stream.until("figures", is_live=True)

    def test_a_stream_ends_at_the_logout(self, demo: Demo, with_list: Visitor) -> None:
        with_list.page(POSITIONS)
        with events(with_list) as stream:
            stream.until("figures", is_live=True)
            assert with_list.post("/logout", "/funds").ok
            stream.until("over")
            with pytest.raises(EOFError):
                stream.next()
        until(lambda: not demo.simulator.stream.connections)

    def test_a_stream_ends_after_some_time(
        self, with_list: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "LIFE_S", 0.3)
        with events(with_list) as stream:
            stream.next()
            with pytest.raises(EOFError):
                stream.until("over")

    def test_an_old_price_is_never_called_live(self, demo: Demo, with_list: Visitor) -> None:
        trade(demo, "BUY", 50, "INFY")
        with_list.page(POSITIONS)
        with events(with_list) as stream:
            stream.until("figures", is_live=True)
            demo.simulator.stream.faults.set("bad_gateway")
            demo.simulator.stream.faults.set("disconnect")
            words = stream.until("figures", is_live=False)["words"]
            assert words.startswith("Not live: ")
            demo.simulator.stream.faults.clear()
            stream.until("figures", is_live=True)


def test_a_page_that_is_loaded_again_finds_the_connection(demo: Demo, with_list: Visitor) -> None:
    with events(with_list) as stream:
        stream.until("figures", is_live=True)
        (before,) = demo.simulator.stream.connections
    time.sleep(live.BEAT_S + live.PAUSE_S + 0.5)
    with events(with_list) as stream:
        stream.until("figures", is_live=True)
    assert demo.simulator.stream.connections == [before]


@pytest.mark.parametrize("is_readable", [True, False])
def test_the_program_serves_them_also_where_its_store_cannot_be_used(
    simulator: Simulator, api_type: str, tmp_path: Path, is_readable: bool
) -> None:
    home = tmp_path / "home"
    if not is_readable:
        home.write_text("a file in the folder's place")
    config = Config.from_env(settings_for(simulator, api_type))
    with LoopbackServer() as server:
        stop = start(MSTOCK, lambda: config, ServiceSettings(str(home)), server)
        try:
            for path in (POSITIONS, MARKET):
                answer = requests.get(f"{server.url}{path}", timeout=5)
                assert answer.url.endswith("/mstock/callback")
        finally:
            stop()


def test_no_page_and_no_stream_holds_a_secret(demo: Demo, with_list: Visitor) -> None:
    trade(demo, "BUY", 50, "INFY")
    seen = [
        with_list.get(path).text
        for path in (
            POSITIONS, f"{POSITIONS}?all=1", MARKET, f"{MARKET}?q=INFY", f"{MARKET}/NSE/INFY",
            f"{MARKET}/NSE/INFY/chart.svg", f"{MARKET}/suggestions?q=INFY",
        )
    ]  # fmt: skip
    with events(with_list) as stream:
        seen += [json.dumps(stream.next()) for _ in range(3)]
    account, everything = demo.simulator.demo, "".join(seen)
    secrets = [account.password, account.api_key_a, account.api_key_b]
    secrets += [session.token for session in demo.simulator.sessions]
    assert len(secrets) >= 4
    assert not any(secret in everything for secret in secrets)
    assert account.client_code not in everything


def test_the_headers(with_list: Visitor) -> None:
    for path in (POSITIONS, MARKET, f"{MARKET}/NSE/INFY/chart.svg", "/mstock/scripts/live.js"):
        headers = with_list.get(path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_another_site_cannot_have_the_list_downloaded(visitor: Visitor) -> None:
    answer = visitor.http.post(f"{visitor.demo.url}{MARKET}", timeout=5)
    assert answer.status_code == 400
