"""The account as one command of orders sees it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar, cast

import click

from broker._kit.broker import BrokerSettings
from broker._kit.cli.context import Context
from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.client.dialects import client_for
from broker.mstock.client.order_calls import OrderCalls
from broker.mstock.database.instruments import check_source, local_instruments
from broker.mstock.orders.journal import Journal
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService
from broker.mstock.orders.service import NoInstrumentList, journal_url
from broker.mstock.settings import Config

T = TypeVar("T")


class Desk:
    """One account with its stored session: its order service and its instruments."""

    def __init__(self, context: Context, config: Config, token: Secret) -> None:
        self.config, self.token = config, token
        self._home = context.service_settings.home
        self.service = OrderService(
            config,
            token,
            Journal(journal_url(context.service_settings), config.account, context.clock),
            calls=OrderCalls(client_for(config), config.api_type, context.clock),
            guard=TokenGuard(context.broker, context.clock),
            clock=context.clock,
            spawn=lambda _work: None,  # a command ends; the next one settles
        )

    @cached_property
    def lookup(self) -> Lookup:
        """Today's instruments. Raises `BrokerError` when they are not there."""
        table = local_instruments(self.config, self._home)
        check_source(table, self.config, "Download it: mstock instruments")
        return Lookup(table)

    @property
    def lookup_or_none(self) -> Lookup:
        """The same; without instruments rows keep mStock's own words."""
        try:
            return self.lookup
        except BrokerError:
            return Lookup(NoInstrumentList())


def ask(context: Context, work: Callable[[Desk], T]) -> T:
    """What work with the stored session gives. Raises `BrokerError`, inside OpenAlgo too."""
    context.refuse_inside_openalgo(str(click.get_current_context().info_name))

    def call(config: BrokerSettings, token: Secret) -> T:
        return work(Desk(context, cast(Config, config), token))

    with context.interruptible():
        return context.ask(call)
