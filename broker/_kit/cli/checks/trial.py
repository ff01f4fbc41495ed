"""The trial login of `doctor --login`: each step told apart, the session ended again at once."""

from __future__ import annotations

import re

from broker._kit.broker import BrokerSettings
from broker._kit.cli import output, prompts
from broker._kit.cli.checks.check import Check, failed, fine, skipped, to_do
from broker._kit.cli.context import Desk
from broker._kit.errors import AccessRefused, BrokerError, CorrectInput
from broker._kit.secret import Secret
from broker.mstock.client import login as mstock
from broker.mstock.client.base import Client
from broker.mstock.client.connection import fresh_client

NAMES = ("Password", "IP whitelist", "TOTP", "API key and its type", "Logout")
_PASSWORD, _ADDRESS, _TOTP, _KEY, _LOGOUT = NAMES
# mStock's answer says so in the words of `client/meaning.py`.
_ABOUT_THE_ADDRESS = "internet address"
_SENDS_AN_OTP = re.compile(r"\botp\b", re.IGNORECASE)


def trial(desk: Desk) -> list[Check]:
    """Ask for password and code, log in once, log out; nothing of it is kept."""
    try:
        config = desk.config
    except BrokerError:
        return [skipped(name, "the settings come first") for name in NAMES]
    password = prompts.password()
    code = prompts.code("Authenticator code (TOTP)")
    output.out("Logging in once ...", err=True)
    with desk.trial_line(), fresh_client(config, desk.clock) as client:
        checks, token = _steps(config, client, password, code)
    if token is not None:
        farewell = mstock.logout(config, token)
        checks.append(
            fine(_LOGOUT, "the trial's session was ended again")
            if farewell.confirmed
            else to_do(_LOGOUT, "the trial's session may still be alive", farewell.message)
        )
    told = {check.name for check in checks}
    return checks + [skipped(name, "not reached") for name in NAMES if name not in told]


def _steps(
    config: BrokerSettings, client: Client, password: Secret, code: Secret
) -> tuple[list[Check], Secret | None]:
    try:
        reply = client.login(config.client_code, password)
    except BrokerError as error:
        return [_refused(error, _PASSWORD)], None
    checks = [fine(_PASSWORD, "mStock takes it, with this client code")]
    if _SENDS_AN_OTP.search(reply.message):
        words = "mStock has sent an OTP instead: TOTP is not enabled for this account"
        todo = "Enable TOTP at trade.mstock.com, Products, Trading APIs, or log in with the OTP."
        return [*checks, to_do(_TOTP, words, todo)], None
    try:
        token = client.verify_totp(reply.ticket, code)
    except BrokerError as error:
        refused = _refused(error, _TOTP)
        if refused.name == _TOTP and isinstance(error, CorrectInput):
            # mStock looks at the key and the address before the code.
            checks += [_fine_key(config), _fine_address()]
        return [*checks, refused], None
    return [
        *checks,
        _fine_address(),
        fine(_TOTP, "mStock takes the code"),
        _fine_key(config),
    ], token


def _fine_key(config: BrokerSettings) -> Check:
    return fine(_KEY, f"mStock takes the key, and it is of type {config.api_type}")


def _fine_address() -> Check:
    return fine(_ADDRESS, "mStock takes this connection's internet address")


def _refused(error: BrokerError, step: str) -> Check:
    """The failure under the name of what it is about: key, address, or the step itself."""
    if not isinstance(error, AccessRefused):
        return failed(step, error)
    return failed(_ADDRESS if _ABOUT_THE_ADDRESS in error.message else _KEY, error)
