"""The text frames of mStock's WebSocket, both types: what is asked, and what is an error; pure.

Source: protocol sections 9, 10.1 and 11.1. mStock confirms none of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from broker.mstock.streaming.packets import DEPTH, LTP, QUOTE, Decoder, decode_type_a, decode_type_b


class Instrument(NamedTuple):
    """mStock's exchangeType (0 in Type A, which has none) and its number of the instrument."""

    segment: int
    token: str


Request = Callable[[int, Iterable[Instrument]], list[str]]


class Dialect(NamedTuple):
    """One API type on the WebSocket: `subscribe` and `unsubscribe` give one batch of frames."""

    decode: Decoder
    subscribe: Request
    unsubscribe: Request


_A_MODES = {LTP: "ltp", QUOTE: "quote", DEPTH: "full"}


def _type_a_subscribe(mode: int, instruments: Iterable[Instrument]) -> list[str]:
    tokens = [int(each.token) for each in instruments]
    # A plain subscribe alone leaves the mode to the server's taste.
    return [_text(a="subscribe", v=tokens), _text(a="mode", v=[_A_MODES[mode], tokens])]


def _type_a_unsubscribe(_mode: int, instruments: Iterable[Instrument]) -> list[str]:
    return [_text(a="unsubscribe", v=[int(each.token) for each in instruments])]


def _type_b(action: int) -> Request:
    def request(mode: int, instruments: Iterable[Instrument]) -> list[str]:
        groups: dict[int, list[str]] = {}
        for each in instruments:
            groups.setdefault(each.segment, []).append(each.token)
        tokens = [{"exchangeType": segment, "tokens": each} for segment, each in groups.items()]
        return [_text(correlationID="", action=action, params={"mode": mode, "tokenList": tokens})]

    return request


def _text(**message: object) -> str:
    return json.dumps(message, separators=(",", ":"))


DIALECTS: dict[str, Dialect] = {
    "A": Dialect(decode_type_a, _type_a_subscribe, _type_a_unsubscribe),
    "B": Dialect(decode_type_b, _type_b(1), _type_b(0)),
}


def is_error(text: str) -> bool:
    """Whether a text frame is mStock's word for an error; a field of that name may be empty."""
    try:
        message = json.loads(text)
    except ValueError:
        return False
    if not isinstance(message, dict):
        return False
    words = (str(message.get(name)).lower() for name in ("type", "status"))
    return "error" in words or bool(message.get("error"))


def between(
    dialect: Dialect, sent: Mapping[Instrument, int], desired: Mapping[Instrument, int]
) -> list[str]:
    """The frames that lead from what was asked for, by mode, to what is: one batch a mode."""
    gone = {each: mode for each, mode in sent.items() if each not in desired}
    new = {each: mode for each, mode in desired.items() if sent.get(each) != mode}
    frames: list[str] = []
    for request, changes in ((dialect.unsubscribe, gone), (dialect.subscribe, new)):
        for mode in dict.fromkeys(changes.values()):
            frames += request(mode, [each for each, its in changes.items() if its == mode])
    return frames
