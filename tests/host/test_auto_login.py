"""Auto-login inside OpenAlgo, whole: switched on, ticking, in the host's row, in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from broker._kit.errors import LogInAgain, Unreachable
from broker._kit.openalgo import register
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker.mstock.api.funds import get_margin_data
from broker.mstock.broker import MSTOCK
from broker.mstock.errors import TokenException
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.host.openalgo import OpenAlgo, PatientClock, next_morning, until
from tests.support.stage import morning_box
from tests.web.helpers import Browser

PAGE = "/mstock/auto-login"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with morning_box() as box:
        box.demo.totp_enabled = True
        yield box


@pytest.fixture
def live(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Config:
    for name, value in settings_for(simulator).items():
        monkeypatch.setenv(name, value)
    return Config.from_env()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What auto-login ticks by, which here ticks when the test says so."""
    made: list[Callable[[], object]] = []

    def start(tick: Callable[[], object]) -> object:
        made.append(tick)
        return lambda: None

    monkeypatch.setattr(register, "start_ticking", start)
    return made


@pytest.fixture
def app(
    openalgo: OpenAlgo, live: Config, made: list[Callable[[], object]], clock: PatientClock
) -> Iterator[Flask]:
    app = openalgo.app()
    register.register(MSTOCK, app, clock)
    yield app
    app.extensions["mstock"].stop()


def set_clocks(clock: PatientClock, simulator: Simulator, hour: int, minute: int) -> None:
    clock.wall = clock.wall.replace(hour=hour, minute=minute)
    simulator.clock.set(clock.wall)


def log_in(browser: Browser, simulator: Simulator, clock: PatientClock) -> None:
    set_clocks(clock, simulator, 9, 15)
    code = simulator.totp_now(simulator.demo.client_code)
    answer = browser.multipart(password=simulator.demo.password, totp=code)
    assert answer.json["status"] == "success"


def test_a_day_and_the_next(
    browser: Browser,
    openalgo: OpenAlgo,
    simulator: Simulator,
    made: list[Callable[[], object]],
    clock: PatientClock,
    live: Config,
    store: OpenAlgoSessionStore,
) -> None:
    log_in(browser, simulator, clock)
    first = openalgo.token()

    page = browser.get(PAGE)
    entry = {
        **next(form for form in page.forms if form.get("action") == "enable"),
        "password": simulator.demo.password,
        "totp_secret": simulator.demo.totp_secret,
        "accepted": "yes",
    }
    assert browser.post(entry, PAGE).status == 200
    assert store.load(live.account).totp_secret is not None
    row = repr(vars(openalgo.row()))
    assert simulator.demo.password not in row
    assert simulator.demo.totp_secret not in row

    next_morning(clock, 8, 36)  # a holiday: Guru Nanak's birthday
    made[0]()
    assert openalgo.token() == first
    next_morning(clock, 8, 36)
    simulator.clock.set(clock.wall)
    made[0]()
    second = openalgo.token()
    assert second not in ("", first)
    until(lambda: openalgo.contract_status[-1] == "downloading")

    set_clocks(clock, simulator, 9, 5)
    assert browser.get("/dashboard").text == "the dashboard"
    assert openalgo.token() == second
    assert set(get_margin_data(second)) >= {"availablecash", "utiliseddebits"}


def test_a_token_that_mstock_ends_is_taken_from_the_host(
    browser: Browser, openalgo: OpenAlgo, simulator: Simulator, clock: PatientClock
) -> None:
    log_in(browser, simulator, clock)
    token = openalgo.token()
    simulator.world.end_sessions()
    for _ in range(2):
        with pytest.raises(LogInAgain):
            get_margin_data(token)
    assert openalgo.token() == token
    assert browser.raw("/auth/session-status").json["broker_session_expired"] is True
    assert openalgo.token() == ""
    assert browser.get().step == "password"


@pytest.mark.parametrize("fault", ["bad_gateway", "reset"])
def test_an_outage_takes_nothing_from_the_host(
    fault: str, browser: Browser, openalgo: OpenAlgo, simulator: Simulator, clock: PatientClock
) -> None:
    log_in(browser, simulator, clock)
    token = openalgo.token()
    simulator.faults.set("b/user/fundsummary", fault)
    with pytest.raises(Unreachable):
        get_margin_data(token)
    page = browser.get("/mstock/funds")
    assert (page.status, page.heading) == (503, "Funds")
    assert openalgo.token() == token


def test_a_logout_in_the_host_ends_the_token_at_mstock(
    browser: Browser, openalgo: OpenAlgo, simulator: Simulator, clock: PatientClock
) -> None:
    log_in(browser, simulator, clock)
    token = openalgo.token()
    browser.raw("/auth/logout")
    until(lambda: simulator.sessions[0].ended_at is not None)
    with pytest.raises(TokenException):
        get_margin_data(token)


def test_strangers_see_nothing_of_it(app: Flask) -> None:
    answer = Browser(app).raw(PAGE, method="GET")
    assert (answer.status_code, answer.location) == (303, "/auth/login")


def test_who_is_not_logged_in_to_mstock_cannot_change_it(browser: Browser) -> None:
    headers = {"X-CSRFToken": browser.csrf()}
    answer = browser.raw(PAGE, method="POST", json={"action": "disable"}, headers=headers)
    assert answer.status_code == 403


def test_another_user_of_openalgo_cannot_change_it(
    app: Flask, browser: Browser, simulator: Simulator, clock: PatientClock
) -> None:
    log_in(browser, simulator, clock)
    other = Browser(app)
    with other.client.session_transaction() as inside:
        inside.update(user="guest", logged_in=True, login_time=clock.now().isoformat())
    headers = {"X-CSRFToken": other.csrf()}
    answer = other.raw(PAGE, method="POST", json={"action": "disable"}, headers=headers)
    assert (answer.status_code, answer.json["status"]) == (403, "error")
    answer = browser.raw(PAGE, method="GET", headers={"Accept": "application/json"})
    assert answer.json["may_manage"] is True


def test_the_pages_say_how_it_stands(
    browser: Browser, simulator: Simulator, clock: PatientClock
) -> None:
    log_in(browser, simulator, clock)
    assert PAGE in browser.get("/mstock/funds").html
