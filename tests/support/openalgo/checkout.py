"""The checkout that OPENALGO_HOME names: read, digested, copied; never written to."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OURS = Path(__file__).parents[3] / "broker" / "mstock"
# Data, settings and secrets of whoever uses the checkout stay where they are.
_LEFT_BEHIND = shutil.ignore_patterns(
    *(".git", ".venv", "venv", "node_modules", "__pycache__", ".env", ".env.*"),
    *("*.db", "*.db-*", "*.duckdb*", "*.sqlite*", "*.log", "*.jsonl", "*.pem"),
)
_NOT_WANTED = ("docs", "test", "audit", "okf", "examples", "frontend/src", "log", "keys")
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

        return Path(shutil.copytree(self.home, place, ignore=left_behind))


def place_by_hand(copy: Path) -> None:
    """What the guide says for an installation by hand: our folder in the other's place."""
    target = copy / "broker" / "mstock"
    shutil.rmtree(target)
    shutil.copytree(OURS, target, ignore=shutil.ignore_patterns("__pycache__"))


def place_by_installer(copy: Path, python: str) -> str:
    """`python -m broker.mstock install`; returns what it said."""
    done = subprocess.run(
        [python, "-m", "broker.mstock", "install", str(copy), "--preview", "--yes"],
        cwd=OURS.parents[1],
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
