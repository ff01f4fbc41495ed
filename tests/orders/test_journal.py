"""The journal in both of its places, an SQLite file and PostgreSQL: shared, counted, settled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker._kit.errors import RateLimited, StoreError
from broker._kit.http.rate_limits import Rate
from broker._kit.secret import Secret
from broker._kit.settings import ServiceSettings
from broker.mstock.api import order_api
from broker.mstock.client.routes import RATE_LIMITS
from broker.mstock.orders.journal import OPEN, Entry, Journal, State, erase_journals, new_tag
from tests.orders.conftest import MOMENT, Trader
from tests.support.process import started
from tests.support.stub_market import INFY

Order = Callable[..., dict[str, Any]]


@pytest.fixture
def journal_url(any_journal_url: Secret) -> Secret:
    return any_journal_url


def test_an_order_stands_in_it_and_is_settled_by_it(trader: Trader, order: Order) -> None:
    order_id = order_api.place_order_api(order(), trader.auth)[2]
    trader.fault("orders/place", "reset", when="after")
    other = order_api.place_order_api(order(price=1241), trader.auth)[2]
    trader.fault("orders/place", "reset", when="before")
    assert order_api.place_order_api(order(price=1242), trader.auth)[2] is None
    journal = trader.service().journal
    (left,) = journal.unknown()
    assert left.price == Decimal("1242")
    assert f"{left.at:%H:%M %z}" == "10:00 +0530"
    assert {each.order_id for each in journal.orders_of(left.token)} == {order_id, other, ""}
    assert {each.order_id for each in trader.orders()} == {order_id, other}


def test_a_tag_is_one_that_mstock_takes() -> None:
    tags = {new_tag() for _ in range(100)}
    assert len(tags) == 100
    assert all(re.fullmatch("[A-Za-z0-9]{1,19}", tag) for tag in tags)


def test_smart_orders_count_what_earlier_ones_have_sent(trader: Trader, order: Order) -> None:
    data = order(price=1200, position_size=30)
    assert order_api.place_smartorder_api(data, trader.auth)[2]
    assert order_api.place_smartorder_api(data, trader.auth)[0] is None
    (entry,) = trader.service().journal.working("INFY", "NSE", "MIS")
    assert (entry.side, entry.quantity, entry.token) == ("BUY", 30, INFY.token)


def test_erase_removes_it(trader: Trader, tmp_path: Path) -> None:
    journal = trader.service().journal
    journal.begin(Entry(new_tag(), "place", trader.clock.now()))
    with journal.position_locks.hold("INFY", "NSE", "MIS"):
        pass
    url = None if journal.file else trader.journal_url
    assert len(erase_journals(ServiceSettings(str(tmp_path), store_url=url))) == 1
    assert list(tmp_path.iterdir()) == []
    assert trader.service().journal.open() == []


def test_a_database_that_is_away_shows_no_address(trader: Trader) -> None:
    url = "postgresql+psycopg://me:s3cr3t-word@127.0.0.1:1/db"
    journal = Journal(Secret(url), trader.config.account, trader.clock)

    def lock() -> None:
        with journal.position_locks.hold("INFY", "NSE", "MIS"):
            pytest.fail("nobody has this lock")

    for use in (journal.open, lock):
        with pytest.raises(StoreError, match="BROKER_STORE") as caught:
            use()
        assert "s3cr3t-word" not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert caught.value.__context__ is None


def test_fifty_of_two_processes_towards_one_target(trader: Trader) -> None:
    """Each in a thread of its own, partial fills under way."""
    exchange = trader.sim.exchange
    exchange.behaviour.largest_fill = 7
    arguments = ("tests.orders.smart_orderer", MOMENT.isoformat(), "25", "50")
    pipes = {"stdin": subprocess.PIPE, "env": os.environ | {"BROKER_READ_TIMEOUT": "30"}}
    with started(*arguments, **pipes) as one, started(*arguments, **pipes) as other:
        programs = (one, other)
        for program in programs:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write(f"{trader.auth}\n{trader.journal_url.reveal()}\n")
            program.stdin.flush()
            assert program.stdout.readline() == "ready\n"
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        while any(program.poll() is None for program in programs):
            exchange.match()
            time.sleep(0.01)
        answers = [program.communicate()[0].split() for program in programs]
    for _ in range(50):
        exchange.match()
    assert [len(each) for each in answers] == [25, 25]
    assert {word for each in answers for word in each} <= {"sent", "nothing", "unsure"}
    bought = [each.request.quantity for each in trader.orders() if each.request.side == "BUY"]
    assert sum(bought) == 50
    assert len(bought) == len(trader.orders())
    (row,) = trader.service().positions()
    assert row.quantity == 50


def test_limits_are_shared_and_a_share_is_kept_for_cancels(trader: Trader) -> None:
    services = [trader.service(), trader.service()]

    def entry(kind: str) -> Entry:
        return Entry(new_tag(), kind, trader.clock.now())

    def place_many() -> None:
        for n in range(1001):
            services[n % 2].journal.begin(entry("place"))

    with pytest.raises(RateLimited, match="Nothing was sent"):
        place_many()
    # 27 a second, 225 a minute: waiting a second at most, the minute's share ends it.
    assert len(services[0].journal.open()) == 225
    for _ in range(25):
        services[0].journal.begin(entry("cancel"), urgent=True)
    with pytest.raises(RateLimited):
        services[1].journal.begin(entry("cancel"), urgent=True)
    trader.clock.advance(60)
    services[1].journal.begin(entry("place"))


def test_what_waited_for_its_turn_was_sent_after_it(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An equal order of that second of waiting would be taken for it otherwise."""
    monkeypatch.setitem(RATE_LIMITS, "orders", (Rate(10, 1),))
    journal = trader.service().journal
    for n in range(10):
        journal.begin(Entry(f"n{n}", "place", trader.clock.now()))
    last = journal.entry("n9")
    assert last is not None
    assert last.at == trader.clock.now() == MOMENT + timedelta(seconds=1)


