"""The trial login of `doctor --login`: each step told apart, the session ended again at once."""

from __future__ import annotations

import re

from broker._kit.broker import BrokerSettings, LoginClient
from broker._kit.cli import output, prompts
from broker._kit.cli.checks import OK, SETTINGS_FIRST, SKIPPED, TODO, Check, failed
from broker._kit.cli.context import Context
from broker._kit.errors import AccessRefused, BrokerError, CorrectInput
from broker._kit.secret import Secret

NAMES = ("Password", "IP whitelist", "TOTP", "API key and its type", "Logout")
_PASSWORD, _ADDRESS, _TOTP, _KEY, _LOGOUT = NAMES
# A refusal of the address and not of the key says so in these words.
_ABOUT_THE_ADDRESS = "internet address"


def trial(context: Context) -> list[Check]:
    """Ask for password and code, log in once, log out; nothing of it is stored."""
    try:
        config = context.config
    except BrokerError:
        return [Check(name, SKIPPED, SETTINGS_FIRST) for name in NAMES]
    password = prompts.password(context)
    code = prompts.code("Authenticator code (TOTP)")
    output.out("Logging in once ...", err=True)
    with (
        context.login_lock(needs_store=False),
        context.broker.login_client(config, context.clock) as client,
    ):
        checks, token = _steps(context.broker.title, config, client, password, code)
    if token is not None:
        result = context.broker.log_out(config, token)
        checks.append(
            Check(_LOGOUT, OK, "the trial's session was ended again")
            if result.confirmed
            else Check(_LOGOUT, TODO, "the trial's session may still be alive", result.message)
        )
    told = {check.name for check in checks}
    return checks + [Check(name, SKIPPED, "not reached") for name in NAMES if name not in told]


def _steps(
    title: str, config: BrokerSettings, client: LoginClient, password: Secret, code: Secret
) -> tuple[list[Check], Secret | None]:
    try:
        reply = client.login(config.client_code, password)
    except BrokerError as error:
        return [_refused(error, _PASSWORD)], None
    checks = [Check(_PASSWORD, OK, f"{title} takes it, with this client code")]
    access = [
        Check(_KEY, OK, f"{title} takes the key, and it is of type {config.api_type}"),
        Check(_ADDRESS, OK, f"{title} takes this connection's internet address"),
    ]
    if re.search(r"\botp\b", reply.message, re.IGNORECASE):
        words = f"{title} has sent an OTP instead: TOTP is not enabled for this account"
        todo = f"Enable TOTP for this account at {title}, or log in with the OTP."
        return [*checks, Check(_TOTP, TODO, words, todo)], None
    try:
        token = client.verify_totp(reply.ticket, code)
    except BrokerError as error:
        refused = _refused(error, _TOTP)
        # The key and the address are looked at before the code.
        is_code = refused.name == _TOTP and isinstance(error, CorrectInput)
        return [*checks, *(access if is_code else ()), refused], None
    return [*checks, *access, Check(_TOTP, OK, f"{title} takes the code")], token


def _refused(error: BrokerError, step: str) -> Check:
    """The failure under the name of what it is about: key, address, or the step itself."""
    if not isinstance(error, AccessRefused):
        return failed(step, error)
    return failed(_ADDRESS if _ABOUT_THE_ADDRESS in error.message else _KEY, error)
