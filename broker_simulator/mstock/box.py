"""The box itself: puts clock, broker, faults, journal and server together and runs them."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final, Self

from . import data_a, data_b, orders_a, orders_b, type_a, type_b
from .accounts import Account, demo_accounts
from .clock import Clock
from .control import create_control
from .exchange import Exchange
from .faults import FaultBoard
from .gateway import ELSEWHERE, Gateway
from .journal import Journal
from .market import Market
from .phone import Phone
from .rules import INSTRUMENTS
from .server import LOOPBACK, Server
from .settings import Settings
from .stream import Stream
from .world import Session, World

# A dialect taken off this list (and its import) is gone, and the other one does not notice.
DIALECTS: Final = (
    type_a.DIALECT.joined(data_a.ROUTES, orders_a.ROUTES, refusals=orders_a.REFUSALS),
    type_b.DIALECT.joined(data_b.ROUTES, orders_b.ROUTES, refusals=orders_b.REFUSALS),
)
# How often those who follow prices are told.
PRICE_SECONDS: Final = 0.5


class Simulator:
    """mStock in a box. Use it as a context manager, or with start() and stop().

    `profile`: "strict" or "tolerant"; `revision`: "older" or "newer" (see Settings); `port`: 0
    for a free one; `accounts`: the customers, the demo's own three unless they are given;
    `instruments`: how many the market has (50 or more); `seed`: whose prices they have; `market`:
    another one in its place; `ws_port`: the WebSocket's, 0 for a free one; `rate_limits`, `tags`,
    `refuse_at_once`: see Settings. Several may run at once: they share nothing.
    """

    def __init__(
        self,
        profile: str = "strict",
        revision: str = "older",
        port: int = 0,
        gzip: bool = True,
        accounts: list[Account] | None = None,
        instruments: int = INSTRUMENTS,
        seed: int = 1,
        rate_limits: bool | None = None,
        tags: str = "details",
        refuse_at_once: bool = True,
        market: Market | None = None,
        ws_port: int = 0,
    ) -> None:
        self.settings = Settings(
            profile,
            revision,
            gzip,
            rate_limits=rate_limits,
            tags=tags,
            refuse_at_once=refuse_at_once,
        )
        self.clock = Clock()
        self.phone = Phone()
        accounts = accounts or demo_accounts()
        self.world = World(self.clock, self.phone, accounts, instruments, seed, market)
        self.demo: Account = accounts[0]
        self.faults = FaultBoard(f"{d.letter}/{path}" for d in DIALECTS for path in d.routes)
        self.journal = Journal()
        self.stream = Stream(self.world, self.settings, self.journal)
        self._wanted_port, self._wanted_ws_port = port, ws_port
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @property
    def accounts(self) -> dict[str, Account]:
        """All accounts by client code."""
        return self.world.accounts

    @property
    def sessions(self) -> list[Session]:
        """All sessions of this start, dead ones too, newest first."""
        return self.world.sessions

    @property
    def exchange(self) -> Exchange:
        """The exchange, opened when it is first asked for."""
        return self.world.exchange

    @property
    def port(self) -> int:
        """The port that is listened on; RuntimeError before start()."""
        if self._server is None:
            raise RuntimeError("the simulator is not running")
        return self._server.server_port

    @property
    def rest_url(self) -> str:
        """The root of the REST API, and with a `/` the control page."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Where the WebSocket of both types is; RuntimeError before start()."""
        return self.stream.url

    def totp_now(self, client_code: str) -> str:
        """Return the code that the customer's authenticator shows, by the simulator's clock."""
        return self.world.totp_now(client_code)

    def start(self) -> Self:
        """Listen on loopback and serve in the background."""
        if self._server is None:
            gateway = Gateway(DIALECTS, self.world, self.settings, self.faults, self.journal)
            server = Server(self._wanted_port, gateway, create_control(self), self.clock)
            self._server = server
            self.faults.elsewhere = f"http://localhost:{self.port}{ELSEWHERE}"
            self._thread = threading.Thread(
                target=server.serve_forever, args=(0.02,), name="simulator", daemon=True
            )
            self._thread.start()
            self._stopped.clear()
            self.stream.start(self._wanted_ws_port)
            threading.Thread(target=self._move_prices, name="market", daemon=True).start()
        return self

    def stop(self) -> None:
        """End all connections, held ones too, and free the port."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        self._stopped.set()
        self.stream.stop()
        server.shutdown()
        self.faults.clear()
        server.hang_up()
        server.server_close()
        self._thread.join()

    def _move_prices(self) -> None:
        while not self._stopped.wait(PRICE_SECONDS):
            self.world.advance()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
