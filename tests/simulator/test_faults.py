"""Every fault, one by one, as a client over a real socket meets it."""

from __future__ import annotations

import gzip
import http.client
import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from broker_simulator.mstock import Simulator
from broker_simulator.mstock.box import DIALECTS
from broker_simulator.mstock.faults import KINDS
from broker_simulator.mstock.wire import Dialect, Route

FUNDS = "b/user/fundsummary"


@pytest.fixture
def entered(b):
    """A logged-in Type B client."""
    b.enter()
    return b


def raw_funds(client) -> bytes:
    """Ask for funds on a bare socket and return every byte until the end."""
    with socket.create_connection(("127.0.0.1", client.sim.port), timeout=5) as sock:
        sock.sendall(request_bytes(client))
        return b"".join(iter(lambda: sock.recv(65536), b""))


def request_bytes(client) -> bytes:
    lines = (
        "GET /openapi/typeb/user/fundsummary HTTP/1.1",
        "Host: localhost",
        "X-Mirae-Version: 1",
        f"X-PrivateKey: {client.account.api_key_b}",
        f"Authorization: Bearer {client.token}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_bad_gateway_has_the_pages_markers(sim, entered):
    sim.faults.set(FUNDS, "bad_gateway")
    response = entered.get("user/fundsummary")
    assert response.status_code == 502
    assert response.headers["Content-Type"] == "text/html"
    for marker in (
        "<title>502 Bad Gateway</title>",
        "<center><h1>502 Bad Gateway</h1></center>",
        "__uzdbm_1",
        "__uzdbm_2",
        "SSJSConnectorObj",
        'ssConf("c1","https://api.mstock.trade")',
        "/18f5227b-e27b-445a-a53f-f845fbe69b40/stormcaster.js",
        "validate.perfdrive.com",
    ):
        assert marker in response.text


@pytest.mark.parametrize(
    ("kind", "status"),
    [("service_unavailable", 503), ("gateway_timeout", 504), ("html_page", 200)],
)
def test_html_instead_of_json(sim, entered, kind, status):
    sim.faults.set(FUNDS, kind)
    response = entered.get("user/fundsummary")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html"
    assert response.text.startswith("<html>")


def test_429_with_and_without_retry_after(sim, entered, a):
    sim.faults.set(FUNDS, "too_many_requests", retry_after=7)
    response = entered.get("user/fundsummary")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response.json()["errorcode"] == "IA429"
    sim.faults.set(FUNDS, "too_many_requests_bare")
    response = entered.get("user/fundsummary")
    assert response.status_code == 429
    assert "Retry-After" not in response.headers
    sim.faults.set("a/logout", "too_many_requests")
    assert a.get("logout").json()["error_type"] == "GeneralException"


def test_refusals_as_faults_are_in_the_routes_own_words(sim, entered, a):
    sim.faults.set("*", "expired_key")
    assert entered.get("user/fundsummary").status_code == 400
    assert "errorcode" not in entered.get("user/fundsummary").json()
    assert entered.get("logout").status_code == 403
    assert entered.get("logout").json()["errorcode"] == "IA403"
    assert a.get("logout").status_code == 400
    sim.faults.set("*", "dead_token")
    assert entered.get("logout").json()["errorcode"] == "IA401"
    sim.faults.set("*", "ip_refused")
    assert entered.get("logout").json()["message"].startswith("Primary and Secondary IP")
    sim.faults.set("*", "general_error")
    assert entered.get("logout").json() == {
        "status": "False",
        "message": "something went wrong",
        "errorcode": "MA500",
        "data": None,
    }
    sim.faults.clear()
    assert entered.get("logout").status_code == 200


def test_bodies_that_are_no_answer(sim, entered):
    for kind, body in (("empty_body", b""), ("json_scalar", b"42")):
        sim.faults.set(FUNDS, kind)
        response = entered.get("user/fundsummary")
        assert (response.status_code, response.content) == (200, body)
        assert "application/json" in response.headers["Content-Type"]
    sim.faults.set(FUNDS, "garbage", size=1000)
    body = entered.get("user/fundsummary").content
    assert len(body) == 1000
    with pytest.raises(UnicodeDecodeError):
        body.decode()


def test_gzip_bomb_is_small_outside_and_big_inside(sim, entered):
    sim.faults.set(FUNDS, "gzip_bomb", megabytes=8)
    response = raw_funds_until_closed(entered)
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 20_000
    assert len(gzip.decompress(body)) == (8 << 20) + 2


def raw_funds_until_closed(client) -> bytes:
    request = request_bytes(client).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", client.sim.port), timeout=5) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_redirect_leads_elsewhere_and_a_follower_is_seen(sim, entered):
    sim.faults.set(FUNDS, "redirect")
    response = entered.get("user/fundsummary")
    assert response.status_code == 302
    assert response.headers["Location"] == f"http://localhost:{sim.port}/elsewhere"
    assert all(entry.route != "elsewhere" for entry in sim.journal)
    requests.get(response.headers["Location"], timeout=5)
    assert sim.journal[-1].route == "elsewhere"
    sim.faults.set(FUNDS, "redirect", location="https://example.invalid/")
    assert entered.get("user/fundsummary").headers["Location"] == "https://example.invalid/"


def test_wrong_content_type_on_the_real_answer(sim, entered):
    sim.faults.set(FUNDS, "wrong_content_type")
    response = entered.get("user/fundsummary")
    assert response.headers["Content-Type"] == "text/html"
    assert response.json()["data"] == [sim.demo.funds]


def test_timeout_holds_the_connection(sim, entered):
    sim.faults.set(FUNDS, "timeout")
    headers = {"X-Mirae-Version": "1"}
    start = time.perf_counter()
    with pytest.raises(requests.ReadTimeout):
        entered.http.get(entered.url("user/fundsummary"), headers=headers, timeout=0.3)
    assert time.perf_counter() - start >= 0.3
    assert sim.journal[-1].http_status is None
    assert sim.journal[-1].verdict == "fault timeout"


def test_clearing_and_stopping_let_held_clients_go(box, type_b):
    for release in (lambda sim: sim.faults.clear(), lambda sim: sim.stop()):
        sim = box()
        client = type_b(sim)
        sim.faults.set(FUNDS, "timeout")
        threading.Timer(0.1, release, [sim]).start()
        start = time.perf_counter()
        assert raw_funds(client) == b""
        assert time.perf_counter() - start < 3


def test_slow_answer_comes_late(sim, entered):
    sim.faults.set(FUNDS, "slow", seconds=0.2)
    start = time.perf_counter()
    assert entered.get("user/fundsummary").status_code == 200
    assert time.perf_counter() - start >= 0.2


def test_reset_before_any_answer(sim, entered):
    sim.faults.set(FUNDS, "reset")
    with pytest.raises(ConnectionResetError):
        raw_funds(entered)
    assert sim.journal[-1].http_status is None


def test_disconnect_without_an_answer(sim, entered):
    sim.faults.set(FUNDS, "disconnect")
    assert raw_funds(entered) == b""


def test_bytes_that_are_not_http(sim, entered):
    sim.faults.set(FUNDS, "not_http")
    assert not raw_funds(entered).startswith(b"HTTP/")
    with pytest.raises(requests.ConnectionError):
        entered.get("user/fundsummary")


def test_truncated_body(sim, entered):
    sim.faults.set(FUNDS, "truncated_body")
    head, _, body = raw_funds(entered).partition(b"\r\n\r\n")
    said = int(head.split(b"Content-Length: ")[1].split()[0])
    assert said > 600
    assert len(body) == said // 2


def test_reset_mid_body(sim, entered):
    sim.faults.set(FUNDS, "reset_mid_body")
    with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        sock.sendall(request_bytes(entered))
        got = sock.recv(65536)
        assert got.startswith(b"HTTP/1.1 200 OK")
        with pytest.raises(ConnectionResetError):
            sock.recv(65536)


def arrivals(client) -> list[tuple[float, bytes]]:
    """Ask for funds and return each piece with the moment of its arrival."""
    with socket.create_connection(("127.0.0.1", client.sim.port), timeout=5) as sock:
        sock.sendall(request_bytes(client))
        return [
            (time.perf_counter(), piece)
            for piece in itertools.islice(iter(lambda: sock.recv(65536), b""), 12)
        ]


def test_dripping_body(sim, entered):
    sim.faults.set(FUNDS, "drip_body", interval=0.02)
    pieces = arrivals(entered)
    assert pieces[0][1].endswith(b"\r\n\r\n")
    assert [len(piece) for _, piece in pieces[1:]] == [1] * 11
    assert b"".join(piece for _, piece in pieces[1:]) == b'{"status":t'
    assert pieces[-1][0] - pieces[0][0] > 0.15


def test_dripping_headers(sim, entered):
    sim.faults.set(FUNDS, "drip_headers", interval=0.02)
    pieces = arrivals(entered)
    assert [piece for _, piece in pieces] == [bytes([c]) for c in b"HTTP/1.1 200"]


def test_a_drip_comes_to_its_end(sim, entered):
    sim.faults.set("b/logout", "drip_body", interval=0.001)
    assert entered.get("logout").json()["message"] == "Success"
    entered.enter()
    sim.faults.set("b/logout", "drip_headers", interval=0.001)
    assert entered.get("logout").json()["message"] == "Success"


def test_a_client_that_leaves_a_drip_ends_it(sim, entered):
    sim.faults.set(FUNDS, "drip_body", interval=0.05)
    with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(request_bytes(entered))
        sock.recv(10)
    sim.faults.clear()
    assert entered.get("user/fundsummary").status_code == 200


def test_before_leaves_the_otp_alone_and_after_uses_it_up(sim, b):
    ticket = b.ticket()
    sim.faults.set("b/session/token", "bad_gateway", times=1, when="before")
    assert b.session_token(ticket).status_code == 502
    assert sim.sessions == []
    assert sim.journal[-1].verdict == "fault bad_gateway"
    sim.faults.set("b/session/token", "bad_gateway", times=1, when="after")
    assert b.session_token(ticket).status_code == 502
    assert len(sim.sessions) == 1
    assert sim.journal[-1].verdict == "ok; fault bad_gateway"
    assert b.session_token(ticket).status_code == 500


def test_a_spoiled_answer_before_the_work_tells_nothing(sim, b):
    sim.faults.set("b/connect/login", "wrong_content_type", when="before")
    assert b.login().json()["message"] == "something went wrong"
    assert sim.phone.messages == []


def test_times_counts_down_and_none_stays(sim, entered):
    sim.faults.set(FUNDS, "service_unavailable", times=2)
    statuses = [entered.get("user/fundsummary").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert sim.faults.active == []
    sim.faults.set(FUNDS, "service_unavailable")
    assert [entered.get("user/fundsummary").status_code for _ in range(3)] == [503] * 3
    sim.faults.clear("b/logout")
    assert entered.get("user/fundsummary").status_code == 503
    sim.faults.clear(FUNDS)
    assert entered.get("user/fundsummary").status_code == 200


def test_a_routes_own_fault_comes_before_that_of_all(sim, entered):
    sim.faults.set("*", "service_unavailable")
    sim.faults.set(FUNDS, "gateway_timeout", times=1)
    assert entered.get("user/fundsummary").status_code == 504
    assert entered.get("user/fundsummary").status_code == 503


def test_cold_verifytotp_is_502_and_a_warm_one_is_not(sim, b, type_b):
    sim.demo.totp_enabled = True
    sim.faults.set("b/session/verifytotp", "cold_bad_gateway")
    ticket = b.ticket()
    cold = type_b(sim)
    assert cold.verify_totp(ticket).status_code == 502
    assert b.verify_totp(ticket).status_code == 200
    # A login is "just before" only once.
    assert b.verify_totp(ticket).status_code == 502


@pytest.mark.parametrize(
    ("route", "name", "changes"),
    [
        ("b/nowhere", "reset", {}),
        (FUNDS, "nonsense", {}),
        (FUNDS, "reset", {"times": 0}),
        (FUNDS, "reset", {"when": "during"}),
        (FUNDS, "reset", {"seconds": 1}),
    ],
)
def test_what_does_not_exist_cannot_be_set(sim, route, name, changes):
    with pytest.raises(ValueError):  # noqa: PT011
        sim.faults.set(route, name, **changes)
    assert sim.faults.active == []


def all_routes() -> Iterator[tuple[Dialect, str, Route]]:
    for dialect in DIALECTS:
        for name, target in dialect.routes.items():
            yield dialect, name, target


def test_every_fault_ends_on_every_route_and_the_next_call_is_well(sim: Simulator):
    quick = {"seconds": 0.01, "interval": 0.0001, "megabytes": 1}
    for kind in KINDS.values():
        options = {k: v for k, v in quick.items() if k in kind.defaults}
        for dialect, name, target in all_routes():
            sim.faults.set(f"{dialect.letter}/{name}", kind.name, times=1, **options)
            connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
            try:
                connection.request(
                    target.method, f"/openapi/{dialect.prefix}/{target.path or name}"
                )
                connection.getresponse().read()
            except (http.client.HTTPException, OSError):
                assert kind.delivery
            connection.close()
            assert sim.journal[-1].verdict.endswith(f"fault {kind.name}")
    assert requests.get(sim.rest_url, timeout=5).status_code == 200
