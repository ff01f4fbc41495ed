"""What is right and wrong with the plugin in an OpenAlgo, and what to do about it. Reads only."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from broker._kit.errors import BrokerError, HostError, SettingError
from broker._kit.openalgo.installer import app_patch, env_file
from broker._kit.openalgo.installer.inspect import KNOWN, Checkout, Place, look, python_version
from broker._kit.openalgo.installer.install_record import Record, read_record
from broker._kit.openalgo.installer.plan import names_in, other_broker
from broker._kit.openalgo.installer.plugin_files import Match, compared
from broker.mstock.settings import Config

_AGAIN = "In the release's folder, run `python -m broker.mstock install {}` again."
_FRESH_PYTHON = (3, 12)


class Finding(NamedTuple):
    """One thing that was looked at: what, whether it is right, what was found, and what to do."""

    name: str
    ok: bool
    words: str
    todo: str = ""


def findings(openalgo: Path) -> list[Finding]:
    """Look the plugin over in an OpenAlgo; never raises `BrokerError`, and shows no value.

    The first that is wrong explains those after it.
    """
    place = Place(openalgo.resolve())
    try:
        interrupted = _journal(place)
        host = look(openalgo)
        record = read_record(place)
    except HostError as error:
        return [Finding("OpenAlgo", False, error.message, error.next_step)]
    found = [interrupted] if interrupted else []
    for room in (_version, _python, _plugin, _app, _folders, _copies):
        found += room(host, record)
    return found + _env(host)


def _journal(place: Place) -> Finding | None:
    if not place.journal.exists():
        return None
    return Finding(
        "interrupted install",
        False,
        "An install or uninstall was interrupted; OpenAlgo may not start.",
        f"Run `python -m broker.mstock doctor --openalgo {place.openalgo} --repair`: it puts back "
        "what was there before.",
    )


def _version(host: Checkout, record: Record | None) -> Iterator[Finding]:
    words = f"OpenAlgo {host.version} in {host.place.openalgo}"
    if not host.is_known:
        yield Finding(
            "OpenAlgo",
            False,
            f"{words}: the plugin was tested with {KNOWN}.x only.",
            "Try every step with a small order first, or use a release made for this OpenAlgo.",
        )
    elif record and record.host != host.version:
        yield Finding("OpenAlgo", True, f"{words}; it was {record.host} when mStock was installed.")
    else:
        yield Finding("OpenAlgo", True, f"{words}.")


def _python(host: Checkout, _record: Record | None) -> Iterator[Finding]:
    whose, version = python_version(host.place)
    ok = version >= _FRESH_PYTHON
    yield Finding(
        "Python",
        ok,
        f"{whose} is {version[0]}.{version[1]}.",
        "" if ok else "OpenAlgo wants Python 3.12 or newer.",
    )


def _plugin(host: Checkout, record: Record | None) -> Iterator[Finding]:
    again = _AGAIN.format(host.place.openalgo)
    if record is None or not record.files:
        words = "broker/mstock was not put there by this installer."
        yield Finding("plugin", True, words, "")
        return
    match, differ = compared(host.place.plugin, record.files)
    some = ", ".join(differ[:3]) + (f" and {len(differ) - 3} more" if len(differ) > 3 else "")
    table = {
        Match.WHOLE: (f"mStock {record.plugin}, {len(record.files)} files as installed.", ""),
        Match.CHANGED: (
            f"Files in broker/mstock are not as installed: {some}.",
            f"If you did not change them: {again}",
        ),
        Match.REPLACED: ("An update of OpenAlgo has put its own mStock files back.", again),
        Match.ABSENT: ("broker/mstock is gone; OpenAlgo does not start without it.", again),
    }
    yield Finding("plugin", match is Match.WHOLE, *table[match])


def _app(host: Checkout, record: Record | None) -> Iterator[Finding]:
    state = app_patch.state(host.app)
    if state is app_patch.Patch.PRESENT:
        yield Finding("app.py", True, "The plugin's own pages are opened.")
    elif state is app_patch.Patch.OTHER:
        yield Finding(
            "app.py",
            False,
            "The lines for mStock are not those of this release.",
            "Run `uninstall` with the release that wrote them, or take them out by hand; then "
            "install again.",
        )
    elif record and record.app:
        yield Finding(
            "app.py",
            False,
            "An update of OpenAlgo has taken the lines out that open the plugin's own pages.",
            _AGAIN.format(host.place.openalgo),
        )
    else:
        words = "Not changed: only the login with an authenticator app works."
        yield Finding("app.py", True, words, "")


def _folders(host: Checkout, _record: Record | None) -> Iterator[Finding]:
    for folder in sorted((host.place.openalgo / "broker").iterdir()):
        if folder.is_dir() and folder.name != "mstock" and "mstock" in folder.name.lower():
            yield Finding(
                "broker/",
                False,
                f"OpenAlgo takes the folder broker/{folder.name} for another broker.",
                "Move it out of broker/.",
            )


def _copies(host: Checkout, _record: Record | None) -> Iterator[Finding]:
    if sys.platform == "win32":
        return
    env = host.place.openalgo / ".env"
    copies = host.place.env_copies
    kept = sorted(copies.glob("[0-9]*")) if copies.is_dir() else []
    loose = [path for path in (env, *kept) if path.is_file() and path.stat().st_mode & 0o077]
    if loose:
        names = " ".join(str(path.relative_to(host.place.openalgo)) for path in loose)
        yield Finding(
            ".env rights",
            False,
            "Other users of this computer can read your keys.",
            f"In {host.place.openalgo}, run `chmod 600 {names}` as the user whom they belong to.",
        )


def _env(host: Checkout) -> list[Finding]:
    if host.env is None:
        return [
            Finding(
                ".env", False, "There is no .env file.", "Copy .sample.env to .env; fill it in."
            )
        ]
    try:
        said = env_file.values(host.env)
        twice = [name for name in env_file.repeated(host.env) if name in _OURS]
    except SettingError as error:
        return [Finding(".env", False, error.message, error.next_step)]
    found = [check(host.env, said) for check in _ENV_CHECKS]
    if twice:
        words = f"{' and '.join(twice)} stands there more than once; the last line counts."
        found.append(Finding(".env", False, words, "Take the other lines out."))
    return [one for one in found if one] or [
        Finding(".env", True, "Client code, API key, REDIRECT_URL and VALID_BROKERS are in order.")
    ]


def _redirect(env: bytes, said: dict[str, str]) -> Finding | None:
    if re.search(r"/mstock/callback$", said.get("REDIRECT_URL", "")):
        return None
    other = other_broker(env)
    words = f"REDIRECT_URL names {other}" if other else "REDIRECT_URL names no broker"
    todo = "Let it end in /mstock/callback, and start OpenAlgo again."
    return Finding(".env", False, f"{words}, so OpenAlgo does not offer mStock.", todo)


def _listed(_env: bytes, said: dict[str, str]) -> Finding | None:
    if "mstock" in names_in(said.get("VALID_BROKERS", "")):
        return None
    words = "VALID_BROKERS does not list mstock; OpenAlgo does not start with it."
    return Finding(".env", False, words, "Add mstock to the list.")


def _keys(_env: bytes, said: dict[str, str]) -> Finding | None:
    # What the host needs of REDIRECT_URL is told above.
    try:
        Config.from_env({name: value for name, value in said.items() if name != "REDIRECT_URL"})
    except BrokerError as error:
        return Finding(".env", False, error.message, error.next_step)
    return None


_OURS = ("BROKER_API_KEY", "BROKER_API_SECRET", "REDIRECT_URL", "VALID_BROKERS", "MSTOCK_API_TYPE")
_ENV_CHECKS: tuple[Callable[[bytes, dict[str, str]], Finding | None], ...] = (
    _redirect,
    _listed,
    _keys,
)
