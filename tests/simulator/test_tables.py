"""The data: fund figures and their arithmetic, refusals on every route, who imports whom."""

from __future__ import annotations

import ast
import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import broker_simulator.mstock as simulator
from broker_simulator.mstock import Simulator
from broker_simulator.mstock.accounts import demo_accounts
from broker_simulator.mstock.box import DIALECTS
from broker_simulator.mstock.funds import FUND_KEYS
from broker_simulator.mstock.refusals import Reason, Refused
from broker_simulator.mstock.settings import REVISIONS, Settings

ROOM = Path(simulator.__file__).parent

# Null has been seen in these and in no other figure (15).
NULLABLE = {
    "ADDITIONAL_MARGIN", "BANK_HOLDING", "COLLATERALS", "MTM_COMBINED", "OFS_UTILIZED",
    "PEAK_MARGIN", "PHYSICAL_MARGIN", "REALISED_PROFITS", "RECEIVABLES", "UNCLEAR_BALANCE",
}  # fmt: skip


@pytest.mark.parametrize("account", demo_accounts(), ids=lambda account: account.client_code)
class TestFunds:
    def test_24_keys_in_the_documents_order(self, account):
        assert tuple(account.funds) == FUND_KEYS
        assert len(FUND_KEYS) == 24
        assert list(FUND_KEYS) == sorted(FUND_KEYS)

    def test_strings_or_null_only_where_null_was_seen(self, account):
        for key, value in account.funds.items():
            assert isinstance(value, str) or (value is None and key in NULLABLE)
        assert (account.funds["SEG"], account.funds["LIMIT_TYPE"]) == ("A", "CAPITAL")

    def test_the_arithmetic_of_12_1(self, account):
        f = {
            key: Decimal(value or 0)
            for key, value in account.funds.items()
            if key not in ("SEG", "LIMIT_TYPE")
        }
        gross = f["LIMIT_SOD"] + f["ADHOC_LIMIT"] + f["BANK_HOLDING"] + f["COLLATERALS"]
        assert f["SUM_OF_ALL"] == gross - f["PAY_OUT_AMT"]
        assert f["AVAILABLE_BALANCE"] == gross - f["AMOUNT_UTILIZED"]
        assert f["MTF_AVAILABLE_BALANCE"] == f["AVAILABLE_BALANCE"]
        assert f["ADHOC_LIMIT"] == f["BANK_HOLDING"]
        assert f["CLEAR_BALANCE"] == f["LIMIT_SOD"] + f["ADHOC_LIMIT"] - f["PAY_OUT_AMT"]


def test_the_samples_are_the_documents():
    _, docs, mock = demo_accounts()
    assert docs.funds["AVAILABLE_BALANCE"] == "299972678840.29"
    assert docs.funds["PEAK_MARGIN"] == "33222959.73"
    assert None not in docs.funds.values()
    assert mock.funds["AVAILABLE_BALANCE"] == "299999999997"
    assert mock.funds["PEAK_MARGIN"] == "37910623.64"
    assert {key for key, value in mock.funds.items() if value is None} == NULLABLE - {
        "BANK_HOLDING",
        "PEAK_MARGIN",
    }


def test_the_demos_figures_are_a_retail_traders():
    funds = demo_accounts()[0].funds
    assert Decimal(100_000) < Decimal(funds["AVAILABLE_BALANCE"]) < Decimal(1_000_000)
    assert Decimal(funds["COLLATERALS"]) > 0
    assert Decimal(funds["AMOUNT_UTILIZED"]) > 0
    assert Decimal(funds["REALISED_PROFITS"]) > 0 > Decimal(funds["MTM_COMBINED"])
    assert Decimal(funds["PAY_OUT_AMT"]) == 0


def test_accounts_share_no_secret():
    accounts = demo_accounts()
    for name in ("client_code", "mobile", "password", "api_key_a", "api_key_b", "totp_secret"):
        assert len({getattr(account, name) for account in accounts}) == len(accounts)
    assert not {a.api_key_a for a in accounts} & {a.api_key_b for a in accounts}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.prefix)
