"""Opens the store of the settings: an SQLite file in the program's home, or BROKER_STORE."""

from __future__ import annotations

from functools import lru_cache

from broker._kit.broker import Broker
from broker._kit.sessions.encryption import key_for
from broker._kit.sessions.store import Store
from broker._kit.settings import ServiceSettings


@lru_cache(maxsize=8)
def open_store(broker: Broker, settings: ServiceSettings) -> Store:
    """The store; the same one for the same settings. Nothing is made before something is stored.

    Raises `StoreError` when BROKER_STORE cannot be used; what is wrong with the files is said when
    something is read or written.
    """
    # SQLAlchemy takes its time to load.
    from broker._kit.sessions.sql_store import SqlStore

    key = key_for(settings.home, settings.uses_keyring)
    return SqlStore(broker, settings.home, key, settings.store_url)
