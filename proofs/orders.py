"""Places thousands of orders while answers are lost, and compares what was said with the truth.

The truth is the simulator's exchange: which tags it has, how often. The clock is set by hand, so
that waiting takes no time; several threads order together, and a program is killed in the middle.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from rich.console import Console

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, OutcomeUnknown, RateLimited
from broker._kit.http.transport import Transport
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.broker import MSTOCK
from broker.mstock.client import login
from broker.mstock.client.dialects import Client, TypeA, TypeB
from broker.mstock.client.routes import RATE_LIMITS, SERVER
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.orders.journal import Entry, Journal, State, file_url
from broker.mstock.orders.placing import OrderService
from broker.mstock.settings import Config
from broker_simulator.mstock import IST, Simulator
from broker_simulator.mstock.exchange import Order
from broker_simulator.mstock.exchange.orders import Status
from proofs import Rows, require
from proofs.simulated import SimulatedTime

ORDERS, SHORT = 10_000, 96
KILLS, SHORT_KILLS = 20, 2
_THREADS = 6
_SHARE = 0.15  # of the orders meet the fault
_TWINS = 0.1  # of the orders are equal to the one before
_MOMENT = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
_LATE_S = 30.0  # the latest that a book shows an order


class Kind(NamedTuple):
    """One fault: its name in the table, the simulator's, before or after mStock takes the order."""

    words: str
    fault: str = ""
    when: str = "after"
    late: float = 0.0


KINDS = (
    Kind("none"),
    Kind("reset before it is taken", "reset", "before"),
    Kind("502 before it is taken", "bad_gateway", "before"),
    Kind("no answer in time, not taken", "timeout", "before"),
    Kind("reset after it is taken", "reset"),
    Kind("502 after it is taken", "bad_gateway"),
    Kind("HTML after it is taken", "html_page"),
    Kind("no answer in time, taken", "timeout"),
    Kind("cut off while answering", "truncated_body"),
    Kind("success without an order id", "no_order_id"),
    Kind("refusal with an order id", "false_with_order_id"),
    Kind("reset after it is taken, book up to 30 s late", "reset", late=_LATE_S),
)


class Threadsafe(SimulatedTime):
    """The set clock for several threads."""

    def __init__(self, simulator: Simulator, start: datetime) -> None:
        super().__init__(simulator, start)
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        with self._lock:
            super().advance(seconds)


class TaggedJournal(Journal):
    """Tells the tag under which this thread's last call was written down."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.here = threading.local()

    def begin(self, entry: Entry, *, urgent: bool = False) -> None:
        self.here.tag = ""
        super().begin(entry, urgent=urgent)
        self.here.tag = entry.tag


@dataclass
class Tally:
    """What was said, and what was true of it."""

    counts: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)  # tag: order id, "failed" or "unknown"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, tag: str, said: str) -> None:
        with self.lock:
            self.said[tag] = said


def configured(box: Simulator, api_type: str) -> Config:
    """The settings of the simulator's demo account."""
    account = box.demo
    key = account.api_key_a if api_type == "A" else account.api_key_b
    return Config.from_env(
        {
            "BROKER_API_KEY": account.client_code,
            "BROKER_API_SECRET": key,
            "MSTOCK_API_TYPE": api_type,
            "MSTOCK_REST_URL": box.rest_url,
            "BROKER_READ_TIMEOUT": "0.3",
        }
    )


def client_of(config: Config) -> Client:
    """A client without the process's own count of calls, which goes by real time: the journal's
    limits are the ones that are tried here."""
    transport = Transport(SERVER, config.rest_url, config.timeouts)
    if config.api_type == "A":
        return TypeA(transport, config.api_key, config.checksum)
    return TypeB(transport, config.api_key)


def order_service(config: Config, token: Secret, journal: Journal, clock: Clock) -> OrderService:
    """The service of a session; it looks for lost answers when it is told to."""
    return OrderService(
        config,
        token,
        journal,
        client=client_of(config),
        guard=TokenGuard(MSTOCK, clock),
        clock=clock,
        spawn=lambda _work: None,
    )


def logged_in(box: Simulator, config: Config) -> Secret:
    """A session of the demo account."""
    challenge = login.send_otp(config, Secret(box.demo.password))
    otp = box.phone.last_otp(box.demo.client_code)
    return login.verify_otp(config, Secret(str(otp)), challenge.ticket)


