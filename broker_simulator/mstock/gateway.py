"""The front door: finds the route, lets a fault act, has the work done, keeps the journal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from .delivery import WITHOUT_STATUS
from .faults import Fault, FaultBoard, Setting
from .journal import Entry, Journal
from .limits import RateLimiter
from .refusals import Malformed, Reason, Refused
from .settings import Settings
from .wire import Call, Dialect, Reply, Route, malformed_reply
from .world import World

ROOT = "/openapi/"
# Where the redirect fault points to: a client that follows it shows up in the journal.
ELSEWHERE = "/elsewhere"


@dataclass(frozen=True)
class Answer:
    """What goes back, the route it was about, and the fault (if any) that spoils its delivery."""

    reply: Reply
    route: str
    spoiled_by: Fault | None = None


class Gateway:
    """Answers calls to the API. It knows the dialects only by their tables."""

    def __init__(
        self,
        dialects: Sequence[Dialect],
        world: World,
        settings: Settings,
        faults: FaultBoard,
        journal: Journal,
    ) -> None:
        # Whole names come first: `orders/cancelall` is not `orders/{variety}`.
        self._routes = sorted(
            (
                (_pattern(f"{ROOT}{dialect.prefix}/{route.path or path}"), dialect, path, route)
                for dialect in dialects
                for path, route in dialect.routes.items()
            ),
            key=lambda route: route[0].groups,
        )
        self._limiter = RateLimiter()
        self._world = world
        self._settings = settings
        self._faults = faults
        self._journal = journal

    def takes(self, path: str) -> bool:
        """True if the path is the API's and not the control page's."""
        return path.lower().startswith((ROOT, ELSEWHERE))

    def answer(self, call: Call) -> Answer:
        """Return the answer to a call, recorded in the journal."""
        found = [
            (match, dialect, path, target)
            for pattern, dialect, path, target in self._routes
            if (match := pattern.fullmatch(call.path))
        ]
        if not found:
            route = "elsewhere" if call.path.lower() == ELSEWHERE else "unknown"
            return self._record(call, Answer(Reply(404, b"", None), route), "no such route")
        fitting = [route for route in found if call.method in route[-1].methods]
        match, dialect, path, target = (fitting or found)[0]
        call = replace(call, args=match.groupdict())
        name = f"{dialect.letter}/{path}"
        if not fitting:
            allowed = ", ".join(dict.fromkeys(route[-1].method for route in found))
            reply = Reply(405, b"", None, (("Allow", allowed),))
            return self._record(call, Answer(reply, name), "wrong method")

        fault = self._faults.take(name, call)
        if fault is None:
            reply, verdict = self._work(call, dialect, path, target)
            return self._record(call, Answer(self._compressed(call, reply), name), verdict)
        setting = Setting(dialect, path, self._settings, fault.options)
        if fault.when == "after":
            reply, verdict = self._work(call, dialect, path, target)
        else:
            # A fault that only changes or spoils an answer gets one that tells nothing.
            reply, verdict = dialect.refuse(path, Refused(Reason.GENERAL), self._settings), ""
        if fault.kind.reply:
            reply = fault.kind.reply(setting)
        if fault.kind.change:
            reply = fault.kind.change(reply.whole())
        verdict = f"{verdict}; fault {fault.kind.name}".removeprefix("; ")
        spoiled_by = fault if fault.kind.delivery else None
        reply = reply.whole() if spoiled_by else reply
        return self._record(call, Answer(reply, name, spoiled_by), verdict)

    def _work(self, call: Call, dialect: Dialect, path: str, target: Route) -> tuple[Reply, str]:
        try:
            if self._settings.limited and target.rate_class:
                limits = self._settings.limits[target.rate_class]
                self._limiter.count(_client(call), target.rate_class, limits)
            return target.handler(call, self._world, self._settings), "ok"
        except Refused as refused:
            verdict = f"refused: {refused.reason.value}"
            return dialect.refuse(path, refused, self._settings), verdict
        except Malformed as malformed:
            return malformed_reply(malformed), f"refused: {malformed.verdict}"

    def _compressed(self, call: Call, reply: Reply) -> Reply:
        accepted = parse_accept_header(call.headers.get("Accept-Encoding"), Accept)
        has_body = bool(reply.body or reply.chunks)
        wanted = self._settings.gzip and has_body and accepted.quality("gzip")
        return reply.gzipped() if wanted else reply

    def _record(self, call: Call, answer: Answer, verdict: str) -> Answer:
        spoiled_by = answer.spoiled_by
        silent = spoiled_by is not None and spoiled_by.kind.delivery in WITHOUT_STATUS
        self._journal.record(
            Entry(
                at=self._world.clock.now(),
                route=answer.route,
                method=call.method,
                remote_port=call.remote_port,
                http_status=None if silent else answer.reply.http_status,
                verdict=verdict,
                path=call.path,
                headers=call.headers,
                body=call.body,
            )
        )
        return answer


def _pattern(path: str) -> re.Pattern[str]:
    """Return what recognises a route's path; mStock's routing looks case-insensitive (1.1)."""
    parts = re.split(r"\{(\w+)\}", path)
    text = "".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
    return re.compile(text, re.IGNORECASE)


def _client(call: Call) -> str:
    """Return what tells one customer's calls from another's."""
    return call.headers.get("X-PrivateKey") or call.headers.get("Authorization", "")
