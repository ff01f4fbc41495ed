"""The instrument master over a real socket, into OpenAlgo's table and into the local file."""

from __future__ import annotations

import io
import sqlite3
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql

from broker._kit.clock import IST
from broker._kit.errors import BrokerError, LogInAgain, StoreError
from broker.mstock.database import master_files
from broker.mstock.database.instruments import (
    NoInstruments,
    instruments,
    local_instruments,
    source_of,
)
from broker.mstock.database.master_contract_db import (
    download,
    is_fresh,
    master_contract_download,
)
from broker.mstock.database.symbol_table import SymbolTable, local_table
from broker.mstock.errors import DataException
from broker.mstock.mapping.symbols import parse_symbol
from broker_simulator.mstock.market.trading_calendar import session
from proofs.postgres import NoPostgreSQL, postgresql
from tests.data.conftest import NOW, Desk
from tests.host.openalgo import OpenAlgo
from tests.support.clock import FakeClock


@pytest.fixture
def openalgo(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAlgo]:
    """A host whose user is logged in to mStock."""
    host = OpenAlgo(tmp_path, FakeClock(NOW))
    host.install(monkeypatch)
    host.upsert_auth("trader", desk.token, "mstock")
    yield host
    host.db_session.remove()
    host.engine.dispose()


@pytest.fixture
def local(desk: Desk) -> SymbolTable:
    return local_instruments(desk.config)


def fill(desk: Desk, table: SymbolTable) -> int:
    return download(desk.config, desk.secret, table, clock=desk.clock)


