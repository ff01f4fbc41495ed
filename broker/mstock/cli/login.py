"""`login`: by OTP or authenticator code; what is typed is hidden, and each thing is sent once."""

from __future__ import annotations

from typing import NoReturn

import click

from broker.mstock.cli import ask, describe, show
from broker.mstock.cli.desk import Desk, pass_desk
from broker.mstock.cli.shell import Command, as_json_option
from broker.mstock.errors import InputException, MstockError, RateLimited, Unreachable, VaultError
from broker.mstock.secret import Secret
from broker.mstock.session import held
from broker.mstock.session import login as mstock
from broker.mstock.session.held import How
from broker.mstock.session.login import Challenge
from broker.mstock.web.answers import PERHAPS_NOT_SENT
from broker.mstock.web.present import count
from broker.mstock.web.waiting import Rules

# After these another code may be entered: mStock refused this one, or did not look at it.
_ANOTHER_CODE = (InputException, Unreachable, RateLimited)
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
    ask.need_terminal(desk, "The password")
    show.out(
        f"Log in to mStock {describe.mode(config)}, API type {config.api_type}, client code "
        f"{describe.account_json(config)['client_code']}",
        err=True,
    )
    if by_otp is None:
        by_otp = ask.way()
    password = ask.password()
    if by_otp:
        _by_otp(desk, password)
    else:
        code = ask.code("Authenticator code (TOTP)")
        with desk.line():
            _keep(desk, mstock.login_with_totp(config, password, code), How.TOTP)
    session = desk.session()
    if as_json:
        body = describe.account_json(config) | {"session": describe.session_json(session)}
        show.out_json({"status": "success", **body})
    else:
        show.out("Logged in.")
        show.out(show.pairs(describe.session_rows(session, desk.clock.now())))


def _by_otp(desk: Desk, password: Secret) -> None:
    """Have an OTP sent and take it; as many tries and as many OTPs as on the login page."""
    challenge = _send(desk, password)
    sent_at = desk.clock.monotonic()
    resends = _RULES.resends
    tries = _RULES.tries
    while True:
        otp = ask.code("OTP (or nothing, for a new one)", may_be_empty=True)
        since = desk.clock.monotonic() - sent_at
        if since > _RULES.life:
            _too_late()
        if not otp:
            if since < _RULES.resend_gap:
                rest = count(int(_RULES.resend_gap - since) + 1, "second", "seconds")
                show.out(f"The OTP may still be on its way; ask again in {rest}.", err=True)
            elif not resends:
                show.out("mStock has sent as many OTPs as are asked for here.", err=True)
            elif ask.consent("Have mStock send a new OTP?"):
                challenge, sent_at = _send(desk, password), desk.clock.monotonic()
                resends -= 1
            continue
        tries -= 1
        try:
            with desk.line():
                _keep(desk, mstock.verify_otp(desk.config, otp, challenge.ticket), How.OTP)
            return
        except _ANOTHER_CODE as error:
            if not tries or error.attempts_left == 0:
                raise
            show.out(f"{error}", err=True)
            words = count(tries, "try", "tries")
            show.out(f"{words} left here; mStock may allow fewer. Ctrl-C ends it.", err=True)


def _send(desk: Desk, password: Secret) -> Challenge:
    with desk.line():
        challenge = mstock.send_otp(desk.config, password)
    words = challenge.message.strip() or mstock.SENT_UNSAID
    show.out(words if "otp" in words.lower() else PERHAPS_NOT_SENT, err=True)
    return challenge


def _too_late() -> NoReturn:
    raise InputException(
        f"That login was not finished within {_RULES.life / 60:.0f} minutes; nothing was sent.",
        "Start again for a new OTP.",
    )


def _keep(desk: Desk, token: Secret, how: How) -> None:
    """Keep the session; one that cannot be kept is ended at mStock again, so that none is lost."""
    try:
        held.keep(desk.store, desk.config.account, token, desk.clock.now(), how)
    except MstockError as error:
        farewell = mstock.logout(desk.config, token)
        raise VaultError(
            f"mStock took the login, but the session cannot be kept. {error.message} The new "
            f"session was given up. {farewell.message}",
            error.next_step,
        ) from None
