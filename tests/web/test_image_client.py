"""Image downloads and hostile servers: each fault ends in its verdict, within the limits."""

from __future__ import annotations

import asyncio
import gzip
import threading
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from harvest.errors import UsageError
from harvest.models import Body, Refusal
from harvest.verdicts import Verdict
from harvest.web.address_policy import is_public
from harvest.web.host_scheduler import HostScheduler
from harvest.web.image_client import ImageClient, ImageLimits
from tests.web_server import HostileServer, Scenario, answer, trickle

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

MiB = 2**20
GONE = answer(status="404 Not Found")
TEN_YEARS = 10 * 365 * 86400


class FakeTime:
    """A clock that advances only while something sleeps; `clock` reads it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Return the current time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Advance the clock, and return at once."""
        self.now += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)


def gather(urls: list[str], **options: Any) -> list[Body | Refusal]:
    """Fetch several URLs at the same time; every address on loopback counts as public."""
    fake = FakeTime()
    options = {
        "allowed": lambda ip: ip == "127.0.0.1",
        "resolve": lambda _: ["127.0.0.1"],
        "sleep": fake.sleep,
        "jitter": lambda: 0.0,
        **options,
    }

    async def run() -> list[Body | Refusal]:
        async with ImageClient(**options) as bodies:
            results = list(await asyncio.gather(*(one(bodies, url) for url in urls)))
        if any(url.startswith("https:") for url in urls):
            await asyncio.sleep(0.25)  # TLS sends its closing message before the socket is closed
        return results

    async def one(bodies: ImageClient, url: str) -> Body | Refusal:
        return await bodies.fetch(url)

    return asyncio.run(run())


def fetch(url: str, **options: Any) -> Body | Refusal:
    return gather([url], **options)[0]


def verdict(url: str, **options: Any) -> Verdict | str:
    result = fetch(url, **options)
    return result.verdict if isinstance(result, Refusal) else "body"


def serve(scenario: Scenario | list[Scenario], **more: Scenario) -> HostileServer:
    return HostileServer({"/a.jpg": scenario, **{f"/{name}.jpg": scenario for name, scenario in more.items()}})


# ---- requests and responses of an ordinary server


def test_body_as_it_is() -> None:
    """The body is returned unchanged, with its URL after redirects."""
    with serve(answer(status="302 Found", location="/b.jpg"), b=answer(b"\xff\xd8picture")) as server:
        assert fetch(f"{server.url}/a.jpg") == Body(b"\xff\xd8picture", f"{server.url}/b.jpg")


def test_honest_request() -> None:
    """The request has a User-Agent, asks for no compression, and names the page of the image as Referer."""

    async def run(url: str) -> None:
        async with ImageClient(allow_private=True) as bodies:
            await bodies.fetch(url, referer="http://page.example/ü#top")

    with serve(answer(b"x")) as server:
        asyncio.run(run(f"{server.url}/a.jpg"))
        head = server.heads[0].lower()
    assert "user-agent: classharvest/" in head
    assert "accept-encoding: identity" in head
    assert "referer: http://page.example/%c3%bc\r\n" in head
    assert "cookie" not in head


@pytest.mark.parametrize("page", ["", "javascript:alert(1)", "https://page.example/", "http://a:b@page.example/"])
def test_an_unsafe_referer_is_not_sent(page: str) -> None:
    """A Referer that is invalid, contains a password, or is https for an http image, is not sent."""

    async def run(url: str) -> None:
        async with ImageClient(allow_private=True) as bodies:
            assert isinstance(await bodies.fetch(url, referer=page), Body)

    with serve(answer(b"x")) as server:
        asyncio.run(run(f"{server.url}/a.jpg"))
        assert "referer" not in server.heads[0].lower()


def test_address_is_sent_as_written() -> None:
    """Escapes reach the server as written, so that a signed URL stays valid."""
    target = "/x%2Fy%7Ez%3D?sig=a%2Bb%3D%3D&q=c,d%2C"
    with HostileServer({target: answer(b"x")}) as server:
        assert isinstance(fetch(server.url + target), Body)
        assert server.targets == [target]


def test_no_cookies_are_kept() -> None:
    """No cookie is sent back to the server of an image."""
    scenario = answer(b"x", set_cookie="id=1; Path=/")
    with serve(scenario) as server:
        gather([f"{server.url}/a.jpg"] * 3, limits=ImageLimits(per_host=1, pace=0))
        assert not any("cookie" in head.lower() for head in server.heads)


def test_bytes_are_counted() -> None:
    """`bytes_read` counts all received bytes, also of bodies that were refused."""

    async def run(url: str) -> int:
        async with ImageClient(allow_private=True, limits=ImageLimits(body=1000)) as bodies:
            await bodies.fetch(f"{url}/a.jpg")
            await bodies.fetch(f"{url}/b.jpg")
            return bodies.bytes_read

    endless: Scenario = [b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1500]
    with serve(answer(b"x" * 700), b=endless) as server:
        assert asyncio.run(run(server.url)) == 2200


