"""A small OpenAlgo and a small plugin, made up for the tests: the names that matter, no more."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from broker._kit.openalgo.installer.apply import apply
from broker._kit.openalgo.installer.inspect import Package, look
from broker._kit.openalgo.installer.plan import plan, plan_undo
from broker._kit.secret import Secret
from broker.mstock.broker import MSTOCK

ROOT = Path(__file__).parents[2]
CODE, KEY = "MA12345", "a-key-that-nobody-may-see=="
CHANGES = {
    "BROKER_API_KEY": Secret(CODE),
    "BROKER_API_SECRET": Secret(KEY),
    "REDIRECT_URL": Secret("http://127.0.0.1:5000/mstock/callback"),
}
APP = """\
from flask import Flask

brlogin_bp = core_bp = limiter = None


def CSRFProtect(app):
    return None


def create_app():
    app = Flask(__name__)

    csrf = CSRFProtect(app)
    limiter.init_app(app)

    app.register_blueprint(brlogin_bp)
    app.register_blueprint(core_bp)
    return app


app = create_app()
"""
ENV = """\
# The settings of this OpenAlgo
BROKER_API_KEY = 'YOUR_BROKER_API_KEY'
BROKER_API_SECRET = 'YOUR_BROKER_API_SECRET'

REDIRECT_URL = 'http://127.0.0.1:5000/<broker>/callback'  # Change if different
VALID_BROKERS = 'angel,mstock,zerodha'
APP_KEY = 'not to be lost'
FLASK_PORT = '{port}'
"""
# As OpenAlgo's own: an adapter that imports its plugin, and a package without an `__init__`.
SHIPPED = {
    "__init__.py": "",
    "plugin.json": '{"Version": "their own", "supported_exchanges": ["NSE"]}\n',
    "api/__init__.py": "",
    "api/auth_api.py": "# theirs\n",
    "api/funds.py": "# theirs\n",
    "api/data.py": "from broker.mstock.mapping.their_mapping import MAP\n",
    "mapping/their_mapping.py": "MAP = {}\n",
    "streaming/__init__.py": "",
    "streaming/their_symbols.py": "SYMBOLS = ()\n",
    "streaming/mstock_adapter.py": (
        "from broker.mstock.api.data import MAP\n"
        "from .their_symbols import SYMBOLS\n\n\n"
        "class MstockWebSocketAdapter:\n    pass\n"
    ),
    "notes.md": "theirs\n",
}


def _real(*names: str) -> dict[str, str]:
    return {name: (ROOT / "broker" / name).read_text("utf-8") for name in names}


OURS = {
    # Those that OpenAlgo's start may meet are the real ones.
    **_real(
        "mstock/__init__.py",
        "mstock/openalgo.py",
        "mstock/without_kit.py",
        "mstock/api/__init__.py",
        "mstock/mapping/__init__.py",
        "mstock/streaming/__init__.py",
        "mstock/streaming/mstock_adapter.py",
        "_kit/__init__.py",
    ),
    "mstock/plugin.json": '{"Version": "9.9", "supported_exchanges": ["NSE", "BSE"]}\n',
    "mstock/api/auth_api.py": "# ours\n",
    "mstock/api/funds.py": "# ours\n",
    "mstock/broker.py": "MSTOCK = None\n",
    "mstock/terms.py": "TERMS = ()\n",
    "_kit/openalgo/__init__.py": "",
    "_kit/openalgo/register.py": "def register(broker, app):\n    app.opened = True\n",
    "_kit/web/templates/page.html": "<p>ours</p>\n",
}
NOT_TO_COPY = {
    "mstock/__pycache__/x.cpython-312.pyc": "x",
    "_kit/web/__pycache__/y.cpython-312.pyc": "y",
    "_kit/tests/test_x.py": "",
    "mstock/.secret/notes.py": "",
    "mstock/README.md": "",
}
STARTS = """
import sys, textwrap
from types import SimpleNamespace
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from broker.mstock.streaming.mstock_adapter import MstockWebSocketAdapter
block, inside = [], False
for line in open(sys.argv[1] + "/app.py", encoding="utf-8"):
    inside = inside or ">>> mStock" in line
    if inside:
        block.append(line)
    inside = inside and "<<< mStock" not in line
logger = SimpleNamespace(exception=print, error=print)
app = SimpleNamespace(logger=logger, opened=False)
exec(textwrap.dedent("".join(block)), {"app": app})
print("opened" if app.opened else "closed" if not block else "guarded")
"""


def write_tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


def make_openalgo(
    folder: Path, *, version: str = "2.0.2.1", env: str | None = ENV, line_end: str = "\n"
) -> Path:
    """An OpenAlgo; its .env names a port on which nothing listens."""
    write_tree(
        folder,
        {
            "app.py": APP.replace("\n", line_end),
            "utils/version.py": f'VERSION = "{version}"\n',
            "websocket_proxy/__init__.py": "",
            "blueprints/brlogin.py": "",
            "broker/__init__.py": "",
            "broker/angel/plugin.json": "{}",
            ".venv/pyvenv.cfg": "version_info = 3.12.1\n",
        },
    )
    write_tree(folder / "broker/mstock", SHIPPED)
    if env is not None:
        (folder / ".env").write_bytes(env.format(port=1).replace("\n", line_end).encode())
        (folder / ".env").chmod(0o600)
    if sys.platform != "win32":
        (folder / "app.py").chmod(0o640)
        (folder / "broker/mstock/api/funds.py").chmod(0o755)
        (folder / "broker/mstock/streaming/mstock_adapter.py").chmod(0o664)
        (folder / "broker/mstock/mapping").chmod(0o775)
    return folder


def make_plugin(folder: Path, **changed: str) -> Path:
    """A copy of the plugin to install; `changed` are other files' texts by name."""
    return write_tree(folder, {**OURS, **NOT_TO_COPY, **changed})


def install(
    openalgo: Path,
    package: Package,
    changes: dict[str, Secret] | None = None,
    *,
    patch: bool = True,
    force: bool = False,
) -> None:
    host = look(MSTOCK, openalgo)
    apply(plan(host, package=package, changes=changes, patch=patch, force=force))


def take_out(openalgo: Path, *, force: bool = False) -> tuple[str, ...]:
    """Uninstall; what was left."""
    wanted = plan_undo(look(MSTOCK, openalgo), force=force)
    apply(wanted)
    return wanted.left


def start(openalgo: Path) -> str:
    """What OpenAlgo does at its start: import the adapter, run the block in app.py.

    "opened" when our pages are opened, "guarded" when the block only logs, "closed" without it.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", STARTS, str(openalgo)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder below with its mode and bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        found[path.relative_to(folder).as_posix()] = (
            mode,
            path.read_bytes() if path.is_file() else b"",
        )
    return found


def texts(folder: Path) -> dict[str, str]:
    """Every file below by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def plugin_texts(openalgo: Path) -> dict[str, str]:
    """The files of both folders, by their path below `broker/`."""
    found = texts(openalgo / "broker")
    return {n: text for n, text in found.items() if n.split("/")[0] in ("mstock", "_kit")}
