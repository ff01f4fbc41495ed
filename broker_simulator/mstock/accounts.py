"""The customers of the simulated broker: who they are, what they know, what they own."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from .funds import DOC_SAMPLE, MOCK_SAMPLE, RETAIL_DAY, FundRow, balanced
from .rules import PASSWORD_ATTEMPTS


@dataclass
class Account:
    """One customer. What is secret is left out of the repr, so that no log can hold it."""

    client_code: str
    name: str
    user_id: str
    password: str = field(repr=False)
    api_key_a: str = field(repr=False)
    api_key_b: str = field(repr=False)
    totp_secret: str = field(repr=False)
    mobile: str = field(repr=False)
    mail: str = field(repr=False)
    funds: FundRow = field(repr=False)
    totp_enabled: bool = False
    key_expired: bool = False
    ip_refused: bool = False
    attempts_left: int = PASSWORD_ATTEMPTS
    # Delivered shares: exchange, token, quantity, average price.
    holdings: tuple[tuple[str, str, int, str], ...] = ()
    used_totp_steps: set[int] = field(default_factory=set, repr=False)

    @property
    def locked(self) -> bool:
        """True when no password attempt is left."""
        return self.attempts_left <= 0

    def lock(self) -> None:
        """Lock the account as ten wrong passwords would."""
        self.attempts_left = 0

    def unlock(self) -> None:
        """Give the account its full number of password attempts."""
        self.attempts_left = PASSWORD_ATTEMPTS

    def api_key(self, api: str) -> str:
        """Return the key of one API type, "a" or "b": a key is made for one type (1.1)."""
        return {"a": self.api_key_a, "b": self.api_key_b}[api]

    @property
    def masked_mobile(self) -> str:
        """The mobile number as the login message shows it, `XXXXXXX452` (7.1)."""
        return "X" * (len(self.mobile) - 3) + self.mobile[-3:]

    @property
    def masked_mail(self) -> str:
        """The mail address as the login message shows it, `XXXX00@GMAIL.COM` (7.1)."""
        name, _, host = self.mail.upper().partition("@")
        return f"XXXX{name[-2:]}@{host}"


def demo_accounts() -> list[Account]:
    """Return fresh copies of the three accounts, the demo's own first.

    The keys have the shape of real ones (1.6): base64-like, with `/`, `+` and `@@`; client codes
    have nine characters, which gives the short token its 203 (2.2). Nothing here opens anything
    outside the simulator.
    """
    return [
        Account(
            client_code="MA0000001",
            name="DEMO TRADER",
            user_id="538",
            password="Simulated-1",
            api_key_a="SIMULATOR/typeA+demo/0001@@",
            api_key_b="SIMULATOR/typeB+demo/0001@@",
            totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            mobile="9000000452",
            mail="demo00@example.com",
            funds=balanced(RETAIL_DAY),
            holdings=(("NSE", "1594", 10, "1320.50"), ("NSE", "14366", 200, "7.15")),
        ),
        Account(
            client_code="MA0000002",
            name="SATYA",
            user_id="539",
            # Characters that a form and a JSON body must carry without harm.
            password='p&ss=w+rd %41 "é"',
            api_key_a="SIMULATOR/typeA+docs/0002=",
            api_key_b="SIMULATOR/typeB+docs/0002=",
            totp_secret="KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU",
            mobile="9000001452",
            mail="docs00@gmail.com",
            funds=dict(DOC_SAMPLE),
        ),
        Account(
            client_code="MA0000003",
            name="",
            user_id="540",
            password="Simulated-3",
            api_key_a="SIMULATOR/typeA+mock/0003=",
            api_key_b="SIMULATOR/typeB+mock/0003=",
            totp_secret="MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK",
            mobile="9000002731",
            mail="mock17@example.com",
            funds=dict(MOCK_SAMPLE),
            totp_enabled=True,
        ),
    ]


def many_accounts(count: int) -> list[Account]:
    """Return so many customers with TOTP, each with a password, keys and a secret of its own."""
    return [
        Account(
            client_code=f"MB{n:07}",
            name=f"TRADER {n}",
            user_id=str(1000 + n),
            password=f"Simulated-{n:07}",
            api_key_a=f"SIMULATOR/typeA+many/{n:07}@@",
            api_key_b=f"SIMULATOR/typeB+many/{n:07}@@",
            totp_secret=base64.b32encode(f"simulated secret {n:07}"[-20:].encode()).decode(),
            mobile=f"8{n:09}",
            mail=f"many{n}@example.com",
            funds=balanced(RETAIL_DAY),
            totp_enabled=True,
        )
        for n in range(1, count + 1)
    ]
