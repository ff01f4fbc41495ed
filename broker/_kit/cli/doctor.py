"""`doctor`: looks at everything a login needs; each line is fine or says what to do."""

from __future__ import annotations

import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from broker._kit import errors
from broker._kit.broker import BrokerSettings, LoginClient
from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context, command
from broker._kit.cli.live_report import live_report
from broker._kit.cli.redacted import private, redacted
from broker._kit.cli.service import manager_of, state_words
from broker._kit.errors import BrokerError
from broker._kit.openalgo.checkout import is_openalgo
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.settings import file_environment

OK, TO_DO, SKIPPED = "ok", "to do", "skipped"
TRIAL_NAMES = ("Password", "IP whitelist", "TOTP", "API key", "Logout")
_PASSWORD, _ADDRESS, _TOTP, _KEY, _LOGOUT = TRIAL_NAMES
_SETTINGS_FIRST = "the settings come first"
_COLOURS = {OK: "green", TO_DO: "red", SKIPPED: "bright_black"}
_IS_WINDOWS = sys.platform == "win32"
# An authenticator code is good for half a minute; a Date header counts whole seconds.
_LARGEST_DRIFT, _HALF_A_SECOND = timedelta(seconds=30), timedelta(seconds=0.5)


class Check(NamedTuple):
    """One line of doctor's: `words` say what was found, `todo` what to do about it."""

    name: str
    state: str
    words: str
    todo: str = ""


@command()
@click.option(
    "--login", "with_login", is_flag=True, help="Also log in once and out again, after asking."
)
@click.option(
    "--openalgo",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="OpenAlgo's folder: look there, at its settings, its version and the plugin in it.",
)
@click.option(
    "--report",
    "is_report",
    is_flag=True,
    help="A copy to give away: without secrets, client code, paths, names and addresses.",
)
@click.option(
    "--live",
    is_flag=False,
    flag_value="reads",
    type=click.Choice(["reads", "packets"]),
    help="Instead: after asking, read funds, books and candles, and print in which shapes they "
    "come, to paste into a report; with `packets` live prices.",
)
def doctor(
    context: Context, with_login: bool, folder: Path | None, is_report: bool, live: str | None
) -> None:
    """Check settings, rights, network and clock.

    With --login also password, TOTP, key and IP. Without --login the broker is sent a greeting and
    nothing else. Exit code 1 when something is to be done.
    """
    if live is not None:
        live_report(context, live)
    if folder is not None:
        if not is_openalgo(folder):
            raise click.BadParameter("that is not OpenAlgo's folder.", param_hint="--openalgo")
        context.openalgo = folder
        if (folder / ".env").is_file():
            context.env_file = folder / ".env"
            context.read_settings = partial(file_environment, str(context.env_file))
    if with_login:
        prompts.need_terminal(context, "The password")
    checks = [*_local_checks(context), *_openalgo_checks(context)]
    try:
        config = context.config
    except BrokerError:
        names = ("DNS", "TLS", context.broker.title, "Clock", *(TRIAL_NAMES if with_login else ()))
        checks += [Check(name, SKIPPED, _SETTINGS_FIRST) for name in names]
    else:
        checks += _network_checks(context, config)
        checks += _trial(context, config) if with_login else ()
    if is_report:
        texts, words = private(context, folder)
        clean = partial(redacted, texts=texts, words=words)
        checks = [
            check._replace(words=clean(check.words), todo=clean(check.todo)) for check in checks
        ]
    is_fine = all(check.state != TO_DO for check in checks)
    context.answer(
        {"checks": [check._asdict() for check in checks]},
        lambda: output.columns(map(_row, checks)),
        status="success" if is_fine else "to do",
        code=Exit.OK if is_fine else Exit.REFUSED,
    )


def _row(check: Check) -> tuple[str, str, str]:
    words = f"{check.words.removesuffix('.')}. {check.todo}" if check.todo else check.words
    state = click.style(check.state, fg=_COLOURS[check.state])
    return state, click.style(check.name, bold=True), words


def _failed(name: str, error: BrokerError) -> Check:
    code = f" (code {error.code})" if error.code else ""
    return Check(name, TO_DO, f"{error.message}{code}", error.next_step)


