"""mStock behind a socket, with the settings that lead there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mstock_server import MstockServer
from tests.unit.doors import KEY, Box


@pytest.fixture(params=["A", "B"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, kind: str) -> pytest.MonkeyPatch:
    monkeypatch.setenv("BROKER_API_KEY", "MA12345")
    monkeypatch.setenv("BROKER_API_SECRET", KEY)
    monkeypatch.setenv("MSTOCK_API_TYPE", kind)
    monkeypatch.setattr("broker._kit.clock.time.sleep", lambda _seconds: None)
    return monkeypatch


@pytest.fixture
def box(settings: pytest.MonkeyPatch, kind: str) -> Iterator[Box]:
    with MstockServer() as server:
        settings.setenv("MSTOCK_REST_URL", server.url)
        yield Box(server, kind)