@pytest.mark.parametrize("revision", REVISIONS)
def test_every_refusal_has_a_body_on_every_route_that_can_meet_it(dialect, revision):
    only_login = {Reason.WRONG_PASSWORD, Reason.LOCKED, Reason.EMPTY_CREDENTIALS}
    only_session_token = {Reason.OTP_WRONG, Reason.OTP_EXPIRED}
    for path in dialect.routes:
        for reason in Reason:
            if reason in only_login and path != "connect/login":
                continue
            if reason in only_session_token and path != "session/token":
                continue
            if (dialect.letter, reason) == ("a", Reason.EMPTY_CREDENTIALS):
                continue
            reply = dialect.refuse(path, Refused(reason, 3), Settings(revision=revision))
            body = json.loads(reply.body)
            assert body["data"] is None
            assert str(body["status"]).lower() in ("false", "error")
            assert "{" not in body["message"]


USER_ROUTES = {
    "connect/login", "session/token", "session/verifytotp", "user/fundsummary", "logout",
}  # fmt: skip
# Sections 6.0 and 7.0.
ORDER_ROUTES = {
    "orders/place", "orders/modify", "orders/cancel", "orders/cancelall", "orders",
    "order/details", "trades", "tradebook", "portfolio/positions", "portfolio/convertposition",
    "portfolio/holdings", "margins/orders",
}  # fmt: skip
DATA_ROUTES = {
    "getoptionchainmaster/{exchange_id}",
    "GetOptionChain/{exchange_id}/{expiry}/{token}",
    "losergainer",
    "Health/GetHealthStatistics",
}
DATA_ROUTES_A = {
    "instruments/historical/{exchange}/{token}/{interval}",
    "instruments/historical/{token}/{interval}",
    "instruments/intraday/{exchange_id}/{token}/{interval}",
    "instruments/quote/ohlc",
    "instruments/quote/ltp",
    "instruments/scriptmaster",
}
DATA_ROUTES_B = {
    "instruments/historical",
    "instruments/intraday",
    "instruments/quote",
    "instruments/OpenAPIScripMaster",
}


def test_both_dialects_have_the_routes_of_the_documents():
    both = USER_ROUTES | ORDER_ROUTES | DATA_ROUTES
    wanted = {f"a/{path}" for path in both | DATA_ROUTES_A}
    wanted |= {f"b/{path}" for path in both | DATA_ROUTES_B}
    routes = Simulator().faults.routes
    assert wanted <= set(routes)
    assert routes[-1] == "*"


def imports_of(path: Path) -> set[str]:
    """Return the modules a file imports, without the leading dots."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {alias.name for alias in node.names}
    return found


def test_who_imports_whom():
    imports = {path.stem: imports_of(path) for path in ROOM.rglob("*.py")}
    assert not any(name.split(".")[0] == "broker" for found in imports.values() for name in found)
    assert {room for room, found in imports.items() if "flask" in found} == {"control"}
    for letter in "ab":
        known = {room for room, found in imports.items() if f"type_{letter}" in found}
        # "server" is the WebSocket's, in its own room.
        assert known == {"box", f"orders_{letter}", f"data_{letter}", "server"}
    for room in ("world", "accounts", "funds", "tokens", "clock", "phone", "rules", "refusals"):
        assert not imports[room] & {"werkzeug", "wire", "http", "werkzeug.datastructures"}, room
    rooms = {"exchange": {"accounts", "clock", "funds", "market", "refusals"}, "market": {"clock"}}
    for room, known in rooms.items():
        allowed = {f"broker_simulator.mstock.{name}" for name in known}
        for path in (ROOM / room).glob("*.py"):
            found = imports_of(path)
            assert {name for name in found if name.startswith("broker_simulator.")} <= allowed, path
            assert not found & {"world", "wire", "settings", "http", "werkzeug", "flask"}, path


def test_only_the_clock_reads_the_time():
    for path in ROOM.rglob("*.py"):
        text = path.read_text()
        if path.stem != "clock":
            assert "datetime.now(" not in text
            assert "time.time(" not in text
            assert "utcnow(" not in text
        assert text.startswith('"""')
        assert len(text.splitlines()) <= 450


@pytest.mark.parametrize("letter", ["a", "b"])
def test_one_dialect_works_without_the_other(monkeypatch, box, type_a, type_b, letter):
    kept = tuple(dialect for dialect in DIALECTS if dialect.letter == letter)
    monkeypatch.setattr(sys.modules["broker_simulator.mstock.box"], "DIALECTS", kept)
    sim = box()
    a, b = type_a(sim), type_b(sim)
    assert a.login().status_code == (200 if letter == "a" else 404)
    assert b.login().status_code == (200 if letter == "b" else 404)
