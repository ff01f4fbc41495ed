"""mStock's Type A dialect (Kite-like): form bodies, `Authorization: token key:token`.

Source: mStock's Type A user module, and what its official SDK puts on the wire.
"""

from __future__ import annotations

from typing import Any

from broker.mstock.client.dialect import LoginReply, Speaker, sendable, token_field
from broker.mstock.client.routes import Call, Route
from broker.mstock.client.transport import Transport
from broker.mstock.secret import Secret

_ROOT = "/openapi/typea"

LOGIN = Route(Call.LOGIN, "POST", f"{_ROOT}/connect/login")
SESSION_TOKEN = Route(Call.SESSION_TOKEN, "POST", f"{_ROOT}/session/token")
VERIFY_TOTP = Route(Call.VERIFY_TOTP, "POST", f"{_ROOT}/session/verifytotp")
FUND_SUMMARY = Route(Call.FUND_SUMMARY, "GET", f"{_ROOT}/user/fundsummary", repeat=True)
LOGOUT = Route(Call.LOGOUT, "GET", f"{_ROOT}/logout")


class TypeA(Speaker):
    """The `Client` of Type A; `checksum` is the one-letter source code of the second step."""

    def __init__(self, transport: Transport, api_key: Secret, checksum: str) -> None:
        super().__init__(transport, api_key)
        self._checksum = checksum

    def __enter__(self) -> TypeA:
        return self

    def login(self, client_code: str, password: Secret) -> LoginReply:
        form = {"username": client_code, "password": password.reveal()}
        answer = self._transport.call(LOGIN, {}, form=form)
        self._read(answer, LOGIN, password)
        return LoginReply(Secret(""), "")

    def session_token(self, ticket: Secret, otp: Secret) -> Secret:
        # One letter, sent once: a second letter would spend the OTP's tries.
        form = {"request_token": otp.reveal(), "checksum": self._checksum}
        return self._second_step(SESSION_TOKEN, form, otp)

    def verify_totp(self, ticket: Secret, code: Secret) -> Secret:
        return self._second_step(VERIFY_TOTP, {"totp": code.reveal()}, code)

    def fund_summary(self, token: Secret) -> Any:
        answer = self._transport.call(FUND_SUMMARY, self._signed(token))
        return self._read(answer, FUND_SUMMARY, token).data

    def logout(self, token: Secret) -> None:
        self._read(self._transport.call(LOGOUT, self._signed(token)), LOGOUT, token)

    def _second_step(self, route: Route, form: dict[str, str], code: Secret) -> Secret:
        answer = self._transport.call(route, {}, form={"api_key": self._api_key.reveal(), **form})
        return token_field(self._read(answer, route, code).data, "access_token")

    def _signed(self, token: Secret) -> dict[str, str]:
        return {"Authorization": f"token {self._api_key.reveal()}:{sendable(token)}"}
