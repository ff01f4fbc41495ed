"""The simulated phone: the one place where an OTP is meant to be read."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

KEEP = 50


@dataclass(frozen=True)
class Message:
    """One text message, as it lies on the phone."""

    at: datetime
    client_code: str
    code: str = field(repr=False)


class Phone:
    """All customers' phones in one; the newest message is the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[Message] = []

    def receive(self, message: Message) -> None:
        """Take in a message; the oldest ones are forgotten."""
        with self._lock:
            self._messages = [*self._messages[-(KEEP - 1) :], message]

    @property
    def messages(self) -> list[Message]:
        """All messages, newest first."""
        with self._lock:
            return self._messages[::-1]

    def last_otp(self, client_code: str) -> str | None:
        """Return the last OTP sent to this customer, used up or not; None if there was none."""
        return next((m.code for m in self.messages if m.client_code == client_code), None)
