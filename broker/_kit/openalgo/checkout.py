"""Whether a folder is OpenAlgo's, of which version, and where its pages are; reads files only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

TESTED_VERSION = "2.0.2"
SIGNS = ("app.py", "broker", "blueprints/brlogin.py", "websocket_proxy", "utils/version.py")
_VERSION = re.compile(r"^VERSION\s*=\s*[\"']([0-9A-Za-z.+-]{1,40})[\"']", re.MULTILINE)
_DEFAULT_ORIGIN = "http://127.0.0.1:5000"
_ORIGIN = r"https?://[A-Za-z0-9._:\[\]-]+"


def is_openalgo(folder: Path) -> bool:
    """True for the folder that holds OpenAlgo's `app.py`."""
    return all((folder / sign).exists() for sign in SIGNS)


def version_in(folder: Path) -> str:
    """OpenAlgo's version, such as "2.0.2.1", or "unknown". Raises `OSError`, `ValueError`."""
    found = _VERSION.search((folder / "utils/version.py").read_text("utf-8"))
    return found[1] if found else "unknown"


def is_tested(version: str) -> bool:
    """Whether this release was tested with this version of OpenAlgo."""
    return f"{version}.".startswith(f"{TESTED_VERSION}.")


def page_address(settings: Mapping[str, str], path: str) -> str:
    """The address of a page of the running OpenAlgo, by HOST_SERVER or else REDIRECT_URL."""
    for name in ("HOST_SERVER", "REDIRECT_URL"):
        given = settings.get(name, "").strip().strip("'\"").strip()
        parts = urlsplit(given) if re.match(_ORIGIN, given) else None
        if parts is not None and parts.hostname and "@" not in parts.netloc:
            return f"{parts.scheme}://{parts.netloc}{path}"
    return _DEFAULT_ORIGIN + path
