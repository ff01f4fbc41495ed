"""Instruments, quotes and history on the command line, against the simulator."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas
import pytest

from broker._kit.errors import LogInAgain
from broker._kit.secret import Secret
from broker.mstock.cli import prices
from broker.mstock.settings import Config
from broker.mstock.streaming.feed import FeedState
from broker.mstock.streaming.live_prices import LivePrice, LivePrices
from tests.cli.conftest import Person

MASTER = "instruments/OpenAPIScripMaster"


@pytest.fixture
def trader(person: Person) -> Person:
    person.is_logged_in()
    return person


def test_the_list_is_downloaded_once_a_day(trader: Person) -> None:
    code, first = trader.asks("instruments")
    assert code == 0
    assert first["instruments"] > 4000
    assert trader.asks("instruments") == (0, first)
    assert trader.calls(MASTER) == 1
    assert trader.asks("instruments", "--force")[0] == 0
    assert trader.calls(MASTER) == 2


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_shows_the_download_on_a_terminal_only(
    trader: Person, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1" if is_terminal else "")
    shown = trader.runs("instruments").stderr
    assert [each in shown for each in ("Downloading", "Storing")] == [is_terminal] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_the_list_is_private_as_all_that_is_stored(trader: Person) -> None:
    trader.asks("instruments")
    (file,) = Path(trader.settings["BROKER_HOME"]).glob("mstock-instruments-*")
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_missing_is_downloaded_on_the_way(trader: Person) -> None:
    code, found = trader.asks("search", "bajaj-auto", "--limit", "1")
    assert code == 0
    assert found["instruments"][0]["symbol"] == "BAJAJ-AUTO"
    assert trader.calls(MASTER) == 1


def test_yesterdays_list_serves_and_says_so(trader: Person) -> None:
    trader.asks("instruments")
    trader.clock.advance(24 * 3600)
    trader.box.faults.set(f"b/{MASTER}", "general_error")
    done = trader.runs("search", "INFY")
    assert done.exit_code == 0
    assert "INFY" in done.stdout
    assert "are used" in done.stderr
    assert trader.runs("instruments").exit_code != 0


def test_without_a_session_and_a_list_it_says_to_log_in(person: Person) -> None:
    assert person.asks("search", "INFY")[0] == 3


def test_a_search_says_when_there_is_more(trader: Person) -> None:
    shown = trader.runs("search", "NIFTY", "--limit", "5").stdout
    assert "There are more: --limit 25" in shown
    assert len([line for line in shown.splitlines() if "NIFTY" in line]) == 5
    assert "There are more" not in trader.runs("search", "NIFTYNXT50", "--limit", "1").stdout


def test_figures_stand_under_each_other_on_the_right(trader: Person) -> None:
    title, *lines = trader.runs("history", "INFY").stdout.splitlines()
    assert title.startswith("Start")
    assert {len(line) for line in (title, *lines)} == {len(title)}


def test_lookup_and_its_suggestion(trader: Person) -> None:
    code, found = trader.asks("lookup", "nse:m&m")
    assert (code, found["instrument"]["brsymbol"]) == (0, "M&M-EQ")
    assert "strike" not in trader.runs("lookup", "nse:m&m").stdout  # 0 for a share
    assert "mstock search" in trader.runs("lookup", "26000x").stderr
    code, refused = trader.asks("lookup", "BSE:INF")
    assert code == 1
    assert "INFY" in str(refused)


def test_a_quote(trader: Person) -> None:
    code, found = trader.asks("quote", "INFY")
    market = trader.box.world.market
    infy = market.master.get("NSE", "1594")
    assert infy is not None
    assert code == 0
    assert found["quote"]["ltp"] == float(market.ltp(infy))
    shown = trader.runs("quote", "NIFTY").stdout
    assert "Last price" in shown
    assert "ltp" not in shown


def test_depth(trader: Person) -> None:
    trader.settings["MSTOCK_WS_URL"] = trader.box.ws_url
    code, found = trader.asks("depth", "nse:infy")
    assert (code, found["symbol"], found["exchange"]) == (0, "INFY", "NSE")
    assert [len(found["depth"][side]) for side in ("bids", "asks")] == [5, 5]
    shown = trader.runs("depth", "INFY").stdout
    assert f"{found['depth']['bids'][0]['price']:,.2f}" in shown
    _, refused = trader.asks("depth", "NIFTY")
    assert "NIFTY is an index" in str(refused)


def test_depth_without_a_session_says_to_log_in(person: Person) -> None:
    assert person.asks("depth", "INFY")[0] == 3


def test_watch_finds_an_index_and_is_told_of_a_session_that_ends_under_way(
    trader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins: list[Callable[[], Secret]] = []
    wanted: list[tuple[str, str]] = []

    class Prices(LivePrices):
        def __init__(self, config: Config, login: Callable[[], Secret], **more: Any) -> None:
            super().__init__(config, login, **more)
            logins.append(login)

        def open(self) -> None:
            """Connect to nothing."""

        def subscribe(self, symbol: str, exchange: str, mode: int = 1) -> None:
            wanted.append((symbol, exchange))
            self.close()

        def next(self, seconds: float | None = None) -> None:
            return None

    monkeypatch.setattr(prices, "LivePrices", Prices)
    assert trader.runs("watch", "nifty", "INFY", "--json").exit_code == 0
    assert wanted == [("NIFTY", "NSE_INDEX"), ("INFY", "NSE")]
    assert logins[0]().reveal()
    assert trader.runs("logout").exit_code == 0
    with pytest.raises(LogInAgain):  # outside the command, as on the feed's thread
        logins[0]()


def test_watch_in_json_says_why_no_price_comes(
    trader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Prices(LivePrices):
        def next(self, seconds: float | None = None) -> LivePrice | None:
            while self.status().state is not FeedState.NO_SESSION:
                time.sleep(0.01)
            return None  # as after Ctrl-C

    trader.settings["MSTOCK_WS_URL"] = trader.box.ws_url
    trader.box.stream.faults.set("unauthorized")
    monkeypatch.setattr(prices, "LivePrices", Prices)
    done = trader.runs("watch", "INFY", "--json")
    assert done.stdout == ""
    assert "No session: mStock refused the session for live prices." in done.stderr


def test_expiries_and_the_chain_around_the_money(trader: Person) -> None:
    _, dates = trader.asks("expiries", "NIFTY")
    code, chain = trader.asks("chain", "nifty")
    assert code == 0
    assert chain["expiry"] == dates["expiries"][0]
    strikes = [line["strike"] for line in chain["chain"]]
    assert len(strikes) == 21
    assert strikes[0] < chain["spot"] < strikes[-1]
    assert all(line["call"] and line["put"] for line in chain["chain"])
    shown = trader.runs("chain", "NIFTY", "--expiry", dates["expiries"][1]).stdout
    assert "Strike" in shown
    assert dates["expiries"][1] in shown
    assert trader.runs("chain", "NIFTY", "--expiry", "01-JAN-20").exit_code == 1


def test_history_on_the_screen_and_in_files(trader: Person, tmp_path: Path) -> None:
    days = ("--from", "2026-11-16", "--to", "2026-11-20")
    code, found = trader.asks("history", "INFY", *days)
    assert code == 0
    assert len(found["candles"]) == 5
    table, picture = tmp_path / "infy.csv", tmp_path / "infy.svg"
    done = trader.runs("history", "INFY", *days, "--csv", str(table), "--chart", str(picture))
    assert done.exit_code == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["close"]) for row in rows] == [each["close"] for each in found["candles"]]
    root = ElementTree.parse(picture).getroot()
    boxes = [each for each in root.iter() if each.get("class") in ("u", "d")]
    assert len(boxes) == 2 * 5
    assert "script" not in picture.read_text().lower()


def test_a_file_that_cannot_be_written_is_said(trader: Person, tmp_path: Path) -> None:
    done = trader.runs("history", "INFY", "--csv", str(tmp_path / "no" / "x.csv"))
    assert "None" not in done.stderr
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


def test_parquet_holds_what_csv_holds(trader: Person, tmp_path: Path) -> None:
    parquet, table = tmp_path / "x.parquet", tmp_path / "x.csv"
    days = ("--from", "2026-11-16", "--to", "2026-11-20")
    done = trader.runs("history", "INFY", *days, "--parquet", str(parquet), "--csv", str(table))
    assert done.exit_code == 0, done.stderr
    assert len(pandas.read_csv(table)) == 5
    pandas.testing.assert_frame_equal(pandas.read_parquet(parquet), pandas.read_csv(table))


def test_without_a_package_for_parquet_it_is_named(
    trader: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, engine, None)
    done = trader.runs("history", "INFY", "--parquet", str(tmp_path / "x.parquet"))
    assert done.exit_code == 1
    assert "pip install fastparquet" in done.stderr


def test_bad_words_are_refused_by_name(trader: Person) -> None:
    trader.asks("instruments")
    for words in (("--interval", "7m"), ("--from", "monday"), ("--from", "2026-12-31")):
        assert trader.runs("history", "INFY", *words).exit_code == 1
    assert trader.calls("instruments/historical") == 0
