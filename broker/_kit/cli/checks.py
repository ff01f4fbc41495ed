"""What `doctor` looks at: a table of checks of this computer, and the way to the broker."""

from __future__ import annotations

import platform
import re
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from broker._kit.cli.context import Context
from broker._kit.errors import BrokerError, CertificateError
from broker._kit.sessions import report

OK, TODO, SKIPPED = "ok", "to do", "skipped"
SETTINGS_FIRST = "the settings come first"
IS_WINDOWS = sys.platform == "win32"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NO_SECRET = ("trading-days.json",)
# As all known client codes are: API keys are longer and have other characters too.
_CLIENT_CODE = r"[A-Za-z]{2}[0-9]{4,10}"
# An authenticator code is good for half a minute; a Date header counts whole seconds.
_LARGEST_DRIFT, _HALF_A_SECOND = timedelta(seconds=30), timedelta(seconds=0.5)


class Check(NamedTuple):
    """One line of doctor's: `words` say what was found, `todo` what to do about it."""

    name: str
    state: str
    words: str
    todo: str = ""


def failed(name: str, error: BrokerError) -> Check:
    """What an error says, as a line."""
    code = f" (code {error.code})" if error.code else ""
    return Check(name, TODO, f"{error.message}{code}", error.next_step)


def all_checks(context: Context) -> Iterator[Check]:
    """Every check but the trial login; the broker is sent one greeting without key or token."""
    yield from _local_checks(context)
    yield from _openalgo_checks(context)
    try:
        _ = context.config
    except BrokerError:
        for name in ("DNS", "TLS", context.broker.title, "Clock"):
            yield Check(name, SKIPPED, SETTINGS_FIRST)
        return
    yield _dns(context)
    yield from _greeting(context)


def _local_checks(context: Context) -> Iterator[Check]:
    """The table's checks; one that needs what is not usable is skipped."""
    for name, need, look in _TABLE:
        try:
            _ = getattr(context, need) if need else None
        except BrokerError:
            yield Check(name, SKIPPED, SETTINGS_FIRST)
            continue
        try:
            if found := look(context):
                yield Check(name, *found)
        except BrokerError as error:
            yield failed(name, error)


def _openalgo_checks(context: Context) -> Iterator[Check]:
    if context.openalgo is None:
        yield Check("OpenAlgo", SKIPPED, "not here; point at one with --openalgo FOLDER")
        return
    for name, is_ok, words, todo in context.host_checks(context.broker, context.openalgo):
        yield Check(name, OK, words) if is_ok else Check(name, TODO, words, todo)


_Found = tuple[str, str] | tuple[str, str, str] | None


def _python(_context: Context) -> _Found:
    return OK, f"Python {platform.python_version()} on {platform.system()}"


def _env_rights(context: Context) -> _Found:
    path = context.env_file
    if path is None or IS_WINDOWS:
        return None
    if path.stat().st_mode & _OTHERS:
        words = "other users of this computer may read or change it, and it holds the API key"
        return TODO, words, f"Run chmod 600 {path}"
    return OK, "only its owner may read it"


def _settings(context: Context) -> _Found:
    config, title = context.config, context.broker.title
    kind = f"{title} itself" if config.is_live else "a SIMULATOR on this computer"
    return OK, f"complete; API type {config.api_type}, for {kind}"


def _not_swapped(context: Context) -> _Found:
    """The other way round is refused by the settings themselves."""
    if not re.fullmatch(_CLIENT_CODE, context.config.api_key.reveal()):
        return OK, "each looks as it should, and they are not swapped"
    return (
        TODO,
        "BROKER_API_SECRET holds what looks like a client code",
        "Put the client code into BROKER_API_KEY and the API key into BROKER_API_SECRET.",
    )


