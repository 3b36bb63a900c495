"""The service against hostile requests: from other sites, too large, too slow, invalid, without an image."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from harvest.http_server.client_limits import Shares
from harvest.http_server.service_limits import MiB, ServiceLimits
from harvest.serving import read_request_image
from harvest.web.image_client import ImageClient, ImageLimits
from tests import bombs
from tests.pictures import encoded, photo
from tests.serving.services import RED, Colours, Service
from tests.web_server import HostileServer, answer, trickle

SHORT = ServiceLimits(head=0.5, idle=0.4, upload=1.2, farewell=0.3)
TIMEOUT = 60  # seconds, for what takes no time on a quiet machine


@pytest.fixture(scope="module")
def service():
    with Service(names=["localhost", "snakes.example"]) as service:
        yield service


@pytest.fixture
def hasty():
    """Yield a service with short timeouts."""
    with Service(bounds=SHORT) as service:
        yield service


def request(body: bytes = RED, *headers: str, line: str = "POST /classify HTTP/1.1", host: str = "localhost") -> bytes:
    """Build a request; a given header replaces the default one."""
    fields = {
        "Host": host,
        "Content-Type": "image/png",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    fields |= dict(header.split(": ", 1) for header in headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{line}\r\n{head}\r\n".encode() + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def error(answer: bytes) -> str:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def read_response(line: socket.socket) -> bytes:
    """Read one response, and no more."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += line.recv(1)
    length = next(int(field.split(b":")[1]) for field in answer.lower().splitlines() if b"content-length" in field)
    return answer + line.recv(length, socket.MSG_WAITALL)


def send_until_closed(line: socket.socket, piece: bytes, pause: float, most: int = 10_000) -> None:
    """Send a piece until the connection is closed, which has to happen before the last."""
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 - which of them it is
        for _ in range(most):
            line.sendall(piece)
            time.sleep(pause)


def until(condition) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# Hosts and origins.


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "192.168.1.5:8000",
        "snakes.example",
    ],
)
def test_W01_our_own_names_are_answered(service, host):
    """An IP address, `localhost` and a `--name` are accepted as Host, with any port."""
    assert status(service.raw(request(host=host))) == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "xlocalhost",
        ),
        *(
            "snakes.example.evil.example",
            "127.1",
            "0x7f000001",
            "2130706433",
            "localhost@evil.example",
            "[::1].evil",
        ),
        *("localhost:x", "localhost:123456", "[::1", "a b", "%", "_", ".", "\xe9"),
    ],
)
@pytest.mark.parametrize(
    "line", ["GET / HTTP/1.1", "GET /health HTTP/1.1", "POST /classify HTTP/1.1", "BREW / HTTP/1.1"]
)
def test_W01_other_names_are_refused(service, host, line):
    """Every other Host is refused, before the request is read."""
    response = service.raw(request(b"", line=line, host=host))

    assert status(response) in {400, 403}
    assert RED not in response
    assert error(response)


def test_W01_no_name_and_two_names_are_refused(service):
    """A request without a Host, in HTTP/1.0 or 1.1, or with two, is refused."""
    for raw in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ):
        assert status(service.raw(raw)) in {400, 403}


@pytest.mark.parametrize(
    "headers",
    [
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
        ("Sec-Fetch-Site: ",),
        ("Sec-Fetch-Site: odd",),
        ("Origin: http://evil.example",),
        ("Origin: http://localhost.evil.example",),
        ("Origin: http://localhost:81",),
        ("Origin: ftp://localhost",),
        ("Origin: null",),
        ("Origin: ",),
        ("Sec-Fetch-Site: same-origin", "Origin: http://evil.example"),
        ("Content-Type: multipart/form-data; boundary=x", "Origin: http://evil.example"),
        ("Content-Type: application/json", "Sec-Fetch-Site: cross-site"),
    ],
)
def test_W02_pages_of_other_sites_are_refused(service, headers):
    """A request that a browser sends for a page of another site is refused, whatever its body."""
    sent = b"".join(
        (
            b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n",
            b"Content-Length: %d\r\n" % len(RED),
        )
    )
    response = service.raw(sent + "\r\n".join([*headers, "Connection: close", "", ""]).encode() + RED)

    assert (status(response), error(response)) == (403, "Pages of other sites may not use this service.")


