"""HTTP/1.1 as an HTTP proxy speaks it: tunnels it opens itself, absolute addresses, kept connections.

What a site says is an `Answer`: bytes, pauses and hang-ups in the order they go out. The worst of servers is
a list.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass, field, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.internet.certificate_authority import CertificateAuthority
    from tests.internet.log import Log, LoggedRequest

FOREVER = 1e6
HEAD_LIMIT = 64 * 1024


class End(Enum):
    """How a connection ends in the middle of an answer."""

    CLOSE = "close"
    RESET = "reset"


Part = bytes | float | End  # sent, waited, done


@dataclass(frozen=True, slots=True)
class Request:
    """One request; names of headers in lower case, `attempt` counts those at this address from 1."""

    method: str
    scheme: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    attempt: int = 1

    @property
    def url(self) -> str:
        """The address asked for."""
        return f"{self.scheme}://{self.host}{self.path}"

    @property
    def route(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    @property
    def fields(self) -> dict[str, str]:
        """The parameters of the query and of a form."""
        pairs = parse_qsl(urlsplit(self.path).query, keep_blank_values=True)
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            pairs += parse_qsl(self.body.decode(), keep_blank_values=True)
        return dict(pairs)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site says. Bytes are sent whole and the connection is kept; parts end it when they are through.

    `length` is what Content-Length claims where that is not the truth; parts claim nothing without it.
    """

    body: bytes | Iterable[Part] = b""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    wait: float = 0.0  # seconds before the first byte

    @property
    def keeps(self) -> bool:
        """Tell whether another request may follow on the same connection."""
        return isinstance(self.body, bytes) and self.length is None

    @property
    def head(self) -> bytes:
        """The status line and the headers."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", f"Content-Type: {self.kind}"]
        length = len(self.body) if isinstance(self.body, bytes) and self.length is None else self.length
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if not self.keeps:
            lines.append("Connection: close")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class ConnectionEnded(Exception):
    """The connection is over, by the client's wish or by the site's."""


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """The proxy: reads requests off a connection, asks `respond`, sends the answers."""

    respond: Callable[[Request], Answer]
    knows: Callable[[str], bool]  # is there such a host?
    authority: CertificateAuthority
    log: Log

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client to its end."""
        line = _Connection(reader, writer)
        try:
            await self._serve(line)
        except (ConnectionEnded, OSError, EOFError, ssl.SSLError):
            pass  # clients leave as they like, and some hosts' certificates are made to be refused
        finally:
            if line.reset:
                writer.transport.abort()
            else:
                writer.close()

    async def _serve(self, line: _Connection) -> None:
        method, target, headers = await line.head()
        host = ""
        if method == "CONNECT":
            host = target.rpartition(":")[0].strip("[]").lower()
            if not self.knows(host):
                self.log.unknown[host] += 1
                await line.send(_nobody(host))
                return
            await line.encrypt(self.authority.context(host))
            method, target, headers = await line.head()
        peer = host or (urlsplit(target).hostname or "")
        self.log.opened(peer)
        try:
            while await self._exchange(line, method, target, headers, host):
                method, target, headers = await line.head()
        finally:
            self.log.closed(peer)

    async def _exchange(
        self, line: _Connection, method: str, target: str, headers: Mapping[str, str], tunnel: str
    ) -> bool:
        address = urlsplit(target if "//" in target else f"//{headers.get('host', '')}{target}")
        host = tunnel or (address.hostname or "")
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        body = await line.body(int(headers.get("content-length", 0)))
        request = Request(method, "https" if tunnel else "http", host, path, headers, body)
        visit, attempt = self.log.begin(request)
        try:
            if not self.knows(host):
                self.log.unknown[host] += 1
                answer = _nobody(host)
            else:
                answer = self.respond(replace(request, attempt=attempt))
            await line.send(answer, visit, bodyless=method == "HEAD")
        finally:
            self.log.end(visit)
        return answer.keeps and headers.get("connection", "").lower() != "close"


def _nobody(host: str) -> Answer:
    return Answer(f"no such host: {host}".encode(), status=502, kind="text/plain")


@dataclass(slots=True)
class _Connection:
    """One connection, plain or encrypted."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    reset: bool = False

    async def head(self) -> tuple[str, str, dict[str, str]]:
        """Read a request line and its headers."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        named = (line.partition(":") for line in lines)
        return method, target, {name.strip().lower(): value.strip() for name, _, value in named}

    async def body(self, length: int) -> bytes:
        return await self.reader.readexactly(length) if length else b""

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """Say yes to a tunnel, and be its other end."""
        self.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        # No await between the two: the client's hello must reach TLS, not this reader.
        await self.writer.start_tls(context, ssl_handshake_timeout=60)

    async def send(self, answer: Answer, visit: LoggedRequest | None = None, *, bodyless: bool = False) -> None:
        """Send an answer, part by part."""
        if answer.wait:
            await self._pause(answer.wait)
        if bodyless:
            self.writer.write(answer.head)
        elif isinstance(answer.body, bytes):
            self.writer.write(answer.head + answer.body)
            if visit:
                visit.sent = len(answer.body)
        else:
            self.writer.write(answer.head)
            for part in answer.body:
                await self._part(part)
                if visit and isinstance(part, bytes):
                    visit.sent += len(part)
        await self.writer.drain()

    async def _part(self, part: Part) -> None:
        if isinstance(part, bytes):
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)  # draining alone lets nobody else run while the client reads fast
        elif isinstance(part, float):
            await self._pause(part)
        else:
            self.reset = part is End.RESET
            if self.reset:
                # Lingering for no time turns the close into a reset.
                peer = self.writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionEnded

    async def _pause(self, seconds: float) -> None:
        """Wait; a client that leaves meanwhile ends it (nobody sends two requests at once)."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return
        raise ConnectionEnded
