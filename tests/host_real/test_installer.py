"""Our installer on a copy of the real checkout: there, and back byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.openalgo.checkout import OURS, Checkout, place_by_installer


@pytest.fixture
def fresh(checkout: Checkout, tmp_path: Path) -> Checkout:
    return Checkout(checkout.copy_to(tmp_path / "copy"), checkout.python)


def run(fresh: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [fresh.python, "-m", "broker.mstock", *arguments],
        cwd=OURS.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_a_dry_run_touches_nothing(fresh: Checkout) -> None:
    before = fresh.digest()
    assert run(fresh, "install", str(fresh.home), "--dry-run").returncode == 0
    assert fresh.digest() == before


def test_uninstall_puts_everything_back(fresh: Checkout) -> None:
    before = fresh.digest()
    place_by_installer(fresh.home, fresh.python)
    installed = fresh.digest()
    assert installed != before
    place_by_installer(fresh.home, fresh.python)
    assert fresh.digest() == installed
    done = run(fresh, "uninstall", str(fresh.home), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    after = fresh.digest()
    left = {name for name in after if after[name] != before.get(name)}
    assert all(name.startswith(("backup", "mstock-backup")) for name in left), left
    assert before.keys() <= after.keys()
