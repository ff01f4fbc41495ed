"""What is right and wrong with the plugin in an OpenAlgo, and what to do about it. Reads only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import BrokerError
from broker._kit.openalgo.checkout import TESTED_VERSION, is_tested
from broker._kit.openalgo.installer.app_patch import Patch, state
from broker._kit.openalgo.installer.inspect import Checkout, State, look, python_version
from broker._kit.openalgo.installer.plan import names_in, other_broker, some

_OLDEST_PYTHON = (3, 12)


class Finding(NamedTuple):
    """One thing that was looked at: what, whether it is right, what was found, and what to do."""

    name: str
    ok: bool
    words: str
    todo: str = ""


def host_checks(broker: Broker, openalgo: Path) -> list[Finding]:
    """Look the plugin over in an OpenAlgo; never raises `BrokerError`, and shows no value."""
    try:
        host = look(broker, openalgo)
    except BrokerError as error:
        return [Finding("OpenAlgo", False, error.message, error.next_step)]
    return [each for check in _CHECKS for each in check(broker, host)]


def _version(broker: Broker, host: Checkout) -> Iterator[Finding]:
    words = f"OpenAlgo {host.version} in {host.place.openalgo}"
    if not is_tested(host.version):
        yield Finding(
            "OpenAlgo",
            False,
            f"{words}: the plugin was tested with {TESTED_VERSION}.x only.",
            "Try every step with a small order first, or use a release made for this OpenAlgo.",
        )
        return
    former = host.record.host if host.record else host.version
    since = f"; it was {former} when {broker.title} was installed" if former != host.version else ""
    yield Finding("OpenAlgo", True, f"{words}{since}.")


def _python(_broker: Broker, host: Checkout) -> Iterator[Finding]:
    whose, version = python_version(host.place)
    ok = version >= _OLDEST_PYTHON
    todo = "" if ok else "OpenAlgo wants Python 3.12 or newer."
    yield Finding("Python", ok, f"{whose} is {version[0]}.{version[1]}.", todo)


def _plugin(broker: Broker, host: Checkout) -> Iterator[Finding]:
    again, name = _again(broker, host), f"broker/{broker.name}"
    record = host.record
    words, todo = {
        State.NEW: (f"{name} was not put there by this installer.", ""),
        State.WHOLE: (
            f"{broker.title} {record.plugin if record else ''}, as installed in {name} and "
            "broker/_kit.",
            "",
        ),
        State.INTERRUPTED: ("An install or uninstall was stopped on its way.", again),
        State.CHANGED: (
            f"Files of the plugin are not as installed: {some(host.differ)}.",
            f"If you did not change them: {again}",
        ),
        State.REPLACED: (
            f"An update of OpenAlgo has put its own {broker.title} files back.",
            again,
        ),
        State.GONE: (f"{name} is gone; OpenAlgo does not start without it.", again),
    }[host.state]
    yield Finding("plugin", not todo, words, todo)


def _app(broker: Broker, host: Checkout) -> Iterator[Finding]:
    found = state(broker, host.app)
    if found is Patch.PRESENT:
        yield Finding("app.py", True, "The plugin's own pages are opened.")
    elif found is Patch.OTHER:
        yield Finding(
            "app.py",
            False,
            f"The lines for {broker.title} are not those of this release.",
            "Run `uninstall` with the release that wrote them, or take them out by hand; then "
            "install again.",
        )
    elif host.record and host.record.is_patched and host.state is not State.INTERRUPTED:
        yield Finding(
            "app.py",
            False,
            "An update of OpenAlgo has taken the lines out that open the plugin's own pages.",
            _again(broker, host),
        )
    else:
        yield Finding(
            "app.py", True, "Not changed: only the login with an authenticator app works."
        )


def _folders(broker: Broker, host: Checkout) -> Iterator[Finding]:
    for folder in sorted(host.place.brokers.iterdir()):
        if folder.is_dir() and folder.name != broker.name and broker.name in folder.name.lower():
            yield Finding(
                "broker/",
                False,
                f"OpenAlgo takes the folder broker/{folder.name} for another broker.",
                "Move it out of broker/.",
            )


def _rights(_broker: Broker, host: Checkout) -> Iterator[Finding]:
    if sys.platform == "win32":
        return
    paths = (host.place.openalgo / ".env", host.place.env_copy)
    loose = [path for path in paths if path.is_file() and path.stat().st_mode & 0o077]
    if loose:
        names = " ".join(str(path.relative_to(host.place.openalgo)) for path in loose)
        yield Finding(
            ".env rights",
            False,
            "Other users of this computer can read your keys.",
            f"In {host.place.openalgo}, run `chmod 600 {names}` as the user whom they belong to.",
        )


def _env(broker: Broker, host: Checkout) -> Iterator[Finding]:
    if host.env is None:
        yield Finding(
            ".env", False, "There is no .env file.", "Copy .sample.env to .env; fill it in."
        )
        return
    faults, values = [], host.env.values
    if not values.get("REDIRECT_URL", "").endswith(broker.callback_path):
        other = other_broker(broker, host.env)
        words = f"REDIRECT_URL names {other or 'no broker'}, so OpenAlgo does not offer "
        todo = f"Let it end in {broker.callback_path}, and start OpenAlgo again."
        faults.append((words + f"{broker.title}.", todo))
    if broker.name not in names_in(values.get("VALID_BROKERS", "")):
        words = f"VALID_BROKERS does not list {broker.name}; OpenAlgo does not start with it."
        faults.append((words, f"Add {broker.name} to the list."))
    try:
        # What OpenAlgo needs of REDIRECT_URL is told above.
        broker.read_settings({k: text for k, text in values.items() if k != "REDIRECT_URL"})
    except BrokerError as error:
        faults.append((error.message, error.next_step))
    names = ("BROKER_API_KEY", "BROKER_API_SECRET", "REDIRECT_URL", "VALID_BROKERS")
    twice = [n for n in host.env.repeated if n in (*names, broker.api_type_setting)]
    if twice:
        words = f"{' and '.join(twice)} stands there more than once; the last line counts."
        faults.append((words, "Take the other lines out."))
    for words, todo in faults:
        yield Finding(".env", False, words, todo)
    if not faults:
        fine = "Client code, API key, REDIRECT_URL and VALID_BROKERS are in order."
        yield Finding(".env", True, fine)


def _again(broker: Broker, host: Checkout) -> str:
    command = f"python -m broker.{broker.name} install {host.place.openalgo}"
    return f"In the release's folder, run `{command}` again."


_CHECKS = (_version, _python, _plugin, _app, _folders, _rights, _env)
