"""A broker without API types whose sessions end at 03:00: what the kit says of it is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from broker._kit.broker import Broker, FundReport, LogoutResult
from broker._kit.cli.context import Context
from broker._kit.cli.main import command_line
from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.sessions.record import EndReason, LoginMethod
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import save_session
from broker._kit.web.standalone_app import create_app
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.conftest import flow_of
from tests.web.helpers import PASSWORD, Browser, FakeMstock, settings

PAGE = "/firstbroker/callback"
TOKEN = Secret("a-token-that-says-nothing")
# What is true of mStock alone.
ONLY_MSTOCKS = re.compile(r"mstock|midnight|api type|API key and its type", re.IGNORECASE)


def at_three(login: datetime) -> datetime:
    three = login.astimezone(IST).replace(hour=3, minute=0, second=0, microsecond=0)
    return three if login < three else three + timedelta(days=1)


@pytest.fixture
def broker(mstock: FakeMstock, clock: FakeClock) -> Broker:
    greeting = SimpleNamespace(server_time=clock.now)
    funds = FundReport(Decimal(7), Decimal(3), "for all segments", (), (), {}, {})
    return replace(
        mstock.broker,
        name="firstbroker",
        title="First Broker",
        read_settings=lambda _env: Config.from_env(settings())._replace(api_type=""),
        login_client=lambda *_: greeting,
        fund_report=lambda *_: funds,
        api_types=(),
        api_type_setting="",
        session_end=at_three,
        session_end_words="at 03:00 IST",
        otp_channels="telegram",
        terms=("First Broker allows one such login a day.",),
        pages=None,
    )


@pytest.fixture
def store(broker: Broker) -> MemoryStore:
    return MemoryStore(broker)


@pytest.fixture
def says(broker: Broker, store: MemoryStore, clock: FakeClock, tmp_path: Any) -> Callable[..., str]:
    """The output of a command, in which nothing is mStock's."""

    def run(*words: str) -> str:
        context = Context(
            broker,
            live_check=lambda *_: [("funds: null fields", "none")],
            clock=clock,
            read_settings=lambda: {"BROKER_HOME": str(tmp_path)},
            open_store=lambda *_: store,
            is_terminal=lambda: True,
            platform="linux",
            run_program=lambda _: (None, ""),
        )
        done = CliRunner().invoke(command_line(broker), words, obj=context, input="y\n" * 3)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        own = done.output.replace(str(tmp_path), "")
        assert not ONLY_MSTOCKS.search(own), own
        return own

    return run


def logged_in(store: MemoryStore, clock: FakeClock) -> None:
    account = Config.from_env(settings())._replace(api_type="").account
    save_session(store, account, TOKEN, clock.now(), LoginMethod.OTP)


@pytest.fixture
def browser(
    broker: Broker, store: MemoryStore, clock: FakeClock, mstock: FakeMstock, says: Any
) -> Browser:
    mstock.sent_to = ""
    flow = flow_of(mstock, clock)
    flow._broker = broker
    config = broker.read_settings(None)
    return Browser(create_app(broker, lambda: config, clock, flow=flow, store=store))


def test_its_pages(browser: Browser, clock: FakeClock, mstock: FakeMstock) -> None:
    asked = browser.get(PAGE)
    form = {**asked.form("login"), "method": "otp", "password": PASSWORD, "totp": ""}
    code = browser.post(form, PAGE)
    assert "First Broker sends the OTP by telegram." in code.text
    funds = browser.post({**code.form("verify"), "otp": mstock.otp}, PAGE)
    assert "The session ends at 03:00 IST." in funds.text
    clock.wall = datetime(2026, 11, 24, 2, 59, 59, tzinfo=IST)
    assert browser.get("/funds").heading == "Funds"
    clock.wall += timedelta(seconds=1)
    over = browser.get("/funds")
    assert "the session ended at 03:00 IST" in over.alert
    for page in (asked, code, funds, over):
        shown = re.sub(r'<input[^>]*>|"/[^"]*"', "", page.html)
        assert not ONLY_MSTOCKS.search(shown), shown


def test_its_status_and_errors(says: Any, store: MemoryStore, clock: FakeClock) -> None:
    assert "Not logged in" in says("status")
    logged_in(store, clock)
    assert says("status").startswith("SIMULATOR: Logged in until Tuesday 03:00\n")
    account = "First Broker SIMULATOR, client code MA••••67"
    assert account in says("status", "-v")
    assert f"all segments: {account}, " in says("funds")
    clock.wall = datetime(2026, 11, 24, 3, 0, tzinfo=IST)
    assert "the session ended at 03:00 IST" in says("funds")
    assert "the session ended at 03:00 IST" in says("status")
    assert "session of MA••••67\n" in says("erase", "--yes")


def test_its_doctor(says: Any, store: MemoryStore, clock: FakeClock) -> None:
    logged_in(store, clock)
    assert "complete, for a SIMULATOR on this computer" in says("doctor")
    assert "First Broker SIMULATOR, plugin" in says("doctor", "--live")
    clock.wall = datetime(2026, 11, 24, 3, 0, tzinfo=IST)
    assert "the session ended at 03:00 IST" in says("doctor")


@pytest.mark.parametrize("repeats", [True, False])
def test_an_unconfirmed_logout_is_sent_once_more_only_where_it_may(
    broker: Broker, mstock: FakeMstock, repeats: bool
) -> None:
    mstock.farewell = LogoutResult(False, "No answer.")
    other = replace(broker, repeats_logout=repeats)
    assert not other.end_session(other.read_settings(None), TOKEN).confirmed
    assert mstock.calls == ["logout"] * (2 if repeats else 1)


@pytest.mark.parametrize("reason", EndReason)
def test_every_end_of_its_sessions_has_words(broker: Broker, reason: EndReason) -> None:
    assert not ONLY_MSTOCKS.search(report.end_words(broker, reason))
    assert "{" not in report.end_words(broker, reason)