@pytest.mark.parametrize(
    ("status", "expected"),
    [("404 Not Found", "gone"), ("403 Forbidden", "gone"), ("410 Gone", "gone"), ("304 Not Modified", "gone"),
     ("204 No Content", "gone"), ("206 Partial Content", "broken_transfer"), ("302 Found", "gone")],
)  # fmt: skip
def test_final_status(status: str, expected: str) -> None:
    """A response without an image is final, and not tried again."""
    with serve(answer(b"", status)) as server:
        assert verdict(f"{server.url}/a.jpg") == expected
        assert len(server.heads) == 1


# ---- DNS


def test_N01_unknown_name() -> None:
    """A name that does not resolve is `dns`, and an unknown name is not tried again."""
    asked = []

    def resolve(name: str) -> list[str]:
        asked.append(name)
        raise socket_error(-2)

    assert verdict("http://img.example.test/a.jpg", resolve=resolve) == Verdict.DNS
    assert len(asked) == 1
    assert verdict("http://img.example.test/a.jpg", resolve=lambda _: []) == Verdict.DNS


def test_N01_lookup_fails_for_now() -> None:
    """A lookup with a temporary failure is tried again."""
    answers: list[list[str]] = [[], ["127.0.0.1"]]

    def resolve(_: str) -> list[str]:
        return answers.pop(0) or raise_again()

    with serve(answer(b"x")) as server:
        assert verdict(f"http://img.example.test:{server.port}/a.jpg", resolve=resolve) == "body"


def test_N01_hanging_lookup() -> None:
    """A lookup that hangs ends at its deadline, and does not delay other hosts."""
    release, ended = threading.Event(), []

    def resolve(name: str) -> list[str]:
        if name.startswith("hangs"):
            ended.append(release.wait(60))
        return ["127.0.0.1"]

    hanging = [f"http://hangs{n}.example.test/a.jpg" for n in range(40)]
    with serve(answer(b"x")) as server:
        good = f"http://img.example.test:{server.port}/a.jpg"
        results = gather([*hanging, good], resolve=resolve, limits=ImageLimits(dns=3, attempts=1, connections=64))
        assert not ended
    release.set()
    assert {result.verdict for result in results[:-1] if isinstance(result, Refusal)} == {Verdict.DNS}
    assert isinstance(results[-1], Body)


# ---- slow and broken transfers


