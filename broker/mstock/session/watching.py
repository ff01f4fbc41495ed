"""The one watch over this process's tokens: logins tell it, reads ask it, the host hangs on to it.

A login made anywhere in this process, at whatever door, is known to every read of it.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.mstock import host
from broker.mstock.config import Account
from broker.mstock.secret import Secret
from broker.mstock.session.watch import TokenWatch

_watch = TokenWatch(on_dead=host.session_ended)


def the_watch() -> TokenWatch:
    """The process's watch."""
    return _watch


def when_dead(follow: Callable[[Account, Secret], None]) -> None:
    """Have this called once for each token that mStock has ended."""
    _watch.on_dead = follow


def start_anew() -> None:
    """Forget all that is known of tokens, and what follows on their end."""
    global _watch
    _watch = TokenWatch(on_dead=host.session_ended)
    host.when_session_ends(None)
