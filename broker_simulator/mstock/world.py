"""The broker behind both dialects: passwords, OTPs, TOTPs, tokens; it never heard of HTTP."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pyotp

from .accounts import Account
from .clock import Clock, next_midnight
from .exchange import Behaviour, Exchange
from .exchange.exchange import OrderCallback
from .funds import FundRow
from .market import Market, build_master
from .phone import Message, Phone
from .refusals import Reason, Refused
from .rules import INSTRUMENTS, OTP_LIFE, OTP_TRIES, PASSWORD_ATTEMPTS, TOTP_DRIFT_STEPS
from .tokens import Mint


@dataclass
class Pending:
    """A login that waits for its second step. `otp` is None when TOTP is on (1.6)."""

    account: Account
    api: str
    started: datetime
    ticket: str = field(repr=False)
    otp: str | None = field(repr=False)
    wrong_codes: int = 0


@dataclass
class Session:
    """A token and what it is good for: "full", or "websocket" for the short one (2.2)."""

    account: Account
    api: str
    kind: str
    since: datetime
    dies_at: datetime
    token: str = field(repr=False)
    ended_at: datetime | None = None

    def alive(self, now: datetime) -> bool:
        """True until midnight IST or logout, whichever comes first (1.5, 15 row 20)."""
        return self.ended_at is None and now < self.dies_at


class World:
    """All state of the broker. Every method raises Refused when mStock would say no."""

    def __init__(
        self,
        clock: Clock,
        phone: Phone,
        accounts: Iterable[Account],
        instruments: int = INSTRUMENTS,
        seed: int = 1,
        market: Market | None = None,
    ) -> None:
        self.clock = clock
        self.phone = phone
        self.accounts = {account.client_code: account for account in accounts}
        self._lock = threading.RLock()
        self._mint = Mint()
        self._pending: dict[str, Pending] = {}
        self._sessions: dict[str, Session] = {}
        self._instruments = instruments
        self._seed = seed
        self._market = market
        self._exchange: Exchange | None = None
        self.behaviour = Behaviour()
        self._on_order: list[OrderCallback] = []

    @property
    def market(self) -> Market:
        """The market, opened when it is first asked for, with the instruments of that day."""
        with self._lock:
            if self._market is None:
                master = build_master(self._instruments, self._seed, self.clock.now().date())
                self._market = Market(master, self.clock, self._seed)
            return self._market

    @property
    def has_market(self) -> bool:
        """True when somebody has asked for the market."""
        return self._market is not None

    @property
    def exchange(self) -> Exchange:
        """The exchange, opened when it is first asked for; it behaves as `behaviour` says."""
        with self._lock:
            if self._exchange is None:
                self._exchange = Exchange(self.market, self.clock, self.accounts, self.behaviour)
                for callback in self._on_order:
                    self._exchange.on_order(callback)
            return self._exchange

    @property
    def has_exchange(self) -> bool:
        """True when somebody has asked for the exchange."""
        return self._exchange is not None

    def advance(self) -> None:
        """Tell those who follow prices what has changed, if anyone has asked for the market."""
        if self._market is not None:
            self._market.advance()

    def on_order(self, callback: OrderCallback) -> None:
        """Have `callback(client_code, order)` called on every change of an order, for good.

        The exchange is not opened for it.
        """
        with self._lock:
            self._on_order.append(callback)
            if self._exchange is not None:
                self._exchange.on_order(callback)

    def fund_row(self, account: Account) -> FundRow:
        """Return the fund summary: the account's own row until it trades (6.5)."""
        exchange = self._exchange
        return exchange.fund_row(account.client_code) if exchange else account.funds

    def login(self, api: str, login_id: str, password: str, totp: str = "") -> Pending:
        """Step 1: check the password and open a login; without TOTP an OTP goes to the phone.

        `login_id` is the client code or the registered mobile number (6.1, 7.1).
        """
        with self._lock:
            account = self._find(login_id)
            if account is None:
                raise Refused(Reason.WRONG_PASSWORD, PASSWORD_ATTEMPTS - 1)
            if account.ip_refused:
                raise Refused(Reason.IP)
            if account.locked:
                raise Refused(Reason.LOCKED, 0)
            if password != account.password:
                account.attempts_left -= 1
                raise Refused(Reason.WRONG_PASSWORD, account.attempts_left)
            account.unlock()
            if account.totp_enabled and totp:
                self._matching_step(account, totp)
            pending = self._open(account, api, short_ticket=account.totp_enabled and bool(totp))
            self._pending[account.client_code] = pending
            return pending

    def finish_with_otp(self, api: str, key: str, otp: str, ticket: str | None = None) -> Session:
        """Step 2 with the OTP. Type A has no ticket: the key tells whose login it is (2.1)."""
        with self._lock:
            pending = self._waiting(self.key_owner(api, key), api, ticket)
            if pending is None or pending.otp is None:
                raise Refused(Reason.OTP_EXPIRED)
            if otp != pending.otp:
                self._count_wrong(pending)
                raise Refused(Reason.OTP_WRONG)
            return self._complete(pending)

    def finish_with_totp(self, api: str, key: str, totp: str, ticket: str | None = None) -> Session:
        """Step 2 with a TOTP (RFC 6238); only success uses the code up (15)."""
        with self._lock:
            account = self.key_owner(api, key)
            pending = self._waiting(account, api, ticket)
            if pending is None or not account.totp_enabled:
                raise Refused(Reason.TOTP_WRONG)
            try:
                step = self._matching_step(account, totp)
            except Refused:
                self._count_wrong(pending)
                raise
            account.used_totp_steps.add(step)
            return self._complete(pending)

    def key_owner(self, api: str, key: str) -> Account:
        """Return whose key of this type it is; refuse one that is unknown, expired or elsewhere."""
        for account in self.accounts.values():
            if key and key == account.api_key(api):
                if account.key_expired:
                    break
                if account.ip_refused:
                    raise Refused(Reason.IP)
                return account
        raise Refused(Reason.KEY)

    def session(self, api: str, key: str, token: str) -> Session:
        """Return the live session of a token that goes with this key and type."""
        with self._lock:
            owner = self.key_owner(api, key)
            found = self._sessions.get(token)
            if (
                found is None
                or found.kind != "full"
                or found.api != api
                or found.account is not owner
                or not found.alive(self.clock.now())
            ):
                raise Refused(Reason.TOKEN)
            return found

    def stream_session(self, key: str, token: str) -> Session:
        """Return the live session that may open a WebSocket: any type, the short token too."""
        with self._lock:
            found = self._sessions.get(token)
            if found is None or not found.alive(self.clock.now()):
                raise Refused(Reason.TOKEN)
            if self.key_owner(found.api, key) is not found.account:
                raise Refused(Reason.TOKEN)
            return found

    def logout(self, api: str, key: str, token: str) -> None:
        """End a session at once (6.4)."""
        with self._lock:
            self.session(api, key, token).ended_at = self.clock.now()

    @property
    def sessions(self) -> list[Session]:
        """All sessions of this start, dead ones too, newest first."""
        with self._lock:
            return list(self._sessions.values())[::-1]

    def end_sessions(self, client_code: str | None = None) -> None:
        """End every session, or one customer's, as if they had logged out elsewhere."""
        with self._lock:
            for session in self._sessions.values():
                if client_code in (None, session.account.client_code) and not session.ended_at:
                    session.ended_at = self.clock.now()

    def totp_now(self, client_code: str) -> str:
        """Return what the customer's authenticator app shows, by the simulator's clock."""
        return pyotp.TOTP(self.accounts[client_code].totp_secret).at(self.clock.now())

    def totp_seconds_left(self) -> int:
        """Return the seconds until the authenticator shows the next code."""
        return 30 - int(self.clock.now().timestamp()) % 30

    def otp_is_open(self, message: Message) -> bool:
        """True while the OTP of this message can still complete a login."""
        with self._lock:
            pending = self._pending.get(message.client_code)
            return (
                pending is not None
                and pending.otp == message.code
                and pending.started == message.at
                and not self._expired(pending)
            )

    def _find(self, login_id: str) -> Account | None:
        found = self.accounts.get(login_id)
        return found or next((a for a in self.accounts.values() if a.mobile == login_id), None)

    def _open(self, account: Account, api: str, short_ticket: bool) -> Pending:
        now = self.clock.now()
        if short_ticket:
            token = self._mint.short(account.client_code, api, now, next_midnight(now))
            self._remember(account, api, "websocket", now, token)
            return Pending(account, api, now, ticket=token, otp=None)
        otp = None
        if not account.totp_enabled:
            otp = f"{secrets.randbelow(1_000_000):06d}"
            self.phone.receive(Message(now, account.client_code, otp))
        return Pending(account, api, now, ticket=str(uuid.uuid4()), otp=otp)

    def _waiting(self, account: Account, api: str, ticket: str | None) -> Pending | None:
        pending = self._pending.get(account.client_code)
        if pending is None or pending.api != api or self._expired(pending):
            return None
        if ticket is not None and ticket != pending.ticket:
            return None
        return pending

    def _expired(self, pending: Pending) -> bool:
        return self.clock.now() - pending.started > OTP_LIFE

    def _count_wrong(self, pending: Pending) -> None:
        pending.wrong_codes += 1
        if pending.wrong_codes >= OTP_TRIES:
            del self._pending[pending.account.client_code]

    def _matching_step(self, account: Account, totp: str) -> int:
        authenticator = pyotp.TOTP(account.totp_secret)
        now = self.clock.now()
        this_step = authenticator.timecode(now)
        for drift in range(-TOTP_DRIFT_STEPS, TOTP_DRIFT_STEPS + 1):
            step = this_step + drift
            if totp == authenticator.generate_otp(step) and step not in account.used_totp_steps:
                return step
        raise Refused(Reason.TOTP_WRONG)

    def _complete(self, pending: Pending) -> Session:
        del self._pending[pending.account.client_code]
        now = self.clock.now()
        code = pending.account.client_code
        token = self._mint.full(code, pending.api, now, next_midnight(now))
        return self._remember(pending.account, pending.api, "full", now, token)

    def _remember(
        self, account: Account, api: str, kind: str, now: datetime, token: str
    ) -> Session:
        session = Session(account, api, kind, now, next_midnight(now), token)
        self._sessions[token] = session
        return session