@pytest.mark.parametrize("where", ["head", "body"])
def test_N02_slow_loris(where: str) -> None:
    """A response of one byte at a time, in the head or the body, ends at the deadline of the image."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    scenario = trickle(head * 9, 0.02) if where == "head" else [head, *trickle(b"x" * 1000, 0.02)]
    with serve(scenario) as server:
        assert verdict(f"{server.url}/a.jpg", limits=ImageLimits(idle=0.5, total=1)) == Verdict.TIMEOUT


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ([5.0], Verdict.TIMEOUT),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 5.0], Verdict.TIMEOUT),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "reset"], Verdict.BROKEN_TRANSFER),
        (["reset"], Verdict.BROKEN_TRANSFER),
        ([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], Verdict.BROKEN_TRANSFER),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"], Verdict.BROKEN_TRANSFER),
    ],
    ids=["stall before the head", "stall in the body", "reset in the body", "reset", "not HTTP", "huge head"],
)
def test_N03_stall_and_reset(scenario: Scenario, expected: Verdict) -> None:
    """A stall or a reset is tried three times, then recorded."""
    with serve(scenario) as server:
        assert verdict(f"{server.url}/a.jpg", limits=ImageLimits(idle=1 if 5.0 in scenario else 10)) == expected
        assert len(set(server.heads)) == 1
        assert len(server.heads) in {3, 6}  # aiohttp itself retries once on a closed connection


def test_N03_better_the_second_time() -> None:
    """After a reset the next attempt returns the image."""
    with serve([["reset"], [60.0], answer(b"x")]) as server:
        assert verdict(f"{server.url}/a.jpg", limits=ImageLimits(first_idle=1, idle=20)) == "body"


def test_N03_the_timeout_grows() -> None:
    """A stalled request is soon tried again, and a slow response is received in the end."""
    slow = [1.5, *answer(b"x")]
    with serve([[60.0], slow, slow]) as server:
        assert verdict(f"{server.url}/a.jpg", limits=ImageLimits(first_idle=0.1, idle=20)) == Verdict.TIMEOUT
    with serve([[60.0], [60.0], slow]) as server:
        assert verdict(f"{server.url}/a.jpg", limits=ImageLimits(first_idle=1, idle=20)) == "body"


def test_N03_the_timeout_follows_the_usual_response_time() -> None:
    """A stalled request to a fast host is tried again long before the timeout of a slow host."""
    limits = ImageLimits(first_idle=60, idle=60, least_idle=0.2, total=20, per_host=1, pace=0)
    with serve(answer(b"x"), b=[[60.0], answer(b"y")]) as server:
        urls = [f"{server.url}/a.jpg", f"{server.url}/b.jpg"]
        assert all(isinstance(result, Body) for result in gather(urls, limits=limits))
        assert server.targets[:3] == ["/a.jpg", "/b.jpg", "/b.jpg"]


def test_N03_a_pause_in_a_body_is_not_a_stall() -> None:
    """Once a response has begun, a body may pause for longer than the response timeout."""
    limits = ImageLimits(first_idle=20, least_idle=0.1, per_host=1, pace=0)
    [whole] = answer(b"xy")
    with serve(answer(b"x"), b=[whole[:-1], 0.5, whole[-1:]]) as server:
        urls = [f"{server.url}/a.jpg", f"{server.url}/b.jpg"]
        assert all(isinstance(result, Body) for result in gather(urls, limits=limits))
        assert server.targets == ["/a.jpg", "/b.jpg"]


def test_N03_nobody_listens() -> None:
    """A port without a server is `unreachable`."""
    with serve(answer(b"x")) as server:
        pass
    assert verdict(f"{server.url}/a.jpg") == Verdict.UNREACHABLE


@pytest.mark.parametrize(
    "scenario",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
    ],
    ids=["short", "cut in a chunk", "no last chunk"],
)
def test_N04_short_body(scenario: Scenario) -> None:
    """An incomplete body is never returned; it is tried again."""
    with serve(scenario) as server:
        assert verdict(f"{server.url}/a.jpg") == Verdict.BROKEN_TRANSFER
        assert len(server.heads) == 3
    with serve([scenario, answer(b"whole")]) as server:
        assert fetch(f"{server.url}/a.jpg") == Body(b"whole", f"{server.url}/a.jpg")


# ---- waits and retries


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("7", 7, 7),
        ("120", 120, 120),
        ("0", 0, 0),
        ("soon", 1, 1),
        ("-5", 1, 1),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=110), usegmt=True), 60, 110),
        (lambda: format_datetime(datetime.now(UTC) - timedelta(days=60), usegmt=True), 0, 0),
    ],
    ids=["seconds", "cap", "none", "garbage", "negative", "date", "past date"],
)
def test_N05_retry_after(asked: str | Callable[[], str], least: float, most: float) -> None:
    """The wait that a host asks for is obeyed, up to two minutes; an invalid one is an ordinary failure."""
    fake = FakeTime()
    header = asked if isinstance(asked, str) else asked()
    with serve([answer(status="429 Slow Down", retry_after=header), answer(b"x")]) as server:
        url = f"{server.url}/a.jpg"
        assert verdict(url, clock=fake.clock, sleep=fake.sleep, limits=ImageLimits(pace=0)) == "body"
    assert least <= sum(fake.slept) <= max(most, 0.5)  # at least the slower pace after a refusal


@pytest.mark.parametrize(
    ("status", "refused"),
    [("429 Too Many Requests", Verdict.RATE_LIMITED), ("503 Service Unavailable", Verdict.SERVER_ERROR)],
)
@pytest.mark.parametrize("asked", ["121", str(TEN_YEARS), "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_N05_too_much_to_ask(asked: str, status: str, refused: Verdict) -> None:
    """A host that asks for more than two minutes is parked with the images not requested yet; others continue."""
    messages: list[str] = []
    refusal = answer(status=status, retry_after=asked)
    with HostileServer({f"/{n}.jpg": refusal for n in range(50)}) as busy, serve(answer(b"x")) as other:
        urls = [*(f"{busy.url}/{n}.jpg" for n in range(50)), f"{other.url}/a.jpg"]
        fake = FakeTime()
        results = gather(urls, say=messages.append, clock=fake.clock, sleep=fake.sleep)
        requested = len(busy.heads)
    assert requested <= 4
    verdicts = Counter(result.verdict for result in results[:-1] if isinstance(result, Refusal))
    assert verdicts == {refused: requested, Verdict.HOST_PARKED: 50 - requested}
    assert len(results) == 51
    assert isinstance(results[-1], Body)
    assert sum(fake.slept) < 5
    assert len(messages) == 1
    assert busy.place in messages[0]
    assert "asks to wait" in messages[0]


def test_N05_the_host_waits_not_the_picture() -> None:
    """The pause that a host asks for applies to all of its images, and no deadline runs during it."""
    fake = FakeTime()
    scenario = [answer(status="429 Slow Down", retry_after="100")] * 2 + [answer(b"x")]
    with HostileServer({"/a.jpg": scenario, "/b.jpg": answer(b"x")}) as server:
        results = gather(
            [f"{server.url}/a.jpg", f"{server.url}/b.jpg"],
            clock=fake.clock,
            sleep=fake.sleep,
            limits=ImageLimits(per_host=1, total=60),
        )
    assert all(isinstance(result, Body) for result in results)
    assert fake.now >= 200


def test_N05_refused_again_and_again() -> None:
    """A host that refuses three times in a row, with a pause after each, is parked."""
    fake = FakeTime()
    with HostileServer({f"/{n}.jpg": answer(status="429 No") for n in range(20)}) as server:
        urls = [f"{server.url}/{n}.jpg" for n in range(20)]
        results = gather(urls, clock=fake.clock, sleep=fake.sleep)
        assert len(server.heads) <= 12
    assert {each.verdict for each in results if isinstance(each, Refusal)} == {
        Verdict.RATE_LIMITED,
        Verdict.HOST_PARKED,
    }


def test_N06_backoff() -> None:
    """A failing server is tried again after about 1 and 2 seconds, and the image is downloaded."""
    fake = FakeTime()
    failing = answer(status="500 Oops")
    with serve([failing, failing, answer(b"x")]) as server:
        url = f"{server.url}/a.jpg"
        assert verdict(url, sleep=fake.sleep, jitter=lambda: 0.5, limits=ImageLimits(pace=0)) == "body"
        assert len(server.heads) == 3
    assert fake.slept == [1.25, 2.5]


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Busy", "504 Late", "408 Request Timeout"])
def test_N06_failing_for_good(status: str) -> None:
    """A server that keeps failing gets three attempts."""
    with serve(answer(status=status)) as server:
        assert verdict(f"{server.url}/a.jpg") == Verdict.SERVER_ERROR
        assert len(server.heads) == 3


def test_silent_host_is_parked() -> None:
    """A host that never responds is parked after a few images, not after all five hundred."""
    with serve(answer(b"x")) as server:
        pass
    urls = [f"{server.url}/{n}.jpg" for n in range(100)]
    results = gather(urls, limits=ImageLimits(pace=0, strikes=3))
    verdicts = [result.verdict for result in results if isinstance(result, Refusal)]
    assert 3 <= verdicts.count(Verdict.UNREACHABLE) <= 6
    assert verdicts.count(Verdict.HOST_PARKED) == 100 - verdicts.count(Verdict.UNREACHABLE)


def test_dead_links_do_not_park_a_host() -> None:
    """A host that answers 404 a hundred times is not parked."""
    with HostileServer({f"/{n}.jpg": GONE for n in range(30)}) as server:
        results = gather([f"{server.url}/{n}.jpg" for n in range(30)], limits=ImageLimits(pace=0, strikes=3))
    assert {result.verdict for result in results if isinstance(result, Refusal)} == {Verdict.GONE}


# ---- bytes


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "GZIP", "aws-chunked", "x"])
def test_N07_any_encoding(encoding: str) -> None:
    """A body with a Content-Encoding is refused, complete or not: none was requested."""
    with serve(answer(gzip.compress(b"x" * 1000)[:15], content_encoding=encoding)) as server:
        assert verdict(f"{server.url}/a.jpg") == Verdict.ENCODED
        assert len(server.heads) == 1


def test_N07_identity_is_accepted() -> None:
    """`Content-Encoding: identity` is accepted."""
    with serve(answer(b"x", content_encoding="identity")) as server:
        assert verdict(f"{server.url}/a.jpg") == "body"


def test_N08_compression_bomb() -> None:
    """A compression bomb is not decompressed, with or without a label, and takes no memory."""
    bomb = gzip.compress(gzip.compress(bytes(50 * MiB), 9), 9)
    with serve(answer(bomb, content_encoding="gzip, gzip"), b=answer(bomb)) as server:
        peak, results = peak_of(lambda: gather([f"{server.url}/a.jpg", f"{server.url}/b.jpg"]))
    assert results[0] == Refusal(Verdict.ENCODED, "Content-Encoding: gzip, gzip")
    assert results[1] == Body(bomb, f"{server.url}/b.jpg")
    assert peak < 4 * MiB


def test_N08_memory_of_the_largest_body() -> None:
    """The largest allowed body takes less than twice its size in memory."""
    piece = bytes(64 * 1024)
    with serve([b"HTTP/1.1 200 OK\r\n\r\n", *[piece] * 256]) as server:
        peak, result = peak_of(lambda: fetch(f"{server.url}/a.jpg", limits=ImageLimits(body=16 * MiB)))
    assert isinstance(result, Body)
    assert len(result.data) == 16 * MiB
    assert peak < 2 * 16 * MiB


def test_N09_endless_body() -> None:
    """An endless stream is cut at the limit, and is `too_big`."""
    with serve([b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(64 * 1024)] * 10_000]) as server:
        peak, result = peak_of(lambda: fetch(f"{server.url}/a.jpg", limits=ImageLimits(body=2 * MiB)))
    assert isinstance(result, Refusal)
    assert result.verdict == Verdict.TOO_BIG
    assert peak < 2 * 2 * MiB


def test_N09_endless_bodies_at_once() -> None:
    """Of many large bodies only a few are read at the same time; the others wait."""
    limits = ImageLimits(body=4 * MiB, large=64 * 1024, large_at_once=2, per_host=16, pace=0)
    with serve([b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(64 * 1024)] * 1000]) as server:
        peak, results = peak_of(lambda: gather([f"{server.url}/a.jpg"] * 16, limits=limits))
    assert {result.verdict for result in results if isinstance(result, Refusal)} == {Verdict.TOO_BIG}
    assert len(results) == 16
    assert peak < 16 * 4 * MiB / 2


@pytest.mark.parametrize("declared", [str(25 * MiB + 1), "9" * 18])
def test_N10_lying_length(declared: str) -> None:
    """A declared length above the limit is refused before a byte is read."""

    async def run(url: str) -> None:
        async with ImageClient(allow_private=True) as bodies:
            result = await bodies.fetch(url)
            assert isinstance(result, Refusal)
            assert result.verdict == Verdict.TOO_BIG
            assert bodies.bytes_read == 0

    with serve([f"HTTP/1.1 200 OK\r\nContent-Length: {declared}\r\n\r\n".encode(), b"x" * 100, 5.0]) as server:
        asyncio.run(run(f"{server.url}/a.jpg"))


# ---- redirects and private addresses


def test_N11_redirect_loop() -> None:
    """A redirect loop ends after five redirects."""
    with serve(answer(status="302 Found", location="/a.jpg")) as server:
        assert verdict(f"{server.url}/a.jpg") == Verdict.TOO_MANY_REDIRECTS
        assert len(server.heads) == 6


def test_N11_fifty_hops() -> None:
    """A chain of fifty redirects ends after five, and one of five succeeds."""
    chain = {f"/{n}": answer(status="301 Moved", location=f"{n + 1}") for n in range(50)}
    with HostileServer({**chain, "/50": answer(b"x")}) as server:
        assert verdict(f"{server.url}/0") == Verdict.TOO_MANY_REDIRECTS
        assert verdict(f"{server.url}/45") == "body"


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://example.org/a", "data:image/gif;base64,R0lGOD", "javascript:alert(1)",
     "http://[::1", "http://me:pw@example.org/", "gopher://127.0.0.1:70/"],
)  # fmt: skip
def test_N12_redirect_to_another_scheme(location: str) -> None:
    """A redirect to anything but http or https is refused."""
    with serve(answer(status="302 Found", location=location)) as server:
        assert verdict(f"{server.url}/a.jpg") == Verdict.BAD_ADDRESS


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "localhost", "10.0.0.1", "0.0.0.0",
     "169.254.169.254", "100.64.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[fe80::1]",
     "[64:ff9b::7f00:1]"],
)  # fmt: skip
def test_N13_private_address(host: str) -> None:
    """A private address in any form is refused, at once or by redirect, and no packet is sent."""
    with serve(answer(b"secret")) as inside:
        url = f"http://{host}:{inside.port}/a.jpg"
        assert verdict(url, allowed=is_public) == Verdict.BLOCKED_ADDRESS
        with serve(answer(status="302 Found", location=url)) as outside:
            result = verdict(f"{outside.url}/a.jpg", allowed=is_public, trusted={outside.place})
            assert result == Verdict.BLOCKED_ADDRESS
        assert inside.connections == 0


def test_N13_default_rule() -> None:
    """By default only public addresses are allowed."""

    async def run(url: str) -> Body | Refusal:
        async with ImageClient(resolve=lambda _: ["127.0.0.1"]) as bodies:
            return await bodies.fetch(url)

    with serve(answer(b"secret")) as server:
        result = asyncio.run(run(f"http://rebound.example.test:{server.port}/a.jpg"))
        assert isinstance(result, Refusal)
        assert result.verdict == Verdict.BLOCKED_ADDRESS
        assert "127.0.0.1" in result.detail
        assert server.connections == 0


def test_N13_allow_private() -> None:
    """`allow_private` allows private addresses, for image servers in a home network."""

    async def run(url: str) -> Body | Refusal:
        async with ImageClient(allow_private=True) as bodies:
            return await bodies.fetch(url)

    with serve(answer(b"x")) as server:
        assert isinstance(asyncio.run(run(f"{server.url}/a.jpg")), Body)


def test_N14_rebinding() -> None:
    """A name is resolved once, and the connection goes to the checked address."""
    asked = []
    answers = [["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]]

    def resolve(name: str) -> list[str]:
        asked.append(name)
        return answers.pop(0)

    with serve(answer(b"x")) as server:
        assert verdict(f"http://img.example.test:{server.port}/a.jpg", resolve=resolve) == "body"
        assert asked == ["img.example.test"]
        assert f"host: img.example.test:{server.port}" in server.heads[0].lower()


@pytest.mark.parametrize("answers", [["127.0.0.1", "10.0.0.1"], ["::1", "127.0.0.1"], ["fe80::1%1"], ["nonsense"]])
def test_N14_mixed_answers(answers: list[str]) -> None:
    """One private address among those of a name refuses it, without any connection."""
    with serve(answer(b"x")) as server:
        url = f"http://img.example.test:{server.port}/a.jpg"
        assert verdict(url, resolve=lambda _: answers) == Verdict.BLOCKED_ADDRESS
        assert server.connections == 0


def test_N14_every_redirect_is_resolved() -> None:
    """The host of a redirect is resolved and checked too."""
    known = {"one.example.test": ["127.0.0.1"], "two.example.test": ["192.168.0.1"]}
    with serve(answer(status="302 Found", location="http://two.example.test/a.jpg")) as server:
        url = f"http://one.example.test:{server.port}/a.jpg"
        assert verdict(url, resolve=known.__getitem__) == Verdict.BLOCKED_ADDRESS


# ---- TLS and proxies


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, name: str, **options: Any) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **options).configure_cert(context)
    return context


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_N15_own_authority(
    variable: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of the user's own authority is accepted for its name only."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
    with HostileServer({"/a.jpg": answer(b"x")}, certified(authority, "img.example.test")) as server:
        assert verdict(f"https://img.example.test:{server.port}/a.jpg") == "body"
        assert verdict(f"https://other.example.test:{server.port}/a.jpg") == Verdict.TLS


@pytest.mark.parametrize("fault", ["unknown", "expired"])
def test_N15_bad_certificate(
    fault: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expired or untrusted certificate is `tls` and final, and no option changes that."""
    options = {}
    if fault == "expired":
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        options["not_after"] = datetime.now(UTC) - timedelta(days=1)
    tls = certified(authority, "img.example.test", **options)
    with HostileServer({"/a.jpg": answer(b"x")}, tls) as server:
        url = f"https://img.example.test:{server.port}/a.jpg"
        assert verdict(url, allow_private=True) == Verdict.TLS
        assert server.connections <= 1
        assert not server.heads


