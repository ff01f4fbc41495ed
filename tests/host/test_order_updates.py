"""Order updates: what the host is told to start, and how it hears of a change."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from broker._kit.errors import HostError, LogInAgain
from broker._kit.openalgo import order_updates
from broker._kit.openalgo.order_updates import (
    poll_interval,
    publish_order,
    register_order_updates,
    session_token,
)
from broker.mstock.broker import MSTOCK
from tests.host.openalgo import OpenAlgo


def module(monkeypatch: pytest.MonkeyPatch, name: str, **values: Any) -> None:
    parent = name.partition(".")[0]
    if parent != name:
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    made = ModuleType(name)
    made.__dict__.update(values)
    monkeypatch.setitem(sys.modules, name, made)


SERVICE = "services.order_update_service"


def test_the_host_makes_our_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    factories: dict[str, tuple[str, str]] = {}
    module(monkeypatch, SERVICE, _BROKER_FACTORIES=factories)
    register_order_updates(MSTOCK)
    where, name = factories["mstock"]
    found = __import__(where, fromlist=[name])
    assert callable(getattr(found, name))


def test_the_host_polls_for_a_broker_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    polled = {"groww"}
    module(monkeypatch, SERVICE, _POLLING_BROKERS=polled)
    register_order_updates(replace(MSTOCK, order_updates=None))
    assert polled == {"groww", "mstock"}


@pytest.mark.parametrize(
    ("broker", "kept"),
    [
        (MSTOCK, "_BROKER_FACTORIES"),
        (replace(MSTOCK, order_updates=None), "_POLLING_BROKERS"),
    ],
)
def test_a_host_that_keeps_it_in_another_way_is_named(
    monkeypatch: pytest.MonkeyPatch, openalgo: OpenAlgo, broker: Any, kept: str
) -> None:
    module(monkeypatch, SERVICE, **{kept: ("groww",)})
    with pytest.raises(HostError, match=f"{kept} in another way"):
        register_order_updates(broker)


ROW = {
    "symbol": "INFY",
    "exchange": "NSE",
    "action": "BUY",
    "quantity": 10,
    "price": 1240.0,
    "trigger_price": 0.0,
    "pricetype": "LIMIT",
    "product": "MIS",
    "orderid": "1",
    "order_status": "rejected",
    "timestamp": "2026-11-23 10:00:00",
    "filled_quantity": 0,
    "pending_quantity": 0,
    "average_price": 0.0,
    "rejection_reason": "Not enough funds.",
}


def test_a_change_goes_onto_the_hosts_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    module(monkeypatch, "events", OrderUpdateEvent=lambda **given: SimpleNamespace(**given))
    module(monkeypatch, "utils.event_bus", bus=SimpleNamespace(publish=heard.append))
    publish_order("mstock", "trader", ROW)
    (event,) = heard
    assert event.request_data == {"user_id": "trader"}
    assert (event.mode, event.broker, event.rejection_reason) == (
        "live",
        "mstock",
        "Not enough funds.",
    )
    assert {name: getattr(event, name) for name in ROW if name != "timestamp"} == {
        name: value for name, value in ROW.items() if name != "timestamp"
    }


@pytest.mark.parametrize("token", ["the-token", None])
def test_the_session_is_the_newest(
    monkeypatch: pytest.MonkeyPatch, openalgo: OpenAlgo, token: str | None
) -> None:
    asked: list[tuple[str, bool]] = []

    def get_auth_token(name: str, bypass_cache: bool = False) -> str | None:
        asked.append((name, bypass_cache))
        return token

    monkeypatch.setattr(
        sys.modules["database.auth_db"], "get_auth_token", get_auth_token, raising=False
    )
    if token is None:
        with pytest.raises(LogInAgain):
            session_token("trader")
    else:
        assert session_token("trader").reveal() == token
    assert asked == [("trader", True)]


@pytest.mark.parametrize(
    ("given", "seconds"), [(None, 5.0), ("2", 2.0), ("0", 1.0), ("often", 5.0)]
)
def test_polling_is_as_often_as_the_hosts(
    monkeypatch: pytest.MonkeyPatch, given: str | None, seconds: float
) -> None:
    monkeypatch.setattr(
        order_updates, "environment", lambda: {"ORDER_POLL_INTERVAL": given} if given else {}
    )
    assert poll_interval() == seconds
