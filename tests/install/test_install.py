"""An install and its way back, on files: what is there afterwards, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker._kit.errors import HostError
from broker._kit.openalgo.installer import apply, findings, plan, plan_undo, repair, undo
from broker._kit.openalgo.installer.app_patch import Patch, state
from broker._kit.openalgo.installer.env_file import values
from broker._kit.openalgo.installer.inspect import Place
from broker._kit.openalgo.installer.plugin_files import Package, read_package
from broker._kit.secret import Secret
from tests.install.tree import OURS, SHIPPED, make_openalgo, make_plugin, snapshot, texts

KEY = "a-key-that-nobody-may-see=="
CODE = "MA12345"
ENV = {
    "BROKER_API_KEY": Secret(CODE),
    "BROKER_API_SECRET": Secret(KEY),
    "REDIRECT_URL": Secret("http://127.0.0.1:5000/mstock/callback"),
    "MSTOCK_API_TYPE": Secret("B"),
}


def installed(openalgo: Path, package: Package) -> None:
    apply(plan(openalgo, package=package, changes=ENV))


def take_out(openalgo: Path, *, force: bool = False) -> tuple[str, ...]:
    wanted = plan_undo(openalgo, force=force)
    undo(wanted)
    return wanted.left


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_there_and_back(tmp_path: Path, package: Package, line_end: str) -> None:
    openalgo = make_openalgo(tmp_path / "openalgo", line_end=line_end)
    before = snapshot(openalgo)
    installed(openalgo, package)

    assert texts(openalgo / "broker/mstock") == OURS
    assert state((openalgo / "app.py").read_bytes()) is Patch.PRESENT
    env = (openalgo / ".env").read_bytes()
    assert {name: values(env)[name] for name in ENV} == {n: v.reveal() for n, v in ENV.items()}
    assert values(env)["APP_KEY"] == "not to be lost"
    assert not (openalgo / ".mstock-openalgo/staging").exists()
    assert not [folder for folder in (openalgo / "broker").iterdir() if "mstock-" in folder.name]
    assert [one for one in findings(openalgo) if not one.ok] == []
    if sys.platform != "win32":
        for name in ("app.py", ".env"):
            mode = stat.S_IMODE((openalgo / name).stat().st_mode)
            assert mode == before[name][0]

    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


def test_a_dry_run_writes_nothing(openalgo: Path, package: Package) -> None:
    before = snapshot(openalgo)
    wanted = plan(openalgo, package=package, changes=ENV)
    assert snapshot(openalgo) == before
    shown = " ".join([*wanted.words, wanted.diff, repr(wanted.changes)])
    assert KEY not in shown
    assert CODE not in shown
    apply(wanted)
    before = snapshot(openalgo)
    plan_undo(openalgo)
    findings(openalgo)
    assert snapshot(openalgo) == before


def test_a_second_install_has_nothing_to_do(openalgo: Path, package: Package) -> None:
    installed(openalgo, package)
    assert plan(openalgo, package=package, changes=ENV).is_done


def test_no_secret_is_kept_but_in_env_and_its_copies(openalgo: Path, package: Package) -> None:
    installed(openalgo, package)
    installed_twice = {**ENV, "BROKER_API_SECRET": Secret("another")}
    apply(plan(openalgo, package=package, changes=installed_twice))
    holders = [name for name, (_, data) in snapshot(openalgo).items() if KEY.encode() in data]
    # Where neither git nor an image that is built of this folder takes them from.
    assert all(name == ".env" or name.startswith(".env.mstock/") for name in holders)
    assert len(holders) == 1  # in .env itself it is replaced by now
    if sys.platform != "win32":
        assert {snapshot(openalgo)[name][0] for name in holders} == {0o600}


def test_after_an_upgrade_uninstall_goes_back_to_openalgos_own(
    openalgo: Path, package: Package, tmp_path: Path
) -> None:
    before = snapshot(openalgo)
    installed(openalgo, package)
    newer = read_package(make_plugin(tmp_path / "newer", **{"web/more.py": "# new\n"}))
    apply(plan(openalgo, package=newer, changes={"MSTOCK_API_TYPE": Secret("A")}))
    assert (openalgo / "broker/mstock/web/more.py").exists()
    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


def test_a_dated_copy_can_be_installed_again(
    openalgo: Path, package: Package, tmp_path: Path
) -> None:
    installed(openalgo, package)
    newer = read_package(make_plugin(tmp_path / "newer", **{"web/more.py": "# new\n"}))
    record = apply(plan(openalgo, package=newer))
    old = read_package(Place(openalgo).backups / record.id / "mstock")
    assert old.files == package.files
    apply(plan(openalgo, package=old))
    assert texts(openalgo / "broker/mstock") == OURS


def test_what_the_user_changed_in_env_since_stays(openalgo: Path, package: Package) -> None:
    before = (openalgo / ".env").read_bytes()
    installed(openalgo, package)
    path = openalgo / ".env"
    path.write_bytes(path.read_bytes().replace(b"not to be lost", b"made anew") + b"MINE = 1\n")
    assert take_out(openalgo) == ()
    assert path.read_bytes() == before.replace(b"not to be lost", b"made anew") + b"MINE = 1\n"


def test_a_key_that_was_changed_since_is_left_and_named(openalgo: Path, package: Package) -> None:
    installed(openalgo, package)
    path = openalgo / ".env"
    path.write_bytes(path.read_bytes().replace(KEY.encode(), b"renewed"))
    (left,) = take_out(openalgo)
    assert left.startswith("BROKER_API_SECRET in .env was changed")
    assert values(path.read_bytes())["BROKER_API_SECRET"] == "renewed"
    assert values(path.read_bytes())["BROKER_API_KEY"] == "YOUR_BROKER_API_KEY"
    assert take_out(openalgo, force=True) == ()
    assert values(path.read_bytes())["BROKER_API_SECRET"] == "YOUR_BROKER_API_SECRET"


def test_without_the_copies_of_env_the_rest_is_still_put_back(
    openalgo: Path, package: Package
) -> None:
    before = snapshot(openalgo)
    installed(openalgo, package)
    shutil.rmtree(openalgo / ".env.mstock")
    env = (openalgo / ".env").read_bytes()
    assert any("copy" in word for word in plan_undo(openalgo).words)
    assert take_out(openalgo) == ()
    assert (openalgo / ".env").read_bytes() == env
    assert {**snapshot(openalgo), ".env": before[".env"]} == before


def test_an_edited_plugin_is_left_unless_forced_and_a_copy_is_kept(
    openalgo: Path, package: Package
) -> None:
    before = snapshot(openalgo)
    installed(openalgo, package)
    mine = openalgo / "broker/mstock/api/funds.py"
    mine.write_text("# mine\n")
    (left,) = take_out(openalgo)
    assert "api/funds.py" in left
    assert mine.read_text() == "# mine\n"
    assert (openalgo / "app.py").read_bytes() == before["app.py"][1]

    assert take_out(openalgo, force=True) == ()
    assert texts(openalgo / "broker/mstock") == SHIPPED
    kept = list((openalgo / ".mstock-openalgo/backups").glob("*/mstock/api/funds.py"))
    assert "# mine\n" in [path.read_text() for path in kept]


def test_app_py_of_an_update_keeps_its_news(openalgo: Path, package: Package) -> None:
    before = (openalgo / "app.py").read_bytes()
    installed(openalgo, package)
    path = openalgo / "app.py"
    path.write_bytes(path.read_bytes() + b"# news\n")
    wanted = plan_undo(openalgo)
    assert any("changed since" in word for word in wanted.words)
    undo(wanted)
    assert path.read_bytes() == before + b"# news\n"


def git(folder: Path, *words: str) -> str:
    quiet = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    done = subprocess.run(
        ["git", *quiet, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


class TestUpdatesOfOpenAlgo:
    """OpenAlgo's own updater stashes changes of its files and pulls; ours that it lacks remain."""

    @pytest.fixture
    def updated(self, openalgo: Path, package: Package) -> Path:
        (openalgo / ".gitignore").write_text(".env\n.venv/\n__pycache__/\n")
        git(openalgo, "init", "-q")
        git(openalgo, "add", "-A")
        git(openalgo, "commit", "-qm", "as shipped")
        installed(openalgo, package)
        status = git(openalgo, "status", "--porcelain")
        assert ".mstock-openalgo" not in status
        assert ".env" not in status
        git(openalgo, "stash")
        (openalgo / "broker/mstock/api/data.py").write_text("# their news\n")
        git(openalgo, "commit", "-qam", "an update")
        return openalgo

    def test_it_is_noticed(self, updated: Path) -> None:
        wrong = {one.name: one for one in findings(updated) if not one.ok}
        assert set(wrong) == {"plugin", "app.py"}
        assert all("update of OpenAlgo" in one.words for one in wrong.values())
        assert all("install" in one.todo for one in wrong.values())

    def test_uninstall_leaves_the_update_alone(self, updated: Path) -> None:
        assert take_out(updated) == ()
        assert git(updated, "status", "--porcelain") == ""
        assert not (updated / ".mstock-openalgo").exists()
        assert not (updated / ".env.mstock").exists()

    def test_a_new_install_mends_it_and_the_way_back_leads_to_the_update(
        self, updated: Path, package: Package
    ) -> None:
        installed(updated, package)
        assert [one for one in findings(updated) if not one.ok] == []
        assert take_out(updated) == ()
        assert git(updated, "status", "--porcelain") == ""
        assert (updated / "broker/mstock/api/data.py").read_text() == "# their news\n"


