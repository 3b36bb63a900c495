"""One domain with many hosts: it holds its share of the connections, and no more."""

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

FLOOD, GOOD, PLENTY = 48, 60, 600.0  # addresses, images, and seconds that no run of these tests needs


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
    """Hosts belong to the name somebody registered, and literal addresses to their network."""
    assert {registrable_domain(host) for host in hosts} == {domain}


class Web:
    """A server for every name: `/flood` begins an answer and never ends it, anything else is a body.

    `most` is how many floods were open at once, by their host.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.most = 0
        self.wanted = 1
        self.reached = asyncio.Event()  # `wanted` floods are open

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
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
            await reader.readuntil(b"\r\n\r\n")  # until the client goes
        finally:
            self.open[host] -= 1


@asynccontextmanager
async def web(**limits: Any) -> AsyncIterator[tuple[Web, int, ImageClient]]:
    """Give a web on loopback, its port, and bodies for which every name leads there."""
    told = Web()
    server = await asyncio.start_server(told.meet, "127.0.0.1", 0, backlog=1000)
    try:
        async with ImageClient(
            limits=ImageLimits(**{"total": PLENTY, "pace": 0, **limits}),
            resolve=lambda _: ["127.0.0.1"],
            allowed=lambda _: True,
        ) as bodies:
            yield told, server.sockets[0].getsockname()[1], bodies
    finally:
        server.close()


async def fetch(bodies: ImageClient, url: str) -> Body | Refusal:
    return await bodies.fetch(url)


async def flood_and_fetch(bodies: ImageClient, told: Web, port: int, flooding: list[str]) -> int:
    """Fetch floods first and good images after them; return how many floods have ended by then."""
    floods = [asyncio.create_task(fetch(bodies, url)) for url in flooding]
    await told.reached.wait()
    async with asyncio.timeout(PLENTY / 10):
        good = [fetch(bodies, f"http://img.good{n % 20}.test:{port}/{n}.jpg") for n in range(GOOD)]
        ends = await asyncio.gather(*good)
    assert all(isinstance(end, Body) for end in ends)
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
    """Good images all finish while every flooding one still hangs, of which a quarter is open at most."""

    async def run() -> None:
        async with web() as (told, port, bodies):
            flooding = [f"http://{NAMES[name].format(n=n + 1)}:{port}/flood{n}" for n in range(FLOOD)]
            assert await flood_and_fetch(bodies, told, port, flooding) == 0
            assert told.most <= ImageLimits().connections // 4

    asyncio.run(run())


@pytest.mark.parametrize("connections", [2, 4, 8, 16, 64])
def test_half_of_the_connections_are_for_others(connections: int) -> None:
    """Also with few downloads at a time, one domain leaves half of them to others."""

    async def run() -> None:
        async with web(connections=connections) as (told, port, bodies):
            flooding = [f"http://h{n}.flood.test:{port}/flood" for n in range(FLOOD)]
            assert await flood_and_fetch(bodies, told, port, flooding) == 0
            assert told.most <= connections // 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "most"), [("tse{n}.mm.bing.net", 16), ("farm{n}.staticflickr.com", 16), ("h{n}.example.test", 8)]
)
def test_networks_built_for_it_have_a_larger_share(host: str, most: int) -> None:
    """The domains that hand out images in bulk may have twice as many connections as any other."""

    async def run() -> None:
        async with web() as (told, port, bodies):
            told.wanted = most
            urls = [f"http://{host.format(n=n)}:{port}/flood" for n in range(FLOOD)]
            tasks = [asyncio.create_task(fetch(bodies, url)) for url in urls]
            async with asyncio.timeout(PLENTY / 10):
                await told.reached.wait()
            await asyncio.sleep(0.2)  # time for one too many
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert told.most == most

    asyncio.run(run())


def test_a_domain_that_finishes_nothing_is_left_alone() -> None:
    """Six images in a row that were begun and not finished end the domain's others at once, and say so."""
    said: list[str] = []

    async def run() -> list[Body | Refusal]:
        async with web(total=3.0) as (_, port, bodies):
            bodies._hosts._say = said.append
            urls = [f"http://h{n}.flood.test:{port}/flood" for n in range(FLOOD)]
            ends = await asyncio.gather(*(fetch(bodies, url) for url in urls))
            assert list(bodies.parked) == ["flood.test"]
            assert isinstance(await fetch(bodies, f"http://img.good.test:{port}/1.jpg"), Body)
            return ends

    ends = asyncio.run(run())
    verdicts = Counter(end.verdict for end in ends if isinstance(end, Refusal))
    assert verdicts.keys() == {Verdict.TIMEOUT, Verdict.HOST_PARKED}
    assert verdicts[Verdict.TIMEOUT] < 2 * 8
    assert said == ["flood.test did not finish sending 6 images in a row. Its other images are left for the next run."]


UNFINISHED = Failure(Refusal(Verdict.TIMEOUT, "not finished"), is_transient=False, answered=True)
SILENT = Failure(Refusal(Verdict.TIMEOUT, "not finished"), is_transient=False, answered=False)


def park(*events: Failure | None) -> dict[str, str]:
    """Let images of a domain's hosts end, `None` being a good answer; return what is left alone after it."""

    async def run() -> dict[str, str]:
        hosts = HostScheduler(ImageLimits(pace=0), clock=lambda: 0.0, sleep=asyncio.sleep, say=lambda _: None)
        for number, end in enumerate(events):
            async with hosts.request_slot(f"h{number}.slow.test") as host:
                if end is None:
                    host.record_success()
            if end is not None:
                hosts.record_failure(host.name, end)
        return hosts.parked

    return asyncio.run(run())


def test_an_image_that_finishes_starts_the_count_again() -> None:
    """A domain that answers well now and then is not left alone, nor one whose hosts do not answer at all."""
    assert park(*[UNFINISHED] * 6).keys() == {"slow.test"}
    assert park(*[UNFINISHED] * 5, None, *[UNFINISHED] * 5) == {}
    assert park(*[SILENT] * 20) == {}