def _local_checks(context: Context) -> Iterator[Check]:
    yield Check("Python", OK, f"Python {platform.python_version()} on {platform.system()}")
    is_told = False
    for name, look in _LOCAL.items():
        try:
            if found := look(context):
                yield Check(name, *found)
        except BrokerError as error:
            yield Check(name, SKIPPED, _SETTINGS_FIRST) if is_told else _failed(name, error)
            is_told = is_told or isinstance(error, errors.SettingError)


_Found = tuple[str, ...] | None


def _env_rights(context: Context) -> _Found:
    path = context.env_file
    if path is None or _IS_WINDOWS:
        return None
    if path.stat().st_mode & 0o077:
        words = "other users of this computer may read or change it, and it holds the API key"
        return TO_DO, words, f"Run chmod 600 {path}"
    return OK, "only its owner may read it"


def _settings(context: Context) -> _Found:
    config, title = context.config, context.broker.title
    kind = f"{title} itself" if config.is_live else "a SIMULATOR on this computer"
    return OK, f"complete{config.account.type_words}, for {kind}"


def _home_rights(context: Context) -> _Found:
    """The program's folder and everything in it; looked at, and not changed."""
    home = Path(context.service_settings.home)
    if context.openalgo is not None:
        return SKIPPED, "OpenAlgo keeps them, in its own database"
    if _IS_WINDOWS or not home.is_dir():
        return SKIPPED, "Windows has others" if _IS_WINDOWS else "nothing is stored here yet"
    try:
        loose = [path for path in home.iterdir() if path.lstat().st_mode & 0o077]
    except OSError:
        return TO_DO, f"{home} cannot be read", "Check that the folder is yours."
    loose = [path for path in loose if path.name != "trading-days.json"]  # which is no secret
    loose += [home] if home.stat().st_mode & 0o022 else []
    if not loose:
        return OK, "only their owner may read them"
    words = "other users of this computer may read or change them"
    return TO_DO, words, f"Run chmod go-rwx {' '.join(map(str, sorted(loose)))}"


def _stored_data(context: Context) -> _Found:
    if context.openalgo is not None:
        return None
    context.store.accounts()
    session = context.session()
    if session is not None and session.end_reason is None:
        return OK, "can be read; there is a session that can be alive"
    reason = session and session.end_reason
    words = report.end_words(context.broker, reason) if reason else "no session"
    return OK, f"can be read; {words}. To log in: {context.command_line('login')}"


def _service(context: Context) -> _Found:
    if context.openalgo is not None:
        return None
    state = manager_of(context).state()
    if not state.is_installed or state.is_running is None:
        return (OK if state.is_installed else SKIPPED), state_words(state)
    if state.is_running:
        return OK, state_words(state)
    todo = f"Start it again with {context.command_line('service install')}, or look at the "
    return TO_DO, state_words(state), f"{todo}system's log for why it ended."


# What looks, and returns the line's rest, None for no line.
_LOCAL: dict[str, Callable[[Context], _Found]] = {
    "Rights of .env": _env_rights,
    "Settings": _settings,
    "Rights of stored data": _home_rights,
    "Stored data": _stored_data,
    "Service": _service,
}


def _openalgo_checks(context: Context) -> Iterator[Check]:
    if context.openalgo is None:
        yield Check("OpenAlgo", SKIPPED, "not here; point at one with --openalgo FOLDER")
    else:
        for name, is_ok, words, todo in context.host_checks(context.broker, context.openalgo):
            yield Check(name, OK if is_ok else TO_DO, words, todo)


