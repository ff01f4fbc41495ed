"""The page *Continue*: a browser goes on with the stored session, after one click and a proof.

The proof is the browser's key from an earlier login, in a cookie, or the one-time key in an address
that `web` printed. The account is not named before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from flask import Flask, Response, current_app, request, url_for

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError
from broker._kit.sessions.known_browsers import LIFE, OneTimeKey, is_known, remember
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import StoredSession, live_session
from broker._kit.web.messages import Problem
from broker._kit.web.pages import Pages, see_other

PATH = "/continue"  # of the page; the address that is printed has a `/` and the key after it
_ENDPOINT = "continue_session"
_USED = Problem(
    "This address does not work any more, or never did.",
    "It works once, for five minutes after it was printed. Log in, or start the page again for a "
    "new one.",
)
_NO_SESSION = Problem("There is no session to go on with.", "Log in.", is_news=True)


class ContinuePage:
    """The page, and the cookie of the browsers that may use it.

    `enter` logs the browser in to a stored session and answers with what comes next.
    """

    def __init__(
        self,
        pages: Pages,
        store: Store | None,
        clock: Clock,
        one_time: OneTimeKey | None = None,
    ) -> None:
        self._pages = pages
        self._store = store
        self._clock = clock
        self._one_time = one_time or OneTimeKey(clock)

    def add_to(
        self, app: Flask, enter: Callable[[StoredSession, BrokerSettings], Response]
    ) -> None:
        """Add the page's addresses."""

        def view(key: str = "") -> Response:
            response = self._answer(key, enter)
            response.headers["Referrer-Policy"] = "no-referrer"
            return response

        for rule in (PATH, f"{PATH}/<key>"):
            app.add_url_rule(rule, _ENDPOINT, view, methods=["GET", "POST"])

    def offer(self) -> Response | None:
        """The way to the page for a browser that has a proof, while there is a live session."""
        with contextlib.suppress(BrokerError):
            if self.knows_browser() and self._stored(self._pages.config_source()):
                return see_other(url_for(_ENDPOINT))
        return None

    def knows_browser(self) -> bool:
        """Whether the browser has a valid key; not where the store cannot be read."""
        account, key = self._pages.account(), request.cookies.get(_cookie(), "")
        if self._store is None or account is None or not key:
            return False
        with contextlib.suppress(BrokerError):
            return is_known(self._store, account, key, self._clock.now())
        return False

    def remember(self, response: Response, config: BrokerSettings) -> Response:
        """Give the browser that has logged in its key; without a store that can be used, none."""
        if self._store is not None:
            old, now = request.cookies.get(_cookie(), ""), self._clock.now()
            with contextlib.suppress(BrokerError):
                key = remember(self._store, config.account, now, instead_of=old)
                age = int(LIFE.total_seconds())
                response.set_cookie(_cookie(), key, age, httponly=True, samesite="Strict")
        return response

    def forget(self, response: Response) -> Response:
        """A logout: no browser of the account goes on without a login any more."""
        account = self._pages.account()
        if self._store is not None and account is not None:
            with contextlib.suppress(BrokerError), self._store.update(account) as record:
                record.browsers = ()
        response.delete_cookie(_cookie(), httponly=True, samesite="Strict")
        return response

    def _answer(
        self, key: str, enter: Callable[[StoredSession, BrokerSettings], Response]
    ) -> Response:
        if request.method == "GET":
            # Nothing is used up: a preview or a reload must not take the click's place.
            is_offered = key or self.offer()
            return self._pages.render("continue") if is_offered else see_other(url_for("home"))
        if not (self._one_time.use(key) if key else self.knows_browser()):
            return self._pages.error(403, "Not with this address", _USED)
        config = self._pages.config_source()
        stored = self._stored(config)
        if stored is None:
            return self._pages.error(409, "No session", _NO_SESSION)
        response = enter(stored, config)
        return self.remember(response, config) if key else response

    def _stored(self, config: BrokerSettings) -> StoredSession | None:
        now = self._clock.now()
        return live_session(self._store, config.account, now) if self._store else None


def _cookie() -> str:
    # By the port too: a browser sends a host's cookies to all its ports.
    return f"{current_app.config['SESSION_COOKIE_NAME']}_known"
