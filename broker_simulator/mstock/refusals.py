"""What can be refused: the domain names the reason, each dialect has a literal body for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why mStock says no. The value is what the journal shows."""

    VERSION = "version header missing or not 1"
    EMPTY_CREDENTIALS = "client code or password empty"
    WRONG_PASSWORD = "wrong client code or password"
    LOCKED = "account locked"
    KEY = "API key invalid or expired"
    IP = "IP address not whitelisted"
    OTP_WRONG = "wrong OTP"
    OTP_EXPIRED = "no such OTP any more"
    TOTP_WRONG = "wrong TOTP"
    TOKEN = "token missing or dead"
    NOT_FOUND = "no such instrument"
    RATE = "too many requests"
    GENERAL = "something went wrong"
    ORDER_FIELD = "invalid order field"
    PRODUCT = "invalid product"
    TRIGGER_PRICE = "invalid trigger price"
    MARKET_CLOSED = "market closed"
    FUNDS = "insufficient funds or holdings"
    ORDER_GONE = "order unknown or finished"
    CONVERSION = "nothing to convert"


class Refused(Exception):
    """The domain's no. `attempts_left` belongs to a wrong password, `text` to a refused order."""

    def __init__(self, reason: Reason, attempts_left: int | None = None, text: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.attempts_left = attempts_left
        self.text = text


class Malformed(Exception):
    """The framework's no, before any business rule is asked: a request of the wrong shape.

    `errors` maps a field or header to its messages and goes to the client; `verdict` is the
    journal's line and names nothing that the client sent, because that may be a secret.
    """

    def __init__(
        self, http_status: int, errors: Mapping[str, list[str]], verdict: str, strict_only: bool
    ) -> None:
        super().__init__(verdict)
        self.http_status = http_status
        self.errors = dict(errors)
        self.verdict = verdict
        self.strict_only = strict_only
