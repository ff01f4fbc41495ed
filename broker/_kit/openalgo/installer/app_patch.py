"""The one change to OpenAlgo's own code: a marked, guarded block in `app.py`, put in and taken out.

It stands behind the line that registers OpenAlgo's generic login callback: sessions, CSRF, limits
and headers are set up by then, and no request has been served. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import difflib
import re
from enum import StrEnum

from broker._kit.errors import HostError

_BEGIN = "    # >>> mStock for OpenAlgo: `python -m broker.mstock uninstall` takes these lines out"
_END = "    # <<< mStock for OpenAlgo"
# A fault of the plugin, its absence or a half-done update must not keep OpenAlgo from starting.
_BLOCK = (
    _BEGIN,
    "    try:",
    "        from broker._kit.openalgo.register import register as register_mstock",
    "",
    "        register_mstock(app)",
    "    except Exception:",
    '        app.logger.exception("mStock\'s own pages are missing; OpenAlgo works without them")',
    _END,
)
_ANCHOR = rb"^    app\.register_blueprint\(brlogin_bp\)[^\r\n]*(\r?\n)"
# What the block relies on: found exactly once, in this order, the anchor among them.
_ORDER = (
    rb"^def create_app\(\):",
    rb"^    csrf = CSRFProtect\(app\)",
    rb"^    limiter\.init_app\(app\)",
    _ANCHOR,
    rb"^    return app\b",
    rb"^app = create_app\(\)",
)
_MARK = re.compile(rb"(>>>|<<<) mStock for OpenAlgo")


class Patch(StrEnum):
    """What `app.py` is: without our block, with it, or with something else of ours in it."""

    ABSENT = "absent"
    PRESENT = "present"
    OTHER = "other"


def state(app: bytes) -> Patch:
    """Look for the block."""
    blocks = sum(app.count(_block(end)) for end in (b"\n", b"\r\n"))
    if blocks == 1 and len(_MARK.findall(app)) == 2 and app.count(b"host_app") == 1:
        return Patch.PRESENT
    return Patch.OTHER if _MARK.search(app) or b"broker.mstock" in app else Patch.ABSENT


def patched(app: bytes) -> bytes:
    """`app.py` with the block; as it is when the block is there already. Raises `HostError`."""
    found = state(app)
    if found is Patch.PRESENT:
        return app
    if found is Patch.OTHER:
        raise HostError(
            "app.py already holds lines for mStock that this installer did not write.",
            "Take them out, or install with --no-patch.",
        )
    anchor = None
    at = -1
    for expected in _ORDER:
        places = list(re.finditer(expected, app, re.MULTILINE))
        if len(places) != 1 or places[0].start() < at:
            raise HostError(
                "app.py is not as expected: the place for the change was not found exactly once.",
                "Nothing was changed. Install with --no-patch (then only the login with an "
                "authenticator app works), or wait for a release of the plugin that knows this "
                "OpenAlgo.",
            )
        at = places[0].start()
        anchor = places[0] if expected is _ANCHOR else anchor
    assert anchor is not None  # noqa: S101  for mypy: it is one of _ORDER
    return app[: anchor.end()] + _block(anchor[1]) + app[anchor.end() :]


def unpatched(app: bytes, *, whatever: bool = False) -> bytes:
    """`app.py` without the block: exactly what it was, if nothing else was changed since.

    Raises `HostError` when the block has been edited; with `whatever` all that stands between its
    marks is taken out then.
    """
    found = state(app)
    if found is Patch.OTHER:
        first, last = re.escape(_BEGIN.encode()), re.escape(_END.encode())
        between = re.compile(rb"^" + first + rb"\r?\n.*?^" + last + rb"\r?\n", re.M | re.S)
        if whatever and len(_MARK.findall(app)) == 2 and between.search(app):
            return between.sub(b"", app)
        raise HostError(
            "The lines for mStock in app.py were changed since the install.",
            "Take them out by hand.",
        )
    for end in (b"\r\n", b"\n"):
        app = app.replace(_block(end), b"")
    return app


def diff(before: bytes, after: bytes) -> str:
    """The change as a unified diff, "" when there is none."""
    old, new = (data.decode("utf-8", "replace").splitlines() for data in (before, after))
    lines = difflib.unified_diff(old, new, "app.py", "app.py (new)", lineterm="")
    return "\n".join(lines)


def _block(end: bytes) -> bytes:
    return b"".join(line.encode() + end for line in _BLOCK)
