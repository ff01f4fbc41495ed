"""Logins between their two steps, kept on the server for one use, then forgotten.

A browser session has at most one, and so has an account: the newer wins. What the browser holds
is an id that names the OTP it was shown, so that an older tab can be told that a newer one exists.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from broker._kit.broker import OtpChallenge
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


class Why(Enum):
    """Why a pending login is no longer open."""

    EXPIRED = "expired"
    REPLACED = "replaced"
    TRIED_OUT = "tried out"
    USED = "used"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Gone(Exception):
    """The login that the form belongs to is not open any more."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class TooSoon(Exception):
    """The next OTP may be asked for in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f}")
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


@dataclass(frozen=True, slots=True)
class _Moment:
    """Both clocks: the steady one stands still while a laptop sleeps, the wall clock may be set."""

    steady: float
    wall: datetime


@dataclass(slots=True)
class _Login:
    account: Account
    password: Secret | None
    opened: _Moment
    tries_left: int
    resends_left: int
    login_id: str
    ticket: Secret
    sent_to: str
    sent: _Moment
    asked: _Moment
    is_resent: bool = False


class PendingLogins:
    """The store. Every method is atomic; none of them talks to the broker.

    Who sends something for a login holds the account's login lock from `ticket` or `password` to
    what follows: `use_up`, `renew` or `close`.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        rules: Rules | None = None,
        later: Later = run_later,
    ) -> None:
        self.rules = rules or Rules()
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()
        self._logins: OrderedDict[str, _Login] = OrderedDict()
        self._ended: OrderedDict[str, tuple[str, Why]] = OrderedDict()

    def open(
        self, browser: str, account: Account, password: Secret, challenge: OtpChallenge
    ) -> Waiting:
        """Keep a login whose OTP is on its way; the browser's or account's older one goes."""
        with self._lock:
            self._sweep()
            for each, other in list(self._logins.items()):
                if each == browser or other.account == account:
                    self._end(each, Why.REPLACED)
            while len(self._logins) >= self.rules.capacity:
                self._end(next(iter(self._logins)), Why.DROPPED)
            now = self._now()
            self._logins[browser] = login = _Login(
                account=account,
                password=password,
                opened=now,
                tries_left=self.rules.tries,
                resends_left=self.rules.resends,
                login_id=secrets.token_urlsafe(12),
                ticket=challenge.ticket,
                sent_to=challenge.message,
                sent=now,
                asked=now,
            )
            waiting = self._shown(login)
        self._later(self.rules.life + 1, self.sweep)
        return waiting

    def look(self, browser: str, account: Account) -> Waiting | None:
        """What is open for this browser and account, None when nothing is."""
        with self._lock:
            login = self._find(browser, account)
            return self._shown(login) if login else None

    def why_ended(self, browser: str) -> Why | None:
        """Why this browser's last login ended without its doing; told once."""
        with self._lock:
            self._sweep()
            _, why = self._ended.get(browser, ("", None))
            if why not in (Why.EXPIRED, Why.REPLACED) or browser in self._logins:
                return None
            del self._ended[browser]
            return why

    def ticket(self, browser: str, account: Account, login_id: str) -> Secret:
        """What an OTP is sent with. Raises `Gone`."""
        with self._lock:
            return self._claim(browser, account, login_id).ticket

    def password(self, browser: str, account: Account, login_id: str) -> Secret:
        """What the next OTP is asked for with. Raises `Gone`, `NoResendLeft`, `TooSoon`."""
        with self._lock:
            login = self._claim(browser, account, login_id)
            if login.password is None or login.resends_left < 1:
                raise NoResendLeft
            wait = self.rules.resend_gap - self._age(login.asked)
            if wait > 0:
                raise TooSoon(wait)
            return login.password

    def renew(
        self, browser: str, account: Account, login_id: str, challenge: OtpChallenge
    ) -> Waiting:
        """A resend has worked: its OTP takes the older one's place and has its own five minutes.

        Raises `Gone` when the login ended meanwhile.
        """
        with self._lock:
            login = self._claim(browser, account, login_id)
            login.resends_left -= 1
            login.login_id = secrets.token_urlsafe(12)
            login.ticket, login.sent_to = challenge
            login.sent = login.asked = self._now()
            login.is_resent = True
            waiting = self._shown(login)
        self._later(self.rules.life + 1, self.sweep)
        return waiting

    def use_up(
        self, browser: str, account: Account, login_id: str, *, tries: int = 0, resends: int = 0
    ) -> Waiting:
        """Count what the broker has refused; nothing is counted that it never judged.

        Raises `Gone`: with `TRIED_OUT` after the last try, or why the login ended meanwhile.
        """
        with self._lock:
            login = self._claim(browser, account, login_id)
            login.tries_left -= tries
            login.resends_left -= resends
            if resends:
                login.asked = self._now()
            if login.tries_left < 1:
                self._end(browser, Why.TRIED_OUT)
                raise Gone(Why.TRIED_OUT)
            return self._shown(login)

    def close(self, browser: str, why: Why, *, only: str = "") -> None:
        """Forget this browser's login if there is one, or only if it has that id."""
        with self._lock:
            login = self._logins.get(browser)
            if login is not None and only in ("", login.login_id):
                self._end(browser, why)

    def sweep(self) -> None:
        """Forget what has outlived its time."""
        with self._lock:
            self._sweep()

    def __len__(self) -> int:
        with self._lock:
            return len(self._logins)

    # What follows is called with the lock held.

    def _claim(self, browser: str, account: Account, login_id: str) -> _Login:
        login = self._find(browser, account)
        if login is None:
            ended_id, why = self._ended.get(browser, ("", Why.UNKNOWN))
            raise Gone(why if ended_id == login_id else Why.UNKNOWN)
        if login.login_id != login_id:
            raise Gone(Why.REPLACED)
        return login

    def _find(self, browser: str, account: Account) -> _Login | None:
        self._sweep()
        login = self._logins.get(browser)
        if login is not None and login.account != account:
            # The settings were changed between the steps: the ticket belongs to another account.
            self._end(browser, Why.DROPPED)
            return None
        return login

    def _sweep(self) -> None:
        for each, login in list(self._logins.items()):
            if self._age(login.sent) >= self.rules.life:
                self._end(each, Why.EXPIRED)
            elif self._age(login.opened) >= self.rules.life:
                login.password = None

    def _end(self, browser: str, why: Why) -> None:
        login = self._logins.pop(browser)
        self._ended.pop(browser, None)
        self._ended[browser] = (login.login_id, why)
        while len(self._ended) > self.rules.capacity:
            self._ended.popitem(last=False)

    def _shown(self, login: _Login) -> Waiting:
        def after(moment: _Moment, seconds: float) -> datetime:
            return moment.wall + timedelta(seconds=seconds)

        return Waiting(
            login_id=login.login_id,
            sent_to=login.sent_to,
            sent_at=login.sent.wall,
            ends_at=after(login.sent, self.rules.life),
            tries_left=login.tries_left,
            resends_left=0 if login.password is None else login.resends_left,
            resend_from=after(login.asked, self.rules.resend_gap),
            is_resent=login.is_resent,
        )

    def _now(self) -> _Moment:
        return _Moment(self._clock.monotonic(), self._clock.now())

    def _age(self, moment: _Moment) -> float:
        steady = self._clock.monotonic() - moment.steady
        return max(steady, (self._clock.now() - moment.wall).total_seconds())
