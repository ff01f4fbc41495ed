"""This very plugin, as the installer would copy it, and a real OpenAlgo where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from broker._kit.openalgo.installer.plugin_files import Package, own_folder, read_package

from broker._kit.errors import HostError
from broker._kit.openalgo.installer import apply, findings, plan, plan_undo, undo
from broker._kit.secret import Secret
from tests.install.tree import make_openalgo, snapshot, write_tree

ROOT = Path(__file__).parents[2]
HOME = os.environ.get("OPENALGO_HOME", "")
_TOUCHED = ("app.py", ".sample.env", "broker", "blueprints", "websocket_proxy", "utils")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The plugin; with stand-ins for the doors that are still to be written."""
    try:
        return read_package(own_folder())
    except HostError:
        folder = tmp_path_factory.mktemp("release") / "mstock"
        shutil.copytree(own_folder(), folder)
        doors = {"streaming/mstock_adapter.py": "# a door\n", "web/host_app.py": "# a door\n"}
        write_tree(
            folder, {name: text for name, text in doors.items() if not (folder / name).exists()}
        )
        return read_package(folder)


def test_all_that_the_plugin_consists_of_is_copied_and_nothing_else(release: Package) -> None:
    done = subprocess.run(
        ["git", "ls-files", "broker/mstock"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout:
        pytest.skip("not a git checkout")
    tracked = {name.removeprefix("broker/mstock/") for name in done.stdout.split()}
    assert tracked <= set(release.files)
    assert not [name for name in release.files if "__pycache__" in name or name.endswith(".pyc")]


def test_it_goes_in_and_out(release: Package, tmp_path: Path) -> None:
    openalgo = make_openalgo(tmp_path / "openalgo")
    before = snapshot(openalgo)
    apply(plan(openalgo, package=release))
    assert {one.name: one.ok for one in findings(openalgo)}["plugin"]
    undo(plan_undo(openalgo))
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
    wanted = plan(openalgo, package=release, changes=changes)
    added = [line for line in wanted.diff.splitlines()[2:] if line[0] in "+-"]
    assert len(added) == 8
    apply(wanted)
    wrong = [one for one in findings(openalgo) if not one.ok and one.name != "Python"]
    assert wrong == []
    assert compile((openalgo / "app.py").read_bytes(), "app.py", "exec")
    undo(plan_undo(openalgo))
    assert snapshot(openalgo) == before
