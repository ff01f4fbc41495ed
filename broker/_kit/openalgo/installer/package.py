"""The two folders of a plugin, `broker/<name>` and `broker/_kit`: the files that are copied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import HostError

KIT = "_kit"
_KINDS = {".py", ".json", ".html", ".css", ".js", ".svg"}


class Package(NamedTuple):
    """A copy of the plugin: the `broker` folder that holds it, its version, each file's content.

    Files are named by their path below `broker/`, with /.
    """

    folder: Path
    version: str
    files: Mapping[str, bytes]

    @property
    def sums(self) -> dict[str, list[str]]:
        """The SHA-256 sum of each file, as a record holds it."""
        return {name: [sha256(data)] for name, data in self.files.items()}


def adapter(broker: Broker) -> str:
    """The module that OpenAlgo imports at its start, unguarded."""
    return f"{broker.name}/streaming/{broker.name}_adapter.py"


def first_files(broker: Broker) -> tuple[str, ...]:
    """The adapter and the packages' `__init__` above it, which work with all else missing."""
    return adapter(broker), f"{broker.name}/__init__.py", f"{broker.name}/streaming/__init__.py"


def card(broker: Broker) -> str:
    """What OpenAlgo lists a broker by; its own plugin has one with other words in it."""
    return f"{broker.name}/plugin.json"


def read_package(broker: Broker, folder: Path | None = None) -> Package:
    """Read a copy of the plugin, this one unless its `broker` folder is given.

    Raises `HostError` when it is not whole.
    """
    folder = (folder or Path(__file__).resolve().parents[3]).resolve()
    files = {
        name: (folder / name).read_bytes()
        for name in sorted(files_below(folder, broker))
        if Path(name).suffix in _KINDS and "tests" not in name.split("/")
    }
    needed = (
        *first_files(broker),
        card(broker),
        f"{broker.name}/openalgo.py",
        f"{broker.name}/api/auth_api.py",
        f"{broker.name}/api/funds.py",
        f"{KIT}/__init__.py",
        f"{KIT}/openalgo/register.py",
    )
    missing = next((name for name in needed if name not in files), None)
    try:
        version = str(json.loads(files[card(broker)])["Version"])
    except (ValueError, KeyError, TypeError):
        missing = missing or card(broker)
    if missing:
        raise HostError(
            f"This copy of the plugin is not whole: broker/{missing} is missing or unreadable.",
            "Download the release again.",
        )
    return Package(folder, version, files)


def files_below(folder: Path, broker: Broker) -> Iterator[str]:
    """The files of both folders, by their path below `folder`, without Python's and hidden ones."""
    for name in (broker.name, KIT):
        for path in (folder / name).rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part == "__pycache__" or part.startswith(".") for part in parts)
            if not hidden and path.is_file():
                yield "/".join(parts)


def sha256(data: bytes) -> str:
    """The fingerprint by which files are known again, in hex."""
    return hashlib.sha256(data).hexdigest()
