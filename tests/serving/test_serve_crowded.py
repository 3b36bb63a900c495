"""The service when one client uses too much: other clients are still served, and so are its own honest requests.

Each address of 127.0.0.0/8 is a separate client here. Nothing depends on the speed of the machine: limits are
counted, and clocks are injected.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack

import pytest

from harvest.http_server.client_limits import Admission
from harvest.http_server.service_limits import MiB, ServiceLimits
from harvest.serving.read_request_image import MinimumRate
from harvest.web.image_client import ImageClient
from tests.serving.services import RED, Colours, Service
from tests.web_server import HostileServer, answer

if sys.platform == "darwin":
    pytest.skip("127.0.0.2 is not an address there", allow_module_level=True)

ATTACKER = "127.0.0.2"
OTHERS = ("127.0.0.1", "127.0.0.3")
EVERYBODY = (ATTACKER, *OTHERS)
LONG = {"head": 120.0, "idle": 120.0, "upload": 120.0}  # no connection is closed for being slow
HEAD = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def connect(service: Service, client: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.listener.port), 60, source_address=(client, 0))


def whole(body: bytes = RED) -> bytes:
    return HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def incomplete(sent: int = 1, length: int = MiB) -> bytes:
    """Return the first bytes of an upload."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % length + b"x" * sent


def rest(line: socket.socket) -> bytes:
    """Read until the server closes or resets the connection."""
    response = b""
    try:
        while piece := line.recv(65536):
            response += piece
    except ConnectionResetError:
        pass
    return response


def ask(service: Service, client: str, request: bytes | None = None) -> int:
    """Send a request from an address and return the status; 0 if the connection is closed without a response."""
    with connect(service, client) as line:
        try:
            line.sendall(whole() if request is None else request)
        except (ConnectionResetError, BrokenPipeError):
            return 0
        response = rest(line)
    return int(response.split(b" ", 2)[1]) if response else 0


def until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("client", EVERYBODY)
@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", incomplete(), incomplete() + b"x" * 5000], ids=["nothing", "head", "upload", "more"]
)
@pytest.mark.parametrize("own", [8, 100], ids=["own limit", "limit of all"])
def test_N02_waiting_connections_do_not_block_others(sent, own, client):
    """Sixty idle or slow connections do not block honest requests, from any address."""
    bounds = ServiceLimits(connections=20, client_connections=own, requests=3, **LONG)
    with Service(bounds=bounds) as service, ExitStack() as lines:
        for _ in range(60):
            line = lines.enter_context(connect(service, ATTACKER))
            try:
                line.sendall(sent)
            except (ConnectionResetError, BrokenPipeError):
                continue

        assert [ask(service, client) for _ in range(20)] == [200] * 20


def test_N02_an_idle_connection_is_closed_before_an_upload():
    """When there are too many connections, an idle one is closed, and an upload is completed."""
    head = HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(RED)
    with (
        Service(bounds=ServiceLimits(connections=2, **LONG)) as service,
        connect(service, "127.0.0.1") as idle,
        connect(service, "127.0.0.1") as upload,
    ):
        upload.sendall(head)
        assert upload.recv(100).startswith(b"HTTP/1.1 100 ")

        assert ask(service, "127.0.0.1") == 200
        assert rest(idle) == b""
        upload.sendall(RED)
        assert rest(upload).startswith(b"HTTP/1.1 200 ")


def test_N02_a_connection_at_work_is_not_closed():
    """A running request keeps its connection: if no other can be closed, the new one is refused."""
    predictor = Colours()
    predictor.hold.clear()
    with (
        Service(predictor, bounds=ServiceLimits(connections=1, **LONG)) as service,
        connect(service, "127.0.0.1") as line,
    ):
        line.sendall(whole())
        until(lambda: predictor.seen == 1)
        refused = ask(service, "127.0.0.3")
        predictor.hold.set()

        assert refused == 0
        assert rest(line).startswith(b"HTTP/1.1 200 ")


def test_N02_the_client_with_the_most_connections_loses_one():
    """At the total limit a connection of the attacker is closed, not an idle one of another client."""
    bounds = ServiceLimits(connections=6, client_connections=6, **LONG)
    with Service(bounds=bounds) as service, ExitStack() as lines:
        honest = lines.enter_context(connect(service, "127.0.0.3"))
        for _ in range(20):
            lines.enter_context(connect(service, ATTACKER))
        ask(service, "127.0.0.1")

        honest.sendall(whole())
        assert rest(honest).startswith(b"HTTP/1.1 200 ")


