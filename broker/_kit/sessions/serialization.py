"""Writes an account's auto-login as JSON and reads it back, refusing what makes no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, TypeVar

from broker._kit.clock import IST
from broker._kit.errors import StoreError
from broker._kit.sessions.daily_login import Attempt, RenewalState, Tally

T = TypeVar("T")


def to_json(state: RenewalState) -> str:
    """The state as one line of JSON; holds no secret."""
    record = state._asdict()
    record["tallies"] = [tally._asdict() for tally in state.tallies]
    record["history"] = [attempt._asdict() for attempt in state.history]
    return json.dumps(record, default=_iso)


def from_json(text: str) -> RenewalState:
    """The state of such a line; names that are not known are passed over, missing ones default.

    Raises `StoreError` for anything else: a guess could send a refused password again.
    """
    try:
        return _state(_object(json.loads(text)))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        pass
    raise StoreError(
        "What is kept about auto-login cannot be read; no login is made.",
        "Switch auto-login off and on again.",
    )


def _state(record: dict[str, Any]) -> RenewalState:
    default = RenewalState()
    return RenewalState(
        enabled=_typed(record.get("enabled", False), bool),
        accepted_at=_maybe(record.get("accepted_at"), _moment),
        at=_maybe(record.get("at"), _time) or default.at,
        blocked=_typed(record.get("blocked", ""), str),
        notice=_typed(record.get("notice", ""), str),
        begun_at=_maybe(record.get("begun_at"), _moment),
        steps=_each(record.get("steps", []), _count),
        tallies=_each(record.get("tallies", []), _tally),
        history=_each(record.get("history", []), _attempt),
    )


def _tally(value: Any) -> Tally:
    record = _object(value)
    return Tally(
        day=date.fromisoformat(record["day"]),
        tries=_count(record["tries"]),
        not_before=_maybe(record.get("not_before"), _moment),
        is_closed=_typed(record["is_closed"], bool),
        is_done=_typed(record.get("is_done", False), bool),
    )


def _attempt(value: Any) -> Attempt:
    record = _object(value)
    return Attempt(
        at=_moment(record["at"]),
        result=_typed(record["result"], str),
        words=_typed(record["words"], str),
        code=_typed(record.get("code", ""), str),
    )


def _iso(value: object) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not written down")


def _object(value: Any) -> dict[str, Any]:
    return _typed(value, dict)


def _typed(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or _typed(value, int) < 0:
        raise ValueError("a count is expected")
    return int(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone is a guess")
    return moment.astimezone(IST)


def _time(value: Any) -> time:
    at = time.fromisoformat(value)
    if at.tzinfo is not None:
        raise ValueError("the time of day is in IST")
    return at


def _maybe(value: Any, read: Callable[[Any], T]) -> T | None:
    return None if value is None else read(value)


def _each(value: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    return tuple(read(each) for each in _typed(value, list))