class TestRefusals:
    def test_a_folder_that_is_no_openalgo(self, tmp_path: Path, package: Package) -> None:
        with pytest.raises(HostError, match="is not OpenAlgo's folder"):
            plan(tmp_path, package=package)

    @pytest.mark.parametrize("version", ["2.0.3.0", "2.1.0", "1.0.0", "2.0.20"])
    def test_an_unknown_version_unless_forced(
        self, tmp_path: Path, package: Package, version: str
    ) -> None:
        openalgo = make_openalgo(tmp_path / "other", version=version)
        with pytest.raises(HostError, match=version):
            plan(openalgo, package=package)
        assert plan(openalgo, package=package, force=True).replaces_plugin

    @pytest.mark.parametrize("missing", ["streaming/mstock_adapter.py", "web/host_app.py"])
    def test_a_plugin_without_which_openalgo_would_not_start(
        self, tmp_path: Path, missing: str
    ) -> None:
        release = make_plugin(tmp_path / "torn")
        (release / missing).unlink()
        with pytest.raises(HostError, match=missing):
            read_package(release)

    def test_the_installed_plugin_as_its_own_source(self, openalgo: Path, package: Package) -> None:
        installed(openalgo, package)
        with pytest.raises(HostError, match="installed there already"):
            plan(openalgo, package=read_package(openalgo / "broker/mstock"))

    def test_a_file_that_changed_after_it_was_shown(self, openalgo: Path, package: Package) -> None:
        wanted = plan(openalgo, package=package, changes=ENV)
        (openalgo / ".env").write_text("APP_KEY = 'other'\n")
        before = texts(openalgo / "broker")
        with pytest.raises(HostError, match="meantime"):
            apply(wanted)
        assert texts(openalgo / "broker") == before

    def test_an_uninstall_of_nothing(self, openalgo: Path) -> None:
        with pytest.raises(HostError, match="has installed nothing"):
            plan_undo(openalgo)

    def test_two_at_once(self, openalgo: Path, package: Package) -> None:
        wanted = plan(openalgo, package=package)
        calls = (
            lambda: apply(wanted),
            lambda: plan(openalgo, package=package),
            lambda: repair(openalgo),
        )

        def second(name: str) -> None:
            if name == "move the new plugin in":
                for call in calls:
                    with pytest.raises(HostError, match="at work"):
                        call()

        apply(wanted, step=second)
        assert next(one for one in findings(openalgo) if one.name == "plugin").ok


