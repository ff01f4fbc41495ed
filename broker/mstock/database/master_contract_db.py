"""The host's door to the list of instruments, behind which nothing is built yet."""

from __future__ import annotations

from typing import NoReturn

from broker.mstock.not_implemented import SYMBOLS, NotYet


def master_contract_download() -> NoReturn:
    """Raises `NotYet`: the host takes everything else for a list that is ready for the day."""
    raise NotYet(SYMBOLS, "Nothing is lost: funds and logins do not need it.")
