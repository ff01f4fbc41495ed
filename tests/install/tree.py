"""A small OpenAlgo and a small plugin, made up for the tests: the names that matter, no more."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

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
SHIPPED = {
    "__init__.py": "",
    "plugin.json": '{"Version": "their own", "supported_exchanges": ["NSE"]}\n',
    "api/__init__.py": "",
    "api/auth_api.py": "# theirs\n",
    "api/funds.py": "# theirs\n",
    "api/data.py": "# theirs alone\n",
    "streaming/mstock_adapter.py": "# theirs\n",
    "notes.md": "theirs\n",
}
OURS = {
    "__init__.py": '"""Ours."""\n',
    "plugin.json": '{"Version": "9.9", "supported_exchanges": ["NSE", "BSE"]}\n',
    "api/__init__.py": "",
    "api/auth_api.py": "# ours\n",
    "api/funds.py": "# ours\n",
    "streaming/__init__.py": "",
    "streaming/mstock_adapter.py": "# ours\n",
    "web/host_app.py": "# ours\n",
    "web/templates/mstock/page.html": "<p>ours</p>\n",
}
NOT_TO_COPY = {
    "__pycache__/x.cpython-312.pyc": "x",
    "api/__pycache__/y.cpython-312.pyc": "y",
    "tests/test_x.py": "",
    ".secret/notes.py": "",
    "README.md": "",
}


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
    return folder


def make_plugin(folder: Path, **changed: str) -> Path:
    """A copy of the plugin to install; `changed` are other files' texts by name."""
    return write_tree(folder, {**OURS, **NOT_TO_COPY, **changed})


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
