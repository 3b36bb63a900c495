"""A domain with many hosts gets only its share of the connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from harvest.models import Body, Refusal
from harvest.verdicts import Verdict
from harvest.web.domains import registrable_domain
from harvest.web.failure_verdicts import Failure
from harvest.web.host_scheduler import HostScheduler
from harvest.web.image_client import ImageClient, ImageLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FLOOD, GOOD, PLENTY = 48, 60, 600.0  # URLs, images, and a timeout in seconds that no test reaches


@pytest.mark.parametrize(
    ("hosts", "domain"),
    [
        (["example.com", "img7.example.com", "a.b.EXAMPLE.com."], "example.com"),
        (["example.co.uk", "img7.example.co.uk"], "example.co.uk"),
        (["cdn.example.com.au"], "example.com.au"),
        (["img.example.de"], "example.de"),
        (["a.github.io", "b.github.io"], "github.io"),
        (["localhost"], "localhost"),
        (["203.0.113.9", "203.0.113.200"], "203.0.113.0/24"),
        (["2001:db8:1:2::3", "2001:db8:1:ff::9"], "2001:db8:1::/48"),
    ],
)
def test_registrable_domain(hosts: list[str], domain: str) -> None:
    """Hosts belong to their registrable domain, and IP addresses to their network."""
    assert {registrable_domain(host) for host in hosts} == {domain}


class Web:
    """A server for every name: `/flood` begins a response and never finishes it, any other path returns a body.

    `most` is how many floods were open at once, by their host.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.most = 0
        self.wanted = 1
        self.reached = asyncio.Event()  # `wanted` floods are open

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the requests of one connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                if "/flood" in head.split(" ")[1]:
                    await self._flood(head.partition("Host: ")[2].split("\r\n")[0], writer, reader)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _flood(self, host: str, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        self.open[host] += 1
        self.most = max(self.most, self.open.total())
        if self.most >= self.wanted:
            self.reached.set()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\nx")
        try:
            await reader.readuntil(b"\r\n\r\n")  # until the client disconnects
        finally:
            self.open[host] -= 1


@asynccontextmanager
async def web(**limits: Any) -> AsyncIterator[tuple[Web, int, ImageClient]]:
    """Yield a server on loopback, its port, and a client for which every name resolves to it."""
    flood_server = Web()
    server = await asyncio.start_server(flood_server.meet, "127.0.0.1", 0, backlog=1000)
    try:
        async with ImageClient(
            limits=ImageLimits(**{"total": PLENTY, "pace": 0, **limits}),
            resolve=lambda _: ["127.0.0.1"],
            allowed=lambda _: True,
        ) as bodies:
            yield flood_server, server.sockets[0].getsockname()[1], bodies
    finally:
        server.close()


async def fetch(bodies: ImageClient, url: str) -> Body | Refusal:
    return await bodies.fetch(url)


async def flood_and_fetch(bodies: ImageClient, flood_server: Web, port: int, flooding: list[str]) -> int:
    """Fetch floods first and then good images; return how many floods have ended after that."""
    floods = [asyncio.create_task(fetch(bodies, url)) for url in flooding]
    await flood_server.reached.wait()
    async with asyncio.timeout(PLENTY / 10):
        good = [fetch(bodies, f"http://img.good{n % 20}.test:{port}/{n}.jpg") for n in range(GOOD)]
        results = await asyncio.gather(*good)
    assert all(isinstance(result, Body) for result in results)
    ended = sum(task.done() for task in floods)
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)
    return ended