@pytest.mark.parametrize(
    "headers",
    [
        ("Sec-Fetch-Site: same-origin", "Origin: http://localhost"),
        ("Sec-Fetch-Site: none",),
        ("Origin: https://LOCALHOST",),
        (),
    ],
)
def test_W02_the_own_page_and_programs_are_accepted(service, headers):
    """Requests of the own page, also behind a TLS proxy, and of programs without these headers are accepted."""
    assert status(service.raw(request(RED, *headers))) == 200


def test_other_pages_may_link_to_the_page(service):
    """A link from another site opens the page; no page may frame it or read its responses."""
    response = service.get(headers={"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"})

    assert response.status_code == 200
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", ["/", "/page.js", "/health", "/nothing"])
def test_every_answer_is_dressed(service, path):
    """Every response forbids other sources, content sniffing, framing and caching."""
    for response in (
        service.get(path),
        service.client.post(path),
        service.get(path, headers={"Host": "evil.example"}),
    ):
        assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


# Large, slow and many requests.


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x", "application/json"])
def test_N09_N10_a_large_body_is_refused_with_a_message(service, chunked, kind):
    """Thirty megabytes are refused, by their length or while they arrive, and the client can read why."""

    def pieces():
        yield b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        for _ in range(30):
            yield b"x" * MiB

    sent = pieces() if chunked else b"".join(pieces())
    response = service.post(sent, kind)

    assert response.status_code == 413
    assert "The request is too large: the limit is" in response.json()["error"]


def test_N10_a_client_that_reads_late_gets_the_refusal(service):
    """A client that reads only after it has sent thirty megabytes still gets the refusal."""
    response = service.raw(request(b"x" * (30 * MiB)))

    assert status(response) == 413
    assert error(response)


def test_N09_an_endless_body_is_cut(hasty):
    """An endless body is read up to the limit, and then for the `farewell` time only."""
    with socket.create_connection(("127.0.0.1", hasty.listener.port), TIMEOUT) as line:
        line.sendall(request(b"", "Transfer-Encoding: chunked", "Content-Length: "))
        chunk = b"%x\r\n%s\r\n" % (MiB, b"x" * MiB)
        send_until_closed(line, chunk, pause=0)


def test_N09_refusing_costs_no_memory():
    """A refused body takes no more memory than the limit, however much is sent."""
    with Service() as service:
        service.post()
        tracemalloc.start()
        try:
            service.post(iter([b"x" * MiB] * 200))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 3 * ServiceLimits().body


@pytest.mark.parametrize("pace", [0.1, 10])
def test_N02_a_slow_upload_ends(hasty, pace):
    """A body that arrives byte by byte, or stops, is cancelled in time, and the client gets an error."""
    with socket.create_connection(("127.0.0.1", hasty.listener.port), TIMEOUT) as line:
        line.sendall(request(b"", "Content-Length: 1000"))
        line.settimeout(pace)
        response = b""
        while not response:
            line.sendall(b"x")
            try:
                response = line.recv(65536)
            except TimeoutError:
                continue

    assert status(response) == 408


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_N02_who_says_nothing_is_shown_out(hasty, sent):
    """A connection without a request, or with an incomplete one, is closed in time."""
    assert hasty.raw(sent) == b""


def test_N02_slow_headers_close_the_connection(hasty):
    """Headers that arrive one by one do not keep a connection open: the whole head must arrive in time."""
    with socket.create_connection(("127.0.0.1", hasty.listener.port), TIMEOUT) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        send_until_closed(line, b"X-A: b\r\n", pause=0.05, most=200)


def test_N02_bytes_after_a_response_do_not_keep_the_connection(hasty):
    """After a response, too, bytes that are not a request do not keep the connection open."""
    with socket.create_connection(("127.0.0.1", hasty.listener.port), TIMEOUT) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        assert status(read_response(line)) == 200
        send_until_closed(line, b"x", pause=0.05, most=200)


def test_pipelined_requests_are_answered_in_order(service):
    """Pipelined requests are answered one after another."""
    with socket.create_connection(("127.0.0.1", service.listener.port), TIMEOUT) as line:
        for _ in range(5):
            line.sendall(request(RED, "Connection: keep-alive"))
            assert status(read_response(line)) == 200


