"""Where instruments are looked up: in OpenAlgo's table inside it, in a local file elsewhere."""

from __future__ import annotations

import threading
from pathlib import Path

import sqlalchemy as sql

from broker._kit.errors import BrokerError, ManualCheckRequired
from broker._kit.files import make_private_folder, store_errors
from broker._kit.openalgo import host, symbols
from broker._kit.settings import ServiceSettings
from broker.mstock.database.symbol_table import Instruments, SymbolTable, local_table
from broker.mstock.mapping.symbols import COLUMNS, InstrumentRow
from broker.mstock.settings import Config

__all__ = ["HostInstruments", "Instruments", "instruments", "local_instruments"]

log = host.logger(__name__)

_downloading = threading.Lock()


class NoInstruments(ManualCheckRequired):
    """There is no instrument list of the settings' API type."""


class HostInstruments(SymbolTable):
    """OpenAlgo's own table; single rows come out of the host's cache when they are in it."""

    def __init__(self) -> None:
        super().__init__(*symbols.symbol_table())

    def find(self, symbol: str, exchange: str) -> InstrumentRow | None:
        if self._kept is not None:
            return super().find(symbol, exchange)
        info = symbols.symbol_info(symbol, exchange)
        return None if info is None else InstrumentRow(*(getattr(info, name) for name in COLUMNS))

    def by_token(self, token: str, exchange: str) -> InstrumentRow | None:
        symbol = symbols.symbol_of_token(token, exchange)
        return self.find(symbol, exchange) if symbol else None


def instruments(config: Config | None = None, home: str | None = None) -> Instruments:
    """The instruments of the settings' server and API type; the process's settings unless given.

    Raises `NoInstruments` when there are none, or another API type's or broker's in their place: a
    token of the one may be something else in the other. OpenAlgo is then made to download them.
    """
    config = config or Config.from_env()
    if not host.is_present():
        table = local_instruments(config, home)
        check_source(table, config)
        return table
    table = HostInstruments()
    try:
        check_source(table, config, "It is being downloaded: try again in a minute.")
    except NoInstruments:
        if symbols.may_download():
            threading.Thread(target=_download, name="mstock-instruments", daemon=True).start()
        raise
    return table


def local_instruments(config: Config, home: str | None = None) -> SymbolTable:
    """The standalone file of one server and API type, made empty when there is none."""
    folder = home or ServiceSettings.from_env().home
    make_private_folder(folder)
    name = f"mstock-instruments-{config.api_type.lower()}{'' if config.is_live else '-simulator'}"
    file = Path(folder, f"{name}.sqlite3")
    with store_errors(file, "written"):
        file.touch(0o600)  # SQLite itself would let everybody read it
    engine = sql.create_engine(f"sqlite:///{file}", poolclass=sql.NullPool)
    table = local_table()
    table.create(engine, checkfirst=True)
    return SymbolTable(engine, table)


def source_of(config: Config) -> str:
    """What a master belongs to: the server and the API type."""
    return f"{config.rest_url} {config.api_type}"


def check_source(
    table: SymbolTable,
    config: Config,
    next_step: str = "Download it with the command instruments, or on the page Market.",
) -> None:
    """Raises `NoInstruments` unless the table holds this server's and API type's master."""
    mark = table.mark()
    if mark is None or mark.source != source_of(config):
        raise NoInstruments(
            f"The instrument list of mStock's API type {config.api_type} is not here yet.",
            next_step,
        )


def _download() -> None:
    """Have the host download; one at a time, and the next look-up starts it again if it failed."""
    if not _downloading.acquire(blocking=False):
        return
    try:
        symbols.download_again("mstock")
    except BrokerError as error:
        log.error(f"mStock's instruments were not downloaded. {error}")
    finally:
        _downloading.release()