NAMES = {
    "hosts of a domain": "h{n}.flood.test",
    "hosts of hosts": "h{n}.a{n}.flood.co.uk",
    "one host": "flood.test",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_flooding_domain_holds_its_share(name: str) -> None:
    """All good images finish while every flood still hangs, with at most a quarter of the connections."""

    async def run() -> None:
        async with web() as (flood_server, port, bodies):
            flooding = [f"http://{NAMES[name].format(n=n + 1)}:{port}/flood{n}" for n in range(FLOOD)]
            assert await flood_and_fetch(bodies, flood_server, port, flooding) == 0
            assert flood_server.most <= ImageLimits().connections // 4

    asyncio.run(run())


@pytest.mark.parametrize("connections", [2, 4, 8, 16, 64])
def test_half_of_the_connections_are_for_others(connections: int) -> None:
    """With few connections, too, one domain leaves half of them to others."""

    async def run() -> None:
        async with web(connections=connections) as (flood_server, port, bodies):
            flooding = [f"http://h{n}.flood.test:{port}/flood" for n in range(FLOOD)]
            assert await flood_and_fetch(bodies, flood_server, port, flooding) == 0
            assert flood_server.most <= connections // 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "most"), [("tse{n}.mm.bing.net", 16), ("farm{n}.staticflickr.com", 16), ("h{n}.example.test", 8)]
)
def test_networks_built_for_it_have_a_larger_share(host: str, most: int) -> None:
    """Image CDNs get twice as many connections as other domains."""

    async def run() -> None:
        async with web() as (flood_server, port, bodies):
            flood_server.wanted = most
            urls = [f"http://{host.format(n=n)}:{port}/flood" for n in range(FLOOD)]
            tasks = [asyncio.create_task(fetch(bodies, url)) for url in urls]
            async with asyncio.timeout(PLENTY / 10):
                await flood_server.reached.wait()
            await asyncio.sleep(0.2)  # time for a connection above the limit
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert flood_server.most == most

    asyncio.run(run())


def test_a_domain_that_finishes_nothing_is_parked() -> None:
    """Six unfinished images in a row park the domain: its other images end at once, with a message."""
    messages: list[str] = []

    async def run() -> list[Body | Refusal]:
        async with web(total=3.0) as (_, port, bodies):
            bodies._hosts._say = messages.append
            urls = [f"http://h{n}.flood.test:{port}/flood" for n in range(FLOOD)]
            results = await asyncio.gather(*(fetch(bodies, url) for url in urls))
            assert list(bodies.parked) == ["flood.test"]
            assert isinstance(await fetch(bodies, f"http://img.good.test:{port}/1.jpg"), Body)
            return results

    results = asyncio.run(run())
    verdicts = Counter(result.verdict for result in results if isinstance(result, Refusal))
    assert verdicts.keys() == {Verdict.TIMEOUT, Verdict.HOST_PARKED}
    assert verdicts[Verdict.TIMEOUT] < 2 * 8
    assert messages == [
        "flood.test did not finish sending 6 images in a row. Its other images are left for the next run."
    ]


UNFINISHED = Failure(Refusal(Verdict.TIMEOUT, "not finished"), is_transient=False, answered=True)
SILENT = Failure(Refusal(Verdict.TIMEOUT, "not finished"), is_transient=False, answered=False)


def park(*events: Failure | None) -> dict[str, str]:
    """Record the results of a domain's hosts, `None` for a success; return what is parked after them."""

    async def run() -> dict[str, str]:
        hosts = HostScheduler(ImageLimits(pace=0), clock=lambda: 0.0, sleep=asyncio.sleep, say=lambda _: None)
        for number, result in enumerate(events):
            async with hosts.request_slot(f"h{number}.slow.test") as host:
                if result is None:
                    host.record_success()
            if result is not None:
                hosts.record_failure(host.name, result)
        return hosts.parked

    return asyncio.run(run())


def test_an_image_that_finishes_starts_the_count_again() -> None:
    """A domain with a success now and then is not parked, nor one whose hosts do not respond at all."""
    assert park(*[UNFINISHED] * 6).keys() == {"slow.test"}
    assert park(*[UNFINISHED] * 5, None, *[UNFINISHED] * 5) == {}
    assert park(*[SILENT] * 20) == {}
