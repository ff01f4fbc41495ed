"""The switches that hold for a whole simulator: profile, revision of the documents, gzip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROFILES: Final = ("strict", "tolerant")
REVISIONS: Final = ("older", "newer")


@dataclass
class Settings:
    """What kind of mStock this is.

    `profile`: "strict" refuses whatever the documents do not ask for; "tolerant" takes what known
    foreign clients really send (1.2, 13). `revision`: whose HTTP statuses and error texts are
    spoken, the older documents' (500 and 400) or the newer ones' (200 with a code, 403). `gzip`:
    whether replies are compressed for a client that accepts it (1.1).
    """

    profile: str = "strict"
    revision: str = "older"
    gzip: bool = True

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}")
        if self.revision not in REVISIONS:
            raise ValueError(f"revision must be one of {', '.join(REVISIONS)}")

    @property
    def strict(self) -> bool:
        """True in the strict profile."""
        return self.profile == "strict"