def test_N15_unreadable_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing certificate file is an error with the variable that names it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        fetch("https://img.example.test/a.jpg")


@pytest.mark.parametrize("how", ["option", "environment"])
def test_N16_proxy(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is used, with its password, and one message says that it resolves names itself."""
    messages: list[str] = []
    route = "http://img.example.test/a.jpg"
    with HostileServer({route: answer(b"x")}) as proxy:
        address = f"http://me:secret@127.0.0.1:{proxy.port}"
        options: dict[str, Any] = {"say": messages.append, "allowed": lambda _: False}
        if how == "option":
            options["proxy"] = address
        else:
            monkeypatch.setenv("HTTP_PROXY", address)
        results = gather([route, route], **options)
        assert all(isinstance(result, Body) for result in results)
        assert "proxy-authorization: basic bwu6c2vjcmv0" in proxy.heads[0].lower()
    assert len(messages) == 1
    assert f"http://127.0.0.1:{proxy.port}" in messages[0]
    assert "secret" not in messages[0]


def test_N16_private_addresses_through_a_proxy() -> None:
    """With a proxy, literal private addresses are still refused, without a request to the proxy."""
    with HostileServer({"http://x/": GONE}) as proxy:
        for host in ("127.0.0.1", "127.1", "10.0.0.1", "[::1]", "localhost", "2130706433"):
            result = verdict(f"http://{host}/a.jpg", proxy=proxy.url, allowed=lambda _: False)
            assert result == Verdict.BLOCKED_ADDRESS
        assert proxy.connections == 0


def test_N16_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts of `NO_PROXY` get direct connections, with the full check, and so do trusted servers."""
    with HostileServer({"http://x/": GONE}) as proxy, serve(answer(b"x")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "example.test")
        url = f"http://img.example.test:{server.port}/a.jpg"
        assert verdict(url) == "body"
        assert verdict(url, allowed=lambda _: False) == Verdict.BLOCKED_ADDRESS
        assert verdict(f"{server.url}/a.jpg", allowed=lambda _: False, trusted={server.place}) == "body"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [(answer(status="502 Bad Gateway"), "unreachable"), (answer(status="407 Who Are You"), "unreachable")],
)
def test_N16_proxy_cannot(scenario: Scenario, expected: str) -> None:
    """A proxy that cannot reach a host is not a verdict on the image."""
    with HostileServer({"img.example.test:443": scenario}) as proxy:
        assert verdict("https://img.example.test/a.jpg", proxy=proxy.url) == expected


