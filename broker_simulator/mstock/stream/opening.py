"""Who may open a WebSocket: what is looked at before the upgrade is answered."""

from __future__ import annotations

from typing import Final

from broker_simulator.mstock import pages
from broker_simulator.mstock.refusals import Reason, Refused
from broker_simulator.mstock.server import LOOPBACK_NAMES, host_name
from broker_simulator.mstock.world import Session, World

from .faults import StreamFaults
from .upgrade import UpgradeRequest

# A dead token's is 401; which one other refusals have is in no source.
STATUSES: Final = {Reason.IP: 403}
FAULTS: Final = (
    ("bad_gateway", 502, pages.BAD_GATEWAY),
    ("service_unavailable", 503, pages.SERVICE_UNAVAILABLE),
    ("unauthorized", 401, ""),
)


class NotOpened(Exception):
    """The upgrade is refused: with an HTTP status, perhaps a page, and words for the journal."""

    def __init__(self, http_status: int, verdict: str, page: str = "") -> None:
        super().__init__(verdict)
        self.http_status = http_status
        self.page = page


def session(
    request: UpgradeRequest, connection: int, world: World, faults: StreamFaults, strict: bool
) -> Session:
    """Return whose WebSocket it is; NotOpened when it is nobody's, or a fault says so."""
    for name, http_status, page in FAULTS:
        if faults.take(name, connection):
            raise NotOpened(http_status, f"fault {name}", page)
    if host_name(request.headers.get("Host", "")) not in LOOPBACK_NAMES:
        raise NotOpened(403, "not a loopback name")
    if request.refused_with:
        raise NotOpened(request.refused_with, "no WebSocket handshake")
    reason = Reason.TOKEN
    for key, token in request.credentials(strict):
        try:
            return world.stream_session(key, token)
        except Refused as refused:
            reason = refused.reason
    raise NotOpened(STATUSES.get(reason, 401), f"refused: {reason.value}")