def _home_rights(context: Context) -> _Found:
    """The program's folder and everything in it; looked at, and not changed."""
    home = Path(context.service_settings.home)
    if context.openalgo is not None:
        return SKIPPED, "OpenAlgo keeps them, in its own database"
    if IS_WINDOWS or not home.is_dir():
        return SKIPPED, "Windows has others" if IS_WINDOWS else "nothing is stored here yet"
    try:
        loose = [path for path in home.iterdir() if path.lstat().st_mode & _OTHERS]
    except OSError:
        return TODO, f"{home} cannot be read", "Check that the folder is yours."
    loose = [path for path in loose if path.name not in _NO_SECRET]
    if home.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        loose.append(home)
    if not loose:
        return OK, "only their owner may read them"
    words = "other users of this computer may read or change them"
    return TODO, words, f"Run chmod go-rwx {' '.join(map(str, sorted(loose)))}"


def _stored_data(context: Context) -> _Found:
    if context.openalgo is not None:
        return None
    context.store.accounts()
    session = context.session()
    if session is not None and session.end_reason is None:
        return OK, "can be read; there is a session that can be alive"
    words = report.END_WORDS[session.end_reason] if session and session.end_reason else "no session"
    return OK, f"can be read; {words}. To log in: {context.command_line('login')}"


# Name, what it needs of the context, what looks and returns a line's rest, None for no line.
_TABLE: tuple[tuple[str, str, Callable[[Context], _Found]], ...] = (
    ("Python", "", _python),
    ("Rights of .env", "", _env_rights),
    ("Settings", "", _settings),
    ("Client code and API key", "config", _not_swapped),
    ("Rights of stored data", "settings", _home_rights),
    ("Stored data", "config", _stored_data),
)


def _dns(context: Context) -> Check:
    config = context.config
    if not config.is_live or config.proxy is not None:
        return Check("DNS", SKIPPED, "not needed for a simulator here, or behind a proxy")
    host = urlsplit(config.rest_url).hostname or ""
    try:
        socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)
    except OSError:
        todo = "Check this computer's internet connection and name servers."
        return Check("DNS", TODO, f"{host} has no address", todo)
    return Check("DNS", OK, f"{host} has an address")


def _greeting(context: Context) -> Iterator[Check]:
    title, clock, config = context.broker.title, context.clock, context.config
    before, started = clock.now(), clock.monotonic()
    try:
        theirs = context.broker.login_client(config, clock).server_time()
    except BrokerError as error:
        if isinstance(error, CertificateError):
            yield failed("TLS", error)
            yield Check(title, SKIPPED, "no safe connection")
        else:
            yield Check("TLS", SKIPPED, "no connection")
            yield failed(title, error)
        yield Check("Clock", SKIPPED, f"{title} could not be asked")
        return
    took = timedelta(seconds=clock.monotonic() - started)
    is_tls = config.rest_url.startswith("https://")
    yield Check("TLS", OK if is_tls else SKIPPED, _TLS_WORDS[is_tls])
    yield Check(title, OK, f"answers, after {took.total_seconds() * 1000:.0f} ms")
    if theirs is None:
        yield Check("Clock", SKIPPED, f"{title}'s answer carries no time")
    else:
        yield clock_check(theirs + _HALF_A_SECOND - (before + took / 2), title)


_TLS_WORDS = {
    True: "the certificate is the broker's",
    False: "a simulator on this computer is spoken to without it",
}


def clock_check(ahead: timedelta, title: str) -> Check:
    """What to say when the broker's clock is so far ahead of this computer's."""
    seconds = ahead.total_seconds()
    direction = "behind" if seconds > 0 else "ahead of"
    words = f"this computer's clock is {abs(seconds):.0f} s {direction} {title}'s"
    if abs(ahead) <= _LARGEST_DRIFT:
        return Check("Clock", OK, words if abs(seconds) >= 1 else f"agrees with {title}'s")
    todo = "Have this computer set its clock by the internet: logins are refused without it."
    return Check("Clock", TODO, words, todo)
