"""Auto-login as the pages see it: what it is asked is noted, what it says is the test's to set."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker._kit.clock import IST
from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import AutoLoginStatus
from broker._kit.sessions.record import Attempt
from broker._kit.sessions.totp_login import totp_key
from broker._kit.settings import Account
from broker.mstock.errors import InputException
from broker.mstock.settings import Config
from tests.web.helpers import AUTO_LOGIN, PASSWORD, Browser, Page

TOTP_SECRET = "JBSWY3DPEHPK3PXP"
NEXT = datetime(2026, 11, 24, 8, 35, tzinfo=IST)
NEXT_WORDS = "The next login is on Tuesday, 24 November 2026, at 08:35 IST."
DONE = Attempt(datetime(2026, 11, 23, 9, 0, tzinfo=IST), "done", "mStock took the login.")
REFUSED = Attempt(
    datetime(2026, 11, 23, 8, 35, tzinfo=IST), "refused", "The password was refused.", "MA500"
)


@dataclass
class FakeAuto:
    """Has the methods of `AutoLogin` that a page calls."""

    enabled: bool = False
    blocked: str = ""
    notice: str = ""
    calendar_words: str = ""
    history: tuple[Attempt, ...] = ()
    calls: list[str] = field(default_factory=list)
    given: list[tuple[str, str, bool]] = field(default_factory=list)
    fail: BrokerError | None = None
    before: Callable[[], None] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enable(
        self, config: Config, password: Secret, totp_secret: Secret, *, accepted: bool
    ) -> None:
        self._called("enable")
        if not accepted:
            raise InputException("The terms were not accepted.")
        totp_key(totp_secret)
        self.given.append((password.reveal(), totp_secret.reveal(), accepted))
        self.enabled, self.blocked = True, ""

    def disable(self, account: Account) -> list[str]:
        self._called("disable")
        was, self.enabled = self.enabled, False
        return ["password of MA••••67: removed", "TOTP secret of MA••••67: removed"] if was else []

    def test(self, config: Config) -> Attempt:
        self._called("test")
        self.history = (*self.history, DONE)
        return DONE

    def status(self, account: Account) -> AutoLoginStatus:
        return AutoLoginStatus(
            self.enabled,
            NEXT if self.enabled and not self.blocked else None,
            NEXT_WORDS if self.enabled and not self.blocked else "",
            self.blocked,
            self.notice,
            self.history,
            self.calendar_words,
        )

    def _called(self, name: str) -> None:
        with self.lock:
            self.calls.append(name)
        self.before()
        if self.fail is not None:
            raise self.fail


def attempts(number: int) -> tuple[Attempt, ...]:
    """That many good attempts, a day apart, oldest first."""
    return tuple(DONE._replace(at=DONE.at - timedelta(days=n)) for n in reversed(range(number)))


def jwt(issued_at: datetime, number: int = 1) -> str:
    """An unsigned token that says when it was made."""
    import base64
    import json

    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'iat': int(issued_at.timestamp()), 'n': number})}.c2ln"


def fill(page: Page, **changed: str) -> dict[str, str]:
    given = {"password": PASSWORD, "totp_secret": TOTP_SECRET, "accepted": "yes", **changed}
    return {**page.form("enable"), **{name: text for name, text in given.items() if text != "-"}}


def switch_on(browser: Browser, **changed: str) -> Page:
    return browser.post(fill(browser.get(AUTO_LOGIN), **changed), AUTO_LOGIN)
