"""An OpenAlgo on this computer: where its things are, and which version it is. Reads only."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from broker._kit.errors import HostError, SettingError
from broker._kit.openalgo.installer.env_file import values

KNOWN = "2.0.2"
SIGNS = ("app.py", "broker", "blueprints/brlogin.py", "websocket_proxy", "utils/version.py")
_VERSION = re.compile(r"^VERSION\s*=\s*[\"']([0-9A-Za-z.+-]{1,40})[\"']", re.MULTILINE)
_PORT = 5000


def is_openalgo(folder: Path) -> bool:
    """True for the folder that holds OpenAlgo's `app.py`."""
    return all((folder / sign).exists() for sign in SIGNS)


class Place(NamedTuple):
    """The paths in an OpenAlgo that the installer touches."""

    openalgo: Path

    @property
    def plugin(self) -> Path:
        """The plugin's folder, under the name that OpenAlgo wants."""
        return self.openalgo / "broker" / "mstock"

    @property
    def home(self) -> Path:
        """Our own folder: copies of what was there, the record, and the journal of a change."""
        return self.openalgo / ".mstock-openalgo"

    @property
    def backups(self) -> Path:
        """The dated copies; outside `broker/`, where every folder counts as a broker."""
        return self.home / "backups"

    @property
    def env_copies(self) -> Path:
        """The dated copies of `.env`, under a name that OpenAlgo's `.dockerignore` shuts out.

        An image that is built of this OpenAlgo must not hold anybody's keys.
        """
        return self.openalgo / ".env.mstock"

    @property
    def staging(self) -> Path:
        """Where the new plugin is put together before it takes its place."""
        return self.home / "staging"

    @property
    def journal(self) -> Path:
        """What is being changed; there only while a change is under way or was interrupted."""
        return self.home / "journal.json"

    @property
    def record(self) -> Path:
        """What was installed."""
        return self.home / "installed.json"

    @property
    def lock(self) -> Path:
        """Held while an installer is at work."""
        return self.home / "lock"


class Checkout(NamedTuple):
    """An OpenAlgo as found: its version, `app.py`, `.env` (None when there is none), its port."""

    place: Place
    version: str
    app: bytes
    env: bytes | None
    port: int

    @property
    def is_known(self) -> bool:
        """Whether this installer was written for this version."""
        return self.version == KNOWN or self.version.startswith(f"{KNOWN}.")


def look(openalgo: Path) -> Checkout:
    """Read what is there. Raises `HostError` when it is no OpenAlgo or cannot be read."""
    place = Place(openalgo.resolve())
    missing = [sign for sign in SIGNS if not (place.openalgo / sign).exists()]
    if missing:
        raise HostError(
            f"{openalgo} is not OpenAlgo's folder: {missing[0]} is not there.",
            "Give the folder that holds OpenAlgo's app.py.",
        )
    try:
        version = _VERSION.search((place.openalgo / "utils/version.py").read_text("utf-8"))
        app = (place.openalgo / "app.py").read_bytes()
        env_path = place.openalgo / ".env"
        env = env_path.read_bytes() if env_path.is_file() else None
    except (OSError, ValueError):
        raise HostError(
            f"A file of the OpenAlgo in {openalgo} cannot be read.",
            "Run this as the user whom the folder belongs to.",
        ) from None
    return Checkout(place, version[1] if version else "unknown", app, env, _port(env))


def is_listening(port: int) -> bool:
    """Whether a program on this computer, most likely OpenAlgo, listens on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def python_version(place: Place) -> tuple[str, tuple[int, int]]:
    """Whose Python was looked at, in words, and its version.

    That of OpenAlgo's virtual environment where the usual places hold one, else the running one.
    """
    for name in (".venv", "venv", "../venv"):
        card = place.openalgo / name / "pyvenv.cfg"
        if card.is_file():
            text = card.read_text("utf-8", "replace")
            found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", text, re.MULTILINE)
            if found:
                return f"OpenAlgo's Python ({name})", (int(found[1]), int(found[2]))
    return "this Python", sys.version_info[:2]


def _port(env: bytes | None) -> int:
    try:
        given = values(env or b"").get("FLASK_PORT", "")
    except SettingError:
        given = ""
    return int(given) if re.fullmatch(r"[0-9]{1,5}", given) and int(given) < 65536 else _PORT
