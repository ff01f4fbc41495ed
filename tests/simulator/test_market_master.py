"""The instruments: any number of them, all awkward symbols, and both files made from them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import tracemalloc
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from broker_simulator.mstock.market import build_master
from broker_simulator.mstock.market.listing import monthly_expiries, weekly_expiries
from broker_simulator.mstock.market.trading_calendar import session
from broker_simulator.mstock.master_files import type_a_csv, type_b_json

TODAY = date(2026, 11, 23)
# Expiry days, days after one, a month's last days, a year's end, and the swap of September 2025.
DAYS = [TODAY, date(2025, 1, 1), date(2025, 8, 28), date(2025, 9, 1), date(2026, 3, 31),
        date(2026, 12, 29), date(2026, 12, 31), date(2027, 2, 20)]  # fmt: skip


@pytest.mark.parametrize("size", [50, 51, 1000, 5000, 5142, 5143, 5600, 20_000])
def test_as_many_as_asked_for_each_found_by_token_and_by_symbol(size):
    master = build_master(size, 7, TODAY)
    rows = list(master)
    assert len(rows) == len(master) == size
    assert len({(i.exchange, i.token) for i in rows}) == size
    assert len({(i.exchange, i.symbol) for i in rows}) == size
    for instrument in rows[:: max(1, size // 700)]:
        assert master.get(instrument.exchange, instrument.token) == instrument
        assert master.by_symbol(instrument.exchange, instrument.symbol) == instrument
    assert master.get("NFO", "999999999") is None
    assert master.by_symbol("NFO", "SIMAAAB26DEC100CE") is None


def test_fewer_than_50_are_refused():
    with pytest.raises(ValueError, match="50"):
        build_master(49, 7, TODAY)


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_the_smallest_has_one_of_everything(today):
    rows = list(build_master(50, 7, today))
    tokens = {(i.exchange, i.token): i.symbol for i in rows}
    for token, symbol in {
        "1594": "INFY-EQ", "2885": "RELIANCE-EQ", "3045": "SBIN-EQ", "22": "ACC-EQ",
        "26000": "NIFTY 50", "26009": "NIFTY BANK", "26037": "FINNIFTY", "26074": "MIDCPNIFTY",
        "26013": "NIFTY NEXT 50", "26017": "INDIA VIX",
    }.items():  # fmt: skip
        assert tokens["NSE", token] == symbol
    assert tokens["BSE", "51"] == "SENSEX"
    assert tokens["BSE", "69"] == "BANKEX"
    assert tokens["BSE", "500325"] == "RELIANCE"
    assert {"M&M-EQ", "BAJAJ-AUTO-EQ", "IDEA-EQ"} <= set(tokens.values())
    assert any(i.strike and i.strike % 1 for i in rows)
    assert any(i.expiry and i.expiry < today for i in rows)
    assert {"SUZLON-EQ", "SUZLON-BE", "SUZLON-BZ"} <= set(tokens.values())
    assert [e for e, token in tokens if token == "51"] == ["NSE", "BSE"]
    for name in ("NIFTY", "BANKNIFTY", "FINNIFTY"):
        kinds = Counter(i.kind for i in rows if i.name == name and (i.expiry or today) >= today)
        assert kinds["CE"] >= 2
        assert kinds["PE"] >= 2
        assert kinds["FUT"] == 1
    assert {"CDS", "BFO"} <= {i.exchange for i in rows}


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_expiries(today):
    master = build_master(5000, 7, today)
    live = {(i.name, i.expiry) for i in master if i.expiry and i.expiry >= today}
    assert all(session(expiry) for _, expiry in live)
    monthly = monthly_expiries("NFO", today, 3)
    weekly = weekly_expiries("NFO", today, 4)
    assert not set(monthly) & set(weekly)
    assert {("NIFTY", day) for day in (*monthly, *weekly)} <= live
    # Weekly and monthly contracts of one underlying in one week, on two days.
    weeks = Counter(expiry.isocalendar()[:2] for name, expiry in live if name == "MIDCPNIFTY")
    assert max(weeks.values()) == 2


def test_symbols_are_written_as_in_the_documents():
    master = build_master(5000, 7, date(2026, 9, 16))
    nifty = {i.symbol for i in master if i.name == "NIFTY"}
    assert any(symbol.startswith("NIFTY26922") and symbol.endswith("CE") for symbol in nifty)
    assert any(symbol.startswith("NIFTY26SEP2") for symbol in nifty)
    assert "NIFTY26SEPFUT" in nifty
    october = build_master(5000, 7, date(2025, 10, 20))
    assert any(i.symbol.startswith("SENSEX25O23") for i in october)
    decimal = next(i for i in master if i.name == "IDEA" and i.strike and i.strike % 1)
    assert f"SEP{decimal.strike}" in decimal.symbol


def test_the_same_day_and_seed_give_the_same_master():
    assert list(build_master(6000, 7, TODAY)) == list(build_master(6000, 7, TODAY))


def test_a_million_are_not_held():
    tracemalloc.start()
    master = build_master(1_000_000, 7, TODAY)
    middle = master.get("NFO", "1400000")
    assert middle is not None
    assert master.by_symbol("NFO", middle.symbol) == middle
    pieces = itertools.islice(type_b_json(master), 5)
    assert sum(map(len, pieces)) > 1_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(master) == 1_000_000
    assert peak < 30_000_000


class TestFiles:
    MASTER = build_master(12_000, 7, TODAY)
    CSV = tuple(csv.DictReader(io.StringIO(b"".join(type_a_csv(MASTER, bare=True)).decode())))
    JSON = tuple(json.loads(b"".join(type_b_json(MASTER))))

    def test_type_a_has_all_but_the_indices(self):
        assert len(self.CSV) == sum(i.kind != "INDEX" for i in self.MASTER)
        for row in self.CSV:
            assert row["instrument_token"] == row["exchange_token"]
            assert row["last_price"] == ""
            instrument = self.MASTER.get(row["exchange"], row["exchange_token"])
            assert Decimal(row["strike"] or -1) == (instrument.strike or -1)
            assert row["expiry"] == (instrument.expiry.isoformat() if instrument.expiry else "")
            assert int(row["lot_size"]) == instrument.lot_size

    def test_type_a_writes_the_documents_own_rows(self):
        lines = b"".join(type_a_csv(self.MASTER, bare=True)).decode().splitlines()
        assert lines[0] == (
            "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,"
            "tick_size,lot_size,instrument_type,segment,exchange"
        )
        assert "1,1,GOLDSTAR,GOLDSTAR POWER LIMITED,,,,,1,SM,SM,NSE" in lines
        assert "2,2,91D101220,GOI TBILL 91D-10/12/20,,,,,1,TB,TB,NSE" in lines
        assert "22,22,ACC,ACC LIMITED,,,,0.05,1,EQ,EQ,NSE" in lines
        # Clients split on bare commas.
        assert {line.count(",") for line in lines} == {11}

    def test_type_a_names_one_share_in_several_series(self):
        found = [r["instrument_type"] for r in self.CSV if r["tradingsymbol"] == "SUZLON"]
        assert sorted(found) == ["A", "BE", "BZ", "EQ"]
        newer = b"".join(type_a_csv(self.MASTER, bare=False)).decode()
        assert ",SUZLON-BE," in newer

    def test_type_b_is_all_strings_and_has_bses_indices_alone(self):
        assert {type(value) for row in self.JSON for value in row.values()} == {str}
        assert {tuple(row) for row in self.JSON} == {
            ("token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype",
             "exch_seg", "tick_size"),
        }  # fmt: skip
        indices = {(r["exch_seg"], r["name"]) for r in self.JSON if r["instrumenttype"] == "INDEX"}
        assert {exchange for exchange, _ in indices} == {"BSE"}
        assert {"SENSEX", "BANKEX", "SNSX50", "BSE CG"} <= {name for _, name in indices}
        assert {row["exch_seg"] for row in self.JSON} == {"NSE", "BSE", "NFO", "BFO"}
        assert {row["instrumenttype"] for row in self.JSON} == {
            "EQ", "INDEX", "FUTIDX", "OPTIDX", "FUTSTK", "OPTSTK", "FUTCUR", "OPTCUR",
        }  # fmt: skip

    def test_type_b_writes_base_and_trading_symbol_and_dates(self):
        rows = {(row["exch_seg"], row["token"]): row for row in self.JSON}
        assert rows["NSE", "9552"] == {
            "token": "9552", "symbol": "RVNL", "name": "RVNL-EQ", "expiry": "", "strike": "",
            "lotsize": "1", "instrumenttype": "EQ", "exch_seg": "NSE", "tick_size": "0.05",
        }  # fmt: skip
        sensex = next(
            r for r in self.JSON if r["instrumenttype"] == "OPTIDX" and "26D03" in r["name"]
        )
        assert sensex["expiry"] == "03Dec2026"
        assert sensex["name"] == f"SENSEX26D03{sensex['strike']}{sensex['name'][-2:]}"
        currency = next(r for r in self.JSON if r["instrumenttype"] == "FUTCUR")
        assert (currency["strike"], currency["tick_size"]) == ("-0.01", "0.0025")

    def test_both_files_tell_of_the_same_contracts(self):
        a = {r["tradingsymbol"]: r["exchange_token"] for r in self.CSV if r["expiry"]}
        b = {r["name"]: r["token"] for r in self.JSON if r["expiry"]}
        assert a == b


def test_option_chains_are_found_by_name_and_day():
    master = build_master(12_000, 7, TODAY)
    for exchange in ("NFO", "BFO"):
        for name, expiries in master.expiries(exchange):
            found = [c for day in expiries for c in master.contracts(exchange, name, day)]
            assert found
            assert {c.name for c in found} == {name}
    by_hand = {i.expiry for i in master if i.name == "SIMAABO"}
    listed = dict(master.expiries("NFO"))["SIMAABO"]
    assert by_hand - {None} == set(listed)
    assert all(day >= TODAY - timedelta(days=40) for day in listed)
