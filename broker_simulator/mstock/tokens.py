"""Makes the JWTs of both types, as long as the ones seen live."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Final

import jwt

# "AGL" is Type B's value in the documents (7.2). Type A's is in no source: the simulator's own.
API_TYPES: Final = {"a": "KITE", "b": "AGL"}

# A payload of 838 bytes makes a token of 1199 characters, the length seen live (2.2).
LONG_PAYLOAD: Final = 838
FILLER_CLAIM: Final = "FILLER"


class Mint:
    """Signs tokens (HS256) with a secret that lives as long as the simulator."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def short(self, client_code: str, api: str, now: datetime, dies_at: datetime) -> str:
        """Return the token of a login with `totp` filled: 203 characters, WebSocket only (2.2)."""
        return self._sign(_claims(client_code, api, now, dies_at))

    def full(self, client_code: str, api: str, now: datetime, dies_at: datetime) -> str:
        """Return a session token of about 1199 characters; no two are the same.

        Claims USERNAME, APITYPE, nbf, iat, exp (7.2); `exp` is the next midnight IST (15, row 35).
        """
        claims = _claims(client_code, api, now, dies_at)
        bare = len(json.dumps({**claims, FILLER_CLAIM: ""}, separators=(",", ":")).encode())
        filler = secrets.token_urlsafe(LONG_PAYLOAD)[: max(LONG_PAYLOAD - bare, 32)]
        return self._sign({**claims, FILLER_CLAIM: filler})

    def _sign(self, claims: dict[str, str | int]) -> str:
        return jwt.encode(claims, self._secret, algorithm="HS256")


def _claims(client_code: str, api: str, now: datetime, dies_at: datetime) -> dict[str, str | int]:
    start = int(now.timestamp())
    return {
        "USERNAME": client_code,
        "APITYPE": API_TYPES[api],
        "nbf": start,
        "exp": int(dies_at.timestamp()),
        "iat": start,
    }
