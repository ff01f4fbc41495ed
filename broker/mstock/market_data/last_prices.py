"""The last traded prices of open positions, by one call."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError
from broker._kit.faults import guarded
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard, token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.dialects import client_for
from broker.mstock.mapping.orders import SymbolOf, locate
from broker.mstock.mapping.positions import Position, PriceOf
from broker.mstock.market_data.quotes import Wanted, quotes
from broker.mstock.settings import Config

log = logging.getLogger(__name__)


def prices_of(
    config: Config,
    token: Secret,
    rows: list[Position],
    symbol_of: SymbolOf,
    *,
    clock: Clock = SYSTEM_CLOCK,
    guard: TokenGuard | None = None,
) -> PriceOf:
    """Last prices for the open positions that carry none; none where mStock gives none.

    Raises nothing: a position is shown without its price, not left out.
    """
    wanted = [
        (locate(row, symbol_of)[1], row.token)
        for row in rows
        if row.quantity and row.last_price is None
    ]
    found: dict[tuple[str, str], float] = {}
    try:
        found = guarded(lambda: last_prices(config, token, wanted, clock=clock, guard=guard))
    except BrokerError as error:
        log.warning("Positions are shown without their last prices. %s", error)
    return lambda token, exchange: found.get((exchange, token))


def last_prices(
    config: Config,
    token: Secret,
    wanted: Iterable[tuple[str, str]],
    *,
    clock: Clock = SYSTEM_CLOCK,
    guard: TokenGuard | None = None,
) -> dict[tuple[str, str], float]:
    """The last traded prices of (the host's exchange, token) in rupees; unknown ones are left out.

    Type B asks by token; Type A looks its symbols up in the instruments first. Raises
    `BrokerError`.
    """
    asked = list(dict.fromkeys(wanted))
    if not asked:
        return {}
    instruments = {each: Wanted(*each) for each in asked}
    if config.api_type == "A":
        from broker.mstock.database import instruments as table  # SQLAlchemy takes its time to load

        known = table.instruments()
        rows = {each: known.by_token(each[1], each[0]) for each in asked}
        instruments = {each: Wanted.of(row) for each, row in rows.items() if row is not None}
    found = (guard or token_guard(MSTOCK)).run(
        config,
        token,
        lambda: quotes(client_for(config), token, instruments.values(), clock, ltp_only=True),
    )
    return {
        each: quote["ltp"]
        for each, instrument in instruments.items()
        if (quote := found.get(instrument.key))
    }
