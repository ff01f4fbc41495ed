"""What can be set about the WebSocket; a change holds from the next message on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class StreamSettings:
    """How the WebSocket behaves where the documents leave a choice (9, 11.2, 15).

    `login_seconds`: how long LOGIN is waited for (10 s in the documents). `heartbeat_seconds`: how
    often an idle socket gets a binary frame of one byte; `ping_seconds`: how often it gets a ping;
    None: never. `headed`: Type B frames with the documents' 4-byte header; `packets_per_frame`:
    up to how many packets of one tick share a frame (more than one has a header on both types).
    `sockets_per_token`: one more than these ends the oldest. `queue_bytes`: how far a reader may
    fall behind, beyond what the system's buffers hold, before its connection is dropped.
    """

    login_seconds: float = 10.0
    heartbeat_seconds: float | None = 5.0
    ping_seconds: float | None = None
    headed: bool = False
    packets_per_frame: int = 1
    sockets_per_token: int = 2
    queue_bytes: int = 1 << 20
