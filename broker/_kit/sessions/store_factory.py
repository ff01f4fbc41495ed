"""Opens the store that the settings ask for: the file vault, or a database for many accounts."""

from __future__ import annotations

from functools import lru_cache

from broker._kit.sessions.encryption import key_for
from broker._kit.sessions.file_store import FileStore
from broker._kit.sessions.store import Store
from broker._kit.settings import ServiceSettings


@lru_cache(maxsize=8)
def open_store(upkeep: ServiceSettings) -> Store:
    """The store; the same one for the same settings. Nothing is made before something is kept.

    Raises `StoreError` when BROKER_STORE cannot be used; what is wrong with the files is said when
    something is read or written.
    """
    if upkeep.store_url is None:
        return FileStore(upkeep.home, key_for(upkeep.home, "vault", upkeep.uses_keyring))
    # SQLAlchemy takes its time to load.
    from broker._kit.sessions.sql_store import SqlStore

    key = key_for(upkeep.home, "database", upkeep.uses_keyring)
    return SqlStore(upkeep.store_url, upkeep.home, key)
