"""What a failure on the wire means; the libraries' own texts can quote what was sent.

Whether the request had gone out decides first: what was sent may have been carried out, and what
was not sent was not. The libraries' kinds of error only choose the words.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from requests import exceptions as rx
from urllib3 import exceptions as ux

from broker._kit.errors import (
    BrokerError,
    CertificateError,
    OutcomeUnknown,
    RateLimited,
    Unreachable,
    UnusableReply,
)
from broker._kit.http.routes import Route, Server

_PAUSE = "Wait a minute, then try again."


class Fault(NamedTuple):
    """An attempt that brought no answer: the error to raise, and whether another may help."""

    error: BrokerError
    may_pass: bool


_Kinds = tuple[type[BaseException], ...]
_SILENCE: _Kinds = (ux.ReadTimeoutError, rx.ReadTimeout, TimeoutError)
# First match wins.
_BEFORE_SENDING: tuple[tuple[_Kinds, str], ...] = (
    ((ux.ProxyError, rx.ProxyError), "This computer's proxy did not let the call through."),
    ((ux.NameResolutionError,), "{title}'s address could not be looked up."),
    (
        (ux.ConnectTimeoutError, ux.NewConnectionError, rx.ConnectTimeout),
        "{title} could not be reached.",
    ),
    ((BaseException,), "A connection to {title} could not be set up."),
)


def fault_of(server: Server, route: Route, error: BaseException, *, sent: bool | None) -> Fault:
    """The fault behind a library's error; `sent` as in `CallLimits`.

    Where it is not known whether the request went out, only an error of setting up says that it
    did not.
    """
    kinds = tuple(map(type, _causes(error)))
    if sent is None:
        sent = not any(_any_is(kinds, before) for before, _ in _BEFORE_SENDING[:-1])
    if not sent and _any_is(kinds, (ssl.SSLCertVerificationError,)):
        return Fault(_wrong_certificate(server), may_pass=False)
    if not sent:
        what = next(words for before, words in _BEFORE_SENDING if _any_is(kinds, before))
        unsent = Unreachable(
            f"{what.format(title=server.title)} Nothing was sent.",
            f"Check this computer's internet connection; {server.title} itself may be down.",
        )
        return Fault(unsent, may_pass=True)
    is_silence = _any_is(kinds, _SILENCE)
    what = f"The connection to {server.title} broke."
    if is_silence:
        what = f"{server.title} did not answer in time."
    if route.repeat:
        return Fault(Unreachable(what, _PAUSE), may_pass=not is_silence)
    return Fault(outcome_unknown(server, route, what, is_silence=is_silence), may_pass=False)


def unreadable_reply(
    server: Server, route: Route, http: int, retry_after: int | None = None
) -> BrokerError:
    """The error for an answer that decides nothing: a gateway's page, a redirect, garbage, 429."""
    if http == 429:
        seconds = 60 if retry_after is None else retry_after
        return rate_limited(f"{server.title} asks for fewer calls.", seconds, 429, retry_after)
    is_gateway, is_redirect = http in server.gateway, 300 <= http < 400
    what = f"{server.title} gave an answer that cannot be read (HTTP {http})."
    if is_gateway:
        what = f"{server.title}'s gateway gave an error page instead of an answer (HTTP {http})."
    elif is_redirect:
        what = (
            f"Something between here and {server.title} answered with a redirect (HTTP {http}); "
            "it was not followed."
        )
    if not route.repeat:
        return outcome_unknown(server, route, what, http)
    if is_gateway or is_redirect or http >= 500:
        return Unreachable(what, _PAUSE, http_status=http)
    return UnusableReply(
        what,
        "Try once more; if it comes back, log out and log in again, and look in the "
        f"{server.title} app.",
        http_status=http,
    )


def outcome_unknown(
    server: Server, route: Route, what: str, http: int | None = None, *, is_silence: bool = False
) -> OutcomeUnknown:
    """The error for a call that was sent, may have been carried out, and must not be repeated."""
    doubt, next_step = route.unknown or (
        f"Whether {server.title} carried it out ({route.call}) is unknown.",
        f"Look in the {server.title} app before you do it again.",
    )
    return OutcomeUnknown(f"{what} {doubt}", next_step, http_status=http, is_silence=is_silence)


def rate_limited(
    what: str, wait: float, http: int | None = None, retry_after: int | None = None
) -> RateLimited:
    """The error for too many calls; `wait` in seconds."""
    seconds = max(1, ceil(wait))
    next_step = f"Try again in {seconds} second{'s' if seconds > 1 else ''}."
    return RateLimited(what, next_step, http_status=http, retry_after=retry_after)


def _wrong_certificate(server: Server) -> BrokerError:
    return CertificateError(
        f"The other side's certificate does not prove that it is {server.title}. Nothing was sent.",
        "Check this computer's date and time, and whether a proxy or virus scanner opens TLS "
        "(its certificate then belongs into REQUESTS_CA_BUNDLE).",
    )


def _any_is(kinds: _Kinds, wanted: _Kinds) -> bool:
    return any(issubclass(kind, wanted) for kind in kinds)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: the libraries keep causes in arguments and `reason`.

    Not `__context__`: that may be an error the caller was dealing with before it called.
    """
    seen: list[BaseException] = [error]
    for each in seen:
        inner = (*each.args, getattr(each, "reason", None), each.__cause__)
        seen += [one for one in inner if isinstance(one, BaseException) and one not in seen]
        yield each
