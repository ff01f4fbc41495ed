"""The host's doors to login and logout: plain values in, tuples out, never an exception."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from broker._kit.errors import BrokerError
from broker._kit.faults import guarded
from broker._kit.secret import Secret
from broker.mstock.client import login
from broker.mstock.errors import InputException
from broker.mstock.settings import Config

T = TypeVar("T")
AuthResult = tuple[str | None, str | None, str | None]


def authenticate_with_totp(password: str, totp_code: str) -> AuthResult:
    """Log in with the trading password and an authenticator code.

    Returns `(auth_token, None, None)`, or `(None, None, message)` with a message for the user. The
    feed token is always None: the host would put it into the browser's cookie, and mStock's
    WebSocket takes the auth token.
    """

    def enter() -> str:
        config = Config.from_env()
        code = _secret(totp_code, "TOTP code")
        return login.login_with_totp(config, _secret(password, "password"), code).reveal()

    return _as_result(enter)


def send_otp(password: str) -> tuple[str | None, str | None, str | None]:
    """Have mStock send an OTP. Returns `(ticket, message, None)` or `(None, None, error)`.

    `ticket` goes back in `verify_otp`; `message` is mStock's word on where the OTP went, ours in
    Type A, where it says nothing. Counts as a password attempt at mStock.
    """

    def ask() -> tuple[str, str]:
        challenge = login.send_otp(Config.from_env(), _secret(password, "password"))
        return challenge.ticket.reveal(), challenge.message or login.SENT_UNSAID

    reply, error = _attempt(ask)
    return (None, None, error) if reply is None else (*reply, None)


def verify_otp(otp: str, ticket: str) -> AuthResult:
    """Finish a login that `send_otp` began; returns as `authenticate_with_totp` does."""

    def enter() -> str:
        config = Config.from_env()
        code = _secret(otp, "OTP")
        return login.verify_otp(config, code, _secret(ticket, "ticket")).reveal()

    return _as_result(enter)


def authenticate_broker(
    password: str | None = None,
    totp: str | None = None,
    *,
    otp: str | None = None,
    ticket: str | None = None,
) -> tuple[str | None, str | None, str | None]:
    """One of the three above, by what is given; the host wants this name to exist.

    `password` and `totp`: `authenticate_with_totp`. `password` alone: `send_otp`, whose first value
    is a ticket and not a token. `otp` and `ticket`: `verify_otp`. Anything else is refused, and so
    is a six-digit code alone: whether it is an OTP, a TOTP code or a password would be a guess, and
    a wrong guess costs an attempt at mStock.
    """
    given = (bool(password), bool(totp), bool(otp), bool(ticket))
    is_code = re.fullmatch(r"[\s-]*(\d[\s-]*){6}", str(password)) is not None
    if given == (True, True, False, False):
        return authenticate_with_totp(password, totp)  # type: ignore[arg-type]
    if given == (False, False, True, True):
        return verify_otp(otp, ticket)  # type: ignore[arg-type]
    if given == (True, False, False, False) and not is_code:
        return send_otp(password)  # type: ignore[arg-type]
    return None, None, _AMBIGUOUS.get(given, _UNFIT)


_UNFIT = (
    "These do not belong together; nothing was sent. Give password and totp, or password alone to "
    "be sent an OTP, or otp with its ticket."
)
_AMBIGUOUS = {
    (False, False, False, False): "Nothing was given. Give password and totp, or password alone.",
    (True, False, False, False): (
        "A six-digit code alone is ambiguous and was not sent: it could be an OTP, a TOTP code or "
        "a password. Give it by name: password and totp, or otp and ticket."
    ),
    (False, True, False, False): "The password is missing; a TOTP code alone is not sent.",
    (False, False, True, False): "The ticket of the OTP is missing; an OTP alone is not sent.",
    (False, False, False, True): "The OTP is missing.",
}


def logout(auth_token: str) -> tuple[bool, str]:
    """End the session at mStock. Returns whether it is over there for certain, and a sentence."""

    def leave() -> tuple[bool, str]:
        farewell = login.logout(Config.from_env(), _secret(auth_token, "token"))
        return farewell.confirmed, farewell.message

    reply, error = _attempt(leave)
    return (False, error or "") if reply is None else reply


def _as_result(enter: Callable[[], str]) -> AuthResult:
    token, error = _attempt(enter)
    return token, None, error


def _attempt(work: Callable[[], T]) -> tuple[T | None, str | None]:
    """The work's value, or a sentence on why there is none; the host must see no exception here."""
    try:
        return guarded(work), None
    except BrokerError as error:
        return None, str(error)


def _secret(value: object, name: str) -> Secret:
    if not isinstance(value, str):
        raise InputException(f"The {name} is missing; nothing was sent.", "Enter it and try again.")
    return Secret(value)
