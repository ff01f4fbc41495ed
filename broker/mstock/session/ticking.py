"""Calls auto-login every few seconds, in the background."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.mstock.session.autologin import AutoLogin


def start_ticking(auto: AutoLogin, every: float = 20.0) -> Callable[[], None]:
    """Have `auto.tick()` called every so many seconds; returns what stops it."""
    raise NotImplementedError
