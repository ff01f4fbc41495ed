"""Tokens that claim what a test wants."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from broker._kit.secret import Secret


def jwt(claims: Any) -> Secret:
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return Secret(".".join(_encoded(part) for part in (b'{"alg": "HS256"}', body, b"signature")))


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def made(moment: datetime, **more: Any) -> Secret:
    return jwt({"iat": int(moment.timestamp()), **more})
