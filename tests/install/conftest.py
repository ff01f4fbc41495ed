"""An OpenAlgo and a plugin for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker._kit.openalgo.installer.inspect import Package, read_package
from broker.mstock.broker import MSTOCK
from tests.install.tree import make_openalgo, make_plugin


@pytest.fixture
def openalgo(tmp_path: Path) -> Path:
    return make_openalgo(tmp_path / "openalgo")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return read_package(MSTOCK, make_plugin(tmp_path / "release"))