def cheap_share(box: Simulator) -> tuple[Instrument, Decimal]:
    """A share whose orders cost little margin, and a price at which they rest."""
    market = box.world.market
    shares = [row for row in market.master.listed if row.kind == "EQ" and row.exchange == "NSE"]
    share = min(shares, key=market.ltp)
    price = market.ltp(share) * Decimal("0.97")
    tick = share.tick_size
    return Instrument(share.token, share.symbol, "NSE", 1, tick), price - price % tick


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The table's rows; raises `Broken` when something was placed twice, lost or called failed."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    batches = [(api_type, kind) for kind in KINDS for api_type in "AB"]
    each = -(-(SHORT if short else ORDERS) // len(batches))
    console.print(f"{each * len(batches)} orders, {_THREADS} threads, seed {seed}")
    found: dict[str, Tally] = {}
    for api_type, kind in batches:
        tally = _batch(api_type, kind, each, chance.randrange(10**6))
        console.print(f"{kind.words}, type {api_type}: {dict(tally.counts)}")
        found.setdefault(kind.words, Tally()).counts.update(tally.counts)
    killed = found.setdefault("the program is killed in the middle", Tally())
    for api_type in "AB":
        kills = SHORT_KILLS if short else KILLS
        killed.counts.update(_killed(api_type, kills, chance, console).counts)
    rows = [{"Fault": words, **_row(tally.counts)} for words, tally in found.items()]
    total = {name: sum(row[name] for row in rows) for name in rows[0] if name != "Fault"}
    return [*rows, {"Fault": "all", **total}]


_COLUMNS = {
    "orders": "Orders",
    "twice": "Placed twice",
    "failed": "Called failed though placed",
    "lost": "Lost",
    "unknown": "Answered “unknown”",
    "open": "Not settled a minute later",
}


def _row(counts: Counter[str]) -> dict[str, Any]:
    return {words: counts[name] for name, words in _COLUMNS.items()}


def _batch(api_type: str, kind: Kind, orders: int, seed: int) -> Tally:
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as home,
        Simulator(instruments=50, rate_limits=False) as box,
    ):
        clock = Threadsafe(box, _MOMENT)
        config = configured(box, api_type)
        token = logged_in(box, config)
        journal = TaggedJournal(file_url(home), config.account, clock)
        service = order_service(config, token, journal, clock)
        if kind.late:
            box.exchange.behaviour.delay_book(0, kind.late, chance.randrange(100))
        instrument, base = cheap_share(box)
        requests = _requests(chance, instrument, base, orders)
        tally = Tally()
        waiting = list(enumerate(requests))
        threads = [
            threading.Thread(target=_work, args=(box, service, kind, waiting, chance, tally))
            for _ in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        box.faults.clear()
        clock.advance(60)
        service.settler.look()
        _judge(box, journal, tally)
        require(len(tally.said) == orders, f"{orders - len(tally.said)} orders without an answer")
        return tally


def _requests(
    chance: random.Random, instrument: Instrument, base: Decimal, orders: int
) -> list[tuple[OrderRequest, Instrument]]:
    tick = instrument.tick_size or Decimal("0.05")
    found: list[tuple[OrderRequest, Instrument]] = []
    for n in range(orders):
        price = base - tick * (n % 25)
        if found and chance.random() < _TWINS:
            price = found[-1][0].price
        symbol = instrument.symbol
        request = OrderRequest(symbol, "NSE", "BUY", 1 + n // 25, "LIMIT", "MIS", price)
        found.append((request, instrument))
    return found


def _work(
    box: Simulator,
    service: OrderService,
    kind: Kind,
    waiting: list[tuple[int, tuple[OrderRequest, Instrument]]],
    chance: random.Random,
    tally: Tally,
) -> None:
    route = f"{service.api_type.lower()}/orders/place"
    journal = service.journal
    assert isinstance(journal, TaggedJournal)
    while True:
        try:
            _, (request, instrument) = waiting.pop()
        except IndexError:
            return
        if kind.fault and chance.random() < _SHARE:
            box.faults.set(route, kind.fault, times=1, when=kind.when)
        while True:
            try:
                placed = service.place(request, instrument)
                tally.note(placed.tag, placed.order_id)
            except OutcomeUnknown:
                tally.note(journal.here.tag, "unknown")
            except RateLimited as error:
                # Nothing was sent: this is what may be repeated.
                service.clock.sleep(error.retry_after or 1)
                continue
            except BrokerError:
                tally.note(journal.here.tag, "failed")
            break


def _judge(box: Simulator, journal: Journal, tally: Tally) -> None:
    """Compare what was said with the exchange's orders."""
    orders: dict[str, list[Order]] = {}
    for _, order in box.exchange.all_orders():
        orders.setdefault(order.request.tag, []).append(order)
    said, counts = tally.said, tally.counts
    counts["orders"] += len(said)
    counts["twice"] += sum(len(found) > 1 for found in orders.values())
    taken = {tag for tag, found in orders.items() if found[-1].status is not Status.REJECTED}
    counts["failed"] += sum(word == "failed" and tag in taken for tag, word in said.items())
    counts["unknown"] += sum(word == "unknown" for word in said.values())
    counts["lost"] += sum(tag not in said or journal.entry(tag) is None for tag in orders)
    counts["open"] += len(journal.unknown())
    for tag, word in said.items():
        if word not in ("unknown", "failed"):
            ids = [order.order_id for order in orders.get(tag, ())]
            require(ids == [word], f"{tag} was said to be {word} and is {ids}")
        settled = journal.entry(tag)
        if settled is not None and settled.state is State.DONE:
            ids = [order.order_id for order in orders.get(tag, ())]
            require(ids == [settled.order_id], f"{tag} was settled as {settled.order_id}: {ids}")
    for name in ("twice", "failed", "lost"):
        require(counts[name] == 0, f"{_COLUMNS[name]}: {counts[name]}")
    _require_limits([order.placed_at for found in orders.values() for order in found])


def _require_limits(times: list[datetime]) -> None:
    times.sort()
    for rate in RATE_LIMITS["orders"]:
        window = timedelta(seconds=rate.seconds)
        for n in range(rate.calls, len(times)):
            is_kept = times[n] - times[n - rate.calls] >= window
            require(is_kept, f"more than {rate.calls} orders in {rate.seconds} s")


def _killed(api_type: str, kills: int, chance: random.Random, console: Console) -> Tally:
    """Kill a program that places orders, and settle what it left, as the next start does."""
    tally = Tally()
    with (
        tempfile.TemporaryDirectory() as home,
        Simulator(instruments=50, rate_limits=False) as box,
    ):
        box.clock.set(_MOMENT)
        clock = BoxTime(box)
        config = configured(box, api_type)
        token = logged_in(box, config)
        instrument, base = cheap_share(box)
        tick = instrument.tick_size or Decimal("0.05")
        route = f"{api_type.lower()}/orders/place"
        # Answers come late: most kills fall between mStock's taking an order and its answer.
        box.faults.set(route, "slow", seconds=0.1)
        for n in range(kills):
            price = base - tick * 20 * (n % 20)
            arguments = [home, str((box.clock.now() - SYSTEM_CLOCK.now()).total_seconds())]
            arguments += [*instrument[:2], f"{price:f}", f"{tick:f}", str(1 + n // 20)]
            child = subprocess.Popen(
                [sys.executable, "-m", "proofs.order_writer", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **_environment(config)},
                text=True,
            )
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{token.reveal()}\n")
            child.stdin.close()
            child.stdout.readline()  # it begins
            threading.Event().wait(chance.uniform(0.02, 0.6))
            child.kill()
            reported = child.stdout.read().split()
            child.wait()
            child.stdout.close()
            for line in reported:
                tag, _, order_id = line.partition("=")
                if order_id:
                    tally.note(tag, order_id)
        box.faults.clear()
        journal = Journal(file_url(home), config.account, clock)
        service = order_service(config, token, journal, clock)
        left = journal.unknown()
        for entry in left:
            tally.note(entry.tag, "unknown")
        service.settler.look()
        for tag in (order.request.tag for _, order in box.exchange.all_orders()):
            entry = journal.entry(tag)  # taken, answered and written down, but not reported
            if entry is not None and entry.state is State.DONE:
                tally.said.setdefault(tag, entry.order_id)
        _judge(box, journal, tally)
        console.print(f"killed, type {api_type}: {dict(tally.counts)}")
    return tally


def _environment(config: Config) -> dict[str, str]:
    return {
        "BROKER_API_KEY": config.client_code,
        "BROKER_API_SECRET": config.api_key.reveal(),
        "MSTOCK_API_TYPE": config.api_type,
        "MSTOCK_REST_URL": config.rest_url,
    }


class BoxTime:
    """The simulator's clock, which goes on."""

    def __init__(self, box: Simulator) -> None:
        self._box = box

    def now(self) -> datetime:
        return self._box.clock.now()

    def monotonic(self) -> float:
        return self._box.clock.now().timestamp()

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(seconds)
