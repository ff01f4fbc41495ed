"""An install or uninstall stopped anywhere: OpenAlgo starts, and running it again ends right."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from broker._kit.errors import HostError
from broker._kit.openalgo.installer.checks import host_checks
from broker._kit.openalgo.installer.inspect import Package, read_package
from broker.mstock.broker import MSTOCK
from tests.install.tree import (
    CHANGES,
    install,
    make_openalgo,
    make_plugin,
    plugin_texts,
    snapshot,
    start,
    take_out,
)

NEWS = "# their news\nfrom broker.mstock.mapping.their_mapping import MAP\n"
# All that changes a folder or a file goes through these.
CALLS = ("open", "replace", "unlink", "mkdir", "rmdir", "chmod")
# Every fourth write is a stop in the everyday run; 1 stops at each.
EVERY = int(os.environ.get("INSTALL_STOPS_EVERY", "4"))
Stop = Callable[[], None]


class PowerCut(BaseException):
    """Nothing runs after it: whoever tries another step meets it again."""


def power_cut() -> None:
    raise PowerCut


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def stopped_at(number: int, stop: Stop) -> Iterator[list[str]]:
    """Stop before the nth call that writes, and at every one after it; lists the calls."""
    calls: list[str] = []
    real = {name: getattr(os, name) for name in CALLS}

    def counted(name: str) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            reads = name == "open" and not int(str(given[1] if len(given) > 1 else 0)) & os.O_CREAT
            if not reads:
                calls.append(name)
                if len(calls) > number:
                    stop()
            return real[name](*given, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        for name in CALLS:
            patch.setattr(os, name, counted(name))
        yield calls


def prepared(folder: Path, kind: str, packages: dict[str, Package]) -> Path:
    """A copy of an OpenAlgo that is ready for the kind of change."""
    ready = folder.parent / f"ready-{kind}"
    if not ready.exists():
        make_openalgo(ready)
        if kind != "install":
            install(ready, packages["old" if kind == "update" else "new"], CHANGES)
    return Path(shutil.copytree(ready, folder))


def carry_out(kind: str, openalgo: Path, packages: dict[str, Package]) -> None:
    if kind == "uninstall":
        take_out(openalgo)
    else:
        install(openalgo, packages["new"], CHANGES)


KINDS = ("install", "update", "uninstall")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    older = {
        "mstock/__init__.py": 'VERSION = "0.0.9"\n',
        "_kit/__init__.py": 'VERSION = "0.0.9"\n',
        "mstock/openalgo.py": "from broker._kit.openalgo.older import register\n",
        "_kit/openalgo/older.py": "def register(app):\n    app.opened = True\n",
    }
    folder = tmp_path_factory.mktemp("releases")
    return {
        "new": read_package(MSTOCK, make_plugin(folder / "new")),
        "old": read_package(MSTOCK, make_plugin(folder / "old", **older)),
    }


@pytest.fixture
def shipped(tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    return snapshot(make_openalgo(tmp_path / "shipped"))


def count(tmp_path: Path, kind: str, packages: dict[str, Package]) -> int:
    openalgo = prepared(tmp_path / "counted", kind, packages)
    with stopped_at(10**6, power_cut) as calls:
        carry_out(kind, openalgo, packages)
    return len(calls)


def check(
    openalgo: Path,
    shipped: dict[str, tuple[int, bytes]],
    packages: dict[str, Package],
    *,
    installs: bool,
) -> None:
    """`install` and then `uninstall` end right, or `uninstall` at once."""
    if installs:
        install(openalgo, packages["new"], CHANGES)
        assert [one for one in host_checks(MSTOCK, openalgo) if not one.ok] == []
        assert plugin_texts(openalgo) == {n: d.decode() for n, d in packages["new"].files.items()}
    with suppress(HostError):  # nothing had been changed yet, or all was back
        assert take_out(openalgo) == ()
    assert snapshot(openalgo) == shipped


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_at_any_step(
    kind: str,
    tmp_path: Path,
    packages: dict[str, Package],
    shipped: dict[str, tuple[int, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = count(tmp_path, kind, packages)
    assert steps > 20
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    for number in range(0, steps, EVERY):
        openalgo = prepared(tmp_path / str(number), kind, packages)
        with pytest.raises(PowerCut), stopped_at(number, power_cut):
            carry_out(kind, openalgo, packages)
        start(openalgo)
        check(openalgo, shipped, packages, installs=number % 2 == 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_step(
    kind: str,
    tmp_path: Path,
    packages: dict[str, Package],
    shipped: dict[str, tuple[int, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same by SIGKILL, which not even a `finally` survives."""
    steps = count(tmp_path, kind, packages)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    for number in range(0, steps, EVERY):
        openalgo = prepared(tmp_path / str(number), kind, packages)
        process = os.fork()
        if process == 0:
            try:
                with stopped_at(number, kill):
                    carry_out(kind, openalgo, packages)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
        check(openalgo, shipped, packages, installs=number % 2 == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_of_openalgo_after_a_stop(
    kind: str, tmp_path: Path, packages: dict[str, Package], monkeypatch: pytest.MonkeyPatch
) -> None:
    updated = make_openalgo(tmp_path / "updated")
    (updated / "broker/mstock/api/data.py").write_text(NEWS)
    steps = count(tmp_path, kind, packages)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    for number in range(0, steps, 4):
        openalgo = prepared(tmp_path / str(number), kind, packages)
        with pytest.raises(PowerCut), stopped_at(number, power_cut):
            carry_out(kind, openalgo, packages)
        # As `git stash` and `git pull` do: all of OpenAlgo's own files, and no other.
        shutil.copytree(updated / "broker", openalgo / "broker", dirs_exist_ok=True)
        shutil.copy2(updated / "app.py", openalgo / "app.py")
        start(openalgo)
        check(openalgo, snapshot(updated), packages, installs=number % 8 == 0)
