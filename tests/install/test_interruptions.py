"""An install or uninstall that is stopped at any step: nothing is lost, repair puts it right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker._kit.errors import HostError
from broker._kit.openalgo.installer import apply, findings, plan, plan_undo, repair, undo
from broker._kit.openalgo.installer.plugin_files import Package, read_package
from broker._kit.secret import Secret
from tests.install.tree import make_openalgo, make_plugin, snapshot

ROOT = Path(__file__).parents[2]
CHANGES = {"REDIRECT_URL": Secret("http://127.0.0.1:5000/mstock/callback")}
Step = Callable[[str], None]
# Each of these is where a power cut may come.
STEPS = {
    "install": [
        "write the journal",
        "move the old plugin away",
        "move the new plugin in",
        "write app.py",
        "write .env",
        "write the record",
        "end the journal",
    ],
    "uninstall": [
        "write the journal",
        "move the old plugin away",
        "move the new plugin in",
        "write app.py",
        "write .env",
        "write the record",
        "end the journal",
    ],
}
EVERY_STEP = [(kind, step) for kind, steps in STEPS.items() for step in steps]


class PowerCut(BaseException):
    """Nothing runs after it: whoever tries another step meets it again."""


def cut_at(wanted: str) -> Step:
    is_off = False

    def step(name: str) -> None:
        nonlocal is_off
        is_off = is_off or name == wanted
        if is_off:
            raise PowerCut

    return step


def ours_apart(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All but our own folder, whose copies may stay after a repair."""
    found = snapshot(folder)
    ours = (".mstock-openalgo", ".env.mstock")
    return {name: what for name, what in found.items() if name.split("/")[0] not in ours}


def do(kind: str, openalgo: Path, package: Package, step: Step) -> None:
    if kind == "install":
        apply(plan(openalgo, package=package, changes=CHANGES), step=step)
    else:
        undo(plan_undo(openalgo), step=step)


@pytest.fixture
def at_start(openalgo: Path, package: Package) -> Callable[[str], dict[str, tuple[int, bytes]]]:
    """An OpenAlgo that is ready for an install or an uninstall, and what is in it."""

    def prepare(kind: str) -> dict[str, tuple[int, bytes]]:
        if kind == "uninstall":
            apply(plan(openalgo, package=package, changes=CHANGES))
        return ours_apart(openalgo)

    return prepare


def test_every_step_is_known(openalgo: Path, package: Package) -> None:
    for kind, steps in STEPS.items():
        seen: list[str] = []
        do(kind, openalgo, package, seen.append)
        assert seen == steps


@pytest.mark.parametrize(("kind", "step"), EVERY_STEP)
def test_a_power_cut(
    kind: str,
    step: str,
    openalgo: Path,
    package: Package,
    at_start: Callable[[str], dict[str, tuple[int, bytes]]],
) -> None:
    before = at_start(kind)
    with pytest.raises(PowerCut):
        do(kind, openalgo, package, cut_at(step))
    if step != "write the journal":
        assert findings(openalgo)[0].name == "interrupted install"
        assert "--repair" in findings(openalgo)[0].todo
        with pytest.raises(HostError, match="was interrupted"):
            do(kind, openalgo, package, lambda _step: None)
    repair(openalgo)
    assert repair(openalgo) == []
    if step != "end the journal":
        assert ours_apart(openalgo) == before
        do(kind, openalgo, package, lambda _step: None)
    assert ours_apart(openalgo) != before
    for ours in (".mstock-openalgo", ".env.mstock"):
        assert (openalgo / ours).exists() is (kind == "install")
    wrong = [one for one in findings(openalgo) if not one.ok and one.name in ("plugin", "app.py")]
    assert wrong == []


REPAIR_STEPS = [
    "put back app.py",
    "put back .env",
    "move the new plugin out again",
    "move the old plugin back",
    "end the journal",
]


@pytest.mark.parametrize("step", REPAIR_STEPS)
@pytest.mark.parametrize("kind", STEPS)
def test_a_power_cut_during_the_repair(
    kind: str,
    step: str,
    openalgo: Path,
    package: Package,
    at_start: Callable[[str], dict[str, tuple[int, bytes]]],
) -> None:
    before = at_start(kind)
    with pytest.raises(PowerCut):
        do(kind, openalgo, package, cut_at("write the record"))
    with pytest.raises(PowerCut):
        repair(openalgo, step=cut_at(step))
    repair(openalgo)
    assert ours_apart(openalgo) == before


@pytest.mark.parametrize("step", STEPS["install"][1:-1])
def test_an_error_on_the_way_takes_everything_back_at_once(
    step: str, openalgo: Path, package: Package
) -> None:
    def full_disk(name: str) -> None:
        if name == step:
            raise OSError(28, "No space left on device", str(openalgo / "app.py"))

    before = ours_apart(openalgo)
    with pytest.raises(HostError, match="No space left on device"):
        apply(plan(openalgo, package=package, changes=CHANGES), step=full_disk)
    assert ours_apart(openalgo) == before
    assert repair(openalgo) == []


def test_what_somebody_else_wrote_meanwhile_is_left(openalgo: Path, package: Package) -> None:
    with pytest.raises(PowerCut):
        apply(plan(openalgo, package=package, changes=CHANGES), step=cut_at("write the record"))
    (openalgo / ".env").write_text("APP_KEY = 'of somebody else'\n")
    said = repair(openalgo)
    assert any(".env was changed by somebody else" in line for line in said)
    assert (openalgo / ".env").read_text() == "APP_KEY = 'of somebody else'\n"


KILLED = """
import os, signal, sys
from pathlib import Path
from broker.mstock.install import apply, plan, plan_undo, undo
from broker.mstock.install.package import read_package
from broker.mstock.secret import Secret

kind, folder, release = sys.argv[1:4]
at = sys.stdin.readline().strip()
def step(name):
    if name == at:
        os.kill(os.getpid(), signal.SIGKILL)
if kind == "install":
    package = read_package(Path(release))
    changes = {"REDIRECT_URL": Secret("http://127.0.0.1:5000/mstock/callback")}
    apply(plan(Path(folder), package=package, changes=changes), step=step)
else:
    undo(plan_undo(Path(folder)), step=step)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kind", STEPS)
def test_killed_for_good_at_every_step(kind: str, tmp_path: Path) -> None:
    release = make_plugin(tmp_path / "release")
    running = []
    for number, step in enumerate(STEPS[kind]):
        openalgo = make_openalgo(tmp_path / str(number))
        if kind == "uninstall":
            apply(plan(openalgo, package=read_package(release), changes=CHANGES))
        before = ours_apart(openalgo)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, kind, str(openalgo), str(release)],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(f"{step}\n")
        process.stdin.close()
        running.append((process, openalgo, before, step))
    for process, openalgo, before, step in running:
        assert process.wait(30) == -signal.SIGKILL
        repair(openalgo)
        assert (ours_apart(openalgo) == before) is (step != "end the journal")
        assert not [name for name in ours_apart(openalgo) if "mstock-new" in name]
