"""A fresh simulator per test, and small clients that speak its two dialects over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import requests

from broker_simulator.mstock import IST, Account, Simulator
from broker_simulator.mstock.accounts import demo_accounts
from broker_simulator.mstock.clock import Clock
from broker_simulator.mstock.exchange import Exchange
from broker_simulator.mstock.market import Instrument
from tests.support.stream_client import StreamClient
from tests.support.stub_market import StubMarket

# A quiet Wednesday morning, at the start of a TOTP step.
MORNING = datetime(2025, 1, 1, 10, 0, 0, tzinfo=IST)
# In trading hours of the market's own year.
TRADING = datetime(2026, 11, 23, 11, 0, tzinfo=IST)


class TypeB:
    """Speaks Type B as the documents say, with whatever a test wants changed."""

    def __init__(self, sim: Simulator, account: Account | None = None) -> None:
        self.sim = sim
        self.account = account or sim.demo
        self.http = requests.Session()
        self.http.trust_env = False
        self.token = ""

    def url(self, path: str) -> str:
        return f"{self.sim.rest_url}/openapi/typeb/{path}"

    def post(self, path: str, body: object, drop: str = "", **headers: str) -> requests.Response:
        sent = {"X-Mirae-Version": "1", "X-PrivateKey": self.account.api_key_b}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent.pop(drop, None)
        return self.http.post(self.url(path), json=body, headers=sent, timeout=10)

    def get(self, path: str, drop: str = "", **headers: str) -> requests.Response:
        sent = {
            "X-Mirae-Version": "1",
            "X-PrivateKey": self.account.api_key_b,
            "Authorization": f"Bearer {self.token}",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent.pop(drop, None)
        return self.http.get(self.url(path), headers=sent, timeout=10, allow_redirects=False)

    def login(self, totp: str = "", **changes: object) -> requests.Response:
        body = {
            "clientcode": self.account.client_code,
            "password": self.account.password,
            "totp": totp,
            "state": "",
        }
        return self.post("connect/login", body | changes, drop="X-PrivateKey")

    def ticket(self, totp: str = "") -> str:
        data = self.login(totp).json()["data"]
        return data["refreshToken"] or data["jwtToken"]

    @property
    def otp(self) -> str:
        code = self.sim.phone.last_otp(self.account.client_code)
        assert code is not None
        return code

    def session_token(self, ticket: str, otp: str | None = None) -> requests.Response:
        body = {"refreshToken": ticket, "otp": self.otp if otp is None else otp}
        return self.post("session/token", body)

    def verify_totp(self, ticket: str, totp: str | None = None) -> requests.Response:
        code = self.sim.totp_now(self.account.client_code) if totp is None else totp
        return self.post("session/verifytotp", {"refreshToken": ticket, "totp": code})

    def enter(self) -> str:
        """Log in by OTP and keep the token."""
        self.token = self.session_token(self.ticket()).json()["data"]["jwtToken"]
        return self.token


class TypeA:
    """Speaks Type A as the documents say, with whatever a test wants changed."""

    def __init__(self, sim: Simulator, account: Account | None = None) -> None:
        self.sim = sim
        self.account = account or sim.demo
        self.http = requests.Session()
        self.http.trust_env = False
        self.token = ""

    def url(self, path: str) -> str:
        return f"{self.sim.rest_url}/openapi/typea/{path}"

    def post(
        self, path: str, form: dict[str, str], drop: str = "", **headers: str
    ) -> requests.Response:
        sent = {"X-Mirae-Version": "1", "Content-Type": "application/x-www-form-urlencoded"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent.pop(drop, None)
        return self.http.post(self.url(path), data=form, headers=sent, timeout=10)

    def get(self, path: str, drop: str = "", **headers: str) -> requests.Response:
        sent = {
            "X-Mirae-Version": "1",
            "Authorization": f"token {self.account.api_key_a}:{self.token}",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent.pop(drop, None)
        return self.http.get(self.url(path), headers=sent, timeout=10, allow_redirects=False)

    def login(self, **changes: str) -> requests.Response:
        form = {"username": self.account.client_code, "password": self.account.password}
        return self.post("connect/login", form | changes)

    @property
    def otp(self) -> str:
        code = self.sim.phone.last_otp(self.account.client_code)
        assert code is not None
        return code

    def session_token(self, otp: str | None = None, **changes: str) -> requests.Response:
        form = {
            "api_key": self.account.api_key_a,
            "request_token": self.otp if otp is None else otp,
            "checksum": "L",
        }
        return self.post("session/token", form | changes)

    def verify_totp(self, totp: str | None = None) -> requests.Response:
        code = self.sim.totp_now(self.account.client_code) if totp is None else totp
        return self.post("session/verifytotp", {"api_key": self.account.api_key_a, "totp": code})

    def enter(self) -> str:
        """Log in by OTP and keep the token."""
        assert self.login().json()["status"] == "success"
        self.token = self.session_token().json()["data"]["access_token"]
        return self.token


@pytest.fixture
def box() -> Iterator[Callable[..., Simulator]]:
    """Start simulators with given settings; their clock shows MORNING."""
    running: list[Simulator] = []

    def start(**settings: object) -> Simulator:
        sim = Simulator(**settings).start()  # type: ignore[arg-type]
        running.append(sim)
        sim.clock.set(MORNING)
        return sim

    yield start
    for sim in running:
        sim.stop()


@pytest.fixture
def sim(box: Callable[..., Simulator]) -> Simulator:
    """A simulator as it comes: strict, older documents."""
    return box()


@pytest.fixture
def b(sim: Simulator) -> TypeB:
    """The demo account's Type B client."""
    return TypeB(sim)


@pytest.fixture
def a(sim: Simulator) -> TypeA:
    """The demo account's Type A client."""
    return TypeA(sim)


@pytest.fixture
def type_b() -> type[TypeB]:
    """The Type B client, for tests that start their own simulator."""
    return TypeB


@pytest.fixture
def type_a() -> type[TypeA]:
    """The Type A client, for tests that start their own simulator."""
    return TypeA


@pytest.fixture
def trading(box: Callable[..., Simulator]) -> Iterator[Simulator]:
    """A simulator in trading hours whose clock, and so its prices, stand still."""
    sim = box()
    sim.clock.set(TRADING, frozen=True)
    yield sim
    StreamClient.close_all()


@pytest.fixture(params=["a", "b"])
def api(request: pytest.FixtureRequest) -> str:
    """Both API types."""
    return str(request.param)


@pytest.fixture
def client(trading: Simulator, api: str) -> StreamClient:
    """The demo account's WebSocket, logged in."""
    return StreamClient(trading, api)


@pytest.fixture
def infy(trading: Simulator) -> Instrument:
    """A share."""
    return trading.world.market.master.by_symbol("NSE", "INFY-EQ")


@pytest.fixture
def future(trading: Simulator) -> Instrument:
    """An index future."""
    master = trading.world.market.master
    return next(i for i in master if (i.exchange, i.kind, i.name) == ("NFO", "FUT", "NIFTY"))


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.set(MORNING, frozen=True)
    return clock


@pytest.fixture
def market() -> StubMarket:
    return StubMarket()


@pytest.fixture
def exchange(market: StubMarket, clock: Clock) -> Exchange:
    return Exchange(market, clock, {account.client_code: account for account in demo_accounts()})
