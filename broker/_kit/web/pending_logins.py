"""Logins between their two steps, kept on the server for one use, then forgotten.

A browser session has at most one, and so has an account: the newer wins. What the browser holds
is an id that names the OTP it was shown, so that an older tab can be told that a newer one exists.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from broker._kit.broker import LoginReply
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.secret import Secret
from broker._kit.sessions.timers import Later, run_later
from broker._kit.settings import Account


@dataclass(frozen=True, slots=True)
class Rules:
    """How long an OTP and the password for a resend are kept, and how often they may be used.

    Times are in seconds; the password's run from the first OTP, the OTP's from the newest.
    """

    life: float = 300
    tries: int = 5
    resends: int = 3
    resend_gap: float = 30
    capacity: int = 64


RULES = Rules()


class Why(Enum):
    """Why a pending login is no longer open, in words for its user."""

    EXPIRED = f"That login was not finished within {RULES.life / 60:.0f} minutes and was discarded."
    REPLACED = "A newer login for this client code was started in another browser."
    TRIED_OUT = f"All {RULES.tries} attempts for that OTP are used."
    USED = "That login is finished already."
    DROPPED = (
        "That login was dropped: it was started again in another tab, or the settings were changed."
    )
    UNKNOWN = "That login is not open any more."


class Gone(Exception):
    """The login that the form belongs to is not open any more."""

    def __init__(self, why: Why) -> None:
        self.why = why


class TooSoon(Exception):
    """The next OTP may be asked for in `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class NoResendLeft(Exception):
    """All resends of this login are used, or its password is no longer kept."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a page may show of a pending login; nothing in it is secret."""

    login_id: str
    sent_to: str
    sent_at: datetime
    ends_at: datetime
    tries_left: int
    resends_left: int
    resend_from: datetime
    is_resent: bool


@dataclass(slots=True)
class _Login:
    account: Account
    password: Secret | None
    password_until: datetime
    ticket: Secret
    shown: Waiting


class PendingLogins:
    """The store; its methods are atomic and ask the broker nothing.

    Who sends something for a login holds the account's login lock from `ticket` or `password` to
    what follows: `use_up`, `renew` or `close`.
    """

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, rules: Rules = RULES, later: Later = run_later
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()
        self._logins: OrderedDict[str, _Login] = OrderedDict()
        self._ended: OrderedDict[str, tuple[str, Why]] = OrderedDict()

    def open(
        self, browser: str, account: Account, password: Secret, challenge: LoginReply
    ) -> Waiting:
        """Keep a login whose OTP is on its way; the browser's or account's older one goes."""
        with self._lock:
            self._sweep()
            for each, other in list(self._logins.items()):
                if each == browser or other.account == account:
                    self._end(each, Why.REPLACED)
            if len(self._logins) >= self.rules.capacity:
                self._end(next(iter(self._logins)), Why.DROPPED)
            shown = self._sent(challenge, self.rules.tries, self.rules.resends)
            login = _Login(account, password, shown.ends_at, challenge.ticket, shown)
            self._logins[browser] = login
            return shown

    def look(self, browser: str, account: Account) -> Waiting | None:
        """What is open for this browser and account, None when nothing is."""
        with self._lock:
            login = self._find(browser, account)
            return login.shown if login else None

    def why_ended(self, browser: str) -> Why | None:
        """Why this browser's last login ended without its doing; told once."""
        with self._lock:
            self._sweep()
            _, why = self._ended.get(browser, ("", None))
            if why not in (Why.EXPIRED, Why.REPLACED) or browser in self._logins:
                return None
            return self._ended.pop(browser)[1]

    def ticket(self, browser: str, account: Account, login_id: str) -> Secret:
        """What an OTP is sent with. Raises `Gone`."""
        with self._lock:
            return self._claim(browser, account, login_id).ticket

    def password(self, browser: str, account: Account, login_id: str) -> Secret:
        """What the next OTP is asked for with. Raises `Gone`, `NoResendLeft`, `TooSoon`."""
        with self._lock:
            login = self._claim(browser, account, login_id)
            if login.password is None or login.shown.resends_left < 1:
                raise NoResendLeft
            wait = (login.shown.resend_from - self._clock.now()).total_seconds()
            if wait > 0:
                raise TooSoon(wait)
            return login.password

    def renew(self, browser: str, account: Account, login_id: str, otp: LoginReply) -> Waiting:
        """A resend's OTP takes the older one's place and has its own time. Raises `Gone`."""
        with self._lock:
            login = self._claim(browser, account, login_id)
            resends = max(0, login.shown.resends_left - 1)
            login.ticket = otp.ticket
            login.shown = self._sent(otp, login.shown.tries_left, resends, is_resent=True)
            return login.shown

    def use_up(
        self, browser: str, account: Account, login_id: str, *, tries: int = 0, resends: int = 0
    ) -> Waiting:
        """Count what the broker has refused. Raises `Gone`, with `TRIED_OUT` after the last try."""
        with self._lock:
            login = self._claim(browser, account, login_id)
            shown = login.shown
            login.shown = replace(
                shown,
                tries_left=shown.tries_left - tries,
                resends_left=shown.resends_left - resends,
                resend_from=self._after(self.rules.resend_gap) if resends else shown.resend_from,
            )
            if login.shown.tries_left < 1:
                self._end(browser, Why.TRIED_OUT)
                raise Gone(Why.TRIED_OUT)
            return login.shown

    def close(self, browser: str, why: Why, *, only: str = "") -> None:
        """Forget this browser's login if there is one, or only if it has that id."""
        with self._lock:
            login = self._logins.get(browser)
            if login is not None and only in ("", login.shown.login_id):
                self._end(browser, why)

    def sweep(self) -> None:
        """Forget what has outlived its time."""
        with self._lock:
            self._sweep()

    # What follows is called with the lock held.

    def _claim(self, browser: str, account: Account, login_id: str) -> _Login:
        login = self._find(browser, account)
        if login is None:
            ended_id, why = self._ended.get(browser, ("", Why.UNKNOWN))
            raise Gone(why if ended_id == login_id else Why.UNKNOWN)
        if login.shown.login_id != login_id:
            raise Gone(Why.REPLACED)
        return login

    def _find(self, browser: str, account: Account) -> _Login | None:
        self._sweep()
        login = self._logins.get(browser)
        if login is None or login.account == account:
            return login
        # The settings were changed between the steps: the ticket belongs to another account.
        self._end(browser, Why.DROPPED)
        return None

    def _sent(
        self, challenge: LoginReply, tries: int, resends: int, is_resent: bool = False
    ) -> Waiting:
        """An OTP is on its way: it has a new id, and its own time."""
        self._later(self.rules.life + 1, self.sweep)
        return Waiting(
            login_id=secrets.token_urlsafe(12),
            sent_to=challenge.message,
            sent_at=self._after(0),
            ends_at=self._after(self.rules.life),
            tries_left=tries,
            resends_left=resends,
            resend_from=self._after(self.rules.resend_gap),
            is_resent=is_resent,
        )

    def _after(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)

    def _sweep(self) -> None:
        now = self._clock.now()
        for each, login in list(self._logins.items()):
            if now >= login.shown.ends_at:
                self._end(each, Why.EXPIRED)
            elif now >= login.password_until:
                login.password = None
                login.shown = replace(login.shown, resends_left=0)

    def _end(self, browser: str, why: Why) -> None:
        self._ended[browser] = (self._logins.pop(browser).shown.login_id, why)
        self._ended.move_to_end(browser)
        if len(self._ended) > self.rules.capacity:
            self._ended.popitem(last=False)