@pytest.mark.parametrize("proxy", ["garbage", "socks5://127.0.0.1:1080", "http://", "ftp://x", "http://[::1"])
def test_N16_unusable_proxy(proxy: str) -> None:
    """An unsupported proxy is an error, and is never silently bypassed."""
    with pytest.raises(UsageError, match="--proxy"):
        ImageClient(proxy=proxy)


# ---- headers of an image


def test_N17_content_type_is_advisory() -> None:
    """A page served as an image, or an image as text, is returned unchanged: its bytes decide later."""
    with serve(answer(b"<html>", content_type="image/jpeg"), b=answer(b"\xff\xd8", content_type="text/html")) as server:
        assert fetch(f"{server.url}/a.jpg") == Body(b"<html>", f"{server.url}/a.jpg")
        assert fetch(f"{server.url}/b.jpg") == Body(b"\xff\xd8", f"{server.url}/b.jpg")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("noai", "opted_out"),
        ("NoImageAI", "opted_out"),
        ("noindex, nofollow", "opted_out"),
        ("nofollow, noimageindex", "opted_out"),
        ("none", "opted_out"),
        ("classharvest: noindex", "opted_out"),
        ("ClassHarvest: nofollow, noai", "opted_out"),
        ("otherbot: nofollow\r\nX-Robots-Tag: noai", "opted_out"),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", "opted_out"),
        ("otherbot: noindex", "body"),
        ("otherbot: noindex, noai", "body"),
        ("classharvest: nofollow, otherbot: noindex", "body"),
        ("nofollow, max-image-preview: none", "body"),
        ("all", "body"),
        ("", "body"),
    ],
)
def test_N19_opted_out(tag: str, expected: str) -> None:
    """An image whose server opts out is refused; directives for other robots are ignored."""
    with serve(answer(b"x", x_robots_tag=tag)) as server:
        assert verdict(f"{server.url}/a.jpg") == expected
        assert verdict(f"{server.url}/a.jpg", obey_opt_out=False) == "body"


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("content_usage", "train-ai=n", "opted_out"),
        ("content_usage", "search=y,train-ai=n;from=owner", "opted_out"),
        ("content_usage", "search=y\r\nContent-Usage: train-ai=n", "opted_out"),
        ("content_usage", "train-ai=n, train-ai=y", "body"),
        ("content_usage", "train-ai=y, ai-use=n", "body"),
        ("content_usage", "TRAIN-AI=N", "body"),
        ("content_usage", 'note="train-ai=n, train-ai=n"', "body"),
        ("content_usage", '"' * 5000, "body"),
        ("tdm_reservation", "1", "opted_out"),
        ("tdm_reservation", "0", "body"),
        ("tdm_reservation", "2", "body"),
    ],
)
def test_a_header_that_speaks_of_training_is_an_opt_out(header: str, value: str, expected: str) -> None:
    """`Content-Usage: train-ai=n` and `tdm-reservation: 1` refuse an image, other values of them do not."""
    with serve(answer(b"x", **{header: value})) as server:
        assert verdict(f"{server.url}/a.jpg") == expected
        assert verdict(f"{server.url}/a.jpg", obey_opt_out=False) == "body"


