"""Whether a folder is OpenAlgo's, and where the pages of that OpenAlgo are; reads files only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from broker._kit.openalgo.installer.inspect import is_openalgo
from broker.mstock.settings import REDIRECT_URL

_ORIGIN = r"https?://[A-Za-z0-9._:\[\]-]+"


def around(folders: Iterable[Path]) -> Path | None:
    """The first of the folders that is OpenAlgo's."""
    return next((folder for folder in folders if is_openalgo(folder)), None)


def page(settings: Mapping[str, str], path: str) -> str:
    """The address of a page of the running OpenAlgo, by HOST_SERVER or else REDIRECT_URL."""
    for name in ("HOST_SERVER", "REDIRECT_URL"):
        given = settings.get(name, "").strip().strip("'\"").strip()
        parts = urlsplit(given) if re.match(_ORIGIN, given) else None
        if parts is not None and parts.hostname and "@" not in parts.netloc:
            return f"{parts.scheme}://{parts.netloc}{path}"
    return REDIRECT_URL.removesuffix("/mstock/callback") + path
