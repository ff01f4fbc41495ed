"""What is right and wrong with the plugin in an OpenAlgo, and what to do about it. Reads only."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import BrokerError
from broker._kit.openalgo.checkout import TESTED_VERSION, is_tested
from broker._kit.openalgo.installer.app_patch import Patch, state
from broker._kit.openalgo.installer.inspect import Checkout, State, look
from broker._kit.openalgo.installer.plan import names_in, other_broker, some

_OLDEST_PYTHON = (3, 12)


class Finding(NamedTuple):
    """One thing that was looked at, what was found, and what to do; "" when it is right."""

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
    found = (
        ("OpenAlgo", _version(host)),
        ("Python", _python(host)),
        ("plugin", _plugin(host)),
        ("app.py", _app(host)),
        *(("broker/", each) for each in _folders(host)),
        *((".env rights", each) for each in _rights(host)),
        *((".env", each) for each in _env(host)),
    )
    return [Finding(name, not todo, words, todo) for name, (words, todo) in found]


def _version(host: Checkout) -> tuple[str, str]:
    words, former = f"OpenAlgo {host.version} in {host.place.openalgo}", host.record.host
    if not is_tested(host.version):
        return (
            f"{words}: the plugin was tested with {TESTED_VERSION}.x only.",
            "Try every step with a small order first, or use a release made for this OpenAlgo.",
        )
    if former and former != host.version:
        words += f"; it was {former} when {host.broker.title} was installed"
    return f"{words}.", ""


def _python(host: Checkout) -> tuple[str, str]:
    """That of OpenAlgo's virtual environment where the usual places hold one, else this one."""
    whose, version = "this Python", sys.version_info[:2]
    for name in ("../venv", "venv", ".venv"):
        config = host.place.openalgo / name / "pyvenv.cfg"
        text = config.read_text("utf-8", "replace") if config.is_file() else ""
        if found := re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", text, re.MULTILINE):
            whose, version = f"OpenAlgo's Python ({name})", (int(found[1]), int(found[2]))
    todo = "" if version >= _OLDEST_PYTHON else "OpenAlgo wants Python 3.12 or newer."
    return f"{whose} is {version[0]}.{version[1]}.", todo


def _plugin(host: Checkout) -> tuple[str, str]:
    again, name, title = _again(host), f"broker/{host.broker.name}", host.broker.title
    return {
        State.NEW: (f"{name} was not put there by this installer.", ""),
        State.WHOLE: (
            f"{title} {host.record.plugin}, as installed in {name} and broker/_kit.",
            "",
        ),
        State.INTERRUPTED: ("An install or uninstall was stopped on its way.", again),
        State.CHANGED: (
            f"Files of the plugin are not as installed: {some(host.differ)}.",
            f"If you did not change them: {again}",
        ),
        State.REPLACED: (f"An update of OpenAlgo has put its own {title} files back.", again),
        State.GONE: (f"{name} is gone; OpenAlgo does not start without it.", again),
    }[host.state]


def _app(host: Checkout) -> tuple[str, str]:
    found = state(host.broker, host.app)
    if found is Patch.PRESENT:
        return "The plugin's own pages are opened.", ""
    if found is Patch.OTHER:
        return (
            f"The lines for {host.broker.title} are not those of this release.",
            "Run `uninstall` with the release that wrote them, or take them out by hand; then "
            "install again.",
        )
    if host.record.is_patched and host.state is not State.INTERRUPTED:
        return (
            "An update of OpenAlgo has taken the lines out that open the plugin's own pages.",
            _again(host),
        )
    return "Not changed: only the login with an authenticator app works.", ""


def _folders(host: Checkout) -> Iterator[tuple[str, str]]:
    ours = host.broker.name
    for folder in sorted(host.place.brokers.iterdir()):
        if folder.is_dir() and folder.name != ours and ours in folder.name.lower():
            yield (
                f"OpenAlgo takes the folder broker/{folder.name} for another broker.",
                "Move it out of broker/.",
            )


def _rights(host: Checkout) -> Iterator[tuple[str, str]]:
    place = host.place
    paths = (place.env, place.env_copy) if sys.platform != "win32" else ()
    loose = [path for path in paths if path.is_file() and path.stat().st_mode & 0o077]
    if loose:
        names = " ".join(str(path.relative_to(place.openalgo)) for path in loose)
        yield (
            "Other users of this computer can read your keys.",
            f"In {place.openalgo}, run `chmod 600 {names}` as the user whom they belong to.",
        )


def _env(host: Checkout) -> Iterator[tuple[str, str]]:
    broker, env = host.broker, host.env
    if env is None:
        yield "There is no .env file.", "Copy .sample.env to .env; fill it in."
        return
    faults = []
    if not env.values.get("REDIRECT_URL", "").endswith(broker.callback_path):
        faults.append(
            (
                f"REDIRECT_URL names {other_broker(broker, env) or 'no broker'}, so OpenAlgo does "
                f"not offer {broker.title}.",
                f"Let it end in {broker.callback_path}, and start OpenAlgo again.",
            )
        )
    if broker.name not in names_in(env.values.get("VALID_BROKERS", "")):
        words = f"VALID_BROKERS does not list {broker.name}; OpenAlgo does not start with it."
        faults.append((words, f"Add {broker.name} to the list."))
    try:
        # What OpenAlgo needs of REDIRECT_URL is told above.
        broker.read_settings({k: text for k, text in env.values.items() if k != "REDIRECT_URL"})
    except BrokerError as error:
        faults.append((error.message, error.next_step or "Correct it in .env."))
    names = {*dict(broker.credentials), broker.api_type_setting, "REDIRECT_URL", "VALID_BROKERS"}
    twice = [name for name in env.repeated if name in names]
    if twice:
        words = f"{' and '.join(twice)} stands there more than once; the last line counts."
        faults.append((words, "Take the other lines out."))
    fine = "Client code, API key, REDIRECT_URL and VALID_BROKERS are in order."
    yield from faults or [(fine, "")]


def _again(host: Checkout) -> str:
    command = f"python -m broker.{host.broker.name} install {host.place.openalgo}"
    return f"In the release's folder, run `{command}` again."
