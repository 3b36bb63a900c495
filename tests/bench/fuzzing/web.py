"""Shared by the two parts about the web: a test Internet in a process, and responses with damaged headers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.fuzzing.mutations import damage
from tests.web import Answer, Internet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from tests.bench.fuzzing.bench import Bench

VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2",
    b"HTTP/9.9",
    b"http/1.1",
    b"ICY",
    b"",
    b"HTTP/1.1 ",
)
STATUSES = (
    b"0 99 100 101 103 199 200 200 200 201 203 204 205 206 226 300 301 302 303"
    b" 304 307 308 400 401 403 407 410 416 429 451 500 503 599 600 999 1000 -1 abc 2OO"
).split()
PHRASES = (
    b"OK",
    b"",
    b"\xe9t\xe9 \xff",
    "日本".encode(),
    b"\0",
    b"a\rb",
    b"x" * 9000,
    b"OK\tOK",
    b"\x1b[31m",
)
NUMBERS = (
    b"0",
    b"-1",
    b"+5",
    b"1e3",
    b"0x10",
    b"99999999999999999999999",
    b"1, 2",
    b"",
    b" 7",
    b"\xb2",
    b"5;",
    b"10",
)
HOSTS = (
    *(
        "xn--",
        "xn--a",
        "xn--zz--.test",
        "ex_ample.test",
        "a..test",
        ".test",
        "-a.test",
        "a" * 64 + ".test",
        "é.test",
        "ß.test",
    ),
    *(
        "\u200d.test",
        "①.test",
        "%00.test",
        "img0.fuzz.test.",
        "[::1",
        "[::1]",
        "[::1%25eth0]",
        "[v1.x]",
        "127.1",
        "0x7f.1",
    ),
    *(
        "1.2.3.4.5",
        "256.1.1.1",
        "169.254.169.254",
        "user@10.0.0.1",
        "a:b@img0.fuzz.test",
        "img0.fuzz.test:0",
        "img0.fuzz.test:99999",
    ),
    *(
        "img0.fuzz.test:x",
        "img0.fuzz.test:",
        "",
        "localhost",
        "a b.test",
        "xn--bcher-kva.test",
        "a" * 300,
        "*.test",
        "192.0.0.192",
    ),
)
SCHEMES = ("http:", "https:", "HTTP:", "ftp:", "file:", "data:", "javascript:", "", "gopher:", "http:http:")


def odd_address(rng: Random) -> str:
    """Return a URL that nobody should be able to write."""
    path = rng.choice(
        (
            "/1.jpg",
            "",
            "/%",
            "/%zz",
            "/é",
            "/a b",
            "/" + "x" * 5000,
            "?#",
            "/..//../",
            "/\0",
            "/\n",
            "/%2e%2e/",
            "\\a",
        )
    )
    return rng.choice(SCHEMES) + rng.choice(("//", "//", "//", "/", "", "///")) + rng.choice(HOSTS) + path


def damaged_head(kind: bytes, length: int, rng: Random, address: Callable[[Random], str] = odd_address) -> bytes:
    """Return a status line and headers, one or two of them unusual."""
    end = rng.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    status, phrase = (rng.choice(STATUSES), rng.choice(PHRASES)) if rng.random() < 0.5 else (b"200", b"OK")
    headers = {b"Content-Type": kind, b"Content-Length": b"%d" % length}
    location = address(rng).encode("utf-8" if rng.random() < 0.5 else "latin-1", "replace")
    if status[:1] == b"3" or rng.random() < 0.1:
        headers[b"Location"] = location
    lines = [b" ".join((rng.choice(VERSIONS) if rng.random() < 0.2 else b"HTTP/1.1", status, phrase))]
    lines += [name + b": " + value for name, value in headers.items()]
    for _ in range(rng.choice((0, 1, 1, 2))):
        lines.insert(rng.randrange(1, len(lines) + 1), _odd_header(rng))
    head = end.join([*lines, b"Connection: close", b"", b""])
    return damage(head, rng) if rng.random() < 0.15 else head


def _odd_header(rng: Random) -> bytes:
    return rng.choice(
        (
            b"Content-Length: " + rng.choice(NUMBERS),
            b"Transfer-Encoding: " + rng.choice((b"chunked", b"gzip", b"identity", b"chunked, chunked", b"\xff", b"")),
            b"Content-Encoding: "
            + rng.choice((b"gzip", b"br", b"deflate", b"zstd", b"identity", b"gzip, gzip", b"\xe9", b"")),
            b"Content-Type: "
            + rng.choice(
                (
                    b"",
                    b"\xe9/\xff",
                    b"image/jpeg; charset=\xff",
                    b"text/html; charset=" + b"x" * 500,
                    b"text/html; charset=utf-7",
                    b"a" * 9000,
                )
            ),
            b"Retry-After: "
            + rng.choice(
                (
                    b"",
                    b"-1",
                    b"soon",
                    b"9" * 400,
                    b"\xb2",
                    b"Thu, 99 Foo 99999 99:99:99 GMT",
                    b"1e999",
                    b"nan",
                    b"0",
                )
            ),
            b"X-Robots-Tag: " + rng.choice((b"noai", b"\xff\xfe", b"a: " * 300, b"")),
            b"Content-Usage: " + rng.choice((b"train-ai=n", b"train-ai=\xff", b'"' * 3000, b"train-ai=n;" * 300, b"")),
            b"tdm-reservation: " + rng.choice((b"1", b"\xb9", b"1" * 400, b"")),
            b"Set-Cookie: "
            + rng.choice((b"", b"=;=;", b"a=\xe9", b"a=b; Expires=never; Domain=..", b"a=b; Max-Age=" + b"9" * 400)),
            b"Link: " + b"<" * 3000,
            b"X-\xe9: \xff",
            b": no name",
            b"no colon",
            b" folded",
            b"A: " + b"x" * 100_000,
            b"\r\n".join(b"X-%d: y" % number for number in range(300)),
            b"X: a\0b",
            b"Content-Location: " + b"\xff" * 50,
            b"Connection: upgrade\r\nUpgrade: h2c",
            b"Date: \xff",
        )
    )


@dataclass(frozen=True, slots=True)
class Raw(Answer):
    """A response with the given bytes as its header; the connection ends after the body."""

    raw: bytes = b""

    @property
    def head(self) -> bytes:
        """The given bytes."""
        return self.raw

    @property
    def keeps(self) -> bool:
        """Nothing follows: the length in the header is not reliable."""
        return False


def hurry() -> None:
    """Remove the pauses between pages and before retries: no server needs protection here."""
    from harvest import providers  # noqa: PLC0415 - imported long before
    from harvest.web import image_client, request_search_pages  # noqa: PLC0415

    for name in providers.names():
        providers.get(name).pace = 0.0  # type: ignore[misc]
    for module in (image_client, request_search_pages):
        assert hasattr(module, "backoff_seconds")
        module.backoff_seconds = lambda *_: 0.0  # type: ignore[assignment]


@contextmanager
def listening(bench: Bench, internet: Internet) -> Iterator[None]:
    """Start a test Internet in a process of its own, and direct the commands of this case to it."""
    read, write = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid = os.fork()
    if not pid:
        os.close(read)
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.environ["TMPDIR"] = str(bench.base / "tmp")
        try:
            asyncio.run(internet.serve(lambda: _tell(write, internet), asyncio.Event()))
        finally:
            os._exit(0)
    os.close(write)
    try:
        with os.fdopen(read, "rb") as messages:
            bench.environ |= json.loads(messages.readline())
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _tell(pipe: int, internet: Internet) -> None:
    os.write(pipe, json.dumps(internet.environ).encode() + b"\n")
