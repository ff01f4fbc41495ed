"""The demo in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker_simulator.demo.stage import Demo
from tests.support.chromium import require_chromium
from tests.support.stage import morning_demo


def pytest_runtest_setup() -> None:
    require_chromium()


@pytest.fixture
def demo() -> Iterator[Demo]:
    with morning_demo() as running:
        yield running
