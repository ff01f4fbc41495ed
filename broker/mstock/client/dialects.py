"""mStock's two dialects, what they have in common, and the one client of a configuration.

Source: mStock's user modules of Type A (Kite-like) and Type B (SmartAPI-like), and what its
official SDKs put on the wire.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import IO, Any

from broker._kit.broker import LoginReply
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import LogInAgain
from broker._kit.http.rate_limits import RateLimiter
from broker._kit.http.routes import Route, http_date
from broker._kit.http.transport import Transport
from broker._kit.http.wire_errors import unreadable_reply
from broker._kit.secret import Secret
from broker.mstock.client.envelope import Envelope, read
from broker.mstock.client.routes import GREETING, RATE_LIMITS, SERVER, Call, user_routes
from broker.mstock.errors import DataException
from broker.mstock.settings import Config

_LONGEST_TOKEN = 8192


class Client(ABC):
    """One account's way to mStock in one dialect; each method is one call on the wire.

    Every method raises `BrokerError`s; those but `fund_summary` and `server_time` are sent once
    and never repeated.
    """

    root: str

    def __init__(self, transport: Transport, api_key: Secret, checksum: str = "") -> None:
        self.routes = user_routes(self.root)
        self._transport = transport
        self._api_key = api_key
        self._checksum = checksum  # the one-letter source code of Type A's second step

    @abstractmethod
    def login(self, client_code: str, password: Secret) -> LoginReply:
        """First step. mStock sends an OTP, unless TOTP is enabled for the account."""

    @abstractmethod
    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        """Second step by OTP: the day's token, a bare JWT."""

    @abstractmethod
    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        """Second step by authenticator: the day's token, a bare JWT."""

    @abstractmethod
    def _signature(self, token: str) -> dict[str, str]:
        """The headers that show who calls."""

    def fund_summary(self, token: Secret) -> Any:
        """The fund summary's `data` as mStock sends it, numbers as `int` or `Decimal`."""
        return self._ask(self.routes[Call.FUND_SUMMARY], token).data

    def server_time(self) -> datetime | None:
        """mStock's clock, asked without showing anything; None when its answer has no Date."""
        return http_date(self._transport.call(GREETING, {}).date)

    def logout(self, token: Secret) -> None:
        """Make mStock end the session; the token is dead afterwards."""
        self._ask(self.routes[Call.LOGOUT], token)

    def _ask(
        self,
        route: Route,
        token: Secret | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> Envelope:
        """One call with the content that `Transport.call` takes, signed when there is a token.

        No word of the answer repeats the API key, the token, or a `Secret` in the body's fields.
        """
        if token is not None:
            headers = self._signed(token)
        answer = self._transport.call(route, headers or {}, **content)
        fields = content.get("form") or content.get("json")
        values = fields.values() if isinstance(fields, Mapping) else ()
        sent = [value for value in (token, *values) if isinstance(value, Secret)]
        return read(answer, route, (self._api_key, *sent))

    def _download(self, route: Route, token: Secret, into: IO[bytes]) -> None:
        """Write a file that mStock serves without an envelope; raises for anything but a success.

        What is written may still be an error under HTTP 200, or a gateway's page.
        """
        answer = self._transport.call(route, self._signed(token), into=into)
        if not 200 <= answer.http_status < 300:
            read(answer, route, (self._api_key, token))
            raise unreadable_reply(SERVER, route, answer.http_status)

    def _signed(self, token: Secret) -> dict[str, str]:
        if not _is_token(token.reveal()):
            raise LogInAgain("There is no usable mStock session.", "Log in to mStock first.")
        return self._signature(token.reveal())


class TypeA(Client):
    """Form bodies, `Authorization: token key:token`; the login's answer says nothing."""

    root = "/openapi/typea"

    def login(self, client_code: str, password: Secret) -> LoginReply:
        form = {"username": client_code, "password": password}
        reply = self._ask(self.routes[Call.LOGIN], form=form)
        return LoginReply(Secret(""), "", http_date(reply.date))

    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        # One letter, sent once: a second letter would spend the OTP's attempts.
        return self._second_step(
            self.routes[Call.SESSION_TOKEN], request_token=otp, checksum=self._checksum
        )

    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        return self._second_step(self.routes[Call.VERIFY_TOTP], totp=code)

    def _second_step(self, route: Route, **fields: Secret | str) -> Secret:
        reply = self._ask(route, form={"api_key": self._api_key, **fields})
        return _token_field(reply.data, "access_token")

    def _signature(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {self._api_key.reveal()}:{token}"}


class TypeB(Client):
    """JSON bodies, `Authorization: Bearer` and `X-PrivateKey` headers."""

    root = "/openapi/typeb"

    def login(self, client_code: str, password: Secret) -> LoginReply:
        # `totp` stays empty: filled, the reply's token works on the WebSocket only.
        body = {"clientcode": client_code, "password": password, "totp": "", "state": ""}
        reply = self._ask(self.routes[Call.LOGIN], json=body)
        # The ticket is documented as refreshToken, and comes in jwtToken with that one empty.
        ticket = _text_field(reply.data, "refreshToken", "jwtToken")
        return LoginReply(Secret(ticket), reply.message, http_date(reply.date))

    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        return self._second_step(self.routes[Call.SESSION_TOKEN], refreshToken=ticket, otp=otp)

    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        return self._second_step(self.routes[Call.VERIFY_TOTP], refreshToken=ticket, totp=code)

    def _second_step(self, route: Route, **fields: Secret) -> Secret:
        reply = self._ask(route, headers={"X-PrivateKey": self._api_key.reveal()}, json=fields)
        return _token_field(reply.data, "jwtToken")

    def _signature(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "X-PrivateKey": self._api_key.reveal()}


# The process's one count of an account's calls.
_limiters: dict[tuple[str, Secret], RateLimiter] = {}


@lru_cache(maxsize=64)
def client_for(config: Config, clock: Clock = SYSTEM_CLOCK) -> Client:
    """The configuration's one client; all of them share the process's connections."""
    transport = Transport(
        SERVER,
        config.rest_url,
        config.timeouts,
        proxy=config.proxy,
        ca_bundle=config.ca_bundle,
        limiter=_limiters.setdefault((config.rest_url, config.api_key), RateLimiter(RATE_LIMITS)),
        clock=clock,
    )
    dialect = TypeA if config.api_type == "A" else TypeB
    return dialect(transport, config.api_key, config.checksum)


def _text_field(data: Any, *names: str) -> str:
    """The first of these fields that holds a text; an answer without one cannot be used."""
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    values = map(data.get, names) if isinstance(data, Mapping) else ()
    for value in values:
        if isinstance(value, str) and value.strip():
            return value.strip()
    raise DataException(
        f"mStock accepted the step but its answer lacks {' and '.join(names)}.",
        "Start again; if it comes back, mStock has changed its interface.",
    )


def _token_field(data: Any, name: str) -> Secret:
    token = _text_field(data, name)
    if not _is_token(token):
        raise DataException(
            f"mStock accepted the step but its {name} is not a token.", "Start again."
        )
    return Secret(token)


def _is_token(text: str) -> bool:
    """Fit for a header: ASCII without blanks, nor the colon that Type A sets before the token."""
    is_plain = text.isascii() and text.isprintable() and " " not in text and ":" not in text
    return is_plain and 0 < len(text) <= _LONGEST_TOKEN
