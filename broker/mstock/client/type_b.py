"""mStock's Type B dialect (SmartAPI-like): JSON bodies, `Bearer` and `X-PrivateKey` headers.

Source: mStock's Type B user module, and what its official SDK puts on the wire.
"""

from __future__ import annotations

from typing import Any

from broker.mstock.client.dialect import LoginReply, Speaker, sendable, text_field, token_field
from broker.mstock.client.routes import Call, Route
from broker.mstock.secret import Secret

_ROOT = "/openapi/typeb"

LOGIN = Route(Call.LOGIN, "POST", f"{_ROOT}/connect/login")
SESSION_TOKEN = Route(Call.SESSION_TOKEN, "POST", f"{_ROOT}/session/token")
VERIFY_TOTP = Route(Call.VERIFY_TOTP, "POST", f"{_ROOT}/session/verifytotp")
FUND_SUMMARY = Route(Call.FUND_SUMMARY, "GET", f"{_ROOT}/user/fundsummary", repeat=True)
LOGOUT = Route(Call.LOGOUT, "GET", f"{_ROOT}/logout")


class TypeB(Speaker):
    """The `Client` of Type B."""

    def __enter__(self) -> TypeB:
        return self

    def login(self, client_code: str, password: Secret) -> LoginReply:
        # `totp` stays empty: filled, the reply's token works on the WebSocket only.
        body = {
            "clientcode": client_code,
            "password": password.reveal(),
            "totp": "",
            "state": "",
        }
        envelope = self._read(self._transport.call(LOGIN, {}, json=body), LOGIN, password)
        # The ticket is documented as refreshToken, and comes in jwtToken with that one empty.
        ticket = text_field(envelope.data, "refreshToken", "jwtToken")
        return LoginReply(Secret(ticket), envelope.message)

    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        return self._second_step(SESSION_TOKEN, ticket, otp, "otp")

    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        return self._second_step(VERIFY_TOTP, ticket, code, "totp")

    def fund_summary(self, token: Secret) -> Any:
        answer = self._transport.call(FUND_SUMMARY, self._signed(token))
        return self._read(answer, FUND_SUMMARY, token).data

    def logout(self, token: Secret) -> None:
        self._read(self._transport.call(LOGOUT, self._signed(token)), LOGOUT, token)

    def _second_step(self, route: Route, ticket: Secret, code: Secret, name: str) -> Secret:
        body = {"refreshToken": ticket.reveal(), name: code.reveal()}
        headers = {"X-PrivateKey": self._api_key.reveal()}
        answer = self._transport.call(route, headers, json=body)
        return token_field(self._read(answer, route, ticket, code).data, "jwtToken")

    def _signed(self, token: Secret) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {sendable(token)}",
            "X-PrivateKey": self._api_key.reveal(),
        }
