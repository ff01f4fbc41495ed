"""What the two dialects have in common: the calls, and how answers are read and checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any, Self

from broker._kit.broker import LoginReply
from broker._kit.errors import LogInAgain
from broker._kit.http.routes import Route, http_date
from broker._kit.http.transport import Transport
from broker._kit.http.wire_errors import unreadable_reply
from broker._kit.secret import Secret
from broker.mstock.client.envelope import Envelope, read
from broker.mstock.client.routes import GREETING, SERVER, Routes
from broker.mstock.errors import DataException

_LONGEST_TOKEN = 8192


class Client(ABC):
    """One account's way to mStock in one dialect; each method is one call on the wire.

    Every method raises `BrokerError`s; those but `fund_summary` and `server_time` are sent once
    and never repeated.
    """

    routes: Routes

    def __init__(self, transport: Transport, api_key: Secret) -> None:
        self._transport = transport
        self._api_key = api_key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let other clients' calls use the connection that a login's calls went over."""
        self._transport.__exit__()

    @abstractmethod
    def login(self, client_code: str, password: Secret) -> LoginReply:
        """First step. mStock sends an OTP, unless TOTP is enabled for the account."""

    @abstractmethod
    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        """Second step by OTP: the day's token, a bare JWT."""

    @abstractmethod
    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        """Second step by authenticator: the day's token, a bare JWT."""

    def fund_summary(self, token: Secret) -> Any:
        """The fund summary's `data` as mStock sends it, numbers as `int` or `Decimal`."""
        return self._ask(self.routes.fund_summary, token).data

    def server_time(self) -> datetime | None:
        """mStock's clock, asked without showing anything; None when its answer has no Date."""
        return http_date(self._transport.call(GREETING, {}).date)

    def logout(self, token: Secret) -> None:
        """Make mStock end the session; the token is dead afterwards."""
        self._ask(self.routes.logout, token)

    @abstractmethod
    def _signature(self, token: str) -> dict[str, str]:
        """The headers that show who calls."""

    def _ask(
        self,
        route: Route,
        token: Secret | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        into: IO[bytes] | None = None,
    ) -> Envelope:
        """One call with everything that `Transport.call` takes, signed when there is a token.

        No word of the answer repeats the API key, the token, or a `Secret` in the body's fields.
        """
        signed = self._signature(_sendable(token)) if token is not None else headers or {}
        answer = self._transport.call(
            route, signed, path=path, query=query, form=form, json=json, into=into
        )
        fields = form or json
        values = fields.values() if isinstance(fields, Mapping) else ()
        sent = [value for value in (token, *values) if isinstance(value, Secret)]
        return read(answer, route, (self._api_key, *sent))

    def _download(self, route: Route, token: Secret, into: IO[bytes]) -> None:
        """Write a file that mStock serves without an envelope; raises for anything but a success.

        What is written may still be an error under HTTP 200, or a gateway's page.
        """
        answer = self._transport.call(route, self._signature(_sendable(token)), into=into)
        if not 200 <= answer.http_status < 300:
            read(answer, route, (self._api_key, token))
            raise unreadable_reply(SERVER, route, answer.http_status)


def _sendable(token: Secret) -> str:
    """The token's text, if it can be sent; otherwise there is no session to speak of."""
    if not _is_token(token.reveal()):
        raise LogInAgain("There is no usable mStock session.", "Log in to mStock first.")
    return token.reveal()


def text_field(data: Any, *names: str) -> str:
    """The first of these fields that holds a text; an answer without one cannot be used."""
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if isinstance(data, Mapping):
        for name in names:
            value = data.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
    raise DataException(
        f"mStock accepted the step but its answer lacks {' and '.join(names)}.",
        "Start again; if it comes back, mStock has changed its interface.",
    )


def token_field(data: Any, name: str) -> Secret:
    """The day's token out of a second step's answer, checked to be fit for use."""
    token = Secret(text_field(data, name))
    if not _is_token(token.reveal()):
        raise DataException(
            f"mStock accepted the step but its {name} is not a token.", "Start again."
        )
    return token


def _is_token(text: str) -> bool:
    """Fit for a header: ASCII without blanks, nor the colon that Type A sets before the token."""
    is_plain = text.isascii() and text.isprintable() and " " not in text and ":" not in text
    return is_plain and 0 < len(text) <= _LONGEST_TOKEN
