"""Image hosts on loopback for the benches: JPEGs of realistic size, made in memory as they are requested.

The hosts are ports of one separate process, so that a program sees several servers, as on the web. They
record when each image was sent, by a clock that all processes share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.internet.drawing import LARGE, Photo, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
HOSTS = 8
EDGE = (
    0.1  # share of the images at either end of a run that is left out: programs start there, or wait for the last ones
)


class Hosts:
    """The hosts as seen from outside: URLs to download, and how fast they were downloaded."""

    def __init__(self, pictures: int, size: tuple[int, int] = LARGE) -> None:
        self._pictures = pictures
        self._size = size

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.bench.hosts", *map(str, self._size)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._ports: list[int] = json.loads(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    @property
    def urls(self) -> list[str]:
        """One URL per image, taken from the hosts in turn."""
        return [f"http://127.0.0.1:{self._ports[number % HOSTS]}/{number}.jpg" for number in range(self._pictures)]

    def departures(self) -> list[float]:
        """Return when images were sent since the last call."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self._ports[0]}/departures") as answer:
            times: list[float] = json.load(answer)
        return times


def inner(times: Sequence[float]) -> Sequence[float]:
    """Return when images were sent, without those at either end of the run."""
    return times[round(len(times) * EDGE) : round(len(times) * (1 - EDGE))]


class _Host(asyncio.Protocol):
    """One connection."""

    def __init__(self, size: tuple[int, int], times: list[float]) -> None:
        self._size = size
        self._times = times
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        while b"\r\n\r\n" in self._asked:
            head, _, self._asked = self._asked.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        name = head.split(b" ", 2)[1][1:].decode()
        status = b"200 OK"
        if name == "departures":
            body = json.dumps(self._times).encode()
            self._times.clear()
        elif not name.endswith(".jpg"):  # robots.txt and the like
            status, body = b"404 Not Found", b""
        else:
            body = Photo(int(name.removesuffix(".jpg")) + 1, self._size).body  # takes 0.1 ms; 20,000 would be 8 GB
            self._times.append(time.monotonic())
        closing = b"connection: close" in head.lower()
        self._transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n%s\r\n"
            % (status, len(body), b"Connection: close\r\n" if closing else b"")
        )
        self._transport.write(body)
        if closing:
            self._transport.close()


async def _serve(size: tuple[int, int]) -> None:
    prepare(size)
    times: list[float] = []
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: _Host(size, times), "127.0.0.1", 0, backlog=1000) for _ in range(HOSTS)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)  # the bench has ended, in whatever way
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("width", "height"):
        parser.add_argument(name, type=int)
    asyncio.run(_serve(tuple(vars(parser.parse_args()).values())))
