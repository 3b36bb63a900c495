"""A hostile server on loopback that sends scripted bytes at scripted times.

A scenario is a list of bytes to send, seconds to wait, and "reset" to reset the connection. A path has one
scenario, or a list of them, one for each request; the last one is repeated.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

Scenario = list[bytes | float | str]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Scenario:
    """Return the scenario of a correct server; `retry_after="3"` becomes a header."""
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return [f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body]


def trickle(pieces: bytes, seconds: float) -> Scenario:
    """Return a scenario that sends single bytes with a pause after each."""
    return [step for byte in pieces for step in (bytes([byte]), seconds)]


class HostileServer:
    """Listens in its own thread; `heads` are the requests received, `most` is the maximum of concurrent ones."""

    def __init__(self, routes: dict[str, Scenario | list[Scenario]], tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.connections = self.now = self.most = 0
        self._routes = {
            path: list(result) if isinstance(result[0], list) else [result] for path, result in routes.items()
        }
        self._tls = tls
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        self.place = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if self._tls else 'http'}://{self.place}"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    @property
    def targets(self) -> list[str]:
        """The requested paths, in order."""
        return [head.split(" ")[1] for head in self.heads]

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            self.now += 1
            self.most = max(self.most, self.now)
            scenarios = self._routes[head.split(" ")[1]]
            for step in scenarios.pop(0) if len(scenarios) > 1 else scenarios[0]:
                await self._do(step, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.now -= 1
            self._open.discard(task)
            writer.close()

    async def _do(self, step: bytes | float | str, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, str):
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        else:
            await asyncio.sleep(step)
