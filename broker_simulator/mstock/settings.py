"""The switches that hold for a whole simulator: profile, revision of the documents, gzip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from .limits import DOCUMENTED, Limits

PROFILES: Final = ("strict", "tolerant")
REVISIONS: Final = ("older", "newer")
TAGS: Final = ("dropped", "details", "book")


@dataclass
class Settings:
    """What kind of mStock this is.

    `profile`: "strict" refuses whatever the documents do not ask for; "tolerant" takes what known
    foreign clients really send (1.2, 13). `revision`: whose HTTP statuses and error texts are
    spoken, the older documents' (500 and 400) or the newer ones' (200 with a code, 403). `gzip`:
    whether replies are compressed for a client that accepts it (1.1). `rate_limits`: whether the
    `limits` of 1.4 are kept; by default in the strict profile only. `hour_grid`: "09:15" starts
    hourly candles with the session, "09:45" stamps them as the official mock does (6.18).
    `daily_stamp`: the time of day of a daily candle, "00:00" or "09:15". `tags`: where the tag of
    an order comes back: nowhere ("dropped"), in order details and updates (15 row 32), or in the
    order book too ("book"). `refuse_at_once`: Type B answers a risk refusal with RS-0111 (7.6);
    otherwise only the order book shows it, as on Type A (12.3).
    """

    profile: str = "strict"
    revision: str = "older"
    gzip: bool = True
    rate_limits: bool | None = None
    limits: Limits = field(default_factory=lambda: DOCUMENTED)
    hour_grid: str = "09:15"
    daily_stamp: str = "00:00"
    tags: str = "details"
    refuse_at_once: bool = True

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}")
        if self.revision not in REVISIONS:
            raise ValueError(f"revision must be one of {', '.join(REVISIONS)}")
        if self.tags not in TAGS:
            raise ValueError(f"tags must be one of {', '.join(TAGS)}")

    @property
    def limited(self) -> bool:
        """True when the limits on calls are kept."""
        return self.strict if self.rate_limits is None else self.rate_limits

    @property
    def strict(self) -> bool:
        """True in the strict profile."""
        return self.profile == "strict"