def test_the_header_is_in_the_detail_of_the_refusal() -> None:
    """The refusal names the header that was met."""
    with serve(answer(b"x", content_usage="train-ai=n")) as server:
        assert fetch(f"{server.url}/a.jpg") == Refusal(Verdict.OPTED_OUT, "Content-Usage: train-ai=n")


# ---- many at once


def test_N20_four_at_once() -> None:
    """One host never gets more than four requests at once, and does not delay other hosts."""
    slow = {f"/{n}.jpg": [0.05, *answer(b"x")] for n in range(40)}
    with HostileServer(slow) as crowded, serve(answer(b"x")) as other:
        order: list[str] = []

        async def run() -> None:
            async with ImageClient(allow_private=True) as bodies:
                urls = [*(f"{crowded.url}/{n}.jpg" for n in range(40)), f"{other.url}/a.jpg"]
                await asyncio.gather(*(one(bodies, url) for url in urls))

        async def one(bodies: ImageClient, url: str) -> None:
            assert isinstance(await bodies.fetch(url), Body)
            order.append(url)

        asyncio.run(run())
        assert crowded.most == 4
        assert order.index(f"{other.url}/a.jpg") < 8


@pytest.mark.parametrize(
    ("host", "most"),
    [
        ("img.example.org", 4),
        ("live.staticflickr.com", 8),
        ("tse3.mm.bing.net", 8),
        ("inaturalist-open-data.s3.amazonaws.com", 8),
        ("another-bucket.s3.amazonaws.com", 4),
        ("upload.wikimedia.org", 2),
        ("live.staticflickr.com.example.org", 4),
        ("mystaticflickr.com", 4),
        ("wikimedia.org.example.org", 4),
    ],
)
def test_N20_places_of_known_hosts(host: str, most: int) -> None:
    """Image CDNs get eight requests at once, hosts that ask for two get two, others get four."""
    with HostileServer({f"/{n}.jpg": [0.05, *answer(b"x")] for n in range(24)}) as server:
        urls = [f"http://{host}:{server.port}/{n}.jpg" for n in range(24)]
        assert all(isinstance(result, Body) for result in gather(urls, limits=ImageLimits(pace=0)))
        assert server.most == most


