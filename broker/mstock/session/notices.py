"""Tells the user of a login that failed for good: by a webhook, by Telegram, and in the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Account
from broker.mstock.upkeep import Upkeep


class Notice(NamedTuple):
    """What the user must read: about which account, in words that hold no secret, and when."""

    account: Account
    words: str
    at: datetime


def teller(upkeep: Upkeep, clock: Clock = SYSTEM_CLOCK) -> Callable[[Notice], None]:
    """What sends a notice wherever the settings say. It never raises, and takes a few seconds."""
    raise NotImplementedError
