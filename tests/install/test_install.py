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
from broker._kit.files import locked
from broker._kit.openalgo.installer.apply import apply
from broker._kit.openalgo.installer.checks import host_checks
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.inspect import Package, look, read_package
from broker._kit.openalgo.installer.plan import Plan, plan, plan_undo
from broker._kit.secret import Secret
from broker.mstock.broker import MSTOCK
from tests.install.tree import (
    CHANGES,
    CODE,
    KEY,
    OURS,
    SHIPPED,
    install,
    make_openalgo,
    make_plugin,
    plugin_texts,
    snapshot,
    start,
    take_out,
    texts,
    write_tree,
)

ENV = {**CHANGES, "MSTOCK_API_TYPE": Secret("B")}


NEWER = {
    "mstock/more.py": "# new\n",
    "_kit/newer/more.py": "# new\n",
    "mstock/api/funds.py": "# 2\n",
}


def installed(openalgo: Path, package: Package) -> None:
    install(openalgo, package, ENV)


def planned(openalgo: Path, package: Package, changes: dict[str, Secret] | None = None) -> Plan:
    return plan(look(MSTOCK, openalgo), package=package, changes=changes)


def planned_undo(openalgo: Path) -> Plan:
    return plan_undo(look(MSTOCK, openalgo))


def in_env(openalgo: Path) -> dict[str, str]:
    return EnvFile((openalgo / ".env").read_bytes()).values


def wrong(openalgo: Path) -> list[str]:
    return [one.name for one in host_checks(MSTOCK, openalgo) if not one.ok]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_there_and_back(tmp_path: Path, package: Package, line_end: str) -> None:
    openalgo = make_openalgo(tmp_path / "openalgo", line_end=line_end)
    before = snapshot(openalgo)
    installed(openalgo, package)

    assert plugin_texts(openalgo) == OURS
    assert start(openalgo) == "opened"
    assert {name: in_env(openalgo)[name] for name in ENV} == {n: v.reveal() for n, v in ENV.items()}
    assert in_env(openalgo)["APP_KEY"] == "not to be lost"
    assert wrong(openalgo) == []
    if sys.platform != "win32":
        for name in ("app.py", ".env"):
            mode = stat.S_IMODE((openalgo / name).stat().st_mode)
            assert mode == before[name][0]

    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


def test_a_dry_run_writes_nothing(openalgo: Path, package: Package) -> None:
    before = snapshot(openalgo)
    wanted = planned(openalgo, package, ENV)
    assert snapshot(openalgo) == before
    shown = " ".join([*wanted.words, wanted.diff, repr(wanted)])
    assert KEY not in shown
    assert CODE not in shown
    apply(wanted)
    before = snapshot(openalgo)
    planned_undo(openalgo)
    host_checks(MSTOCK, openalgo)
    assert snapshot(openalgo) == before


def test_a_second_install_has_nothing_to_do(openalgo: Path, package: Package) -> None:
    installed(openalgo, package)
    assert planned(openalgo, package, ENV).is_done


def test_no_secret_is_kept_but_in_env_and_its_one_copy(openalgo: Path, package: Package) -> None:
    before = (openalgo / ".env").read_bytes()
    installed(openalgo, package)
    installed_twice = {**ENV, "BROKER_API_SECRET": Secret("another")}
    install(openalgo, package, installed_twice)
    holders = [name for name, (_, data) in snapshot(openalgo).items() if KEY.encode() in data]
    assert holders == []  # in .env itself it is replaced by now
    copies = list((openalgo / ".env.mstock").glob("[!.]*"))
    assert [copy.read_bytes() for copy in copies] == [before]
    if sys.platform != "win32":
        assert {stat.S_IMODE(copy.stat().st_mode) for copy in copies} == {0o600}


def test_after_an_upgrade_uninstall_goes_back_to_openalgos_own(
    openalgo: Path, package: Package, tmp_path: Path
) -> None:
    before = snapshot(openalgo)
    installed(openalgo, package)
    newer = read_package(MSTOCK, make_plugin(tmp_path / "newer", **NEWER))
    install(openalgo, newer, {"MSTOCK_API_TYPE": Secret("A")})
    assert plugin_texts(openalgo) == {**OURS, **NEWER}
    assert wrong(openalgo) == []
    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


def test_the_way_back_to_an_older_plugin(openalgo: Path, package: Package, tmp_path: Path) -> None:
    before = snapshot(openalgo)
    install(openalgo, read_package(MSTOCK, make_plugin(tmp_path / "newer", **NEWER)), ENV)
    install(openalgo, package)
    assert plugin_texts(openalgo) == OURS
    assert not (openalgo / "broker/_kit/newer").exists()
    assert take_out(openalgo) == ()
    assert snapshot(openalgo) == before


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
    assert in_env(openalgo)["BROKER_API_SECRET"] == "renewed"
    assert in_env(openalgo)["BROKER_API_KEY"] == "YOUR_BROKER_API_KEY"
    assert take_out(openalgo, force=True) == ()
    assert in_env(openalgo)["BROKER_API_SECRET"] == "YOUR_BROKER_API_SECRET"


