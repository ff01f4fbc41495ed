"""The simulator and the web app, wired to each other on free loopback ports."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.timers import start_ticking
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.settings import ServiceSettings
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.login_limits import LoginLimits
from broker._kit.web.server import LoopbackServer
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from broker_simulator.mstock.exchange.orders import OrderRequest, OrderType, Product, Side


class _SimulatedTime:
    """The simulator's clock for the page too, so that midnight comes to both at once."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def now(self) -> datetime:
        return self._simulator.clock.now()

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    def sleep(self, seconds: float) -> None:
        SYSTEM_CLOCK.sleep(seconds)


# Side, quantity, symbol, and rupees below the last price; 0 is at the market.
_TRADES = (
    (Side.BUY, 50, "INFY", 0),
    (Side.SELL, 20, "ACC", 0),
    (Side.BUY, 10, "INFY", 30),
    (Side.BUY, 900_000, "ACC", 0),  # which the funds do not allow
)
# Seconds between two looks at the clock: a visitor who moves it waits for what follows.
_LOOK_EVERY = 2.0


class Demo:
    """Both servers, from `with` to its end. Settings are made here; no `.env` is looked at.

    `port` is the web app's, 0 for a free one; `OSError` when it is taken.
    """

    def __init__(self, api_type: str = "B", port: int = 0) -> None:
        self._api_type = api_type
        self._port = port
        self._stack = ExitStack()
        self.simulator = Simulator()
        self.url = ""
        self.phone_url = ""
        self.home = ""

    @property
    def client_code(self) -> str:
        """The demo account's client code."""
        return self.simulator.demo.client_code

    @property
    def password(self) -> str:
        """The demo account's password; it opens nothing outside the simulator."""
        return self.simulator.demo.password

    @property
    def ports(self) -> tuple[int, int]:
        """The page's and the simulator's, whose phone shows the OTP."""
        return self._server.port, self.simulator.port

    def trade(self) -> None:
        """Give the account a day's trading at any hour: positions, and an order of each fate."""
        sim = self.simulator
        sim.world.behaviour.is_always_open = True
        for side, quantity, symbol, discount in _TRADES:
            share = sim.world.market.master.find("NSE", symbol)
            if share is None:
                raise LookupError(symbol)
            price = sim.world.market.ltp(share) - discount if discount else Decimal(0)
            kind = OrderType.LIMIT if discount else OrderType.MARKET
            request = OrderRequest(share, side, kind, Product.INTRADAY, quantity, price)
            sim.exchange.place(self.client_code, request)

    def wait(self) -> None:
        """Block until the user interrupts."""
        self._server.wait()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.home = stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
            self._server = stack.enter_context(LoopbackServer(self._port))
            stack.enter_context(self.simulator)
            self.url = self._server.url
            self.phone_url = f"{self.simulator.rest_url}/phone"
            config = self._config()
            clock = _SimulatedTime(self.simulator)
            store = MemoryStore(MSTOCK)
            auto = AutoLogin(MSTOCK, store, lambda account: config, clock)
            app = create_app(
                MSTOCK,
                lambda: config,
                clock,
                phone_url=self.phone_url,
                flow=LoginFlow(MSTOCK, clock, limits=LoginLimits(), lock=LoginLock(store, clock)),
                store=store,
                auto=auto,
                guard=TokenGuard(MSTOCK, clock),
                services=ServiceSettings(home=self.home),
            )
            self._server.start(app)
            stack.callback(start_ticking(auto.tick, _LOOK_EVERY))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _config(self) -> Config:
        account = self.simulator.demo
        key = account.api_key_a if self._api_type == "A" else account.api_key_b
        return Config.from_env(
            {
                "BROKER_API_KEY": account.client_code,
                "BROKER_API_SECRET": key,
                "MSTOCK_API_TYPE": self._api_type,
                "MSTOCK_REST_URL": self.simulator.rest_url,
                "MSTOCK_WS_URL": self.simulator.ws_url,
                "REDIRECT_URL": f"{self.url}/mstock/callback",
            }
        )
