"""What is not built yet says so in the host's terms."""

from __future__ import annotations

from broker.mstock.api.data import BrokerData
from broker.mstock.not_implemented import NotYet


def test_the_margin_service_answers_501_to_it() -> None:
    assert issubclass(NotYet, NotImplementedError)


def test_the_hosts_count_of_arguments() -> None:
    assert BrokerData.__init__.__code__.co_argcount == 4
