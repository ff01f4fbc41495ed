"""Logins between their two steps: kept on the server for five minutes and one use, then forgotten.

A browser session has at most one, and so has an account: the newer wins. What the browser holds
is an id that names the OTP it was shown, so that an older tab can be told that a newer one exists.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.secret import Secret
from broker._kit.sessions.timers import Later, run_later
from broker._kit.web.pending_view import (
    Attempt,
    Busy,
    Gone,
    NoResendLeft,
    Rules,
    TooSoon,
    Waiting,
    Why,
)


@dataclass(slots=True)
class _Login:
    account: Hashable
    password: Secret
    turn: int
    opened: _Moment
    tries_left: int
    resends_left: int
    login_id: str
    ticket: Secret
    sent_to: str
    sent: _Moment
    is_resent: bool = False
    busy: bool = False
    # What gave a resend its place in the queue, so that giving it back restores the waiting time.
    asked: _Moment = field(init=False)

    def __post_init__(self) -> None:
        self.asked = self.sent


@dataclass(frozen=True, slots=True)
class _Moment:
    """Both clocks: the steady one stands still while a laptop sleeps, the wall clock may be set."""

    steady: float
    wall: datetime


class PendingLogins:
    """The store. Every method is atomic; none of them talks to mStock."""

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
        self._turn = 0
        self._logins: OrderedDict[str, _Login] = OrderedDict()
        self._ended: OrderedDict[str, tuple[str, Why]] = OrderedDict()

    def turn(self) -> int:
        """A place in the order of OTPs, to be taken before one is asked for."""
        with self._lock:
            self._turn += 1
            return self._turn

    def open(
        self,
        browser: str,
        account: Hashable,
        turn: int,
        *,
        password: Secret,
        ticket: Secret,
        sent_to: str,
    ) -> Waiting:
        """Remember a login whose OTP is on its way; the browser's or account's older one makes way.

        Raises `Gone(REPLACED)` when an OTP asked for later is here already.
        """
        with self._lock:
            self._sweep()
            rivals = [
                each
                for each, login in self._logins.items()
                if each == browser or login.account == account
            ]
            if any(self._logins[each].turn > turn for each in rivals):
                raise Gone(Why.REPLACED)
            for each in rivals:
                self._end(each, Why.REPLACED)
            while len(self._logins) >= self.rules.capacity:
                self._end(next(iter(self._logins)), Why.DROPPED)
            now = self._moment()
            self._logins[browser] = login = _Login(
                account=account,
                password=password,
                turn=turn,
                opened=now,
                tries_left=self.rules.tries,
                resends_left=self.rules.resends,
                login_id=secrets.token_urlsafe(12),
                ticket=ticket,
                sent_to=sent_to,
                sent=now,
            )
            waiting = self._show(login)
        self._later(self.rules.life + 1, self.sweep)
        return waiting

    def look(self, browser: str, account: Hashable) -> Waiting | None:
        """What is open for this browser and account, None when nothing is."""
        with self._lock:
            login = self._find(browser, account)
            return self._show(login) if login else None

    def last_words(self, browser: str) -> Why | None:
        """Why this browser's last login ended without its doing; told once."""
        with self._lock:
            self._sweep()
            _, why = self._ended.get(browser, ("", None))
            if why not in (Why.EXPIRED, Why.REPLACED) or browser in self._logins:
                return None
            del self._ended[browser]
            return why

    def take_try(self, browser: str, account: Hashable, login_id: str) -> Attempt:
        """Use up one try, before the code goes to mStock. Raises `Gone` or `Busy`."""
        with self._lock:
            login = self._claim(browser, account, login_id)
            login.busy = True
            login.tries_left -= 1
            return Attempt(browser, login_id, login.ticket, True, login.turn)

    def take_resend(self, browser: str, account: Hashable, login_id: str) -> Attempt:
        """Use up one resend, before mStock is asked.

        Raises `Gone`, `Busy`, `NoResendLeft`, `TooSoon`.
        """
        with self._lock:
            login = self._claim(browser, account, login_id)
            if login.resends_left < 1:
                raise NoResendLeft
            wait = self.rules.resend_gap - self._age(login.asked)
            if wait > 0:
                raise TooSoon(wait)
            login.busy = True
            login.resends_left -= 1
            login.asked = self._moment()
            self._turn += 1
            return Attempt(browser, login_id, login.password, False, self._turn)

    def renew(self, attempt: Attempt, *, ticket: Secret, sent_to: str) -> Waiting:
        """A resend has worked: the newer OTP takes the older one's place, the five minutes run on.

        Raises `Gone` when the login ended meanwhile.
        """
        with self._lock:
            login = self._held(attempt)
            login.busy = False
            login.turn = attempt.turn
            login.login_id = secrets.token_urlsafe(12)
            login.ticket, login.sent_to = ticket, sent_to
            login.sent = login.asked = self._moment()
            login.is_resent = True
            return self._show(login)

    def free(self, attempt: Attempt, *, give_back: bool = False) -> Waiting:
        """End a try or resend that did not lead on; `give_back` when mStock never judged it.

        Raises `Gone`: with `TRIED_OUT` after the last try, or why the login ended meanwhile.
        """
        with self._lock:
            login = self._held(attempt)
            login.busy = False
            if give_back and attempt.is_try:
                login.tries_left += 1
            elif give_back:
                login.resends_left += 1
                login.asked = login.sent
            if login.tries_left < 1:
                self._end(attempt.browser, Why.TRIED_OUT)
                raise Gone(Why.TRIED_OUT)
            return self._show(login)

    def close(self, browser: str, why: Why, *, only: Attempt | None = None) -> None:
        """Forget this browser's login if there is one, or only if it is the attempt's."""
        with self._lock:
            login = self._logins.get(browser)
            if login is not None and (only is None or login.login_id == only.login_id):
                self._end(browser, why)

    def sweep(self) -> None:
        """Forget what has outlived its time."""
        with self._lock:
            self._sweep()

    def __len__(self) -> int:
        with self._lock:
            return len(self._logins)

    # What follows is called with the lock held.

    def _claim(self, browser: str, account: Hashable, login_id: str) -> _Login:
        login = self._find(browser, account)
        if login is None:
            ended_id, why = self._ended.get(browser, ("", Why.UNKNOWN))
            raise Gone(why if ended_id == login_id else Why.UNKNOWN)
        if login.login_id != login_id:
            raise Gone(Why.REPLACED)
        if login.busy:
            raise Busy
        return login

    def _held(self, attempt: Attempt) -> _Login:
        self._sweep()
        login = self._logins.get(attempt.browser)
        if login is None or login.login_id != attempt.login_id:
            ended_id, why = self._ended.get(attempt.browser, ("", Why.UNKNOWN))
            raise Gone(why if ended_id == attempt.login_id else Why.REPLACED)
        return login

    def _find(self, browser: str, account: Hashable) -> _Login | None:
        self._sweep()
        login = self._logins.get(browser)
        if login is not None and login.account != account:
            # The settings were changed between the steps: the ticket belongs to another account.
            self._end(browser, Why.DROPPED)
            return None
        return login

    def _sweep(self) -> None:
        over = [
            each
            for each, login in self._logins.items()
            if self._age(login.opened) >= self.rules.life
        ]
        for each in over:
            self._end(each, Why.EXPIRED)

    def _end(self, browser: str, why: Why) -> None:
        login = self._logins.pop(browser)
        self._ended.pop(browser, None)
        self._ended[browser] = (login.login_id, why)
        while len(self._ended) > self.rules.capacity:
            self._ended.popitem(last=False)

    def _show(self, login: _Login) -> Waiting:
        def after(moment: _Moment, seconds: float) -> datetime:
            return moment.wall + timedelta(seconds=seconds)

        return Waiting(
            login_id=login.login_id,
            sent_to=login.sent_to,
            sent_at=login.sent.wall,
            ends_at=after(login.opened, self.rules.life),
            tries_left=login.tries_left,
            resends_left=login.resends_left,
            resend_from=after(login.asked, self.rules.resend_gap),
            is_resent=login.is_resent,
        )

    def _moment(self) -> _Moment:
        return _Moment(self._clock.monotonic(), self._clock.now())

    def _age(self, moment: _Moment) -> float:
        steady = self._clock.monotonic() - moment.steady
        return max(steady, (self._clock.now() - moment.wall).total_seconds())
