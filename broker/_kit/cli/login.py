"""`login`: by OTP or authenticator code; what is typed is hidden, and each thing is sent once."""

from __future__ import annotations

from typing import NoReturn

import click

from broker._kit.broker import OtpChallenge
from broker._kit.cli import describe, output, prompts
from broker._kit.cli.console import Command, as_json_option
from broker._kit.cli.context import Desk, pass_desk
from broker._kit.errors import BrokerError, CorrectInput, RateLimited, StoreError, Unreachable
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.web.formatting import count
from broker._kit.web.messages import PERHAPS_NOT_SENT
from broker._kit.web.pending_logins import Rules
from broker.mstock.client import login as mstock

# After these another code may be entered: mStock refused this one, or did not look at it.
_ANOTHER_CODE = (CorrectInput, Unreachable, RateLimited)
_RULES = Rules()


@click.command(cls=Command)
@click.option(
    "--otp/--totp",
    "by_otp",
    default=None,
    help="With the OTP that mStock sends, or an authenticator app's code; asked when not given.",
)
@as_json_option
@pass_desk
def login(desk: Desk, by_otp: bool | None, as_json: bool) -> None:
    """Log in to mStock and keep the session until midnight IST.

    Password and code are asked, hidden, at the terminal; they are never taken from an argument or
    the environment. A wrong OTP can be entered again; a wrong password ends the command, since
    mStock counts it.
    """
    desk.refuse_inside_openalgo("login")
    config = desk.config
    desk.session()  # a vault that cannot be read is told before mStock sends anything
    prompts.need_terminal(desk, "The password")
    output.out(
        f"Log in to mStock {describe.mode(config)}, API type {config.api_type}, client code "
        f"{describe.account_json(config)['client_code']}",
        err=True,
    )
    if by_otp is None:
        by_otp = prompts.way()
    password = prompts.password()
    if by_otp:
        _by_otp(desk, password)
    else:
        code = prompts.code("Authenticator code (TOTP)")
        with desk.line():
            _keep(desk, mstock.login_with_totp(config, password, code), LoginMethod.TOTP)
    session = desk.session()
    if as_json:
        body = describe.account_json(config) | {"session": describe.session_json(session)}
        output.out_json({"status": "success", **body})
    else:
        output.out("Logged in.")
        output.out(output.pairs(describe.session_rows(session, desk.clock.now())))


def _by_otp(desk: Desk, password: Secret) -> None:
    """Have an OTP sent and take it; as many tries and as many OTPs as on the login page."""
    challenge = _send(desk, password)
    sent_at = desk.clock.monotonic()
    resends = _RULES.resends
    tries = _RULES.tries
    while True:
        otp = prompts.code("OTP (or nothing, for a new one)", may_be_empty=True)
        since = desk.clock.monotonic() - sent_at
        if since > _RULES.life:
            _too_late()
        if not otp:
            if since < _RULES.resend_gap:
                rest = count(int(_RULES.resend_gap - since) + 1, "second", "seconds")
                output.out(f"The OTP may still be on its way; ask again in {rest}.", err=True)
            elif not resends:
                output.out("mStock has sent as many OTPs as are asked for here.", err=True)
            elif prompts.consent("Have mStock send a new OTP?"):
                challenge, sent_at = _send(desk, password), desk.clock.monotonic()
                resends -= 1
            continue
        tries -= 1
        try:
            with desk.line():
                _keep(desk, mstock.verify_otp(desk.config, otp, challenge.ticket), LoginMethod.OTP)
            return
        except _ANOTHER_CODE as error:
            if not tries or error.attempts_left == 0:
                raise
            output.out(f"{error}", err=True)
            words = count(tries, "try", "tries")
            output.out(f"{words} left here; mStock may allow fewer. Ctrl-C ends it.", err=True)


def _send(desk: Desk, password: Secret) -> OtpChallenge:
    with desk.line():
        challenge = mstock.send_otp(desk.config, password)
    words = challenge.message.strip() or mstock.SENT_UNSAID
    output.out(words if "otp" in words.lower() else PERHAPS_NOT_SENT, err=True)
    return challenge


def _too_late() -> NoReturn:
    raise CorrectInput(
        f"That login was not finished within {_RULES.life / 60:.0f} minutes; nothing was sent.",
        "Start again for a new OTP.",
    )


def _keep(desk: Desk, token: Secret, how: LoginMethod) -> None:
    """Keep the session; one that cannot be kept is ended at mStock again, so that none is lost."""
    try:
        stored_session.save_session(desk.store, desk.config.account, token, desk.clock.now(), how)
    except BrokerError as error:
        farewell = mstock.logout(desk.config, token)
        raise StoreError(
            f"mStock took the login, but the session cannot be kept. {error.message} The new "
            f"session was given up. {farewell.message}",
            error.next_step,
        ) from None
