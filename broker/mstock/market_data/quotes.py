"""Quotes of any number of instruments, in as few calls as mStock allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from broker._kit.clock import Clock
from broker._kit.errors import CorrectInput, RefusedByBroker
from broker._kit.secret import Secret
from broker.mstock.client import data_calls
from broker.mstock.client.dialects import Client
from broker.mstock.mapping.quotes import Quote, type_a_quotes, type_b_quotes
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data.history import wire_exchange
from broker.mstock.market_data.paced import paced

# A call that one bad symbol spoils is split; so many refusals mean that all are refused.
_MOST_REFUSALS = 24

# Type A's names of indices that have answered, by exchange and token (protocol 6.20).
_index_names: dict[tuple[str, str], str] = {}


class Wanted(NamedTuple):
    """An instrument to be quoted: the host's exchange, mStock's token and trading symbol.

    `symbol` is the host's, which names an index; Type B needs neither of the two symbols.
    """

    exchange: str
    token: str
    brsymbol: str = ""
    symbol: str = ""

    @classmethod
    def of(cls, row: InstrumentRow) -> Wanted:
        """An instrument of the master."""
        return cls(row.exchange, row.token, row.brsymbol, row.symbol)

    @property
    def key(self) -> tuple[str, str]:
        """By what an answer tells it."""
        return wire_exchange(self.exchange), self.token


def quotes(
    client: Client,
    token: Secret,
    wanted: Iterable[Wanted],
    clock: Clock,
    *,
    ltp_only: bool = False,
) -> dict[tuple[str, str], Quote]:
    """The quotes that mStock has, by `Wanted.key`; what it does not know is not in it.

    Raises `BrokerError` when mStock could not be asked.
    """
    unique = list({each.key: each for each in wanted}.values())
    dialect = _TypeA if data_calls.is_type_a(client) else _TypeB
    fetch = dialect(client, token, clock, ltp_only)
    found: dict[tuple[str, str], Quote] = {}
    refusals = 0
    batches = list(fetch.batches(unique))
    while batches:
        batch = batches.pop()
        try:
            found |= fetch.fetch(batch)
        except (CorrectInput, RefusedByBroker):
            refusals += 1
            if len(unique) == 1 or refusals > _MOST_REFUSALS:
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                batches += [batch[:middle], batch[middle:]]
    return found


class _TypeB:
    def __init__(self, client: Client, token: Secret, clock: Clock, ltp_only: bool) -> None:
        self._client = client
        self._token = token
        self._clock = clock
        self._ltp_only = ltp_only

    def batches(self, wanted: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
        for start in range(0, len(wanted), data_calls.MOST_TOKENS):
            yield wanted[start : start + data_calls.MOST_TOKENS]

    def fetch(self, batch: Sequence[Wanted]) -> dict[tuple[str, str], Quote]:
        tokens: dict[str, list[str]] = {}
        for exchange, token in (each.key for each in batch):
            tokens.setdefault(exchange, []).append(token)
        data = paced(
            lambda: data_calls.quotes_by_token(
                self._client, self._token, tokens, ltp_only=self._ltp_only
            ),
            self._clock,
        )
        answered = type_b_quotes(data)
        # mStock's books say NSE for NFO, and its quotes may: then the token alone tells, where it
        # was asked for on one exchange only.
        by_token = {token: quote for (_, token), quote in answered.items()}
        times = Counter(each.token for each in batch)
        return {
            each.key: quote
            for each in batch
            if (
                quote := answered.get(each.key)
                or (by_token.get(each.token) if times[each.token] == 1 else None)
            )
        }


class _TypeA(_TypeB):
    def batches(self, wanted: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
        batch: list[Wanted] = []
        length = 0
        for each in wanted:
            size = sum(map(data_calls.query_length, self._names(each)))
            if batch and length + size > data_calls.LONGEST_QUERY:
                yield batch
                batch, length = [], 0
            batch.append(each)
            length += size
        if batch:
            yield batch

    def fetch(self, batch: Sequence[Wanted]) -> dict[tuple[str, str], Quote]:
        asked = [name for each in batch for name in self._names(each)]
        data = paced(
            lambda: data_calls.quotes_by_symbol(
                self._client, self._token, asked, ltp_only=self._ltp_only
            ),
            self._clock,
        )
        answered = type_a_quotes(data)
        found = {}
        for each in batch:
            quote = answered.get(each.key)
            if each.exchange != each.key[0]:
                for name in self._names(each):
                    exchange, _, symbol = name.partition(":")
                    if by_name := answered.get((exchange, symbol)):
                        _index_names[each.key] = name
                        quote = by_name
                        break
            if quote:
                found[each.key] = quote
        return found

    def _names(self, wanted: Wanted) -> list[str]:
        """What to ask for; an index by all of its possible names until one has answered."""
        exchange, _ = wanted.key
        if exchange == wanted.exchange:
            return [f"{exchange}:{wanted.brsymbol or wanted.symbol}"]
        if known := _index_names.get(wanted.key):
            return [known]
        names = (wanted.brsymbol, wanted.brsymbol.title(), wanted.symbol)
        return [f"{exchange}:{name}" for name in dict.fromkeys(names) if name]
