"""An OpenAlgo on this computer as the installer finds it. Reads only."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import HostError
from broker._kit.openalgo import checkout
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.package import KIT, adapter, card, files_below, sha256
from broker._kit.openalgo.installer.record import Place, Record, read_record

_PORT = 5000


class State(Enum):
    """What the plugin's folders are, compared with what was installed there."""

    NEW = "not installed by this installer"
    INTERRUPTED = "an install or uninstall was stopped"
    GONE = "the broker's folder is not there"
    REPLACED = "an update of OpenAlgo has put its own files back"
    CHANGED = "somebody has changed files since"
    WHOLE = "as installed"


class Checkout(NamedTuple):
    """An OpenAlgo as found, read once.

    `live` are the SHA-256 sums of the files in both folders, by path below `broker/`; `differ` the
    files that are not as installed; `kit_users` the other brokers that use the kit.
    """

    place: Place
    version: str
    app: bytes
    env: EnvFile | None
    record: Record | None
    live: Mapping[str, str]
    state: State
    differ: tuple[str, ...]
    kit_users: tuple[str, ...]


def look(broker: Broker, openalgo: Path) -> Checkout:
    """Read what is there. Raises `HostError` (no OpenAlgo, not readable), `SettingError`."""
    place = Place(broker.name, openalgo.resolve())
    if not checkout.is_openalgo(place.openalgo):
        raise HostError(
            f"{openalgo} is not OpenAlgo's folder.", "Give the folder that holds OpenAlgo's app.py."
        )
    record = read_record(place)
    try:
        version = checkout.version_in(place.openalgo)
        app = (place.openalgo / "app.py").read_bytes()
        env_path = place.openalgo / ".env"
        env = env_path.read_bytes() if env_path.is_file() else None
        names = files_below(place.brokers, broker)
        live = {name: sha256((place.brokers / name).read_bytes()) for name in names}
        users = _kit_users(broker, place)
    except (OSError, ValueError):
        raise HostError(
            f"A file of the OpenAlgo in {openalgo} cannot be read.",
            "Run this as the user whom the folder belongs to.",
        ) from None
    state, differ = _compared(broker, record, live, bool(users))
    parsed = None if env is None else EnvFile(env)
    return Checkout(place, version, app, parsed, record, live, state, differ, users)


def is_ours(record: Record, name: str, digest: str) -> bool:
    """Whether a file's content is one that was installed, or a write that was stopped."""
    return digest in record.files.get(name, ()) or name.endswith(".new")


def _compared(
    broker: Broker, record: Record | None, live: Mapping[str, str], kit_is_shared: bool
) -> tuple[State, tuple[str, ...]]:
    if record is None or (record.is_complete and not record.files):
        return State.NEW, ()
    differ = sorted(
        name
        for name in {*record.files, *live}
        if not is_ours(record, name, live.get(name, ""))
        and not (kit_is_shared and name.startswith(f"{KIT}/"))
    )
    marks = [name for name in (adapter(broker), card(broker)) if name in live]
    if not record.is_complete:
        state = State.INTERRUPTED
    elif not any(name.startswith(f"{broker.name}/") for name in live):
        state = State.GONE
    elif marks and not any(is_ours(record, name, live[name]) for name in marks):
        state = State.REPLACED
    else:
        state = State.CHANGED if differ else State.WHOLE
    return state, tuple(differ)


def _kit_users(broker: Broker, place: Place) -> tuple[str, ...]:
    found = []
    for folder in sorted(place.brokers.iterdir()):
        if folder.is_dir() and folder.name not in (broker.name, KIT):
            texts = (path.read_bytes() for path in folder.rglob("*.py"))
            if any(b"broker._kit" in text or b"broker import _kit" in text for text in texts):
                found.append(folder.name)
    return tuple(found)


def is_listening(host: Checkout) -> int | None:
    """OpenAlgo's port when a program on this computer listens there, most likely OpenAlgo.

    None without a `.env`: OpenAlgo does not start then.
    """
    if host.env is None:
        return None
    given = host.env.values.get("FLASK_PORT", "")
    port = int(given) if re.fullmatch(r"[0-9]{1,5}", given) and int(given) < 65536 else _PORT
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return port
    except OSError:
        return None


def python_version(place: Place) -> tuple[str, tuple[int, int]]:
    """Whose Python was looked at, in words, and its version.

    That of OpenAlgo's virtual environment where the usual places hold one, else the running one.
    """
    for name in (".venv", "venv", "../venv"):
        config = place.openalgo / name / "pyvenv.cfg"
        if config.is_file():
            text = config.read_text("utf-8", "replace")
            found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", text, re.MULTILINE)
            if found:
                return f"OpenAlgo's Python ({name})", (int(found[1]), int(found[2]))
    return "this Python", sys.version_info[:2]
