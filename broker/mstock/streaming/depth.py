"""Five levels of depth for a single look: a short subscription to the process's one feed.

mStock has depth in its live stream only.
"""

from __future__ import annotations

import threading
from typing import Any

from broker._kit.errors import CorrectInput, FixConfiguration, LogInAgain, Unreachable
from broker.mstock.database.instruments import Instruments
from broker.mstock.settings import Config
from broker.mstock.streaming.feed import FeedListener, FeedState, FeedStatus
from broker.mstock.streaming.lookup import find_instrument
from broker.mstock.streaming.packets import DEPTH, LEVELS, Tick
from broker.mstock.streaming.shared_feed import Login, has_feed, join_feed, leave_feed

WAIT_S = 6.0
_NAMES = {
    "ltp": "ltp",
    "ltq": "last_quantity",
    "open": "open",
    "high": "high",
    "low": "low",
    "prev_close": "close",
    "volume": "volume",
    "oi": "oi",
    "totalbuyqty": "total_buy_quantity",
    "totalsellqty": "total_sell_quantity",
}


def look_at_depth(
    config: Config,
    login: Login,
    instruments: Instruments,
    symbol: str,
    exchange: str,
    *,
    may_connect: bool = True,
    seconds: float = WAIT_S,
) -> dict[str, Any]:
    """The next snap packet of a symbol, as `host_depth` has it.

    Over the feed that runs in this process; without one a connection is made for the moment, if it
    may be. Raises `CorrectInput`, `FixConfiguration` when it may not, `LogInAgain`, `Unreachable`
    when nothing came in so many seconds: never zeros in its place.
    """
    instrument = find_instrument(instruments, config.api_type, symbol, exchange)
    if exchange.endswith("_INDEX"):
        raise CorrectInput(f"{symbol} is an index, which has no market depth.")
    if not may_connect and not has_feed(config):
        raise FixConfiguration(
            "mStock gives market depth in its live stream only, OpenAlgo's live prices run in "
            "another process, and mStock may allow one connection only: depth was not asked for.",
            "If mStock allows your account two connections, set MSTOCK_WS_SOCKETS=2 in .env. "
            "OpenAlgo's WebSocket has depth without that.",
        )
    found: list[Tick] = []
    is_over = threading.Event()

    def take(tick: Tick) -> None:
        if "depth" in tick.values:
            found.append(tick)
            is_over.set()

    def note(status: FeedStatus) -> None:
        if status.state is FeedState.NO_SESSION:
            is_over.set()

    listener = FeedListener(take, on_state=note)
    shared = join_feed(config, listener, login)
    try:
        shared.subscribe(listener, instrument, DEPTH, exchange)
        is_over.wait(seconds)
        status = shared.status()
    finally:
        leave_feed(shared, listener)
    if found:
        return host_depth(found[0].values)
    if status.state is FeedState.NO_SESSION:
        raise LogInAgain("There is no market depth without an mStock session.", status.reason)
    if status.state is not FeedState.CONNECTED:
        raise Unreachable(
            "mStock's live prices could not be reached for the market depth.", status.reason
        )
    raise Unreachable(
        f"mStock sent no market depth of {symbol} on {exchange} within {seconds:g} seconds.",
        "Outside market hours it may send none; try again when the exchange trades.",
    )


def host_depth(values: dict[str, Any]) -> dict[str, Any]:
    """A snap packet's values under the host's names for a look (contract 5.2): prices in rupees,
    five `bids` and `asks` of `price` and `quantity`, zeros where there is no order."""
    sides = {
        ours: [
            {"price": level["price"], "quantity": level["quantity"]}
            for level in values["depth"][theirs][:LEVELS]
        ]
        for ours, theirs in (("bids", "buy"), ("asks", "sell"))
    }
    return {**sides, **{ours: values[theirs] for ours, theirs in _NAMES.items()}}