def test_too_many_requests_are_sent_away():
    """A request above the limit gets a 503 with Retry-After; page and health check still work."""
    predictor = Colours()
    predictor.hold.clear()
    with Service(predictor, bounds=ServiceLimits(requests=3)) as service, ThreadPoolExecutor(3) as crowd:
        inside = [crowd.submit(service.post) for _ in range(3)]
        until(lambda: predictor.seen == 3)
        response = service.post()
        health = service.get("/health")
        predictor.hold.set()

        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert health.status_code == 200
        assert [each.result().status_code for each in inside] == [200] * 3
        assert service.post().status_code == 200


def test_uploads_share_the_memory_there_is(monkeypatch):
    """All uploads together stay within their memory limit: a request above it gets a 503."""
    memory: list[Shares] = []
    monkeypatch.setattr(read_request_image, "Shares", lambda *bounds: memory.append(Shares(*bounds)) or memory[-1])
    with Service(bounds=ServiceLimits(held=2 * MiB)) as service:
        lines = [socket.create_connection(("127.0.0.1", service.listener.port), TIMEOUT) for _ in range(3)]
        for line in lines[:2]:
            line.sendall(request(b"x" * 900_000, f"Content-Length: {MiB}"))
        until(lambda: memory[0]._held.total() == 1_800_000)
        lines[2].sendall(request(b"x" * 900_000))
        response = lines[2].recv(65536)
        for line in lines:
            line.close()
        until(lambda: not memory[0]._held.total())

        assert status(response) == 503
        assert service.post(encoded(photo(), "BMP")).status_code == 200


# Bytes that are not an image, or not a request.


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        (b"<!doctype html>", 415, "a web page"),
        (b"\0" * 5000, 415, "zero bytes"),
        (b"%PDF-1.7", 415, "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", 415, "an EPS"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "an SVG"),
        (bombs.cut(encoded(photo())), 422, "damaged"),
        (bombs.wrong_checksum(), 422, "damaged"),
        (bombs.without_palette(), 422, "palette"),
        (bombs.bomb(), 413, "2,500 megapixels"),
        (bombs.webp_bomb(), 413, "megapixels"),
        (bombs.gif_bomb(), 413, "megapixels"),
        (bombs.exif_flood(100_000), 422, "segments"),
        (bombs.chunk_flood(200_000), 422, "chunks"),
        (bombs.scan_flood(500), 422, "scans"),
        (b"", 400, "contains no image"),
    ],
)
def test_I01_I02_I10_an_invalid_image_is_an_error(service, body, code, word):
    """A body that is not an image, a damaged image and a bomb get the right status and a message."""
    response = service.post(body)

    assert (response.status_code, word in response.json()["error"]) == (code, True)
    assert "Traceback" not in response.text


def test_X07_an_unexpected_exception_is_an_error(service, monkeypatch):
    """An unexpected exception is a 500 that says nothing about this machine."""
    with monkeypatch.context() as broken:
        broken.setattr("harvest.images.make_picture.fingerprint.compute_fingerprint", lambda _: 1 / 0)
        response = service.post(encoded(photo()))

    assert (response.status_code, response.json()) == (
        500,
        {"error": "This image causes an error in harvest, which is a bug."},
    )
    assert service.post(encoded(photo())).status_code == 200


def test_I03_the_first_frame_is_judged(service):
    """Of an animation of ten thousand frames, the first is classified."""
    assert service.post(bombs.gif(10_000)).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/html", "application/pdf", "x"]
)
def test_other_content_types_are_errors(service, kind):
    """A body of another type, as sent by forms of other pages and by `curl -d`, gets a 415 that lists valid ones."""
    response = service.post(RED, kind)

    assert response.status_code == 415
    assert "such as image/jpeg" in response.json()["error"]


def test_N07_packed_bodies_are_refused(service):
    """A body with a Content-Encoding is refused, not decompressed."""
    response = service.post(gzip.compress(RED), Content_Encoding="gzip")

    assert response.status_code == 415
    assert "Content-Encoding is not supported" in response.json()["error"]


