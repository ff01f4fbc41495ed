"""The host's door to quotes, depth and history, behind which nothing is built yet."""

from __future__ import annotations

from typing import Any, NoReturn

from broker.mstock.not_implemented import MARKET_DATA, NotYet


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise NotYet(MARKET_DATA)


class BrokerData:
    """Made for each request; every question to it raises `NotYet`.

    The host shows the words of an exception, and takes an empty answer for a quiet market. It
    counts the constructor's arguments and gives as many as there are; none is needed yet.
    """

    def __init__(
        self, auth_token: str, feed_token: str | None = None, user_id: str | None = None
    ) -> None: ...

    timeframe_map = property(_refuse)  # the intervals of candles, which the host reads off here
    get_quotes = _refuse
    get_multiquotes = _refuse
    get_depth = _refuse
    get_history = _refuse
