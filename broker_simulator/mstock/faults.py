"""The faults that can be switched on per route, and the board on which they wait for their call."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from . import pages
from .refusals import Reason, Refused
from .settings import Settings
from .wire import HTML_TYPE, JSON_TYPE, Call, Dialect, Reply, json_reply

Options = dict[str, float | int | str]


@dataclass
class Fault:
    """A fault as set: where, what, how often (None: until cleared), before or after the work."""

    route: str
    kind: Kind
    times: int | None
    when: str
    options: Options
    # Set when the fault is cleared: whoever is being held by it is let go.
    released: threading.Event = field(default_factory=threading.Event, repr=False)


@dataclass(frozen=True)
class Setting:
    """What a fault needs to know to answer in the right dialect."""

    dialect: Dialect
    path: str
    settings: Settings
    options: Options


@dataclass(frozen=True)
class Kind:
    """One sort of fault: a reply of its own, a change of the real one, or a spoiled delivery."""

    name: str
    title: str
    reply: Callable[[Setting], Reply] | None = None
    change: Callable[[Reply], Reply] | None = None
    delivery: str | None = None
    when: str = "before"
    defaults: Options = field(default_factory=dict)
    # Acts only if this says so about the call.
    applies: Callable[[Call], bool] = lambda call: True


def _html(http_status: int, page: str) -> Callable[[Setting], Reply]:
    reply = Reply(http_status, page.encode(), HTML_TYPE)
    return lambda setting: reply


def _refusal(reason: Reason) -> Callable[[Setting], Reply]:
    return lambda s: s.dialect.refuse(s.path, Refused(reason), s.settings)


def _retry_later(setting: Setting) -> Reply:
    reply = _refusal(Reason.RATE)(setting)
    return reply.with_body(reply.body, ("Retry-After", str(setting.options["retry_after"])))


def _bomb(setting: Setting) -> Reply:
    body = pages.gzip_bomb(int(setting.options["megabytes"]))
    return Reply(200, body, headers=(("Content-Encoding", "gzip"),))


def _in_answer(change: Callable[[dict[str, Any]], None]) -> Callable[[Reply], Reply]:
    """Return what changes the JSON of a successful answer, also inside a list of one.

    Any other answer stays as it is.
    """

    def changed(reply: Reply) -> Reply:
        if reply.content_type != JSON_TYPE or not reply.body:
            return reply
        body = json.loads(reply.body)
        for answer in body if isinstance(body, list) else [body]:
            if isinstance(answer, dict) and answer.get("data") is not None:
                change(answer)
        return replace(reply, body=json_reply(body).body)

    return changed


def _each_candle(change: Callable[[list[Any]], list[Any]]) -> Callable[[dict[str, Any]], None]:
    def changed(body: dict[str, Any]) -> None:
        if "candles" in body["data"]:
            body["data"]["candles"] = [change(candle) for candle in body["data"]["candles"]]

    return changed


def _no_candles(body: dict[str, Any]) -> None:
    if "candles" in body["data"]:
        body["data"]["candles"] = []


def _half(value: Any) -> Any:
    """Return the first half of a list; of an object, the first half of its lists or entries."""
    if isinstance(value, list):
        return value[: len(value) // 2]
    if isinstance(value, dict) and any(isinstance(part, list) for part in value.values()):
        return {k: _half(part) if isinstance(part, list) else part for k, part in value.items()}
    return dict(list(value.items())[: len(value) // 2]) if isinstance(value, dict) else value


def _set(key: str, value: Callable[[Any], Any]) -> Callable[[Reply], Reply]:
    return _in_answer(lambda body: body.update({key: value(body[key])}))


def _redirect(setting: Setting) -> Reply:
    return Reply(302, b"", None, (("Location", str(setting.options["location"])),))


def _drop_order_id(answer: dict[str, Any]) -> None:
    if isinstance(data := answer.get("data"), dict):
        answer["data"] = {k: v for k, v in data.items() if k not in ("order_id", "orderid")}


def _call_it_failed(answer: dict[str, Any]) -> None:
    answer["status"] = "false"


def _cold(call: Call) -> bool:
    # The field's reading: cold means no login just before on the same connection (1.8).
    return not (call.previous_route or "").endswith("/connect/login")


_bad_gateway = _html(502, pages.BAD_GATEWAY)

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("bad_gateway", "502 with the gateway's HTML page", _bad_gateway),
        Kind("cold_bad_gateway", "502 unless a login came just before on the same connection",
             _bad_gateway, applies=_cold),
        Kind("service_unavailable", "503", _html(503, pages.SERVICE_UNAVAILABLE)),
        Kind("gateway_timeout", "504", _html(504, pages.GATEWAY_TIMEOUT)),
        Kind("too_many_requests", "429 with Retry-After", _retry_later,
             defaults={"retry_after": 2}),
        Kind("too_many_requests_bare", "429 without Retry-After", _refusal(Reason.RATE)),
        Kind("expired_key", "API key suspended or expired", _refusal(Reason.KEY)),
        Kind("dead_token", "token missing or dead", _refusal(Reason.TOKEN)),
        Kind("ip_refused", "IP address not whitelisted", _refusal(Reason.IP)),
        Kind("general_error", "something went wrong", _refusal(Reason.GENERAL)),
        Kind("refusal_with_500", "a refusal in words, under HTTP 500",
             lambda s: replace(_refusal(Reason.ORDER_GONE)(s), http_status=500)),
        Kind("html_page", "200 with an HTML page", _html(200, pages.BLANK_PAGE)),
        Kind("empty_body", "200 with an empty body", lambda s: Reply(200, b"")),
        Kind("json_scalar", "200 with a JSON scalar", lambda s: Reply(200, b"42")),
        Kind("garbage", "200 with garbage for a body", defaults={"size": 4096},
             reply=lambda s: Reply(200, pages.garbage(int(s.options["size"])))),
        Kind("gzip_bomb", "200 with a gzip bomb", _bomb, defaults={"megabytes": 64}),
        Kind("redirect", "302 to elsewhere", _redirect,
             defaults={"location": "http://localhost/elsewhere"}),
        Kind("wrong_content_type", "the real answer, called text/html", when="after",
             change=lambda reply: replace(reply, content_type=HTML_TYPE)),
        Kind("no_order_id", "200 and success, but no order id", when="after",
             change=_in_answer(_drop_order_id)),
        Kind("false_with_order_id", "200 and an order id, but status false", when="after",
             change=_in_answer(_call_it_failed)),
        Kind("no_candles", "candles: an empty list", when="after", change=_in_answer(_no_candles)),
        Kind("null_oi", "candles with a seventh value, null", when="after",
             change=_in_answer(_each_candle(lambda candle: [*candle, None]))),
        Kind("plain_candle_times", "candles stamped like the official mock's", when="after",
             change=_in_answer(_each_candle(lambda c: [c[0][:16].replace("T", " "), *c[1:]]))),
        Kind("partial_data", "the first half of the data only", when="after",
             change=_set("data", _half)),
        Kind("listed_data", "data as a list of one", when="after",
             change=_set("data", lambda data: [data])),
        Kind("success_as_data", '"success" where the data should be', when="after",
             change=_set("data", lambda data: "success")),
        Kind("success_as_status", 'status "success", whatever the type', when="after",
             change=_set("status", lambda status: "success")),
        Kind("timeout", "no answer, connection held", delivery="hold",
             defaults={"seconds": 60.0}),
        Kind("slow", "the real answer, late", delivery="delay", when="after",
             defaults={"seconds": 3.0}),
        Kind("reset", "connection reset, no answer", delivery="reset"),
        Kind("disconnect", "connection closed, no answer", delivery="hang_up"),
        Kind("not_http", "bytes that are not HTTP", delivery="not_http"),
        Kind("truncated_body", "half of the body, then closed", delivery="truncate",
             when="after"),
        Kind("reset_mid_body", "half of the body, then reset", delivery="reset_mid_body",
             when="after"),
        Kind("drip_body", "the real answer, its body a byte at a time", delivery="drip_body",
             when="after", defaults={"interval": 0.25}),
        Kind("drip_headers", "the real answer, its headers a byte at a time",
             delivery="drip_headers", when="after", defaults={"interval": 0.25}),
    )
}  # fmt: skip

WHEN: Final = ("before", "after")
ANY_ROUTE: Final = "*"


class FaultBoard:
    """Which faults are on. A route has one fault at a time; a new one takes the old one's place."""

    def __init__(self, routes: Iterable[str]) -> None:
        self.routes = (*routes, ANY_ROUTE)
        self._lock = threading.Lock()
        self._on: dict[str, Fault] = {}
        self._past: list[Fault] = []
        self.elsewhere = ""

    def set(
        self,
        route: str,
        name: str,
        times: int | None = None,
        when: str | None = None,
        **options: float | int | str,
    ) -> None:
        """Switch a fault on for a route such as "b/session/token", or "*" for all.

        `times`: for the next so many calls; None: until cleared. `when`: "before" the real work is
        done (it is not done at all), or "after" (an OTP is used up, a token exists, and the client
        is not told); each kind has its natural one. Options: `retry_after`, `seconds`, `interval`,
        `size`, `megabytes`, `location`, where KINDS gives a default for them. ValueError for
        anything unknown.
        """
        kind = KINDS.get(name)
        if kind is None:
            raise ValueError(f"unknown fault; there are: {', '.join(KINDS)}")
        if route not in self.routes:
            raise ValueError(f"unknown route; there are: {', '.join(self.routes)}")
        if when not in (None, *WHEN) or (times is not None and times < 1):
            raise ValueError('when is "before" or "after", times is 1 or more or None')
        if unknown := options.keys() - kind.defaults.keys():
            raise ValueError(f"{name} has no option {', '.join(unknown)}")
        defaults = dict(kind.defaults)
        if "location" in defaults and self.elsewhere:
            defaults["location"] = self.elsewhere
        fault = Fault(route, kind, times, when or kind.when, {**defaults, **options})
        with self._lock:
            self._on[route] = fault
            self._past.append(fault)

    def take(self, route: str, call: Call) -> Fault | None:
        """Return the fault for this call, if any, and count it."""
        with self._lock:
            for key in (route, ANY_ROUTE):
                fault = self._on.get(key)
                if fault is None or not fault.kind.applies(call):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        del self._on[key]
                return fault
            return None

    def clear(self, route: str | None = None) -> None:
        """Switch off all faults, or one route's, and let go whoever is being held by them."""
        with self._lock:
            for fault in self._past:
                if route in (None, fault.route):
                    fault.released.set()
            self._past = [fault for fault in self._past if not fault.released.is_set()]
            self._on = {key: f for key, f in self._on.items() if not f.released.is_set()}

    @property
    def active(self) -> list[Fault]:
        """The faults that wait for a call."""
        with self._lock:
            return list(itertools.chain(self._on.values()))
