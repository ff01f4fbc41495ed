"""mStock's Type A dialect (Kite-like): form bodies, `Authorization: token key:token`.

Source: mStock's Type A user module, and what its official SDK puts on the wire.
"""

from __future__ import annotations

from broker._kit.broker import LoginReply
from broker._kit.http.routes import Route, http_date
from broker._kit.http.transport import Transport
from broker._kit.secret import Secret
from broker.mstock.client.base import Client, token_field
from broker.mstock.client.routes import user_routes


class TypeA(Client):
    """The `Client` of Type A; `checksum` is the one-letter source code of the second step."""

    routes = user_routes("/openapi/typea")

    def __init__(self, transport: Transport, api_key: Secret, checksum: str) -> None:
        super().__init__(transport, api_key)
        self._checksum = checksum

    def login(self, client_code: str, password: Secret) -> LoginReply:
        form = {"username": client_code, "password": password}
        reply = self._ask(self.routes.login, form=form)
        return LoginReply(Secret(""), "", http_date(reply.date))

    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        # One letter, sent once: a second letter would spend the OTP's attempts.
        return self._second_step(
            self.routes.session_token, request_token=otp, checksum=self._checksum
        )

    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        return self._second_step(self.routes.verify_totp, totp=code)

    def _second_step(self, route: Route, **fields: Secret | str) -> Secret:
        reply = self._ask(route, form={"api_key": self._api_key, **fields})
        return token_field(reply.data, "access_token")

    def _signature(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {self._api_key.reveal()}:{token}"}
