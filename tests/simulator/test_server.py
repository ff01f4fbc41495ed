"""The socket side: loopback, keep-alive, names, methods, paths, compression, several boxes."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import sys
import time

import pytest
import requests

from broker_simulator.mstock import Simulator


def raw(sim: Simulator, request: bytes) -> bytes:
    """Send bytes, return all bytes that come until the simulator closes."""
    with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_keep_alive_shows_as_one_port_in_the_journal(sim, b, type_b):
    b.enter()
    b.get("user/fundsummary")
    type_b(sim).login()
    ports = [entry.remote_port for entry in sim.journal]
    assert len(ports) == 4
    assert len(set(ports[:3])) == 1
    assert ports[3] != ports[0]


def test_keep_alive_survives_refusals_with_unread_bodies(sim, b):
    b.post("connect/login", {"x": "y" * 1000}, drop="X-Mirae-Version")
    b.post("user/fundsummary", {"x": "y" * 1000})
    b.post("nowhere", {"x": "y" * 1000})
    assert b.login().status_code == 200
    assert len({entry.remote_port for entry in sim.journal}) == 1


def test_pipelined_requests_are_answered_in_order(sim):
    one = b"GET /openapi/typeb/logout HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /openapi/typea/nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(sim, one + last)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"VersionException" in answer
    assert b"HTTP/1.1 404 Not Found\r\n" in answer
    assert b"Connection: close" in answer


def test_keep_alive_is_fast(sim, b):
    b.enter()
    start = time.perf_counter()
    for _ in range(20):
        b.get("user/fundsummary")
    # With delayed acknowledgements in the way it would be 40 ms each.
    assert (time.perf_counter() - start) / 20 < 0.03


def test_it_listens_on_loopback_only(sim):
    assert sim.rest_url == f"http://127.0.0.1:{sim.port}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # No packet goes out: this only asks the system for its own address.
            probe.connect(("10.255.255.255", 1))
        except OSError:
            pytest.skip("no other address here")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("no other address here")
    with pytest.raises(OSError):  # noqa: PT011
        socket.create_connection((address, sim.port), timeout=1)


@pytest.mark.parametrize("path", ["/", "/phone", "/openapi/typeb/logout"])
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "[", "192.168.0.1"]
)
def test_other_host_names_are_refused(sim, path, host):
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = raw(sim, request.encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert not sim.journal


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
def test_loopback_names_are_taken(sim, host):
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert raw(sim, request.encode()).startswith(b"HTTP/1.1 200 ")


def test_no_host_header_is_refused(sim):
    assert raw(sim, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_paths_are_case_insensitive(sim, b):
    body = {"clientcode": "MA0000001", "password": "Simulated-1", "totp": "", "state": ""}
    url = f"{sim.rest_url}/OpenAPI/TypeB/Connect/LOGIN"
    headers = {"X-Mirae-Version": "1"}
    assert requests.post(url, json=body, headers=headers, timeout=5).status_code == 200
    assert sim.journal[-1].route == "b/connect/login"


@pytest.mark.parametrize("prefix", ["typea", "typeb"])
@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("connect/login", "POST"),
        ("session/token", "POST"),
        ("session/verifytotp", "POST"),
        ("user/fundsummary", "GET"),
        ("logout", "GET"),
    ],
)
def test_wrong_method_is_405(sim, prefix, path, right):
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"} - {right}:
        url = f"{sim.rest_url}/openapi/{prefix}/{path}"
        response = requests.request(method, url, timeout=5)
        assert response.status_code == 405, method
        assert response.headers["Allow"] == right
        assert response.content == b""
        assert "Access-Control-Allow-Origin" not in response.headers


def test_unknown_paths_are_404(sim):
    for path in ("typeb", "typeb/", "typec/logout", "typeb/order", "typeb/logout/"):
        assert requests.get(f"{sim.rest_url}/openapi/{path}", timeout=5).status_code == 404
    assert {entry.verdict for entry in sim.journal} == {"no such route"}


def test_gzip_only_for_those_who_accept_it(box, type_b):
    for sim, accept, packed in (
        (box(), "gzip", True),
        (box(), "deflate, gzip;q=0.5", True),
        (box(), "identity", False),
        (box(), "gzip;q=0", False),
        (box(gzip=False), "gzip", False),
    ):
        b = type_b(sim)
        token = b.enter()
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
        headers = {
            "X-Mirae-Version": "1",
            "X-PrivateKey": sim.demo.api_key_b,
            "Authorization": f"Bearer {token}",
            "Accept-Encoding": accept,
        }
        connection.request("GET", "/openapi/typeb/user/fundsummary", headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert (response.headers["Content-Encoding"] == "gzip") is packed
        plain = gzip.decompress(body) if packed else body
        assert json.loads(plain)["data"] == [sim.demo.funds]


def test_odd_bodies_are_refused_and_the_connection_closed(sim):
    start = b"POST /openapi/typeb/connect/login HTTP/1.1\r\nHost: localhost\r\n"
    for rest, status in (
        (b"Content-Length: 70000\r\n\r\n", b"413"),
        (b"Content-Length: -1\r\n\r\n", b"400"),
        (b"Content-Length: x\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    ):
        assert raw(sim, start + rest).startswith(b"HTTP/1.1 " + status)


def test_the_date_is_the_simulators(sim, b):
    assert b.login().headers["Date"].startswith("Wed, 01 Jan 2025 04:3")


def test_two_simulators_share_nothing(box, type_b):
    one, two = type_b(box()), type_b(box(revision="newer"))
    assert one.sim.port != two.sim.port
    one.enter()
    two.token = one.token
    assert two.get("user/fundsummary").status_code == 401
    two.sim.demo.lock()
    assert one.login().status_code == 200
    assert len(two.sim.journal) == 1


def test_stop_ends_open_connections_and_frees_the_port(box, type_b):
    sim = box()
    b = type_b(sim)
    b.login()
    port = sim.port
    idle = socket.create_connection(("127.0.0.1", port), timeout=5)
    idle.sendall(b"GET /openapi/typeb/logout HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.recv(65536).startswith(b"HTTP/1.1 200")
    sim.stop()
    sim.stop()
    assert idle.recv(65536) == b""
    idle.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/", timeout=2)
    with pytest.raises(RuntimeError):
        _ = sim.rest_url
    with Simulator(port=port) as again:
        assert again.port == port


@pytest.mark.parametrize("wrong", [{"profile": "loose"}, {"revision": "latest"}])
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must be one of"):
        Simulator(**wrong)


def test_the_command_says_where_it_is_and_how_to_reach_it():
    ports = ["--port", "0", "--ws-port", "0"]
    command = [sys.executable, "-u", "-m", "broker_simulator", "--profile", "tolerant", *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline()
            rest = list(iter(process.stdout.readline, "Ctrl+C stops it.\n"))
            url = first.split()[-1]
            page = requests.get(f"{url}/", timeout=5)
        finally:
            process.terminate()
    assert first.startswith("SIMULATOR of mStock (tolerant, older documents): http://127.0.0.1:")
    assert "SIMULATOR" in page.text
    assert "MA0000001" in "".join(rest)
    assert f"MSTOCK_REST_URL={url}\n" in rest
    assert [line.partition("=")[0] for line in rest if "=" in line] == [
        "BROKER_API_KEY",
        "BROKER_API_SECRET",
        "MSTOCK_API_TYPE",
        "MSTOCK_REST_URL",
        "MSTOCK_WS_URL",
    ]


def test_a_taken_port_is_said_with_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "broker_simulator", "--ws-port", "0", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr
