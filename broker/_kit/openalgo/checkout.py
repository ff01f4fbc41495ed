"""Whether a folder is an OpenAlgo, and of which version; reads files only."""

from __future__ import annotations

import re
from pathlib import Path

TESTED_VERSION = "2.0.2"
SIGNS = ("app.py", "broker", "blueprints/brlogin.py", "websocket_proxy", "utils/version.py")
_VERSION = re.compile(r"^VERSION\s*=\s*[\"']([0-9A-Za-z.+-]{1,40})[\"']", re.MULTILINE)


def is_openalgo(folder: Path) -> bool:
    """True for the folder that holds OpenAlgo's `app.py`."""
    return not missing_sign(folder)


def missing_sign(folder: Path) -> str:
    """The first file by which an OpenAlgo is known that the folder lacks; "" for an OpenAlgo."""
    return next((sign for sign in SIGNS if not (folder / sign).exists()), "")


def version_in(folder: Path) -> str:
    """OpenAlgo's version, such as "2.0.2.1", or "unknown". Raises `OSError`, `ValueError`."""
    found = _VERSION.search((folder / "utils/version.py").read_text("utf-8"))
    return found[1] if found else "unknown"


def is_tested(version: str) -> bool:
    """Whether this release was tested with this version of OpenAlgo."""
    return version == TESTED_VERSION or version.startswith(f"{TESTED_VERSION}.")
