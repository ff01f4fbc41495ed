"""mStock under a mock, with the settings that lead there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests_mock

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
    with requests_mock.Mocker() as mocker:
        yield Box(mocker, kind)
