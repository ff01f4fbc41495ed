"""What a failure on the wire means; the libraries' own texts can quote what was sent.

Whether the request had gone out decides first: what was sent may have been carried out, and what
was not sent was not. The libraries' kinds of error only choose the words.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from math import ceil

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
from broker._kit.http.routes import GATEWAY, Route, Server

_PAUSE = "Wait a minute, then try again."
_SILENCE = (ux.ReadTimeoutError, rx.ReadTimeout, TimeoutError)
# Errors of setting up a connection; the first match gives the words.
_BEFORE_SENDING: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((ux.ProxyError, rx.ProxyError), "This computer's proxy did not let the call through."),
    ((ux.NameResolutionError,), "{title}'s address could not be looked up."),
    (
        (ux.ConnectTimeoutError, ux.NewConnectionError, rx.ConnectTimeout),
        "{title} could not be reached.",
    ),
)


def fault_of(
    server: Server, route: Route, error: BaseException, *, sent: bool | None
) -> tuple[BrokerError, bool]:
    """The error to raise for a library's, and whether another attempt may help.

    `sent` as in `CallLimits`; where it is not known, only an error of setting up says that nothing
    was. (The libraries call a connection that breaks in a tunnel a proxy's error, too.)
    """
    title, causes = server.title, tuple(_causes(error))

    def is_any(kinds: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    words = next((words for kinds, words in _BEFORE_SENDING if is_any(kinds)), None)
    if sent is None:
        sent = words is None
    if not sent and is_any((ssl.SSLCertVerificationError,)):
        return CertificateError(
            f"The other side's certificate does not prove that it is {title}. Nothing was sent.",
            "Check this computer's date and time, and whether a proxy or virus scanner opens TLS "
            "(its certificate then belongs into REQUESTS_CA_BUNDLE).",
        ), False
    if not sent:
        what = (words or "A connection to {title} could not be set up.").format(title=title)
        next_step = f"Check this computer's internet connection; {title} itself may be down."
        return Unreachable(f"{what} Nothing was sent.", next_step), True
    is_silence = is_any(_SILENCE)
    what = f"{title} did not answer in time." if is_silence else f"The connection to {title} broke."
    if route.repeat:
        return Unreachable(what, _PAUSE), not is_silence
    return outcome_unknown(server, route, what, is_silence=is_silence), False


def unreadable_reply(
    server: Server, route: Route, http: int, retry_after: int | None = None
) -> BrokerError:
    """The error for an answer that decides nothing: a gateway's page, a redirect, garbage, 429."""
    title = server.title
    if http == 429:
        seconds = 60 if retry_after is None else retry_after
        return rate_limited(f"{title} asks for fewer calls.", seconds, 429, retry_after)
    if http in GATEWAY:
        what = f"{title}'s gateway gave an error page instead of an answer (HTTP {http})."
    elif 300 <= http < 400:
        what = f"Something between here and {title} answered with a redirect (HTTP {http}); "
        what += "it was not followed."
    else:
        what = f"{title} gave an answer that cannot be read (HTTP {http})."
    if not route.repeat:
        return outcome_unknown(server, route, what, http)
    if http >= 500 or 300 <= http < 400:
        return Unreachable(what, _PAUSE, http_status=http)
    look = (
        f"Try once more; if it comes back, log out and log in again, and look in the {title} app."
    )
    return UnusableReply(what, look, http_status=http)


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


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: the libraries keep causes in arguments and `reason`.

    Not `__context__`: that may be an error the caller was dealing with before it called.
    """
    seen: list[BaseException] = [error]
    for each in seen:
        inner = (*each.args, getattr(each, "reason", None), each.__cause__)
        seen += [one for one in inner if isinstance(one, BaseException) and one not in seen]
        yield each
