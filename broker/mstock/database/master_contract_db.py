"""The host's door to the instrument list, and the same download for the standalone file."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import IO, Any

from sqlalchemy.exc import SQLAlchemyError

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, LogInAgain, StoreError
from broker._kit.faults import guarded
from broker._kit.files import store_errors
from broker._kit.openalgo import auth_table, host, symbols
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard, token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.data_calls import script_master
from broker.mstock.client.dialects import client_for
from broker.mstock.database import instruments, master_files
from broker.mstock.database.symbol_table import Mark, SymbolTable
from broker.mstock.mapping.symbols import Normaliser, SymbolRow
from broker.mstock.settings import Config

log = host.logger(__name__)

# Told of the bytes done and their number, 0 while that is unknown; first of the download.
Progress = Callable[[str, int, int], None]
# The host's own hour of the day (IST) from which a download serves for a day (contract 7.1).
_RENEWED_AT = 8

_lock = threading.Lock()
_stored: dict[str, int] = {}  # how often each source's master was stored by this process


def master_contract_download() -> None:
    """Replace the host's instruments by mStock's of today. Raises `BrokerError`.

    The host takes every return value for a success, and an exception for what it is. Called again
    while it runs, it waits for the first run, and lets it do for both.
    """
    try:
        rows = guarded(_download_for_host)
    except BrokerError as error:
        symbols.announce_download("error", str(error))
        raise
    symbols.announce_download("success", f"{rows:,} instruments of mStock are ready.")


def _download_for_host() -> int:
    config = Config.from_env()
    table, source = instruments.HostInstruments(), instruments.source_of(config)
    before = _stored.get(source, 0)
    with _lock:
        mark = table.mark()
        if _stored.get(source, 0) > before and mark and mark.source == source:
            return mark.rows
        rows = download(config, _host_token(), table, clock=SYSTEM_CLOCK)
        # Until the host fills it again, nobody is given the old list's names.
        symbols.clear_cache()
        _stored[source] = before + 1
    return rows


def download(
    config: Config,
    token: Secret,
    table: SymbolTable,
    progress: Progress = lambda _what, _done, _all: None,
    clock: Clock = SYSTEM_CLOCK,
    guard: TokenGuard | None = None,
) -> int:
    """Download mStock's script master and put it into the table; returns the number of rows.

    It goes to a file first and from there in pieces into the table, as a whole or not at all.
    Raises `BrokerError`; the old instruments then stay.
    """
    client = client_for(config)
    with (
        store_errors("The temporary folder", "written"),
        tempfile.TemporaryFile() as file,
    ):
        counted: Any = _Counted(file, progress)
        guard = guard or token_guard(MSTOCK)
        guard.run(config, token, lambda: script_master(client, token, counted))
        normaliser = Normaliser(config.api_type, clock.now().date())
        found = _normalised(config.api_type, file, normaliser, progress)
        try:
            rows = table.replace(found, instruments.source_of(config), clock.now())
        except SQLAlchemyError as error:
            kind = type(error.__cause__ or error).__name__
            raise StoreError(
                f"The instruments could not be stored ({kind}); the old ones are kept.",
                "See that the database can be written and its disk has room, then try again.",
            ) from None
    log.info(f"mStock: {rows} instruments stored, {normaliser.left_out} left out.")
    return rows


def is_fresh(mark: Mark | None, config: Config, now: datetime) -> bool:
    """Whether a stored master is this account's and of today; a day begins at 08:00 IST."""
    if mark is None or mark.source != instruments.source_of(config):
        return False
    begin = now.replace(hour=_RENEWED_AT, minute=0, second=0, microsecond=0)
    return mark.stored_at >= (begin if now >= begin else begin - timedelta(days=1))


def _normalised(
    api_type: str, file: IO[bytes], normaliser: Normaliser, progress: Progress
) -> Iterator[list[SymbolRow]]:
    size = file.seek(0, 2)
    file.seek(0)
    yield normaliser.indices()
    for piece in master_files.pieces(api_type, file):
        yield normaliser.rows(piece)
        progress("Storing", min(file.tell(), size), size)
    progress("Storing", size, size)


def _host_token() -> Secret:
    """The token of the host's user who is logged in to mStock (contract 7.2)."""
    for row in auth_table.auth_rows():
        if row.broker == MSTOCK.name and not row.is_revoked and row.token.reveal():
            token = auth_table.decrypt(row.token.reveal())
            if token is not None:
                return token
    raise LogInAgain("Nobody is logged in to mStock.", "Log in to mStock, then download again.")


class _Counted:
    """A file that tells how much is written into it."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._progress = progress
        self._written = 0
        self._write = file.write
        self.seek, self.tell = file.seek, file.tell
        self.read, self.truncate = file.read, file.truncate

    def write(self, data: bytes) -> int:
        self._written += len(data)
        self._progress("Downloading", self._written, 0)
        return self._write(data)