def form(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(b"--x\r\n%s\r\n\r\n%s\r\n" % (head.encode(), body) for head, body in parts) + b"--x--\r\n"


FILE = 'Content-Disposition: form-data; name="f"; filename="{}"'


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\a.png", "a\\0.png", "/dev/null", "", "é\u202egnp.exe", "x" * 300]
)
def test_file_names_count_for_nothing(service, name):
    """The file name in a form is ignored, whatever path it contains: nothing is opened or written."""
    response = service.post(form((FILE.format(name), RED)), "multipart/form-data; boundary=x")

    assert response.json()["ranked"][0]["label"] == "red"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", form((FILE.format("a"), RED))),
        ("multipart/form-data; boundary=", form((FILE.format("a"), RED))),
        ("multipart/form-data; boundary=y", form((FILE.format("a"), RED))),
        ("multipart/form-data; boundary=" + "x" * 5000, b""),
        ("multipart/form-data; boundary=x", b"no form"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", form(("Content-Disposition: form-data", RED))),
        ("multipart/form-data; boundary=x", form((FILE.format("a"), RED), (FILE.format("b"), RED))),
        (
            "multipart/form-data; boundary=x",
            form(*(('Content-Disposition: form-data; name="a"', b"b"),) * 50),
        ),
        (
            "multipart/form-data; boundary=x",
            form(('Content-Disposition: form-data; name="a"', b"b" * 100_000)),
        ),
        ("multipart/form-data; boundary=x", form(("X: " + "y" * 100_000, RED))),
        ("multipart/form-data; boundary=x", form(("\r\n".join(["X: y"] * 5000), RED))),
        ("multipart/form-data; boundary=x", form(('Content-Disposition: form-data; name="a"', b"b"))),
        ("multipart/form-data; boundary=x", form((FILE.format("a"), b""))),
        (
            "multipart/form-data; boundary=x; charset=punycode",
            form(('Content-Disposition: form-data; name="a"', b"9-" * 2000)),
        ),
    ],
)
def test_invalid_forms_are_errors(service, kind, body):
    """A form that is broken, empty, or has too many parts is a 400 with a message, at once."""
    started = time.process_time()

    response = service.post(body, kind)

    assert response.status_code == 400, response.text
    assert response.json()["error"]
    assert time.process_time() - started < TIMEOUT / 2


