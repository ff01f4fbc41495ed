"""The one watch over this process's tokens: logins tell it, reads ask it, the host hangs on to it.

A login made anywhere in this process, at whatever door, is known to every read of it.
"""

from __future__ import annotations

from collections.abc import Callable

from broker._kit.openalgo import host
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.settings import Account

_watch = TokenGuard(on_dead=host.session_ended)


def the_watch() -> TokenGuard:
    """The process's watch."""
    return _watch


def when_dead(follow: Callable[[Account, Secret], None]) -> None:
    """Have this called once for each token that mStock has ended."""
    _watch.on_dead = follow


def start_anew() -> None:
    """Forget all that is known of tokens, and what follows on their end."""
    global _watch
    _watch = TokenGuard(on_dead=host.session_ended)
    host.when_session_ends(None)
