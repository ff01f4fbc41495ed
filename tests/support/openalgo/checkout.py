"""The checkout that OPENALGO_HOME names: read, digested, copied; never written to."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OURS = Path(__file__).parents[3] / "broker"
FOLDERS = ("mstock", "_kit")
# Data, settings and secrets of whoever uses the checkout stay where they are.
_LEFT_BEHIND = shutil.ignore_patterns(
    *(".git", ".venv", "venv", "node_modules", "__pycache__", ".env", ".env.*"),
    *("*.db", "*.db-*", "*.duckdb*", "*.sqlite*", "*.log", "*.jsonl", "*.pem"),
)
_NOT_WANTED = ("docs", "test", "audit", "okf", "examples", "frontend/src", "log", "keys")
# So that the copy's settings are complete; a running host gets its simulator's own.
_ACCOUNT = {"BROKER_API_KEY": "MA1234567", "BROKER_API_SECRET": "a-key-of-nobody"}
_NOT_LOOKED_AT = {".git", ".venv", "venv", "node_modules"}


class Checkout(NamedTuple):
    """`home` is the folder with app.py; `python` has what OpenAlgo needs, and gunicorn."""

    home: Path
    python: str

    @classmethod
    def from_env(cls) -> Checkout | None:
        """What the two variables name; None when one is not set. SystemExit when it is not it."""
        home, python = (os.environ.get(f"OPENALGO_{name}", "") for name in ("HOME", "PYTHON"))
        if not home or not python:
            return None
        found = cls(Path(home).expanduser().resolve(), python)
        if not (found.home / "app.py").is_file() or not (found.home / ".sample.env").is_file():
            raise SystemExit(f"OPENALGO_HOME={home} is no OpenAlgo: no app.py or no .sample.env")
        if not shutil.which(python):
            raise SystemExit(f"OPENALGO_PYTHON={python} is no program")
        return found

    def digest(self) -> dict[str, str]:
        """Every file outside the environments, by its path, with what is in it."""
        return {
            str(path.relative_to(self.home)): hashlib.blake2b(path.read_bytes()).hexdigest()
            for path in _files(self.home)
        }

    def copy_to(self, place: Path) -> Path:
        """A copy of what the host needs to run, without anybody's data."""

        def left_behind(folder: str, names: list[str]) -> set[str]:
            inside = Path(folder).relative_to(self.home)
            unwanted = {name for name in names if (inside / name).as_posix() in _NOT_WANTED}
            return set(_LEFT_BEHIND(folder, names)) | unwanted

        shutil.copytree(self.home, place, ignore=left_behind)
        write_env(place, FLASK_PORT=str(free_port()), **_ACCOUNT)
        return Path(place)


def write_env(copy: Path, **values: str) -> None:
    """The host's own sample with other values, as a person fills it in."""
    text = (copy / ".sample.env").read_text(encoding="utf-8")
    for name, value in values.items():
        line = f"{name} = '{value}'"
        text, times = re.subn(rf"(?m)^{name}\s*=.*$", lambda _: line, text)  # noqa: B023
        text += "" if times else f"{line}\n"
    (copy / ".env").write_text(text, encoding="utf-8")


def free_port() -> int:
    """A port that nothing on this computer listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def place_by_hand(copy: Path) -> None:
    """What the guide says for an installation by hand: our two folders, one in another's place."""
    for name in FOLDERS:
        target = copy / "broker" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(OURS / name, target, ignore=shutil.ignore_patterns("__pycache__"))


def place_by_installer(copy: Path, python: str) -> str:
    """`python -m broker.mstock install`; returns what it said."""
    done = subprocess.run(
        [python, "-m", "broker.mstock", "install", str(copy), "--yes"],
        cwd=OURS.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in _NOT_LOOKED_AT]
        yield from (
            path
            for name in names
            if (path := Path(folder, name)).is_file() and not path.is_symlink()
        )
