"""The lines in `app.py`: put in once, taken out exactly, refused where they do not belong."""

from __future__ import annotations

import re
from functools import partial

import pytest

from broker._kit.errors import HostError
from broker._kit.openalgo.installer import app_patch
from broker._kit.openalgo.installer.app_patch import Patch, diff
from broker.mstock.broker import MSTOCK
from tests.install.tree import APP

patched = partial(app_patch.patched, MSTOCK)
unpatched = partial(app_patch.unpatched, MSTOCK)
state = partial(app_patch.state, MSTOCK)
ends = pytest.mark.parametrize("end", ["\n", "\r\n"])


@ends
def test_it_is_put_in_once_and_taken_out_exactly(end: str) -> None:
    app = APP.replace("\n", end).encode()
    new = patched(app)
    assert state(app) is Patch.ABSENT
    assert state(new) is Patch.PRESENT
    assert patched(new) == new
    assert unpatched(new) == app
    assert unpatched(app) == app
    assert new.count(b"\r\n") == (new.count(b"\n") if end == "\r\n" else 0)
    compile(new, "app.py", "exec")


def run(app: bytes, **names: object) -> list[str]:
    """The body of create_app with what the host has; says which calls were made."""
    calls: list[str] = []

    class App:
        logger = type("Logger", (), {"exception": lambda _self, text: calls.append(text)})()

        def __init__(self, _name: str) -> None: ...

        def register_blueprint(self, name: str) -> None:
            calls.append(name)

    text = app.decode().replace("from flask import Flask", "")
    text = text.replace("brlogin_bp = core_bp = limiter = None", "")
    limiter = type("Limiter", (), {"init_app": lambda _self, _app: None})()
    have = {"Flask": App, "limiter": limiter, "brlogin_bp": "brlogin", "core_bp": "core"}
    exec(text, {"__name__": "app", **have, **names})
    return calls


@pytest.mark.parametrize(
    "fault", [ImportError("x"), SyntaxError("x"), RuntimeError("x"), AttributeError("x")]
)
def test_a_broken_plugin_does_not_stop_openalgo(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_more: object) -> None:
        raise fault

    seen = run(patched(APP.encode()), __builtins__={**vars(__import__("builtins"))})
    assert seen[0] == "brlogin"
    assert seen[-1] == "core"
    own = {**vars(__import__("builtins")), "__import__": broken}
    assert run(patched(APP.encode()), __builtins__=own) == [
        "brlogin",
        "mStock's own pages are missing; OpenAlgo works without them",
        "core",
    ]


def test_the_diff_shows_added_lines_only() -> None:
    lines = diff(APP.encode(), patched(APP.encode())).splitlines()[2:]
    assert not [line for line in lines if line.startswith("-")]
    assert len([line for line in lines if line.startswith("+")]) == 8
    assert diff(b"x", b"x") == ""


ANCHOR = "    app.register_blueprint(brlogin_bp)\n"


@pytest.mark.parametrize(
    "app",
    [
        APP.replace(ANCHOR, ""),
        APP.replace(ANCHOR, ANCHOR * 2),
        APP.replace(ANCHOR, "").replace("    csrf =", ANCHOR + "    csrf ="),
        APP.replace("    limiter.init_app(app)\n", ""),
        APP.replace("app = create_app()\n", ""),
        APP + "import broker.mstock\n",
        "",
    ],
    ids=["none", "twice", "too early", "no limiter", "no app", "by hand", "empty"],
)
def test_an_unexpected_file_is_refused(app: str) -> None:
    with pytest.raises(HostError):
        patched(app.encode())


def test_edited_lines_are_refused_and_taken_out_only_on_demand() -> None:
    new = re.sub(rb"register_mstock\(app\)", b"register_mstock(app, 1)", patched(APP.encode()))
    assert state(new) is Patch.OTHER
    with pytest.raises(HostError):
        patched(new)
    with pytest.raises(HostError):
        unpatched(new)
    assert unpatched(new, force=True) == APP.encode()


def test_half_a_block_is_never_guessed_at() -> None:
    new = patched(APP.encode()).replace(b"    # <<< mStock for OpenAlgo\n", b"")
    with pytest.raises(HostError):
        unpatched(new, force=True)
