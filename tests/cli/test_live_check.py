"""`doctor --live`: what it finds at the simulator over real sockets, and what it never shows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.mstock.cli import live_check
from broker.mstock.mapping import live_findings as findings
from broker_simulator.mstock import Simulator
from tests.cli.conftest import Person
from tests.cli.test_order_commands import placed, share, trader
from tests.conftest import settings_for
from tests.install.tree import make_openalgo

__all__ = ["share", "trader"]

# Digits that an answer may hold: a pattern's nines, a field's name, and what is no figure of the
# account.
_HARMLESS = re.compile(r"9{1,4}|09:15|09:45|00:00|12 hours|5 minutes|[A-Za-z_]+[0-9][A-Za-z_]*")


def asked(person: Person, *more: str) -> dict[str, str]:
    code, body = person.asks("doctor", "--live", *more, types="y\n")
    assert code == 0, body
    return {each["question"]: each["answer"] for each in body["findings"]}


class TestReads:
    def test_it_answers_for_this_account_and_shows_nothing_of_it(
        self, trader: Person, share: tuple[str, str, str]
    ) -> None:
        symbol, price, _ = share
        order_id = placed(trader, "BUY", "7", symbol)
        placed(trader, "BUY", "7", symbol, "--price", price)
        routes = len(trader.box.journal)
        found = asked(trader)
        is_a = trader.config.api_type == "A"
        assert all(each == "yes" for name, each in found.items() if name.endswith("can read it"))
        assert found["funds: AVAILABLE_BALANCE = SUM_OF_ALL - AMOUNT_UTILIZED"] in ("yes", "no")
        assert found["funds: one row, of segment A"] == "yes"
        assert "boolean" in found["funds: status"] or "text" in found["funds: status"]
        assert found["order book: status"] != found["funds: status"] or is_a
        assert found["order book: a tag came back"].startswith("no")
        assert found["order history: a tag came back"].startswith("yes")
        assert "9999" in " ".join(name for name in found if name.startswith("order book"))
        assert "number" in " ".join(name for name in found if name.startswith("positions"))
        assert found["hourly candles: stamp"] == "9999-99-99T99:99:99+99"
        assert found["hourly candles: order"] == "oldest first"
        assert found["daily candles: today is in it"] == "no"
        assert found["today's candles: stamp"] == "9999-99-99 99:99"
        assert found["token: exp"] == "midnight IST"
        methods = {(entry.method, entry.path.rpartition("/")[2]) for entry in _new(trader, routes)}
        assert not {each for each in methods if each[0] in ("PUT", "DELETE")}
        assert not any("regular" in path or "logout" in path for _, path in methods)
        for name, answer in found.items():
            digits = _HARMLESS.sub("", answer)
            assert name.endswith("columns") or not re.search(r"\d", digits), (name, answer)
        text = trader.runs("doctor", "--live", types="y\n").output
        account = trader.box.demo
        amounts = {each for each in account.funds.values() if _figure(each) > 9}
        for private in (*amounts, account.client_code, symbol, order_id, price):
            assert private not in text, private

    def test_it_asks_first_and_takes_a_no(self, trader: Person) -> None:
        before = len(trader.box.journal)
        code, body = trader.asks("doctor", "--live", types="n\n")
        assert (code, body["status"], body["findings"]) == (1, "cancelled", [])
        trader.is_at_terminal = False
        assert trader.runs("doctor", "--live").exit_code == 2
        assert len(trader.box.journal) == before

    def test_inside_openalgo_there_is_no_session_to_ask_with(
        self, trader: Person, tmp_path: Path
    ) -> None:
        make_openalgo(tmp_path / "openalgo")
        (tmp_path / "openalgo" / ".env").touch(0o600)
        os.chdir(tmp_path / "openalgo")
        before = len(trader.box.journal)
        code, body = trader.asks("doctor", "--live", types="y\n")
        assert (code, body["kind"]) == (1, "CorrectInput")
        assert "folder of its own" in body["next_step"]
        assert len(trader.box.journal) == before

    def test_a_refused_read_is_a_finding_and_a_dead_session_none(self, trader: Person) -> None:
        route = f"{trader.config.api_type.lower()}/portfolio/holdings"
        trader.box.faults.set(route, "general_error")
        assert asked(trader)["holdings: the plugin can read it"].startswith("no: GeneralException")
        for session in trader.box.sessions:
            session.ended_at = trader.clock.now()
        code, body = trader.asks("doctor", "--live", types="y\n")
        assert (code, body["kind"]) == (3, "TokenException")


@pytest.fixture(params=["A", "B"])
def listener(
    request: pytest.FixtureRequest, person: Person, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Person]:
    home, box = person.settings["BROKER_HOME"], person.box
    person.settings = settings_for(box, request.param, BROKER_HOME=home, MSTOCK_WS_URL=box.ws_url)
    person.is_logged_in()
    monkeypatch.setattr(live_check, "_LISTEN_S", 0.5)
    monkeypatch.setattr("tests.support.clock.FakeClock.monotonic", _real_monotonic)
    return person


def test_packets_only_by_name_and_after_a_warning(listener: Person) -> None:
    done = listener.runs("doctor", "--live", "packets", types="y\n")
    assert done.exit_code == 0, done.output
    assert "cannot be known" in " ".join(done.stderr.split())
    found = asked(listener, "packets")
    assert found["login: answer"] == "a JSON object"
    sizes = ("8", "44", "200") if listener.config.api_type == "A" else ("51", "123", "379")
    for name, size in zip(("LTP", "quote", "depth"), sizes, strict=True):
        # Type A subscribes in quote mode first: such a frame may come before the mode has changed.
        lengths = map(int, found[f"{name}: bytes of a frame"].split(", "))
        assert any(0 <= length - int(size) <= 4 for length in lengths)
        assert found[f"{name}: the plugin can read all"] == "yes"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        ("None", 'the text "None"'),
        ("", "empty text"),
        (True, "true or false"),
        (12.5, "number"),
        ("-12.50", "number in quotes"),
        ("2024-Nov-06 12:42:18", "9999-Mon-99 99:99:99"),
        ("2025-Feb-11 10: 20: 34", "9999-Mon-99 99: 99: 99"),
        ("27-NOV-2026", "99-Mon-9999"),
        ("23-01-2025 02:55:55 PM", "99-99-9999 99:99:99 PM"),
        ("2024-01-01T09:15:00+05", "9999-99-99T99:99:99+99"),
        ("14:48:23", "99:99:99"),
        ("NIFTY-07Nov2024-24000-CE", "text"),
        ("BANK OF MAHARASHTRA", "text"),
        ("INE457A01014", "text"),
    ],
)
def test_the_shape_of_a_value(value: object, words: str) -> None:
    assert findings.shape(value) == words


def test_sums_that_do_not_hold_are_told_and_a_missing_figure_is_no_answer() -> None:
    sample: dict[str, Any] = {
        "SEG": "A", "LIMIT_SOD": "10", "ADHOC_LIMIT": "0", "BANK_HOLDING": None, "COLLATERALS": "5",
        "PAY_OUT_AMT": "1", "SUM_OF_ALL": "14", "AVAILABLE_BALANCE": "12", "AMOUNT_UTILIZED": "3",
        "MTF_AVAILABLE_BALANCE": "12",
    }  # fmt: skip
    found = dict(findings.funds([sample], "funds"))
    sums = {name.removeprefix("funds: "): answer for name, answer in found.items()}
    gross = "LIMIT_SOD + ADHOC_LIMIT + BANK_HOLDING + COLLATERALS"
    assert sums[f"SUM_OF_ALL = {gross} - PAY_OUT_AMT"] == "yes"
    assert sums[f"AVAILABLE_BALANCE = {gross} - AMOUNT_UTILIZED"] == "yes"
    assert sums["AVAILABLE_BALANCE = SUM_OF_ALL - AMOUNT_UTILIZED"] == "no"
    assert sums["CLEAR_BALANCE = LIMIT_SOD + ADHOC_LIMIT - PAY_OUT_AMT"].startswith("cannot")


def test_derivatives_and_candles_of_today() -> None:
    rows = [{"instrumenttype": "OPTIDX", "exchange": "NSE"}]
    assert list(findings.derivatives(rows, "book")) == [("book: derivatives say NSE or BSE", "yes")]
    data = {"candles": [["2026-11-23 09:16", 1], ["2026-11-23 09:15", 1]]}
    found = dict(findings.candles(data, "c", date(2026, 11, 23)))
    assert (found["c: order"], found["c: today is in it"]) == ("newest first", "yes")
    assert found["c: earliest time of day"] == "09:15"


def _figure(text: str | None) -> Decimal:
    try:
        return Decimal(text or 0)
    except ArithmeticError:
        return Decimal(0)


def _new(person: Person, since: int) -> list[Any]:
    box: Simulator = person.box
    return list(box.journal)[since:]


def _real_monotonic(_self: object) -> float:
    import time

    return time.monotonic()


def test_a_tokens_end_in_milliseconds_is_told() -> None:
    claims = {"iat": 1_763_700_000_000, "exp": 1_763_743_200_000}
    assert list(findings.token_life(claims)) == [("token: exp", "it is not in seconds")]
