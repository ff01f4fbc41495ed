"""A PostgreSQL server of one's own: in a temporary folder, on a free port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import glob
from pathlib import Path

ADDRESS_NAME = "MSTOCK_TEST_POSTGRES_URL"
# Where Debian, Fedora and Homebrew put it, newest last.
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_SERVERS_USER = "postgres"  # the server refuses to run as root


class NoPostgreSQL(Exception):
    """There is none on this computer; the message says what would help."""


@contextmanager
def postgresql(env: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database; raises `NoPostgreSQL`.

    A server of its own if PostgreSQL is installed here, otherwise the one that
    MSTOCK_TEST_POSTGRES_URL names, which is then the caller's to keep clean.
    """
    programs = _programs()
    if programs is None:
        url = env.get(ADDRESS_NAME)
        if not url:
            raise NoPostgreSQL(
                f"PostgreSQL is not installed here and {ADDRESS_NAME} does not name a server."
            )
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # the server's user has to get in
        data = Path(folder) / "data"
        data.mkdir(0o700)
        if _is_root():
            shutil.chown(data, _SERVERS_USER)
        _run(programs / "initdb", "--auth=trust", "--username=mstock", "--no-sync", "-D", data)
        port = _free_port()
        # Nothing here has to survive a power cut, and no socket file lies in a shared folder.
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -F"
        control = programs / "pg_ctl"
        _run(control, "start", "-w", "-D", data, "-l", data / "log", "-o", options)
        try:
            yield f"postgresql+psycopg://mstock@127.0.0.1:{port}/postgres"
        finally:
            _run(control, "stop", "-w", "-m", "immediate", "-D", data)


def _programs() -> Path | None:
    on_the_path = shutil.which("initdb")
    if on_the_path:
        return Path(on_the_path).parent
    found = [place for pattern in _PLACES for place in sorted(glob(pattern))]
    return Path(found[-1]) if found else None


def _run(program: Path, *arguments: object) -> None:
    command = [str(program), *map(str, arguments)]
    if _is_root():
        command = ["runuser", "-u", _SERVERS_USER, "--", *command]
    # Its words go to a file: the server keeps a pipe open for as long as it runs.
    with tempfile.TemporaryFile() as words:
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=words, stderr=words
        )
        if done.returncode:
            words.seek(0)
            text = words.read().decode(errors="replace")
            raise RuntimeError(f"{program.name} failed:\n{text}")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