@pytest.mark.parametrize(("host", "seconds"), [("img.example.org", 2.5), ("live.staticflickr.com", 1.25)])
def test_N20_pace_of_known_hosts(host: str, seconds: float) -> None:
    """An image CDN gets twice the rate, and no more."""
    fake = FakeTime()
    with HostileServer({f"/{n}.jpg": answer(b"x") for n in range(6)}) as server:
        urls = [f"http://{host}:{server.port}/{n}.jpg" for n in range(6)]
        gather(urls, clock=fake.clock, sleep=fake.sleep, limits=ImageLimits(pace=0.5))
    assert fake.now == pytest.approx(seconds)


def test_N20_known_host_that_refuses() -> None:
    """A host that refuses is slowed down and then parked, even an image CDN."""
    fake = FakeTime()
    with HostileServer({f"/{n}.jpg": answer(status="429 No") for n in range(60)}) as server:
        urls = [f"http://live.staticflickr.com:{server.port}/{n}.jpg" for n in range(60)]
        results = gather(urls, clock=fake.clock, sleep=fake.sleep)
        assert len(server.heads) <= 24
    assert {each.verdict for each in results if isinstance(each, Refusal)} == {
        Verdict.RATE_LIMITED,
        Verdict.HOST_PARKED,
    }


def test_N20_redirects_wait_for_their_host_too() -> None:
    """Redirects from many hosts to one respect its limit."""
    with HostileServer({f"/{n}": [0.05, *answer(b"x")] for n in range(12)}) as crowded:
        routes = {f"/{n}": answer(status="302 Found", location=f"{crowded.url}/{n}") for n in range(12)}
        with HostileServer(routes) as one, HostileServer(routes) as two, HostileServer(routes) as three:
            urls = [f"{(one, two, three)[n % 3].url}/{n}" for n in range(12)]
            results = gather(urls, limits=ImageLimits(pace=0))
        assert all(isinstance(result, Body) for result in results)
        assert crowded.most <= 4