def rows(engine: sql.Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as connection:
        found = connection.execute(sql.text("SELECT symbol, exchange, token FROM symtoken"))
        return [tuple(row) for row in found]


class TestInOpenAlgo:
    def test_the_whole_master_comes_unique_and_current(
        self, desk: Desk, openalgo: OpenAlgo
    ) -> None:
        master_contract_download()
        found = rows(openalgo.engine)
        market = desk.box.world.market.master
        wanted = {
            (each.exchange, each.token)
            for each in market
            if each.kind != "INDEX" and not (each.expiry and each.expiry < NOW.date())
        }
        plain = {(exchange, token) for _, exchange, token in found if "_INDEX" not in exchange}
        assert plain == wanted
        assert len({(symbol, exchange) for symbol, exchange, _ in found}) == len(found)
        assert openalgo.events == ["master_contract_download success"]
        assert openalgo.calls[-1] == "clear_cache"

    def test_every_contract_parses_back_to_itself(self, desk: Desk, openalgo: OpenAlgo) -> None:
        master_contract_download()
        market = desk.box.world.market.master
        contracts = 0
        for symbol, exchange, token in rows(openalgo.engine):
            given = market.get(exchange, token)
            contract = parse_symbol(symbol)
            if given is None or not given.is_derivative:
                continue
            assert contract is not None
            assert (contract.name, contract.expiry) == (given.name, given.expiry)
            assert contract.strike == given.strike
            contracts += 1
        assert contracts > 1000

    def test_it_is_looked_up_through_the_host(self, desk: Desk, openalgo: OpenAlgo) -> None:
        master_contract_download()
        known = instruments()
        row = known.find("M&M", "NSE")
        assert row is not None
        assert known.by_token(row.token, "NSE") == row
        assert known.find("NIFTY", "NSE_INDEX").token == "26000"  # type: ignore[union-attr]
        assert known.search("BAJAJ-AUTO", "NSE")[0].symbol == "BAJAJ-AUTO"

    def test_no_index_or_constraint_is_added(self, desk: Desk, openalgo: OpenAlgo) -> None:
        def shape() -> object:
            view = sql.inspect(openalgo.engine)
            return (
                view.get_indexes("symtoken"),
                view.get_unique_constraints("symtoken"),
                view.get_columns("symtoken"),
            )

        before = str(shape())
        master_contract_download()
        assert str(shape()) == before

    def test_without_a_login_it_raises_and_keeps_the_old(
        self, desk: Desk, openalgo: OpenAlgo
    ) -> None:
        master_contract_download()
        before = rows(openalgo.engine)
        for left in ("", desk.token):
            openalgo.upsert_auth("trader", left, "mstock", revoke=True)
            with pytest.raises(LogInAgain):
                master_contract_download()
        assert rows(openalgo.engine) == before
        assert openalgo.events[-1] == "master_contract_download error"

    def test_another_users_login_elsewhere_is_not_taken(
        self, desk: Desk, openalgo: OpenAlgo
    ) -> None:
        openalgo.upsert_auth("someone", "zerodha-token", "zerodha")
        master_contract_download()
        assert rows(openalgo.engine)

    def test_two_runs_at_once_download_once(self, desk: Desk, openalgo: OpenAlgo) -> None:
        errors: list[BaseException] = []

        def run() -> None:
            try:
                master_contract_download()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        paths = [entry.path.lower() for entry in desk.box.journal.data]
        assert sum("master" in path for path in paths) == 1
        found = rows(openalgo.engine)
        assert len(set(found)) == len(found)

    def test_another_types_list_is_not_used_and_the_host_downloads(
        self, desk: Desk, openalgo: OpenAlgo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        master_contract_download()
        instruments()
        other = "A" if desk.api_type == "B" else "B"
        monkeypatch.setenv("MSTOCK_API_TYPE", other)
        with pytest.raises(NoInstruments, match=f"API type {other}"):
            instruments()
        for thread in threading.enumerate():
            if thread.name == "mstock-instruments":
                thread.join()
        assert openalgo.contract_status[-1] == "downloading"

    def test_another_brokers_rows_are_not_taken_for_ours(
        self, desk: Desk, openalgo: OpenAlgo
    ) -> None:
        master_contract_download()
        with openalgo.engine.begin() as connection:
            connection.execute(sql.text("DELETE FROM symtoken"))
            connection.execute(
                sql.text(
                    "INSERT INTO symtoken (symbol, brsymbol, exchange, token) "
                    "VALUES ('INFY', 'INFY', 'NSE', '408065')"
                )
            )
        with pytest.raises(NoInstruments):
            instruments()


class TestAFailure:
    @pytest.mark.parametrize(
        "kind",
        ["garbage", "bad_gateway", "html_page", "truncated_body", "dead_token", "json_scalar"],
    )
    def test_a_bad_answer_keeps_the_old(self, desk: Desk, local: SymbolTable, kind: str) -> None:
        before = fill(desk, local)
        mark = local.mark()
        break_master(desk, kind)
        with pytest.raises(BrokerError):
            fill(desk, local)
        assert local.mark() == mark
        assert len(local.search("A", limit=10000)) > 0
        assert before == mark.rows  # type: ignore[union-attr]

    def test_half_of_what_was_there_is_no_master(self, desk: Desk, local: SymbolTable) -> None:
        fill(desk, local)
        mark = local.mark()
        row = ("X", "X", "X", "NSE", "NSE", "1", "", 0.0, 1, "EQ", 0.05)
        few = [[(f"X{n}", *row[1:5], str(n), *row[6:]) for n in range(2000)]]
        with pytest.raises(DataException, match="2000"):
            local.replace(few, source_of(desk.config), NOW)
        assert local.mark() == mark
        # Another server's old list says nothing about this one's.
        assert local.replace(few, "elsewhere B", NOW) == 2000

    def test_a_handful_is_no_master(self, desk: Desk, local: SymbolTable) -> None:
        with pytest.raises(DataException, match="only 0"):
            local.replace([], source_of(desk.config), NOW)
        assert local.mark() is None

    def test_a_full_disk_is_said(
        self, desk: Desk, local: SymbolTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def none_left() -> None:
            raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

        monkeypatch.setattr("tempfile.TemporaryFile", none_left)
        with pytest.raises(StoreError, match=r"temporary.*has room"):
            fill(desk, local)

    def test_a_database_that_another_writes_to_keeps_the_old(
        self, desk: Desk, local: SymbolTable
    ) -> None:
        fill(desk, local)
        mark = local.mark()
        other = sqlite3.connect(str(local._engine.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="the old ones are kept"):
            fill(desk, local)
        other.close()
        assert local.mark() == mark
        assert fill(desk, local) == mark.rows  # type: ignore[union-attr]


def break_master(desk: Desk, kind: str) -> None:
    path = "scriptmaster" if desk.api_type == "A" else "OpenAPIScripMaster"
    desk.box.faults.set(f"{desk.api_type.lower()}/instruments/{path}", kind, times=3)


class TestTheLocalFile:
    def test_it_serves_from_eight_in_the_morning(self, desk: Desk, local: SymbolTable) -> None:
        assert not is_fresh(local.mark(), desk.config, desk.clock.now())
        fill(desk, local)
        stored = local.mark()

        def serves(moment: datetime) -> bool:
            return is_fresh(stored, desk.config, moment)

        morning = NOW.replace(hour=8, minute=0, second=0) + timedelta(days=1)
        assert serves(NOW)
        assert serves(morning - timedelta(seconds=1))
        assert not serves(morning)
        other = desk.config._replace(api_type="A" if desk.api_type == "B" else "B")
        assert not is_fresh(stored, other, NOW)

    def test_each_type_has_its_own(self, desk: Desk, local: SymbolTable) -> None:
        fill(desk, local)
        other = desk.config._replace(api_type="A" if desk.api_type == "B" else "B")
        assert local_instruments(other).mark() is None
        assert local_instruments(desk.config).mark() is not None

    def test_nothing_is_looked_up_before_a_download(self, desk: Desk) -> None:
        with pytest.raises(NoInstruments, match="the command instruments"):
            instruments()

    def test_expiries_and_a_chain(self, desk: Desk, local: SymbolTable) -> None:
        fill(desk, local)
        found = local.expiries("NIFTY", "NFO")
        days = list(map(_day, found))
        assert days == sorted(days)
        assert all(session(day) for day in days)
        chain = local.contracts("NIFTY", "NFO", found[0])
        kinds = [row.instrumenttype for row in chain]
        assert kinds.count("CE") == kinds.count("PE") > 10

    def test_a_search_finds_the_share_before_its_contracts(
        self, desk: Desk, local: SymbolTable
    ) -> None:
        fill(desk, local)
        assert [row.symbol for row in local.search("infy", limit=3)][:2] == ["INFY", "INFY"]
        assert all("100%" not in row.symbol for row in local.search("100%"))
        assert local.search("  ") == []

    def test_a_search_gives_futures_first_and_each_kind_by_expiry(
        self, desk: Desk, local: SymbolTable
    ) -> None:
        fill(desk, local)
        found = [row for row in local.search("nifty", "NFO", 2000) if row.name == "NIFTY"]
        order = [(row.instrumenttype != "FUT", _day(row.expiry), row.strike) for row in found]
        assert order == sorted(order)
        assert len({expiry for is_option, expiry, _ in order if not is_option}) == 3
        assert len({expiry for is_option, expiry, _ in order if is_option}) > 3


def _day(expiry: str) -> date:
    return datetime.strptime(expiry, "%d-%b-%y").replace(tzinfo=IST).date()


CUT_LINE = ",".join(master_files._COLUMNS["A"]) + "\n1,INFY\n"


class TestFiles:
    def test_json_in_pieces_is_the_same_as_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = (
            '{"token":"%d","symbol":"M&M","name":"a},b","expiry":"","strike":"","lotsize":"1",'
            '"instrumenttype":"EQ","exch_seg":"NSE","tick_size":"0.05"}'
        )
        text = "[" + " , \n".join(row % n for n in range(300)) + "]\n"
        for size in (7, 100, 1000, 1 << 20):
            monkeypatch.setattr(master_files, "_PIECE", size)
            found = [
                each["token"]
                for piece in master_files.pieces("B", io.BytesIO(text.encode()))
                for each in piece
            ]
            assert found == [str(n) for n in range(300)]

    @pytest.mark.parametrize("text", ["", "{}", "[{", '[{"token":"1"}]', '[{"token":"1"},{"t'])
    def test_json_that_is_no_master(self, text: str) -> None:
        with pytest.raises(DataException):
            list(master_files.pieces("B", io.BytesIO(text.encode())))

    @pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "<html>", '"' + "x" * 200_000, CUT_LINE])
    def test_csv_that_is_no_master(self, text: str) -> None:
        with pytest.raises(DataException):
            list(master_files.pieces("A", io.BytesIO(text.encode())))


def test_postgresql_takes_and_keeps_it_as_well() -> None:
    """With the sequence that OpenAlgo's model numbers its rows by, and a pool of connections."""
    row = ("X", "X", "X", "NSE", "NSE", "1", "", 0.0, 1, "EQ", 0.05)
    rows = [(f"X{n}", *row[1:5], str(n), *row[6:]) for n in range(1500)]
    try:
        with postgresql() as url:
            engine = sql.create_engine(url)
            metadata = sql.MetaData()
            columns = [
                sql.Column(column.name, column.type)
                for column in local_table().columns
                if column.name != "id"
            ]
            number = sql.Column("id", sql.Integer, sql.Sequence("symbols"), primary_key=True)
            table = sql.Table("symtoken", metadata, number, *columns)
            metadata.create_all(engine)
            known = SymbolTable(engine, table)
            for _ in range(2):
                assert known.replace([rows], "here B", NOW) == 1500
                with pytest.raises(DataException):
                    known.replace([rows[:700]], "here B", NOW)
                assert known.mark().rows == 1500  # type: ignore[union-attr]
            assert known.find("X7", "NSE").token == "7"  # type: ignore[union-attr]
            assert [each.symbol for each in known.search("x149", limit=1)] == ["X149"]
            engine.dispose()
    except NoPostgreSQL as error:
        pytest.skip(str(error))
