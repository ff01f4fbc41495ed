"""The doors behind which nothing is built raise, in words that the host shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.mstock.api.data import BrokerData
from broker.mstock.database.master_contract_db import master_contract_download
from broker.mstock.not_implemented import NOT_YET, NotYet

REFUSED_BY_EXCEPTION: list[Callable[[], object]] = [
    lambda: BrokerData("token").get_quotes("INFY", "NSE"),
    lambda: BrokerData("token", None).get_multiquotes([]),
    lambda: BrokerData("token", None, "MA1").get_depth("INFY", "NSE"),
    lambda: BrokerData("token").get_history("INFY", "NSE", "D", "2026-11-23", "2026-11-23"),
    lambda: BrokerData("token").timeframe_map,
    master_contract_download,
]


@pytest.mark.parametrize("ask", REFUSED_BY_EXCEPTION)
def test_everything_else_raises(ask: Callable[[], object]) -> None:
    with pytest.raises(NotYet, match="not available yet"):
        ask()


def test_the_margin_service_answers_501_to_it() -> None:
    assert issubclass(NotYet, NotImplementedError)


def test_the_hosts_count_of_arguments() -> None:
    assert BrokerData.__init__.__code__.co_argcount == 4


def test_what_the_installer_says() -> None:
    assert (
        NOT_YET == "Market data and streaming are not available yet with this mStock plugin."
    )
