"""One account's orders and books without OpenAlgo: for the command line and the web page."""

from __future__ import annotations

from broker._kit.clock import Clock
from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.settings import ServiceSettings
from broker.mstock.database.instruments import check_source, local_instruments
from broker.mstock.orders.journal import Journal
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService
from broker.mstock.orders.service import NoInstrumentList, journal_url
from broker.mstock.settings import Config


class Desk:
    """The order service of one session, and the local instruments; made for one use."""

    def __init__(
        self,
        config: Config,
        token: Secret,
        services: ServiceSettings,
        guard: TokenGuard,
        clock: Clock,
    ) -> None:
        self.config, self.token, self.guard, self.clock = config, token, guard, clock
        self.home = services.home
        self.service = OrderService(
            config,
            token,
            Journal(journal_url(services), config.account, clock),
            guard=guard,
            clock=clock,
            spawn=lambda _work: None,  # a command or a page ends; the next one settles
        )

    @property
    def lookup(self) -> Lookup:
        """Today's instruments. Raises `BrokerError` when they are not there."""
        table = local_instruments(self.config, self.home)
        check_source(table, self.config)
        return Lookup(table)

    @property
    def lookup_or_none(self) -> Lookup:
        """The same; without instruments rows keep mStock's own words."""
        try:
            return self.lookup
        except BrokerError:
            return Lookup(NoInstrumentList())