def test_N02_an_unread_response_closes_the_connection():
    """A client that sends requests and reads no response is cut off, also while a response is being sent."""
    request = b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        Service(bounds=ServiceLimits(**LONG | {"idle": 0.2})) as service,
        connect(service, ATTACKER) as line,
        pytest.raises((ConnectionResetError, BrokenPipeError)),
    ):
        line.sendall(request * 1_000_000)


def test_N02_requests_at_work_are_shared():
    """A client at its limit of running requests gets a 503; another client is served."""
    predictor = Colours()
    predictor.hold.clear()
    bounds = ServiceLimits(requests=4, client_requests=2, **LONG)
    with Service(predictor, bounds=bounds) as service, ExitStack() as lines:
        for _ in range(2):
            lines.enter_context(connect(service, ATTACKER)).sendall(whole())
        until(lambda: predictor.seen == 2)
        too_many = ask(service, ATTACKER)
        other = lines.enter_context(connect(service, "127.0.0.3"))
        other.sendall(whole())
        until(lambda: predictor.seen == 3)
        predictor.hold.set()

        assert too_many == 503
        assert rest(other).startswith(b"HTTP/1.1 200 ")


def test_N09_memory_for_uploads_is_shared():
    """A client at its limit of upload memory gets a 503; another client is served."""
    bounds = ServiceLimits(held=8 * MiB, client_held=MiB, **LONG)
    with Service(bounds=bounds) as service, ExitStack() as lines:
        big = RED + b"\0" * (MiB // 2)
        for _ in range(2):
            line = lines.enter_context(connect(service, ATTACKER))
            line.sendall(incomplete(MiB // 2, MiB))
        until(lambda: ask(service, ATTACKER, whole(big)) == 503)

        assert [ask(service, client, whole(big)) for client in OTHERS] == [200, 200]


def test_fetches_are_shared():
    """A client at its limit of downloads does not block the downloads of others."""

    def wanted(url: str) -> bytes:
        body = b'{"url": "%s"}' % url.encode()
        head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    with (
        HostileServer({"/slow": [60], "/quick": answer(RED)}) as far,
        Service(
            bounds=ServiceLimits(fetches=2, client_fetches=1, **LONG),
            bodies=lambda: ImageClient(allow_private=True),
        ) as service,
        ExitStack() as lines,
    ):
        for _ in range(4):
            lines.enter_context(connect(service, ATTACKER)).sendall(wanted(f"{far.url}/slow"))
        until(lambda: far.now == 1)

        assert ask(service, "127.0.0.3", wanted(f"{far.url}/quick")) == 200


@pytest.mark.parametrize(
    ("pieces", "late"),
    [
        ([], 20),  # no bytes: the grace period
        ([(10, 100)] * 10, 20.2),  # 10 bytes per second: hardly more than the grace period
        ([(1, 1000)] * 100, 120),  # at the minimum rate: 20 seconds after the end
        ([(0, 10**6)], 20),  # a fast start does not make up for a slow end
    ],
)
def test_N02_an_upload_keeps_a_minimum_rate(pieces, late):
    """An upload is too slow once it takes longer than its bytes at the minimum rate plus the grace period."""
    now = 0.0
    rate = MinimumRate(1000, 20, lambda: now)
    for pause, count in pieces:
        if pause > rate.seconds_left:
            break
        now += pause
        rate.receive(count)

    assert now + rate.seconds_left == pytest.approx(late)


class Fake:
    """A connection that records whether it was closed."""

    closed = False

    def __init__(self, client_address: str, rate: float, *, is_waiting: bool = True) -> None:
        self.client_address, self.rate, self.is_waiting = client_address, rate, is_waiting

    def pace(self) -> float:
        """Return the given rate."""
        return self.rate

    def close_now(self) -> None:
        """Record it."""
        self.closed = True


def test_the_slowest_connection_is_closed():
    """The slowest waiting connection of a client is closed, never one with a running request."""
    admission = Admission(ServiceLimits(client_connections=3))
    fakes = [Fake("a", 5), Fake("a", 0, is_waiting=False), Fake("a", 2)]

    assert all(admission.admit(each) for each in fakes)
    assert admission.admit(Fake("a", 9))
    assert [each.closed for each in fakes] == [False, False, True]


def test_connections_that_are_gone_count_no_more():
    """A connection that ended, was closed or was refused is not counted; it may be removed twice."""
    admission = Admission(ServiceLimits(connections=2))
    for _ in range(10):
        fake = Fake("a", 1)
        assert admission.admit(fake)
        admission.forget(fake)
        admission.forget(fake)
    busy = [Fake("a", 1, is_waiting=False), Fake("b", 1, is_waiting=False)]

    assert [admission.admit(each) for each in busy] == [True, True]
    refused = Fake("c", 1)
    assert not admission.admit(refused)
    admission.forget(refused)
    admission.forget(busy[0])
    assert admission.admit(refused)