def test_N20_pace() -> None:
    """Requests to one host keep its pace; those to another host do not wait for it."""
    fake = FakeTime()
    with HostileServer({f"/{n}.jpg": answer(b"x") for n in range(6)}) as server:
        gather(
            [f"{server.url}/{n}.jpg" for n in range(6)],
            clock=fake.clock,
            sleep=fake.sleep,
            limits=ImageLimits(pace=0.5),
        )
    assert fake.now == pytest.approx(2.5)


def test_N20_connections_in_all() -> None:
    """All hosts together get no more than the allowed connections."""
    scenario = {"/a.jpg": [0.1, *answer(b"x")]}
    with HostileServer(scenario) as server:
        urls = [f"http://host.example{n}.test:{server.port}/a.jpg" for n in range(30)]
        assert all(isinstance(result, Body) for result in gather(urls, limits=ImageLimits(connections=5)))
        assert server.most == 5


def test_place_is_held_while_a_body_is_used() -> None:
    """Inside `async with` a body holds its connection slot, which limits the bodies in memory."""

    async def run(url: str) -> None:
        async with ImageClient(allow_private=True, limits=ImageLimits(connections=1, pace=0)) as bodies:
            async with bodies.fetch(url) as first:
                assert isinstance(first, Body)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await bodies.fetch(url)
            assert isinstance(await bodies.fetch(url), Body)
            assert isinstance(await bodies.fetch(url), Body)

    with serve(answer(b"x")) as server:
        asyncio.run(run(f"{server.url}/a.jpg"))


def test_cancelled_fetch_leaves_nothing() -> None:
    """A cancelled fetch releases its slots."""

    async def run(url: str) -> None:
        async with ImageClient(allow_private=True, limits=ImageLimits(connections=1, per_host=1, pace=0)) as bodies:
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await bodies.fetch(f"{url}/a.jpg")
            assert isinstance(await bodies.fetch(f"{url}/b.jpg"), Body)

    with serve([5.0], b=answer(b"x")) as server:
        asyncio.run(run(server.url))


def test_hosts_are_forgotten() -> None:
    """A run over very many hosts keeps only those with state."""

    async def run() -> int:
        fake = FakeTime()
        hosts = HostScheduler(ImageLimits(pace=0), clock=fake.clock, sleep=fake.sleep, say=print)
        for number in range(5000):
            async with hosts.request_slot(f"host{number}.example.org") as host:
                if number == 7:
                    host.park("asks for a year")
        assert hosts.parked == {"host7.example.org": "asks for a year"}
        return len(hosts._hosts)

    assert asyncio.run(run()) <= 1024


def peak_of(work: Callable[[], Any]) -> tuple[int, Any]:
    """Return the peak memory of a function, and its result."""
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def socket_error(number: int) -> OSError:
    import socket  # noqa: PLC0415

    return socket.gaierror(number, "not known")


def raise_again() -> list[str]:
    raise socket_error(-3)


# ---- responses and URLs that a library cannot handle


def test_X08_a_reason_phrase_in_latin_1_is_ignored() -> None:
    """A status line whose reason is not UTF-8 is accepted: its number decides."""
    body = [b"HTTP/1.1 200 D\xe9j\xe0 vu\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"]
    gone = [b"HTTP/1.1 404 Trouv\xe9 rien\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    with serve(body, b=gone) as server:
        assert verdict(f"{server.url}/a.jpg") == "body"
        assert verdict(f"{server.url}/b.jpg") == Verdict.GONE


@pytest.mark.parametrize("host", ["xn--0.test", "img.xn--99999999.test", "xn--a-0000000000.test"])
def test_X08_a_host_that_is_not_an_a_label_is_refused(host: str) -> None:
    """A label that starts with xn-- and is not Punycode is a bad URL, also in a redirect."""
    with serve(answer(status="302 Found", location=f"http://{host}/b.jpg")) as server:
        assert verdict(f"http://{host}/a.jpg") == Verdict.BAD_ADDRESS
        assert verdict(f"{server.url}/a.jpg") == Verdict.BAD_ADDRESS


@pytest.mark.parametrize("host", ["xn--ls8h.test", "xn--a.test", "xn--strae-oqa.test", "img.xn--zz--.test"])
def test_X08_a_host_that_idna_2008_forbids_is_fetched_from(host: str) -> None:
    """A name that DNS resolves is used, even if IDNA does not allow it today: an emoji."""
    with serve(answer(b"x")) as server:
        assert verdict(f"http://{host}:{server.port}/a.jpg") == "body"
        assert f"host: {host}:{server.port}" in server.heads[0].lower()


def test_X07_an_exception_of_a_lookup_is_raised() -> None:
    """An exception of a lookup is raised in its caller, long before the deadline."""

    def resolve(_: str) -> list[str]:
        raise ZeroDivisionError("in the works")

    with pytest.raises(ZeroDivisionError, match="in the works"):
        verdict("http://img.example.test/a.jpg", resolve=resolve, limits=ImageLimits(dns=600))