def test_without_the_copies_of_env_the_rest_is_still_put_back(
    openalgo: Path, package: Package
) -> None:
    before = snapshot(openalgo)
    installed(openalgo, package)
    shutil.rmtree(openalgo / ".env.mstock")
    env = (openalgo / ".env").read_bytes()
    assert any("copy" in word for word in planned_undo(openalgo).words)
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
    assert (openalgo / "broker/_kit").is_dir()

    assert take_out(openalgo, force=True) == ()
    assert texts(openalgo / "broker/mstock") == SHIPPED
    kept = list((openalgo / ".mstock-openalgo/backups").glob("*/mstock/api/funds.py"))
    assert "# mine\n" in [path.read_text() for path in kept]


def test_app_py_of_an_update_keeps_its_news(openalgo: Path, package: Package) -> None:
    before = (openalgo / "app.py").read_bytes()
    installed(openalgo, package)
    path = openalgo / "app.py"
    path.write_bytes(path.read_bytes() + b"# news\n")
    assert take_out(openalgo) == ()
    assert path.read_bytes() == before + b"# news\n"


NEWS = "# their news\nfrom broker.mstock.mapping.their_mapping import MAP\n"


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
        (openalgo / "broker/mstock/api/data.py").write_text(NEWS)
        git(openalgo, "commit", "-qam", "an update")
        return openalgo

    def test_it_is_noticed_and_openalgo_starts(self, updated: Path) -> None:
        faults = [one for one in host_checks(MSTOCK, updated) if not one.ok]
        assert {one.name for one in faults} == {"plugin", "app.py"}
        assert all("update of OpenAlgo" in one.words for one in faults)
        assert all("install" in one.todo for one in faults)
        assert start(updated) == "closed"

    def test_uninstall_leaves_the_update_alone(self, updated: Path) -> None:
        assert take_out(updated) == ()
        assert git(updated, "status", "--porcelain") == ""
        assert not (updated / ".mstock-openalgo").exists()
        assert not (updated / ".env.mstock").exists()
        assert not (updated / "broker/_kit").exists()

    def test_a_new_install_fixes_it_and_the_way_back_leads_to_the_update(
        self, updated: Path, package: Package
    ) -> None:
        installed(updated, package)
        assert wrong(updated) == []
        assert start(updated) == "opened"
        assert take_out(updated) == ()
        assert git(updated, "status", "--porcelain") == ""
        assert (updated / "broker/mstock/api/data.py").read_text() == NEWS


class TestRefusals:
    def test_a_folder_that_is_no_openalgo(self, tmp_path: Path) -> None:
        with pytest.raises(HostError, match="is not OpenAlgo's folder"):
            look(MSTOCK, tmp_path)

    @pytest.mark.parametrize("version", ["2.0.3.0", "2.1.0", "1.0.0", "2.0.20"])
    def test_an_unknown_version_unless_forced(
        self, tmp_path: Path, package: Package, version: str
    ) -> None:
        openalgo = make_openalgo(tmp_path / "other", version=version)
        with pytest.raises(HostError, match=version):
            planned(openalgo, package)
        install(openalgo, package, force=True)
        assert plugin_texts(openalgo) == OURS

    @pytest.mark.parametrize("missing", ["mstock/streaming/mstock_adapter.py", "_kit/__init__.py"])
    def test_a_plugin_without_which_openalgo_would_not_start(
        self, tmp_path: Path, missing: str
    ) -> None:
        release = make_plugin(tmp_path / "torn")
        (release / missing).unlink()
        with pytest.raises(HostError, match=missing):
            read_package(MSTOCK, release)

    def test_the_installed_plugin_as_its_own_source(self, openalgo: Path, package: Package) -> None:
        installed(openalgo, package)
        with pytest.raises(HostError, match="installed there already"):
            planned(openalgo, read_package(MSTOCK, openalgo / "broker"))

    def test_a_file_that_changed_after_it_was_shown(self, openalgo: Path, package: Package) -> None:
        wanted = planned(openalgo, package, ENV)
        (openalgo / ".env").write_text("APP_KEY = 'other'\n")
        before = texts(openalgo / "broker")
        with pytest.raises(HostError, match="changed just now"):
            apply(wanted)
        assert texts(openalgo / "broker") == before

    def test_an_uninstall_of_nothing(self, openalgo: Path) -> None:
        with pytest.raises(HostError, match="has installed nothing"):
            planned_undo(openalgo)

    def test_two_at_once(self, openalgo: Path, package: Package) -> None:
        wanted, second = planned(openalgo, package), planned(openalgo, package, ENV)
        (openalgo / ".mstock-openalgo").mkdir(mode=0o700)
        with locked(openalgo / ".mstock-openalgo/lock"):
            with pytest.raises(HostError, match="at work"):
                apply(wanted)
        apply(wanted)
        with pytest.raises(HostError, match="changed just now"):
            apply(second)
        assert set(wrong(openalgo)) == {".env"}

    @pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
    @pytest.mark.parametrize("name", ["mstock", "_kit"])
    def test_a_linked_folder(self, openalgo: Path, package: Package, name: str) -> None:
        shutil.rmtree(openalgo / "broker" / name, ignore_errors=True)
        (openalgo / "broker" / name).symlink_to(openalgo)
        with pytest.raises(HostError, match="is a link"):
            planned(openalgo, package)

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a plain user")
    def test_a_folder_that_may_not_be_written(self, openalgo: Path, package: Package) -> None:
        before = snapshot(openalgo)
        (openalgo / "broker/mstock").chmod(0o555)
        with pytest.raises(HostError, match="Permission denied"):
            installed(openalgo, package)
        (openalgo / "broker/mstock").chmod(before["broker/mstock"][0])
        assert start(openalgo) == "closed"
        assert take_out(openalgo) == ()
        assert snapshot(openalgo) == before


