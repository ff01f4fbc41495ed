"""Keeps calls with a dead token off the network, and finds out whether a refused one is dead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Account, Config
from broker.mstock.secret import Secret

T = TypeVar("T")


def nothing(_account: Account, _token: Secret) -> None:
    """What is done about a dead token when nobody wants to know."""


class TokenWatch:
    """What this process knows of its tokens; safe to use from several threads."""

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        on_dead: Callable[[Account, Secret], None] = nothing,
    ) -> None:
        self.on_dead = on_dead
        self._clock = clock

    def logged_in(self, token: Secret, at: datetime | None = None) -> None:
        """This computer got the token by a login, now or at that time."""
        raise NotImplementedError

    def run(self, config: Config, token: Secret, call: Callable[[], T]) -> T:
        """The call's value; a token known to be dead is not sent. Raises as the call does."""
        raise NotImplementedError
