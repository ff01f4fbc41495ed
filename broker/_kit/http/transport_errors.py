"""What a failure of requests or urllib3 means; their own texts can quote what was sent.

Whether the request had gone out decides first: what was sent may have been carried out, and what
was not sent was not. The libraries' kinds of error only choose the words.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import NamedTuple

from requests import exceptions as rx
from urllib3 import exceptions as ux

from broker._kit.errors import BrokerError, CertificateError, Unreachable
from broker._kit.http.routes import Route
from broker.mstock.client.error_table import outcome_unknown


class Fault(NamedTuple):
    """A try that brought no answer: the error to raise, and whether another try may help."""

    error: BrokerError
    may_pass: bool


def fault_of(route: Route, error: BaseException, sent: bool | None) -> Fault:
    """The fault behind a library's error; `sent` as in `deadline.Limits`."""
    kinds = tuple(map(type, _causes(error)))
    if sent is not True:
        for before, make in _BEFORE_SENDING:
            if _any_is(kinds, before):
                return make()
        if sent is False:
            return _not_sent("A connection to mStock could not be set up.")
    if _any_is(kinds, _SILENCE):
        return _lost(route, "mStock did not answer in time.", is_silence=True)
    return _lost(route, "The connection to mStock broke.")


_Kinds = tuple[type[BaseException], ...]


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


def _lost(route: Route, what: str, *, is_silence: bool = False) -> Fault:
    """The request was sent, and no answer came."""
    if route.repeat:
        error = Unreachable(what, "Wait a minute, then try again.")
        return Fault(error, may_pass=not is_silence)
    return Fault(outcome_unknown(route, what, is_silence=is_silence), may_pass=False)


def _not_sent(what: str) -> Fault:
    next_step = "Check this computer's internet connection; mStock itself may be down."
    return Fault(Unreachable(f"{what} Nothing was sent.", next_step), may_pass=True)


def _not_mstock() -> Fault:
    error = CertificateError(
        "The other side's certificate does not prove that it is mStock. Nothing was sent.",
        "Check this computer's date and time, and whether a proxy or virus scanner opens TLS "
        "(its certificate then belongs into REQUESTS_CA_BUNDLE).",
    )
    return Fault(error, may_pass=False)


_SILENCE: _Kinds = (rx.ReadTimeout, ux.ReadTimeoutError, TimeoutError)

# First match wins.
_BEFORE_SENDING: tuple[tuple[_Kinds, Callable[[], Fault]], ...] = (
    ((ssl.SSLCertVerificationError,), _not_mstock),
    (
        (ux.ProxyError, rx.ProxyError),
        lambda: _not_sent("This computer's proxy did not let the call through."),
    ),
    (
        (ux.NameResolutionError,),
        lambda: _not_sent("mStock's address could not be looked up."),
    ),
    (
        (rx.ConnectTimeout, ux.ConnectTimeoutError, ux.NewConnectionError),
        lambda: _not_sent("mStock could not be reached."),
    ),
)