@pytest.mark.parametrize(
    "document",
    [
        *(
            "",
            "{",
            "[]",
            "null",
            "1",
            '"https://a.example/"',
            "{}",
            '{"url": 1}',
            '{"url": null}',
            '{"url": ["a"]}',
        ),
        *(
            '{"url": "https://a.example/", "more": 1}',
            '{"URL": "https://a.example/"}',
            "[" * 16_000,
            "1" * 16_000,
        ),
        *('{"a":' * 3000, "\xff", "NaN", '{"url": "https://a.example/"} x'),
    ],
)
def test_invalid_documents_are_errors(service, document):
    """Invalid JSON, nested JSON, huge numbers and other documents are a 400 that shows a valid document."""
    response = service.post(document.encode("latin-1"), "application/json")

    assert response.status_code == 400
    assert '{"url": "https://…"}' in response.json()["error"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"\r\n\r\nhello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_invalid_requests_are_errors(service, raw):
    """Bytes that are not HTTP get a 400 in JSON, and the next request is served."""
    response = service.raw(raw)

    assert status(response) in {400, 403}
    assert error(response)
    assert service.post().status_code == 200


@pytest.mark.parametrize("length", [20_000, 1_000_000])
@pytest.mark.parametrize("head", ["GET /{} HTTP/1.1\r\nHost: localhost", "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}"])
def test_long_heads_do_no_harm(service, head, length):
    """A path or a header of a megabyte is refused or ignored, and the next request is served."""
    response = service.raw(head.format("a" * length).encode() + b"\r\nConnection: close\r\n\r\n")

    assert not response or status(response) in {200, 400, 404}
    assert service.post().status_code == 200


def test_an_upgrade_is_ignored(service):
    """A WebSocket upgrade is ignored: the request is served as an ordinary one."""
    response = service.raw(request(RED, "Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="))

    assert status(response) == 200


def test_a_client_that_disconnects_is_not_an_error(service, caplog):
    """A client that disconnects during the upload, or before the response, leaves nothing behind."""
    for sent in (request()[:-20], request()):
        with socket.create_connection(("127.0.0.1", service.listener.port), TIMEOUT) as line:
            line.sendall(sent)
    time.sleep(0.3)

    assert service.post().status_code == 200
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


# URLs.


@pytest.mark.parametrize(
    ("url", "code"),
    [
        *(
            (url, 400)
            for url in (
                "",
                "file:///etc/passwd",
                "ftp://a.example/",
                "data:image/png;base64,AAAA",
                "x",
                "//a",
            )
        ),
        *(
            (url, 400)
            for url in (
                "javascript:alert(1)",
                "http://",
                "http://u:p@a.example/",
                "http://\ud800/",
                "a" * 9000,
            )
        ),
        *(
            (f"http://{host}/a.png", 403)
            for host in ("127.0.0.1", "127.1", "localhost", "[::1]", "10.0.0.1", "0x7f000001")
        ),
        *(
            (f"http://{host}/a.png", 403)
            for host in ("169.254.169.254", "[::ffff:10.0.0.1]", "100.64.0.1", "2130706433")
        ),
    ],
)
def test_N12_N13_no_address_within_is_asked(service, url, code):
    """A URL of this machine, its network or another scheme is not requested, however it is written."""
    response = service.client.post(
        "/classify", content=json.dumps({"url": url}), headers={"Content-Type": "application/json"}
    )

    assert response.status_code == code
    assert "Traceback" not in response.text


def test_N13_the_service_does_not_ask_itself(service):
    """The service does not send requests to itself."""
    assert service.ask_for(f"http://127.0.0.1:{service.listener.port}/health").status_code == 403


def test_N13_a_private_address_is_not_revealed():
    """A name that resolves to a private address is refused, and the response does not contain the address."""
    bodies = lambda: ImageClient(resolve=lambda _: ["10.20.30.40"])  # noqa: E731
    with Service(bodies=bodies) as service:
        response = service.ask_for("http://intranet.example/a.png")

    assert response.status_code == 403
    assert "10.20" not in response.text


FAR = {
    "/gone": (answer(status="404 Not Found"), 502),
    "/down": (answer(status="500 Internal Server Error"), 502),
    "/page": (answer(b"<html>"), 415),
    "/endless": ([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * MiB] * 5], 413),
    "/lying": ([b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"], 413),
    "/slow": ([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *trickle(b"x" * 100, 0.05)], 504),
    "/cut": ([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx", "reset"], 502),
    "/loop": (answer(status="302 Found", location="/loop"), 502),
    "/disk": (answer(status="302 Found", location="file:///etc/passwd"), 400),
    "/packed": (answer(gzip.compress(RED), content_encoding="gzip"), 502),
    "/no": (answer(RED, x_robots_tag="noai"), 403),
}


@pytest.mark.parametrize("path", FAR)
def test_N02_N03_N07_N09_N10_N11_N12_far_servers_cost_no_more_than_they_may(path):
    """Whatever the server of an image does, the response has the right status and a message, in time."""
    limits = ImageLimits(total=1, idle=1, first_idle=1, attempts=1, body=2 * MiB)
    with (
        HostileServer({path: FAR[path][0]}) as far,
        Service(bodies=lambda: ImageClient(limits=limits, allow_private=True)) as service,
    ):
        response = service.ask_for(f"{far.url}{path}")

        assert (response.status_code, list(response.json())) == (FAR[path][1], ["error"])


def test_one_bad_host_is_not_remembered_for_ever():
    """A host that failed again and again is contacted again for the next request."""
    limits = ImageLimits(attempts=1, strikes=2)
    with (
        HostileServer({"/bad": ["reset"], "/good": answer(RED)}) as far,
        Service(bodies=lambda: ImageClient(limits=limits, allow_private=True)) as service,
    ):
        codes = [service.ask_for(f"{far.url}/{path}").status_code for path in ["bad"] * 4 + ["good"]]

    assert codes == [502] * 4 + [200]


def test_only_so_many_addresses_are_asked_at_a_time():
    """Only a few URLs are downloaded at the same time."""
    slow = [0.1, *answer(RED)]
    with (
        HostileServer({"/a": slow}) as far,
        Service(bounds=ServiceLimits(fetches=2), bodies=lambda: ImageClient(allow_private=True)) as service,
        ThreadPoolExecutor(8) as crowd,
    ):
        codes = [response.status_code for response in crowd.map(service.ask_for, [f"{far.url}/a"] * 8)]

        assert codes == [200] * 8
        assert far.most <= 2


def test_pictures_of_many_pixels_do_not_pile_up():
    """Large images are decoded within a memory budget, one at a time if needed."""
    large = encoded(Image.new("RGB", (2000, 1500), (10, 200, 10)), "PNG")
    with Service(bounds=ServiceLimits(decoding=32 * MiB)) as service, ThreadPoolExecutor(6) as crowd:
        response = list(crowd.map(lambda _: service.post(large), range(6)))

        assert {each.json()["ranked"][0]["label"] for each in response} == {"green"}
        assert service.predictor.most == 1
