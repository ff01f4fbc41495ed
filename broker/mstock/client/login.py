"""The two ways in and the one way out: OTP in two steps, TOTP in one, and logout.

Nothing here repeats a call: a login, an OTP and a logout go out once each. The kit may send an
unconfirmed logout once more (`Broker.repeats_logout`): a dead token's is answered with a 401.
"""

from __future__ import annotations

import re
import secrets

from broker._kit.broker import LoginReply, LogoutResult
from broker._kit.errors import (
    BrokerError,
    FixConfiguration,
    LoginUnfinished,
    OutcomeUnknown,
    Unreachable,
)
from broker._kit.secret import Secret
from broker.mstock.client.dialects import client_for
from broker.mstock.errors import InputException, TokenException
from broker.mstock.settings import Config

# What to say where mStock does not: Type A's answer is silent, and with TOTP on no OTP is sent.
SENT_UNSAID = "mStock sends the OTP to your registered mobile number and e-mail address."
# Type A relates the two steps by the API key and knows no ticket; the callers' flow wants one.
_LOCAL_TICKET = "typea-"


def send_otp(config: Config, password: Secret) -> LoginReply:
    """Ask mStock to send an OTP to the registered mobile and mail; counts as a password attempt.

    Raises `InputException` for a blank or wrong password (with the attempts left, when mStock says
    them), `OutcomeUnknown` when mStock may or may not have sent the OTP, other `BrokerError`s.
    """
    _check_password(password)
    try:
        reply = client_for(config).login(config.client_code, password)
    except OutcomeUnknown as error:
        error.next_step = "Wait a minute, ignore any OTP that arrives, and start again."
        raise
    if config.api_type == "A":
        return LoginReply(Secret(_LOCAL_TICKET + secrets.token_urlsafe(24)), "")
    return reply


def verify_otp(config: Config, otp: Secret, ticket: Secret) -> Secret:
    """Exchange the OTP for the day's token, a bare JWT; sent once.

    Raises `InputException` for a code that is not six digits (nothing is sent) or that mStock
    refuses, `OutcomeUnknown` when the answer was lost, other `BrokerError`s.
    """
    code = _six_digits(otp, "OTP")
    is_local = ticket.reveal().startswith(_LOCAL_TICKET)
    if not ticket.reveal().strip() or is_local != (config.api_type == "A"):
        raise InputException(
            "This OTP step has no login to belong to; nothing was sent.",
            "Start again: enter your password and ask for a new OTP.",
        )
    return client_for(config).session_token(ticket, code)


def login_with_totp(config: Config, password: Secret, totp_code: Secret) -> Secret:
    """Log in with an authenticator code; returns the day's token.

    Raises as `send_otp` and `verify_otp` do, and `LoginUnfinished` when only the second call could
    not be sent.
    """
    _check_password(password)
    code = _six_digits(totp_code, "TOTP code")
    reply = client_for(config).login(config.client_code, password)
    try:
        return client_for(config).verify_totp(reply.ticket, code)
    except Unreachable:
        raise LoginUnfinished(
            "mStock took the password, but the authenticator code could not be sent.",
            "Wait for the next code and start again.",
        ) from None


def logout(config: Config, token: Secret) -> LogoutResult:
    """End the session at mStock; sent once, and no `BrokerError` comes out.

    A refused token, and on this call any 401 that is not about the API key, readable or not, means
    that the session had ended already, which is as good.
    """
    try:
        client_for(config).logout(token)
    except BrokerError as error:
        about_the_key = isinstance(error, FixConfiguration)
        if isinstance(error, TokenException) or (error.http_status == 401 and not about_the_key):
            return LogoutResult(True, "The mStock session had already ended.")
        code = f" (code {error.code})" if error.code else ""
        return LogoutResult(
            False,
            f"mStock did not confirm the logout. {error.message} "
            f"The token dies at midnight IST anyway; you can also log out in the mStock app.{code}",
        )
    return LogoutResult(True, "mStock has confirmed the logout.")


def _check_password(password: Secret) -> None:
    if not password.reveal().strip():
        raise InputException("The password is empty.", "Enter your mStock trading password.")


def _six_digits(code: Secret, name: str) -> Secret:
    digits = code.reveal().strip()
    if not re.fullmatch("[0-9]{6}", digits):
        raise InputException(f"The {name} must be six digits; nothing was sent.", "Enter it again.")
    return Secret(digits)