class TestAnotherBrokerThatUsesTheKit:
    @pytest.fixture
    def shared(self, openalgo: Path, package: Package) -> Path:
        other = {"tradejini/api/auth_api.py": "from broker._kit.errors import BrokerError\n"}
        write_tree(openalgo / "broker", other)
        installed(openalgo, package)
        return openalgo

    def test_the_kit_stays_at_an_uninstall(self, shared: Path) -> None:
        assert any("tradejini" in words for words in planned_undo(shared).words)
        assert take_out(shared) == ()
        assert texts(shared / "broker/mstock") == SHIPPED
        assert set(plugin_texts(shared)) - {f"mstock/{name}" for name in SHIPPED} == {
            name for name in OURS if name.startswith("_kit/")
        }

    def test_its_newer_kit_does_not_keep_us_from_going(self, shared: Path) -> None:
        (shared / "broker/_kit/__init__.py").write_text("VERSION = '99'\n")
        assert start(shared) == "guarded"
        assert take_out(shared) == ()
        assert (shared / "broker/_kit/__init__.py").read_text() == "VERSION = '99'\n"


def test_without_a_patch_app_py_is_left_alone(openalgo: Path, package: Package) -> None:
    before = (openalgo / "app.py").read_bytes()
    install(openalgo, package, patch=False)
    assert (openalgo / "app.py").read_bytes() == before
    assert "app.py" not in wrong(openalgo)


def test_an_openalgo_without_env_or_plugin(tmp_path: Path, package: Package) -> None:
    openalgo = make_openalgo(tmp_path / "bare", env=None)
    for path in sorted((openalgo / "broker/mstock").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (openalgo / "broker/mstock").rmdir()
    before = snapshot(openalgo)
    install(openalgo, package)
    assert plugin_texts(openalgo) == OURS
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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_with_sudo_everything_belongs_to_the_folders_owner(
    openalgo: Path, package: Package, tmp_path: Path
) -> None:
    for path in (openalgo, *openalgo.rglob("*")):
        os.chown(path, 4711, 4711)
    installed(openalgo, package)
    (openalgo / "broker/mstock/api/funds.py").write_text("# mine\n")
    newer = read_package(MSTOCK, make_plugin(tmp_path / "newer", **NEWER))
    install(openalgo, newer, {"MSTOCK_API_TYPE": Secret("A")})
    assert {path.stat().st_uid for path in openalgo.rglob("*")} == {4711}
    assert take_out(openalgo) == ()
    assert {path.stat().st_uid for path in openalgo.rglob("*")} == {4711}


def test_a_damaged_record_is_told_and_never_overwritten(openalgo: Path, package: Package) -> None:
    installed(openalgo, package)
    record = openalgo / ".mstock-openalgo/installed.json"
    for text in ("{", "[]", '{"format": 1}', json.dumps({"format": 2, "x": 1})):
        record.write_text(text)
        before = snapshot(openalgo)
        with pytest.raises(HostError, match="cannot be read"):
            look(MSTOCK, openalgo)
        assert not host_checks(MSTOCK, openalgo)[0].ok
        assert snapshot(openalgo) == before
