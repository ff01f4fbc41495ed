"""What the plugin's folder holds: the files to copy, their fingerprints, what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from broker._kit.errors import HostError
from broker._kit.openalgo.installer.disk import sha256

# OpenAlgo's own plugin has this file too, with other words in it.
CARD = "plugin.json"
# What a trader cannot do yet; `install` asks for --preview while anything stands here.
UNBUILT = ("orders", "market data", "streaming")

_KINDS = {".py", ".json", ".html", ".css", ".js", ".svg"}
_NOT_OURS = {"__pycache__", "tests"}
# OpenAlgo looks for these by name; it does not start without the last but one.
_NEEDED = (
    CARD,
    "api/auth_api.py",
    "api/funds.py",
    "streaming/mstock_adapter.py",
    "web/host_app.py",
)


class Package(NamedTuple):
    """A copy of the plugin: its folder, its version, and each file's SHA-256 by its name with /."""

    folder: Path
    version: str
    files: Mapping[str, str]


class Match(StrEnum):
    """What a folder is, compared with the files that were installed there."""

    WHOLE = "whole"
    CHANGED = "changed"
    REPLACED = "replaced"  # OpenAlgo's own files stand there, with or without some of ours
    ABSENT = "absent"


def own_folder() -> Path:
    """The folder of the plugin that runs this."""
    return Path(__file__).resolve().parents[1]


def read_package(folder: Path) -> Package:
    """Look at a copy of the plugin. Raises `HostError` when it is not whole."""
    names = sorted(_names(folder))
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise HostError(
            f"This copy of the plugin is not whole: {missing[0]} is missing.",
            "Download the release again.",
        )
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        version = str(card["Version"])
    except (ValueError, KeyError, TypeError):
        raise HostError(
            "This copy of the plugin is not whole: plugin.json cannot be read.",
            "Download the release again.",
        ) from None
    return Package(folder, version, {name: sha256((folder / name).read_bytes()) for name in names})


def _names(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part in _NOT_OURS or part.startswith(".") for part in parts)
        if path.is_file() and not hidden and path.suffix in _KINDS:
            found.append("/".join(parts))
    return found


def compared(folder: Path, files: Mapping[str, str]) -> tuple[Match, list[str]]:
    """Whether a folder still is what was installed, and the names of the files that are not.

    Files that Python or an editor made (`__pycache__`, hidden ones) do not count; any other file
    that was not installed does.
    """
    if not folder.is_dir():
        return Match.ABSENT, []
    differ = [
        name
        for name, fingerprint in files.items()
        if not (folder / name).is_file() or sha256((folder / name).read_bytes()) != fingerprint
    ]
    differ += [name for name in _names(folder) if name not in files]
    if not differ:
        return Match.WHOLE, []
    card = folder / CARD
    is_ours = card.is_file() and sha256(card.read_bytes()) == files.get(CARD)
    return (Match.CHANGED if is_ours else Match.REPLACED), sorted(differ)


def leftovers(folder: Path, files: Mapping[str, str], before: Path | None) -> list[str]:
    """Our files that stand untouched among OpenAlgo's, after an update that put its own back.

    `before` is the folder that OpenAlgo came with: a file that it has under the same name stays.
    """
    return [
        name
        for name, fingerprint in files.items()
        if (folder / name).is_file()
        and sha256((folder / name).read_bytes()) == fingerprint
        and not (before and (before / name).exists())
    ]


def prune(folder: Path, names: list[str]) -> None:
    """Take these files out, what Python made of them, and the folders that are empty then."""
    for name in names:
        path = folder / name
        path.unlink(missing_ok=True)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
    parents = {folder.joinpath(*part.parts) for name in names for part in Path(name).parents}
    for parent in sorted(parents - {folder}, reverse=True):
        for empty in (parent / "__pycache__", parent):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()
