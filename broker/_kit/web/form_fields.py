"""What can be said of an entry before anything is sent: missing, misshapen, unreadable."""

from __future__ import annotations

import re

from broker._kit.secret import Secret
from broker._kit.web import messages
from broker._kit.web.messages import Problem

_SIX_DIGITS = re.compile(r"[0-9]{6}")
_LONGEST = 256


def password_misfit(password: Secret) -> Problem | None:
    """Why this cannot be a password, None when it can."""
    text = password.reveal()
    if not text.strip():
        return messages.PASSWORD_MISSING
    if "\ufffd" in text or (not text.isascii() and _has_surrogate(text)):
        return messages.PASSWORD_GARBLED
    return messages.PASSWORD_TOO_LONG if len(text) > _LONGEST else None


def _has_surrogate(text: str) -> bool:
    """True for half a character, which no encoding can carry."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def code_misfit(code: Secret, name: str) -> Problem | None:
    """Why this cannot be a code, an "otp" or a "totp"; None when it can."""
    digits = bare(code).reveal()
    if not digits:
        return messages.CODE_MISSING[name]
    return None if _SIX_DIGITS.fullmatch(digits) else messages.CODE_MISSHAPEN[name]


def bare(code: Secret) -> Secret:
    """The code without the blank that authenticator apps show in its middle."""
    return Secret("".join(code.reveal().split()))
