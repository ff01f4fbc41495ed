"""This very plugin, as the installer would copy it, and a real OpenAlgo where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from broker._kit.openalgo.installer.apply import apply
from broker._kit.openalgo.installer.checks import host_checks
from broker._kit.openalgo.installer.inspect import Package, look, read_package
from broker._kit.openalgo.installer.plan import plan
from broker._kit.secret import Secret
from broker.mstock.broker import MSTOCK
from tests.install.tree import ROOT, install, make_openalgo, snapshot, take_out

HOME = os.environ.get("OPENALGO_HOME", "")
_TOUCHED = ("app.py", ".sample.env", "broker", "blueprints", "websocket_proxy", "utils")
FOLDERS = ("broker/mstock", "broker/_kit")


@pytest.fixture(scope="module")
def release() -> Package:
    return read_package(MSTOCK)


def test_all_that_the_plugin_consists_of_is_copied_and_nothing_else(release: Package) -> None:
    done = subprocess.run(
        ["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout:
        pytest.skip("not a git checkout")
    tracked = {name.removeprefix("broker/") for name in done.stdout.split()}
    there = {name for name in tracked if (ROOT / "broker" / name).exists()}
    assert there <= set(release.files)
    assert not [name for name in release.files if "__pycache__" in name or name.endswith(".pyc")]


def test_it_goes_in_and_out(release: Package, tmp_path: Path) -> None:
    openalgo = make_openalgo(tmp_path / "openalgo")
    before = snapshot(openalgo)
    install(openalgo, release)
    assert {one.name: one.ok for one in host_checks(MSTOCK, openalgo)}["plugin"]
    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


@pytest.mark.skipif(not HOME, reason="OPENALGO_HOME is not set: no real OpenAlgo to try")
@pytest.mark.parametrize("crlf", [False, True])
def test_a_real_openalgo(release: Package, tmp_path: Path, crlf: bool) -> None:
    openalgo = tmp_path / "openalgo"
    openalgo.mkdir()
    for name in _TOUCHED:
        source = Path(HOME) / name
        if source.is_dir():
            shutil.copytree(source, openalgo / name)
        else:
            shutil.copy2(source, openalgo / name)
    (openalgo / ".env").write_bytes((openalgo / ".sample.env").read_bytes())
    (openalgo / ".env").chmod(0o600)
    if crlf:
        for name in ("app.py", ".env"):
            path = openalgo / name
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(openalgo)
    changes = {
        "BROKER_API_KEY": Secret("MA12345"),
        "BROKER_API_SECRET": Secret("k" * 20 + "=="),
        "REDIRECT_URL": Secret("http://127.0.0.1:5000/mstock/callback"),
    }
    wanted = plan(look(MSTOCK, openalgo), package=release, changes=changes)
    added = [line for line in wanted.diff.splitlines()[2:] if line[0] in "+-"]
    assert len(added) == 8
    apply(wanted)
    wrong = [one for one in host_checks(MSTOCK, openalgo) if not one.ok and one.name != "Python"]
    assert wrong == []
    assert compile((openalgo / "app.py").read_bytes(), "app.py", "exec")
    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before
