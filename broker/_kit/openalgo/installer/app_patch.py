"""The one change to OpenAlgo's own code: a marked, guarded block in `app.py`, put in and taken out.

It stands behind the line that registers OpenAlgo's generic login callback: sessions, CSRF, limits
and headers are set up by then, and no request has been served. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import difflib
import re
from enum import Enum

from broker._kit.broker import Broker
from broker._kit.errors import HostError

# A fault of the plugin, its absence or a half-done update must not keep OpenAlgo from starting.
_BLOCK = """\
    # >>> {title} for OpenAlgo: `python -m broker.{name} uninstall` takes these lines out
    try:
        from broker.{name}.openalgo import register as register_{name}

        register_{name}(app)
    except Exception:
        app.logger.exception("{title}'s own pages are missing; OpenAlgo works without them")
    # <<< {title} for OpenAlgo
"""
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


class Patch(Enum):
    """What `app.py` is: without our block, with it, or with something else of ours in it."""

    ABSENT, PRESENT, OTHER = range(3)


def state(broker: Broker, app: bytes) -> Patch:
    """Look for the block."""
    blocks = sum(app.count(_block(broker, end)) for end in (b"\n", b"\r\n"))
    marks = len(_marks(broker).findall(app))
    if blocks == 1 and marks == 2:
        return Patch.PRESENT
    return Patch.OTHER if marks or f"broker.{broker.name}".encode() in app else Patch.ABSENT


def patched(broker: Broker, app: bytes) -> bytes:
    """`app.py` with the block; as it is when the block is there already. Raises `HostError`."""
    found = state(broker, app)
    if found is Patch.PRESENT:
        return app
    if found is Patch.OTHER:
        raise HostError(
            f"app.py already holds lines for {broker.title} that this installer did not write.",
            "Take them out, or install with --no-patch.",
        )
    places = [list(re.finditer(expected, app, re.MULTILINE)) for expected in _ORDER]
    starts = [found[0].start() for found in places if len(found) == 1]
    if len(starts) != len(_ORDER) or starts != sorted(starts):
        raise HostError(
            "app.py is not as expected: the place for the change was not found exactly once.",
            "Nothing was changed. Install with --no-patch (then only the login with an "
            "authenticator app works), or wait for a release of the plugin that knows this "
            "OpenAlgo.",
        )
    anchor = places[_ORDER.index(_ANCHOR)][0]
    return app[: anchor.end()] + _block(broker, anchor[1]) + app[anchor.end() :]


def unpatched(broker: Broker, app: bytes, *, force: bool = False) -> bytes:
    """`app.py` without the block: exactly what it was, if nothing else was changed since.

    Raises `HostError` when the block has been edited; with `force` all that stands between its
    marks is taken out then.
    """
    if state(broker, app) is Patch.OTHER:
        first, *_, last = map(re.escape, _block(broker, b"\n").splitlines())
        between = re.compile(rb"^" + first + rb"\r?\n.*?^" + last + rb"\r?\n", re.M | re.S)
        if force and len(_marks(broker).findall(app)) == 2 and between.search(app):
            return between.sub(b"", app)
        raise HostError(
            f"The lines for {broker.title} in app.py were changed since the install.",
            "Take them out by hand.",
        )
    return app.replace(_block(broker, b"\r\n"), b"").replace(_block(broker, b"\n"), b"")


def diff(before: bytes, after: bytes) -> str:
    """The change as a unified diff, "" when there is none."""
    old, new = (data.decode("utf-8", "replace").splitlines() for data in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "app.py", "app.py (new)", lineterm=""))


def _block(broker: Broker, end: bytes) -> bytes:
    block = _BLOCK.format(name=broker.name, title=broker.title)
    return block.encode().replace(b"\n", end)


def _marks(broker: Broker) -> re.Pattern[bytes]:
    return re.compile(rb"(>>>|<<<) " + re.escape(broker.title.encode()) + rb" for OpenAlgo")