def test_without_a_patch_app_py_is_left_alone(openalgo: Path, package: Package) -> None:
    before = (openalgo / "app.py").read_bytes()
    apply(plan(openalgo, package=package, patch=False))
    assert (openalgo / "app.py").read_bytes() == before
    assert {one.name: one.ok for one in findings(openalgo)}["app.py"]


def test_an_openalgo_without_env_or_plugin(tmp_path: Path, package: Package) -> None:
    openalgo = make_openalgo(tmp_path / "bare", env=None)
    for path in sorted((openalgo / "broker/mstock").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (openalgo / "broker/mstock").rmdir()
    before = snapshot(openalgo)
    apply(plan(openalgo, package=package))
    assert texts(openalgo / "broker/mstock") == OURS
    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
def test_a_linked_env_is_written_where_it_lies(
    openalgo: Path, package: Package, tmp_path: Path
) -> None:
    real = tmp_path / "elsewhere.env"
    os.replace(openalgo / ".env", real)
    (openalgo / ".env").symlink_to(real)
    before = real.read_bytes()
    installed(openalgo, package)
    assert (openalgo / ".env").is_symlink()
    assert KEY.encode() in real.read_bytes()
    assert take_out(openalgo) == ()
    assert (openalgo / ".env").is_symlink()
    assert real.read_bytes() == before


def test_a_damaged_record_is_told_and_never_overwritten(openalgo: Path, package: Package) -> None:
    installed(openalgo, package)
    record = openalgo / ".mstock-openalgo/installed.json"
    for text in ("{", "[]", '{"format": 2}', json.dumps({"format": 1, "keys": {}, "x": 1})):
        record.write_text(text)
        before = snapshot(openalgo)
        for call in (lambda: plan(openalgo, package=package), lambda: plan_undo(openalgo)):
            with pytest.raises(HostError, match="cannot be read"):
                call()
        assert not findings(openalgo)[0].ok
        assert snapshot(openalgo) == before
