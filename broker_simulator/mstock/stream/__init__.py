"""The simulated WebSocket of both API types: framing, packets, subscriptions, faults; no library.

The framing is written by hand because the faults need it so: half a frame, a frame twice, a socket
that lives and says nothing. A library's server does all it can to make these impossible.
"""

from .faults import KINDS, StreamFaults
from .server import Stream
from .settings import StreamSettings

__all__ = ["KINDS", "Stream", "StreamFaults", "StreamSettings"]