def _network_checks(context: Context, config: BrokerSettings) -> Iterator[Check]:
    """The way to the broker, which is sent one greeting without key or token."""
    title, clock = context.broker.title, context.clock
    host = urlsplit(config.rest_url).hostname or ""
    if not config.is_live or config.proxy is not None:
        yield Check("DNS", SKIPPED, "not needed for a simulator here, or behind a proxy")
    else:
        try:
            socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)
            yield Check("DNS", OK, f"{host} has an address")
        except OSError:
            todo = "Check this computer's internet connection and name servers."
            yield Check("DNS", TO_DO, f"{host} has no address", todo)
    before, started = clock.now(), clock.monotonic()
    try:
        theirs = context.broker.login_client(config, clock).server_time()
    except BrokerError as error:
        is_tls = isinstance(error, errors.CertificateError)
        yield _failed("TLS", error) if is_tls else Check("TLS", SKIPPED, "no connection")
        yield Check(title, SKIPPED, "no safe connection") if is_tls else _failed(title, error)
        yield Check("Clock", SKIPPED, f"{title} could not be asked")
        return
    took = timedelta(seconds=clock.monotonic() - started)
    if config.rest_url.startswith("https://"):
        yield Check("TLS", OK, "the certificate is the broker's")
    else:
        yield Check("TLS", SKIPPED, "a simulator on this computer is spoken to without it")
    yield Check(title, OK, f"answers, after {took.total_seconds() * 1000:.0f} ms")
    if theirs is None:
        yield Check("Clock", SKIPPED, f"{title}'s answer carries no time")
    else:
        yield clock_check(theirs + _HALF_A_SECOND - (before + took / 2), title)


def clock_check(ahead: timedelta, title: str) -> Check:
    """What to say when the broker's clock is so far ahead of this computer's."""
    seconds = ahead.total_seconds()
    direction = "behind" if seconds > 0 else "ahead of"
    words = f"this computer's clock is {abs(seconds):.0f} s {direction} {title}'s"
    if abs(ahead) <= _LARGEST_DRIFT:
        return Check("Clock", OK, words if abs(seconds) >= 1 else f"agrees with {title}'s")
    todo = "Have this computer set its clock by the internet: logins are refused without it."
    return Check("Clock", TO_DO, words, todo)


def _trial(context: Context, config: BrokerSettings) -> list[Check]:
    """Ask for password and code, log in once, log out; nothing of it is stored."""
    title = context.broker.title
    output.out(
        f"This logs in to {title} once and out again. {title} counts a wrong password, and a login "
        "may end the session that you have now.",
        err=True,
    )
    if not click.confirm("Log in?", err=True):
        return [Check("Login", SKIPPED, "you did not want it")]
    password = prompts.password(context)
    code = prompts.code("Authenticator code (TOTP)")
    output.out("Logging in once ...", err=True)
    with context.login_lock(needs_store=False):
        client = context.broker.login_client(config, context.clock)
        checks = list(_steps(context, client, password, code))
    told = {check.name for check in checks}
    missed = (name for name in TRIAL_NAMES if name not in told)
    return [*checks, *(Check(name, SKIPPED, "not reached") for name in missed)]


def _steps(
    context: Context, client: LoginClient, password: Secret, code: Secret
) -> Iterator[Check]:
    title, config = context.broker.title, context.config
    try:
        reply = client.login(config.client_code, password)
    except BrokerError as error:
        yield _refused(error, _PASSWORD)
        return
    yield Check(_PASSWORD, OK, f"{title} takes it, with this client code")
    if re.search(r"\botp\b", reply.message, re.IGNORECASE):
        words = f"{title} has sent an OTP instead: TOTP is not enabled for this account"
        todo = f"Enable TOTP for this account at {title}, or log in with the OTP."
        yield Check(_TOTP, TO_DO, words, todo)
        return
    access = (
        Check(_KEY, OK, f"{title} takes it{config.account.type_words}"),
        Check(_ADDRESS, OK, f"{title} takes this connection's internet address"),
    )
    try:
        token = client.verify_totp(reply.ticket, code)
    except BrokerError as error:
        # The key and the address are looked at before the code.
        yield from access if isinstance(error, errors.CorrectInput) else ()
        yield _refused(error, _TOTP)
        return
    yield from (*access, Check(_TOTP, OK, f"{title} takes the code"))
    result = context.broker.end_session(config, token)
    if result.confirmed:
        yield Check(_LOGOUT, OK, "the trial's session was ended again")
    else:
        yield Check(_LOGOUT, TO_DO, "the trial's session may still be alive", result.message)


def _refused(error: BrokerError, step: str) -> Check:
    """The failure under the name of what it is about: key, address, or the step itself."""
    if isinstance(error, errors.AccessRefused):
        # A refusal of the address and not of the key says so in these words.
        step = _ADDRESS if "internet address" in error.message else _KEY
    return _failed(step, error)
