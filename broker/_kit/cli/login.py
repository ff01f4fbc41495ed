"""`login`: by OTP or authenticator code; what is typed is hidden, and each thing is sent once."""

from __future__ import annotations

import click

from broker._kit.broker import LoginReply
from broker._kit.cli import output, prompts
from broker._kit.cli.context import Context, command
from broker._kit.errors import BrokerError, CorrectInput, RateLimited, StoreError, Unreachable
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.sessions.stored_session import LoginMethod, save_session
from broker._kit.web.formatting import count
from broker._kit.web.messages import sent_words
from broker._kit.web.pending_logins import RULES

# After these another code may be entered: the broker refused this one, or did not look at it.
_ANOTHER_CODE = (CorrectInput, Unreachable, RateLimited)


@command(standalone=True)
@click.option(
    "--otp/--totp",
    "by_otp",
    default=None,
    help="With the OTP that the broker sends, or an authenticator app's code; asked if not given.",
)
def login(context: Context, by_otp: bool | None) -> None:
    """Log in to the broker and store the session until it ends.

    Password and code are asked, hidden, at the terminal; they are never taken from an argument or
    the environment. A wrong OTP can be entered again; a wrong password ends the command, since
    the broker counts it.
    """
    context.session()  # a store that cannot be read is told before anything is sent
    prompts.need_terminal(context, "The password")
    output.out(f"Log in to {context.account_words()}", err=True)
    if by_otp is None:
        title, channels = context.broker.title, context.broker.otp_channels
        output.out(f"otp: {title} sends a code by {channels}. totp: an app shows it.", err=True)
        kinds = click.Choice(["otp", "totp"])
        by_otp = click.prompt("Which one", type=kinds, err=True) == "otp"
    password = prompts.password(context)
    if by_otp:
        _with_otp(context, password)
    else:
        code = prompts.code("Authenticator code (TOTP)")
        with context.login_lock():
            token = context.broker.log_in_with_totp(context.config, password, code)
            _save(context, token, LoginMethod.TOTP)
    session = context.session()
    lines = report.session_lines(context.broker, session, context.clock.now())
    context.answer(
        context.account_json() | {"session": report.session_json(session)},
        lambda: f"Logged in.\n{output.pairs(lines)}",
    )


def _with_otp(context: Context, password: Secret) -> None:
    """Have an OTP sent and take it; as many attempts and OTPs as on the login page."""
    title, clock = context.broker.title, context.clock
    challenge, sent_at = _send(context, password), clock.monotonic()
    attempts, resends = RULES.tries, RULES.resends
    while True:
        otp = prompts.code("OTP (or nothing, for a new one)", may_be_empty=True)
        since = clock.monotonic() - sent_at
        if since > RULES.life:
            raise CorrectInput(
                f"That login was not finished within {RULES.life / 60:.0f} minutes; nothing was "
                "sent.",
                "Start again for a new OTP.",
            )
        if not otp:
            if since < RULES.resend_gap:
                wait = count(int(RULES.resend_gap - since) + 1, "second", "seconds")
                output.out(f"The OTP may still be on its way; ask again in {wait}.", err=True)
            elif not resends:
                output.out("No more OTPs are asked for here. Ctrl-C ends it.", err=True)
            elif click.confirm(f"Have {title} send a new OTP?", err=True):
                challenge, sent_at = _send(context, password), clock.monotonic()
                resends -= 1
            continue
        attempts -= 1
        try:
            with context.login_lock():
                token = context.broker.verify_otp(context.config, otp, challenge.ticket)
                return _save(context, token, LoginMethod.OTP)
        except _ANOTHER_CODE as error:
            if not attempts or error.attempts_left == 0:
                raise
            left = f"{count(attempts, 'attempt', 'attempts')} left here; {title} may allow fewer."
            output.out(f"{error}\n{left} Ctrl-C ends it.", err=True)


def _send(context: Context, password: Secret) -> LoginReply:
    with context.login_lock():
        challenge = context.broker.send_otp(context.config, password)
    way = "start again with --totp."
    output.out(sent_words(context.broker, challenge.message, way), err=True)
    return challenge


def _save(context: Context, token: Secret, method: LoginMethod) -> None:
    """Store the session; one that cannot be stored is ended at the broker, so that none is lost."""
    try:
        save_session(context.store, context.config.account, token, context.clock.now(), method)
    except BrokerError as error:
        result = context.broker.end_session(context.config, token)
        raise StoreError(
            f"{context.broker.title} took the login, but the session cannot be stored. "
            f"{error.message} The new session was given up. {result.message}",
            error.next_step,
        ) from None
