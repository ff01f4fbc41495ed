"""Opens the order service of a configuration and token, with the journal where it belongs."""

from __future__ import annotations

import logging
from functools import lru_cache

from broker._kit import files
from broker._kit.errors import BrokerError
from broker._kit.openalgo import host
from broker._kit.secret import Secret
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.database.instruments import instruments
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.orders.journal import Journal, file_url
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService
from broker.mstock.settings import Config

log = logging.getLogger(__name__)


@lru_cache(maxsize=4)
def order_service(config: Config, token: Secret) -> OrderService:
    """The process's one service for this session; what an ended process left open is settled."""
    service = OrderService(config, token, journal_for(config.account))
    try:
        service.recover()
    except BrokerError as error:
        log.error("What was left open cannot be settled. %s", error)
    return service


def journal_for(account: Account) -> Journal:
    """An account's journal. Raises `SettingError`, `StoreError`."""
    return _journal(journal_url(), account)


@lru_cache(maxsize=8)
def _journal(url: Secret, account: Account) -> Journal:
    return Journal(url, account)


def journal_url(settings: ServiceSettings | None = None) -> Secret:
    """Where the journal is: a file in OpenAlgo's `db` folder; with `settings`, and elsewhere, a
    file in the program's own folder, or the database of BROKER_STORE."""
    if settings is None and host.is_present():
        return file_url(str(host.database_folder()))
    settings = settings or ServiceSettings.from_env()
    if settings.store_url is not None:
        return settings.store_url
    files.make_private_folder(settings.home)
    return file_url(settings.home)


def lookup() -> Lookup:
    """Instruments of today's master. Raises `BrokerError` when there is none."""
    return Lookup(instruments())


def lookup_or_none() -> Lookup:
    """The same; without a master nothing is found, and rows keep mStock's own words."""
    try:
        return lookup()
    except BrokerError as error:
        log.warning("Books are shown in mStock's words. %s", error)
        return Lookup(NoInstrumentList())


class NoInstrumentList:
    """Stands for a master that is not there."""

    def find(self, symbol: str, exchange: str) -> None:
        """Knows none."""

    def by_token(self, token: str, exchange: str) -> None:
        """Knows none."""

    def search(
        self, text: str, exchange: str | None = None, limit: int = 50
    ) -> list[InstrumentRow]:
        """Knows none."""
        return []
