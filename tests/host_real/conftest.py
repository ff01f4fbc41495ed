"""A copy of the checkout that OPENALGO_HOME names, with our plugin in it, against the simulator."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from broker_simulator.mstock import Simulator
from broker_simulator.mstock.journal import OPEN_FIELDS
from tests.support.leaks import Leaks
from tests.support.openalgo.checkout import Checkout, place_by_hand, place_by_installer
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import Hours, until
from tests.support.openalgo.prices import Prices
from tests.support.openalgo.visitor import Visitor

_CHECKOUT = Checkout.from_env()


def pytest_runtest_setup() -> None:
    if _CHECKOUT is None:
        pytest.skip("needs a real OpenAlgo: make test-host OPENALGO_HOME=... OPENALGO_PYTHON=...")


@pytest.fixture(scope="session")
def checkout() -> Iterator[Checkout]:
    """The checkout; at the end it must be, file for file, what it was."""
    assert _CHECKOUT is not None
    before = _CHECKOUT.digest()
    yield _CHECKOUT
    after = _CHECKOUT.digest()
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert not changed, (
        f"written to, by these tests or by an OpenAlgo that runs there: {sorted(changed)[:20]}"
    )


@pytest.fixture(scope="session")
def installed(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with our plugin, as the installer leaves it."""
    copy = checkout.copy_to(tmp_path_factory.mktemp("openalgo") / "copy")
    place_by_installer(copy, checkout.python)
    return copy


@pytest.fixture(scope="session")
def copied_by_hand(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with our folder in the other's place, and nothing else touched."""
    copy = checkout.copy_to(tmp_path_factory.mktemp("by-hand") / "copy")
    place_by_hand(copy)
    return copy


@pytest.fixture(scope="module")
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """It keeps the time of this machine, unless a file says its `MOMENT`."""
    with Simulator() as box:
        box.demo.totp_enabled = True
        if moment := getattr(request.module, "MOMENT", None):
            box.clock.set(moment)
        yield box


@pytest.fixture(scope="module")
def copy(installed: Path) -> Path:
    """Which copy a file's host runs from; a file may choose another."""
    return installed


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Settings that a file of tests has of its own."""
    return {}


@pytest.fixture(scope="session")
def set_up(
    checkout: Checkout, copied_by_hand: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The databases of a host with its first user, and the keys that belong to them."""
    folder = tmp_path_factory.mktemp("set-up")
    with Simulator() as box:
        first = Host(copied_by_hand, checkout.python, folder, box, Hours(box, folder))
        try:
            first.start()
            visitor = first.visitor()
            assert visitor.json("/auth/check-setup")["needs_setup"] is True
            assert visitor.set_up().headers["Location"] == "/auth/login"
            assert visitor.json("/auth/check-setup")["needs_setup"] is False
        finally:
            first.close()
    return folder


@pytest.fixture(scope="module")
def host(
    checkout: Checkout,
    set_up: Path,
    copy: Path,
    simulator: Simulator,
    settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Host]:
    """A running host, new for each file of tests; at the end nothing secret stands in anything
    that it wrote or showed."""
    folder = tmp_path_factory.mktemp("host")
    shutil.copytree(set_up / "db", folder / "db")
    shutil.copy(set_up / ".env.keys", folder)
    # Under the library that moves the clock, threads that wait for each other spin.
    in_one_process = getattr(request.module, "IN_ONE_PROCESS", False)
    hours = Hours(simulator, folder, moves=not in_one_process)
    running = Host(copy, checkout.python, folder, simulator, hours)
    try:
        running.start(in_one_process=in_one_process, **settings)
        yield running
    finally:
        running.close()
    leaks = Leaks()
    hide_all(leaks, simulator)
    running.show_all(leaks)
    assert leaks.found() == []


def hide_all(leaks: Leaks, simulator: Simulator) -> None:
    """Every secret of the simulated mStock, and all that was sent to it."""
    account = simulator.demo
    leaks.hide("password", account.password)
    leaks.hide("TOTP secret", account.totp_secret)
    leaks.hide("API key", account.api_key_b)
    for session in simulator.sessions:
        leaks.hide("token", session.token)
    for message in simulator.phone.messages:
        leaks.hide("OTP", message.code)
    sent = {pair for entry in simulator.journal for pair in parse_qsl(entry.body.decode())}
    sent |= {pair for entry in simulator.journal for pair in _json_fields(entry.body)}
    for name, value in sent:
        if name.lower() not in OPEN_FIELDS and len(value) >= 6:
            leaks.hide(name, value)


def _json_fields(body: bytes) -> list[tuple[str, str]]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return []
    return [(name, str(value)) for name, value in parsed.items()]


@pytest.fixture
def trader(host: Host, simulator: Simulator) -> Iterator[Visitor]:
    """A device that is logged in to the app and not to mStock; logged out afterwards."""
    visitor = host.visitor()
    assert visitor.app_login().json()["status"] == "success"
    yield visitor
    simulator.faults.clear()
    simulator.demo.unlock()
    simulator.demo.totp_enabled = True
    if visitor.status().get("logged_in"):
        visitor.logout()
    alive = [session for session in simulator.sessions if session.alive(simulator.clock.now())]
    # The host's farewell to mStock comes after its answer; the next test counts its own calls.
    until(lambda: not any(session.alive(simulator.clock.now()) for session in alive), 3)
    simulator.world.end_sessions()


@pytest.fixture
def totp(simulator: Simulator) -> Callable[[], str]:
    """The code that the authenticator shows; it may be used again at once, unlike mStock's."""

    def now() -> str:
        simulator.demo.used_totp_steps.clear()
        return simulator.totp_now(simulator.demo.client_code)

    return now


@pytest.fixture
def log_in(simulator: Simulator, totp: Callable[[], str]) -> Callable[[Visitor], requests.Response]:
    """Log a device in to mStock by the React page's request."""
    return lambda visitor: visitor.broker_login(simulator.demo.password, totp())


@pytest.fixture
def prices(
    host: Host, trader: Visitor, log_in: Callable[[Visitor], requests.Response]
) -> Iterator[Prices]:
    log_in(trader)
    key = trader.api_key()
    ends = time.monotonic() + 60
    while trader.rest("quotes", key, symbol="INFY", exchange="NSE").json()["status"] != "success":
        assert time.monotonic() < ends
        time.sleep(0.5)
    host.serve_prices()
    client = Prices(host.websocket_url, key)
    yield client
    client.close()


_INFY = {"symbol": "INFY", "exchange": "NSE"}


@pytest.fixture
def ask(trader: Visitor, log_in: Callable[[Visitor], requests.Response]) -> Callable[..., Any]:
    """Asks the REST API; the host has downloaded the instruments by then."""
    log_in(trader)
    key = trader.api_key()

    def rest(door: str, **fields: Any) -> Any:
        return trader.rest(door, key, **fields).json()

    ends = time.monotonic() + 60
    while rest("quotes", **_INFY).get("status") != "success":
        assert time.monotonic() < ends, rest("quotes", **_INFY)
        time.sleep(0.5)
    return rest
