"""mStock's Type B dialect (SmartAPI-like): JSON bodies, `Bearer` and `X-PrivateKey` headers.

Source: mStock's Type B user module, and what its official SDK puts on the wire.
"""

from __future__ import annotations

from broker._kit.broker import LoginReply
from broker._kit.http.routes import Route, http_date
from broker._kit.secret import Secret
from broker.mstock.client.base import Client, text_field, token_field
from broker.mstock.client.routes import user_routes


class TypeB(Client):
    """The `Client` of Type B."""

    routes = user_routes("/openapi/typeb")

    def login(self, client_code: str, password: Secret) -> LoginReply:
        # `totp` stays empty: filled, the reply's token works on the WebSocket only.
        body = {"clientcode": client_code, "password": password, "totp": "", "state": ""}
        reply = self._ask(self.routes.login, json=body)
        # The ticket is documented as refreshToken, and comes in jwtToken with that one empty.
        ticket = text_field(reply.data, "refreshToken", "jwtToken")
        return LoginReply(Secret(ticket), reply.message, http_date(reply.date))

    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        return self._second_step(self.routes.session_token, refreshToken=ticket, otp=otp)

    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        return self._second_step(self.routes.verify_totp, refreshToken=ticket, totp=code)

    def _second_step(self, route: Route, **fields: Secret) -> Secret:
        reply = self._ask(route, headers={"X-PrivateKey": self._api_key.reveal()}, json=fields)
        return token_field(reply.data, "jwtToken")

    def _signature(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "X-PrivateKey": self._api_key.reveal()}
