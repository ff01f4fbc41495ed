"""The switches that hold for a whole simulator: profile, revision of the documents, gzip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROFILES: Final = ("strict", "tolerant")
REVISIONS: Final = ("older", "newer")
TAGS: Final = ("dropped", "details", "book")


@dataclass
class Settings:
    """What kind of mStock this is.

    `profile`: "strict" refuses whatever the documents do not ask for; "tolerant" takes what known
    foreign clients really send (1.2, 13). `revision`: whose HTTP statuses and error texts are
    spoken, the older documents' (500 and 400) or the newer ones' (200 with a code, 403). `gzip`:
    whether replies are compressed for a client that accepts it (1.1). `tags`: where the tag of an
    order comes back: nowhere ("dropped"), in order details and updates (15 row 32), or in the order
    book too. `refuse_at_once`: Type B answers a risk refusal with RS-0111 (7.6); otherwise only the
    order book shows it, as on Type A (12.3).
    """

    profile: str = "strict"
    revision: str = "older"
    gzip: bool = True
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
    def strict(self) -> bool:
        """True in the strict profile."""
        return self.profile == "strict"
