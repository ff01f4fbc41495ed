"""A raw-socket server that answers as fast as it can: a GET with funds, a POST with an order id.

Run as a process of its own: `python -m benchmarks.server CORE`; prints its port.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading

_FUNDS = (
    b'{"status":true,"message":"SUCCESS","errorcode":"","data":[{"ADDITIONAL_MARGIN":"0.0",'
    b'"ADHOC_LIMIT":"99999999999","AMOUNT_UTILIZED":"27395824.71",'
    b'"AVAILABLE_BALANCE":"299972678840.29","BANK_HOLDING":"99999999999",'
    b'"CLEAR_BALANCE":"199999949998","COLLATERALS":"74668","LIMIT_SOD":"99999999999",'
    b'"LIMIT_TYPE":"CAPITAL","MF_COLLATERAL":"0.0","MTF_AVAILABLE_BALANCE":"299972678840.29",'
    b'"MTF_COLLATERAL":"0.0","MTF_UTILIZE":"0.0","MTM_COMBINED":"0","OFS_UTILIZED":"0.0",'
    b'"OPT_BUY_PRIMIUM_UTILIZE":"0.0","PAY_OUT_AMT":"50000.0","PEAK_MARGIN":"33222959.73",'
    b'"PHYSICAL_MARGIN":"0.0","REALISED_PROFITS":"0","RECEIVABLES":"0","SEG":"A",'
    b'"SUM_OF_ALL":"300000024665","UNCLEAR_BALANCE":"0"}]}'
)
_ORDER = (
    b'{"status":"true","message":"SUCCESS","errorcode":"","data":{"script":"INFY-EQ",'
    b'"orderid":"21612506101476"}}'
)


def _answer(body: bytes) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 03:45:00 GMT\r\n"
        b"Content-Type: application/json; charset=utf-8\r\nServer: bench\r\nContent-Length: "
    )
    return head + str(len(body)).encode() + b"\r\n\r\n" + body


_ANSWERS = {b"GET": _answer(_FUNDS), b"POST": _answer(_ORDER)}
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


def _serve(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while piece := sock.recv(65536):
        request += piece
        head, end, body = request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= int(length[1] if length else 0):
            sock.sendall(_ANSWERS[head.partition(b" ")[0]])
            request = b""


def main(core: int) -> None:
    """Answer until standard input closes."""
    pin(core)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def pin(core: int) -> bool:
    """Keep this process on one core; False where the system has no such call or core."""
    try:
        os.sched_setaffinity(0, {core})
    except (AttributeError, OSError):
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]))
