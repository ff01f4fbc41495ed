"""Order updates: the host polls for a broker that has orders, and for no other."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from broker._kit.errors import HostError
from broker._kit.openalgo.order_updates import poll_orders
from broker.mstock.broker import MSTOCK
from tests.host.openalgo import OpenAlgo


def service(monkeypatch: pytest.MonkeyPatch, polled: object) -> None:
    module = ModuleType("services.order_update_service")
    module.__dict__["_POLLING_BROKERS"] = polled
    monkeypatch.setitem(sys.modules, "services", ModuleType("services"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_the_host_polls_the_order_book(monkeypatch: pytest.MonkeyPatch) -> None:
    polled = {"groww"}
    service(monkeypatch, polled)
    poll_orders(MSTOCK)
    assert polled == {"groww", "mstock"}


def test_a_host_that_keeps_it_in_another_way_is_named(
    monkeypatch: pytest.MonkeyPatch, openalgo: OpenAlgo
) -> None:
    service(monkeypatch, {"groww": 5}.keys())
    with pytest.raises(HostError, match="_POLLING_BROKERS in another way"):
        poll_orders(MSTOCK)