def test_what_never_left_does_not_count(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATE_LIMITS, "orders", (Rate(10, 60),))
    journal = trader.service().journal
    for state in (*[State.UNSENT] * 20, *[State.REFUSED] * 9):
        entry = Entry(new_tag(), "place", trader.clock.now())
        journal.begin(entry)
        journal.finish(entry.tag, state)
    with pytest.raises(RateLimited):
        journal.begin(Entry(new_tag(), "place", trader.clock.now()))


def test_what_is_known_is_not_forgotten(trader: Trader) -> None:
    journal = trader.service().journal
    journal.begin(Entry("mine", "place", trader.clock.now()))
    journal.finish("mine", State.DONE, order_id="1")
    journal.finish("mine", State.UNKNOWN)
    found = journal.entry("mine")
    assert found is not None
    assert (found.state, found.order_id) == (State.DONE, "1")


@pytest.mark.parametrize("is_restarted", [True, False])
def test_rows_go_after_a_week(trader: Trader, is_restarted: bool) -> None:
    journal = trader.service().journal
    journal.begin(Entry(new_tag(), "place", trader.clock.now()))
    for days, left in ((6, 2), (8, 1)):
        trader.clock.advance(days * 86400)
        journal = trader.service().journal if is_restarted else journal
        journal.begin(Entry(new_tag(), "place", trader.clock.now()))
        with journal._transaction() as connection:
            count = connection.exec_driver_sql("select count(*) from mstock_orders").scalar()
        assert count == left


KILLED = """
    import os, sys
    from datetime import datetime
    from decimal import Decimal
    from broker._kit.secret import Secret
    from broker._kit.settings import Account
    from broker.mstock.orders.journal import Entry, Journal
    from broker._kit.clock import IST

    class Stopped:
        def now(self): return datetime.fromisoformat(sys.argv[5]).astimezone(IST)
        def monotonic(self): return 0.0
        def sleep(self, seconds): pass

    clock = Stopped()
    journal = Journal(Secret(sys.argv[1]), Account(*sys.argv[2:5]), clock)
    journal.begin(Entry(
        "killed", "place", clock.now(), token="1594", symbol="INFY", exchange="NSE", side="BUY",
        quantity=10, price_type="LIMIT", product="MIS", price=Decimal(1240)))
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_open_is_settled_at_the_next_start(trader: Trader) -> None:
    program = textwrap.dedent(KILLED)
    now = trader.clock.now().isoformat()
    arguments = [trader.journal_url.reveal(), *trader.config.account, now]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=False, cwd=Path.cwd(), env=os.environ
    )
    assert done.returncode == -9
    order_id = trader.client.place()  # it had gone out
    service = trader.service()
    (left,) = service.journal.unknown()
    assert (left.tag, left.state) == ("killed", State.SENDING)
    service.recover()
    (work,) = trader.background
    work()
    found = service.journal.entry("killed")
    assert found is not None
    assert (found.state, found.order_id) == (State.DONE, order_id)


def test_a_living_process_settles_its_own(trader: Trader) -> None:
    service = trader.service()
    service.journal.begin(Entry("mine", "place", trader.clock.now()))
    assert service.journal.unknown() == []
    assert [each.state for each in service.journal.open()] == [OPEN[0]]
