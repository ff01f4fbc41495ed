"""The host's doors to login and logout: plain values in, tuples out, never an exception."""

from __future__ import annotations

import re
from collections.abc import Callable

from broker._kit.broker import LoginReply
from broker._kit.errors import BrokerError
from broker._kit.faults import guarded
from broker._kit.secret import Secret
from broker.mstock.client import login
from broker.mstock.errors import InputException
from broker.mstock.settings import Config

AuthResult = tuple[str | None, str | None, str | None]


def authenticate_with_totp(password: str, totp_code: str) -> AuthResult:
    """Log in with the trading password and an authenticator code.

    Returns `(auth_token, None, None)`, or `(None, None, message)` with a message for the user. The
    feed token is always None: the host would put it into the browser's cookie, and mStock's
    WebSocket takes the auth token.
    """
    return _attempt(
        lambda config: login.login_with_totp(
            config, _secret(password, "password"), _secret(totp_code, "TOTP code")
        )
    )


def send_otp(password: str) -> AuthResult:
    """Have mStock send an OTP. Returns `(ticket, message, None)` or `(None, None, error)`.

    `ticket` goes back in `verify_otp`; `message` is mStock's word on where the OTP went, ours in
    Type A, where it says nothing. Counts as a password attempt at mStock.
    """
    return _attempt(lambda config: login.send_otp(config, _secret(password, "password")))


def verify_otp(otp: str, ticket: str) -> AuthResult:
    """Finish a login that `send_otp` began; returns as `authenticate_with_totp` does."""
    return _attempt(
        lambda config: login.verify_otp(config, _secret(otp, "OTP"), _secret(ticket, "ticket"))
    )


def authenticate_broker(
    password: str | None = None,
    totp: str | None = None,
    *,
    otp: str | None = None,
    ticket: str | None = None,
) -> AuthResult:
    """One of the three above, by what is given; the host wants this name to exist.

    `password` and `totp`: `authenticate_with_totp`. `password` alone: `send_otp`, whose first value
    is a ticket and not a token. `otp` and `ticket`: `verify_otp`. Anything else is refused, and so
    is a six-digit code alone: a wrong guess at what it is costs an attempt at mStock.
    """
    if password and totp and not otp and not ticket:
        return authenticate_with_totp(password, totp)
    if otp and ticket and not password and not totp:
        return verify_otp(otp, ticket)
    if password and not (totp or otp or ticket):
        if re.fullmatch(r"[\s-]*(\d[\s-]*){6}", str(password)) is None:
            return send_otp(password)
        return None, None, _AMBIGUOUS
    return None, None, _UNFIT


_UNFIT = (
    "These do not belong together; nothing was sent. Give password and totp, or password alone to "
    "be sent an OTP, or otp with its ticket."
)
_AMBIGUOUS = (
    "A six-digit code alone is ambiguous and was not sent: it could be an OTP, a TOTP code or a "
    "password. Give it by name: password and totp, or otp and ticket."
)


def logout(auth_token: str) -> tuple[bool, str]:
    """End the session at mStock. Returns whether it is over there for certain, and a sentence."""
    try:
        return guarded(lambda: login.logout(Config.from_env(), _secret(auth_token, "token")))
    except BrokerError as error:
        return False, str(error)


def _attempt(step: Callable[[Config], LoginReply | Secret]) -> AuthResult:
    """A step of a login, or a sentence on why it failed; the host must see no exception here."""
    try:
        done = guarded(lambda: step(Config.from_env()))
    except BrokerError as error:
        return None, None, str(error)
    if isinstance(done, Secret):
        return done.reveal(), None, None
    return done.ticket.reveal(), done.message or login.SENT_UNSAID, None


def _secret(value: object, name: str) -> Secret:
    if not isinstance(value, str):
        raise InputException(f"The {name} is missing; nothing was sent.", "Enter it and try again.")
    return Secret(value)
