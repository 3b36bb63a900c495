"""The small Internet itself: what programs see of it is what the real one shows, or worse."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import flickrapi
import httpx
import imagehash
import numpy as np
import pytest
import requests
from bs4 import BeautifulSoup
from PIL import Image

from harvest.verdicts import COLUMNS, Verdict
from tests.command import GUARD, Running
from tests.guard.sitecustomize import STRAYS
from tests.internet.drawing import CHANGES
from tests.internet.internet_process import InternetProcess
from tests.web import BEHAVIOURS, LARGE, Answer, Internet, NetworkConditions, Photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web import ResultList

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"
BING = "https://www.bing.com/images/async"
FLICKR = "https://api.flickr.com/services/rest/"


@pytest.fixture
def session(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """Return a client that is configured like the program, by environment variables."""
    for name, value in internet.environ.items():
        monkeypatch.setenv(name, value)
    with requests.Session() as session:
        yield session


def anchors(page: str) -> list[dict[str, Any]]:
    return [json.loads(str(a["m"])) for a in BeautifulSoup(page, "html.parser").select("a.iusc")]


def results(page: str) -> list[dict[str, Any]]:
    return [about for about in anchors(page) if "mid" in about and "t" in about]


def following(page: str) -> list[str]:
    return [str(box["data-nexturl"]) for box in BeautifulSoup(page, "html.parser").select("[data-nexturl]")]


# ---- clients


def test_requests_httpx_and_aiohttp_are_led_here_by_their_environment(
    internet: Internet, session: requests.Session
) -> None:
    """The variables alone let each kind of client reach a host, with TLS verified."""
    (listing,) = internet.addresses(1)
    assert session.get(listing.url, timeout=60).content == listing.body
    assert httpx.get(listing.url).content == listing.body

    async def fetch() -> bytes:
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        connector = aiohttp.TCPConnector(ssl=context)
        async with (
            aiohttp.ClientSession(trust_env=True, connector=connector) as client,
            client.get(listing.url) as answer,
        ):
            return await answer.read()

    assert asyncio.run(fetch()) == listing.body
    assert internet.log.count(listing.url) == 3


def test_a_connection_is_kept(internet: Internet, session: requests.Session) -> None:
    """Many requests to a host use one connection."""
    result_list = internet.addresses(20, hosts=1)
    for url in result_list.urls:
        assert session.get(url, timeout=60).ok
    assert internet.log.most_connections == {"img0.pictures.test": 1}


def test_plain_http_is_served_too(internet: Internet, session: requests.Session) -> None:
    """A host without https is reached through the same proxy."""
    (listing,) = internet.addresses(1, plain=1)
    assert listing.url.startswith("http://")
    assert session.get(listing.url, timeout=60).content == listing.body


def test_a_name_that_nobody_has(internet: Internet, session: requests.Session) -> None:
    """An unknown host ends at the proxy, and the log names it."""
    (listing,) = internet.addresses(1, nowhere=1)
    with pytest.raises(requests.exceptions.ProxyError):
        session.get(listing.url, timeout=60)
    assert internet.log.unknown == {"nowhere.pictures.test": 1}


@pytest.mark.parametrize("behaviour", ["expired", "misnamed", "selfsigned"])
def test_a_bad_certificate_is_refused(internet: Internet, session: requests.Session, behaviour: str) -> None:
    """A verifying client refuses a host with an invalid certificate."""
    (listing,) = internet.addresses(1, **{behaviour: 1})
    with pytest.raises(requests.exceptions.SSLError):
        session.get(listing.url, timeout=60)
    assert not internet.log.visits


def test_the_log_knows_how_many_came_at_once(internet: Internet, session: requests.Session) -> None:
    """Concurrent requests are counted by host."""
    internet.conditions = NetworkConditions(latency=0.2)
    result_list = internet.addresses(8, hosts=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: session.get(url, timeout=60).content, result_list.urls))
    assert internet.log.most_at_once == {"img0.pictures.test": 4, "img1.pictures.test": 4}


def test_a_site_of_a_tests_own(internet: Internet, session: requests.Session) -> None:
    """A test can add a site in one line."""
    internet.sites["my.test"] = lambda request: Answer(request.headers["user-agent"].encode())
    assert session.get("https://my.test/", headers={"User-Agent": "me"}, timeout=60).text == "me"


# ---- pictures


def test_a_photo_is_the_same_everywhere_and_no_other_looks_like_it() -> None:
    """Photos depend only on their number, and their perceptual hashes differ widely."""
    photos = [Photo(number) for number in range(500)]
    assert Photo(7).body == photos[7].body
    hashes = np.array([_hash(photo.body) for photo in photos], dtype=np.uint64)
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    assert distances[~np.eye(len(hashes), dtype=bool)].min() > 8
    assert 15_000 < np.mean([len(photo.body) for photo in photos]) < 30_000


def test_a_large_photo_weighs_what_a_cameras_does() -> None:
    """The images of the benchmark have 2-3 megapixels in about 0.4 MB."""
    body = Photo(3, LARGE).body
    assert _image(body).size == LARGE
    assert 350_000 < len(body) < 450_000


@pytest.mark.parametrize("change", ["smaller", "rough", "webp", "larger"])
def test_a_twin_looks_like_its_original(change: str) -> None:
    """A changed copy has nearly the hash of its original."""
    for number in range(20):
        photo = Photo(number)
        assert (_hash(photo.body) ^ _hash(photo.changed(change))).bit_count() <= 4


def test_every_change_can_be_opened() -> None:
    """Each kind of change gives a valid image."""
    for change in CHANGES:
        _image(Photo(1).changed(change))


# ---- what hosts do


def test_every_behaviour_is_served(internet: Internet, session: requests.Session) -> None:
    """Each behaviour can be listed, has a host of its name and a verdict."""
    result_list = internet.addresses(len(BEHAVIOURS), **dict.fromkeys(BEHAVIOURS, 1))
    assert {listing.behaviour for listing in result_list} == set(BEHAVIOURS)
    assert all(listing.behaviour in listing.url for listing in result_list if listing.behaviour != "good")
    kept = [listing for listing in result_list if listing.verdict is Verdict.KEPT]
    for listing in kept:
        while not (answer := session.get(listing.url, timeout=60)).ok:
            assert answer.status_code in {429, 503}
        _image(answer.content)
    assert len(kept) > 5


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("stall", httpx.ReadTimeout),
        ("freeze", httpx.ReadTimeout),
        ("reset", httpx.TransportError),
        ("short", httpx.RemoteProtocolError),
        ("cut", httpx.RemoteProtocolError),
    ],
)
def test_a_transfer_that_fails(
    internet: Internet, session: requests.Session, behaviour: str, error: type[Exception]
) -> None:
    """Stalls, resets and short bodies fail with their own errors."""
    del session  # httpx reads the same environment
    (listing,) = internet.addresses(1, **{behaviour: 1})
    with pytest.raises(error):
        httpx.get(listing.url, timeout=0.5)


@pytest.mark.parametrize(("behaviour", "status"), [("dead", 404), ("gone", 410), ("forbidden", 403), ("down", 500)])
def test_a_refusal_has_its_status(internet: Internet, session: requests.Session, behaviour: str, status: int) -> None:
    """Dead links have the right status."""
    (listing,) = internet.addresses(1, **{behaviour: 1})
    assert session.get(listing.url, timeout=60).status_code == status


def test_an_endless_body_stops_when_the_client_leaves(internet: Internet, session: requests.Session) -> None:
    """The log has the bytes sent before the client disconnected."""
    (listing,) = internet.addresses(1, endless=1)
    with session.get(listing.url, timeout=60, stream=True) as answer:
        next(answer.iter_content(2**20))
    (visit,) = internet.log.to("endless.*")
    _until(lambda: visit.finished)
    assert 2**20 <= visit.sent < 2**24


def test_a_drip_is_a_byte_a_second(internet: Internet, session: requests.Session) -> None:
    """A slow body can exceed a total time while each pause stays short."""
    (listing,) = internet.addresses(1, drip=1)
    with session.get(listing.url, timeout=60, stream=True) as answer:
        first = answer.raw.read(1)
    assert first == listing.body[:1]
    (visit,) = internet.log.to("drip.*")
    assert visit.sent < 3


@pytest.mark.parametrize("behaviour", ["private", "metadata"])
def test_a_private_address_is_answered(internet: Internet, session: requests.Session, behaviour: str) -> None:
    """A redirect to a private address is answered with a valid image, and the log shows the request."""
    (listing,) = internet.addresses(1, **{behaviour: 1})
    _image(session.get(listing.url, timeout=60).content)
    assert [visit.host for visit in internet.log.visits][1] in {"127.0.0.1", "169.254.169.254"}


def test_conditions_are_the_same_for_the_same_addresses(internet: Internet, session: requests.Session) -> None:
    """Latency applies to every answer, and the expected counts include dead links."""
    internet.conditions = NetworkConditions(latency=0.01, dead=0.3)
    result_list = internet.addresses(40)
    began = time.monotonic()
    dead = sum(session.get(url, timeout=60).status_code == 404 for url in result_list.urls)
    assert time.monotonic() - began >= 40 * 0.01
    assert 0 < dead < 40
    assert internet.expected(result_list) == {"new": 40 - dead, "dead": dead}


def test_a_stall_is_drawn_anew_for_each_attempt(internet: Internet, session: requests.Session) -> None:
    """A stalled request may succeed when it is repeated."""
    internet.conditions = NetworkConditions(stalls=0.5)
    (listing,) = internet.addresses(1)
    fates = [internet.conditions.is_stalled(listing.url, attempt) for attempt in range(1, 20)]
    assert len(set(fates)) == 2
    with ThreadPoolExecutor(1) as pool:
        for stalls in fates[: fates.index(not fates[0]) + 1]:
            limit = 1 if stalls else 60
            future = pool.submit(session.get, listing.url, timeout=limit)
            assert (type(future.exception()) is requests.exceptions.ReadTimeout) == stalls


# ---- the truth


def test_the_truth_adds_up(internet: Internet) -> None:
    """The expected counts contain every listing once, by the columns of the summary."""
    corals = internet.bing.add_results("coral snake", 40, dead=3, html=2, tiny=1, changed=4, copy=2, flaky=1)
    kings = internet.flickr.add_results("king snake", 10, also=corals.listings[:5])
    expected = internet.expected(corals, kings)
    assert expected.total() == len(corals) + len(kings) == 55
    assert set(expected) <= set(COLUMNS)
    assert expected == {"new": 38, "dup": 6, "dead": 3, "bad": 2, "small": 1, "had": 5}


def test_two_internets_filled_alike_are_alike() -> None:
    """Everything depends only on the order in which results are added."""
    first, second = (_two_classes(Internet()) for _ in range(2))
    assert first == second
    assert [listing.body for listing in first.of("good")[:5]] == [x.body for x in second.of("good")[:5]]


def test_a_shelf_that_cannot_be(internet: Internet) -> None:
    """Too many special listings, unknown kinds, and hosts that Flickr does not have are refused."""
    with pytest.raises(ValueError, match="2 listings cannot be"):
        internet.bing.add_results("snake", 2, dead=3)
    with pytest.raises(ValueError, match="no kind daed; there are animated"):
        internet.bing.add_results("snake", 2, daed=1)
    with pytest.raises(ValueError, match="hosts cannot be expired"):
        internet.flickr.add_results("snake", 2, expired=1)


def test_a_query_of_any_script(internet: Internet, session: requests.Session) -> None:
    """A query may contain non-ASCII and special characters."""
    result_list = internet.bing.add_results('змея {n} <b> "&"', 3)
    page = session.get(BING, params={"q": 'змея {n} <b> "&"'}, timeout=60).text
    assert [about["murl"] for about in results(page)] == result_list.urls
    assert session.get(result_list[0].url, timeout=60).content == result_list[0].body


# ---- Bing


def test_bing_pages_through_a_shelf_and_repeats_its_last_page(internet: Internet, session: requests.Session) -> None:
    """Following data-nextUrl gives every listing in order, then the last page forever."""
    result_list = internet.bing.add_results("corn snake", 80)
    internet.bing.never_ends = True
    url, pages = f"{BING}?q=corn+snake&first=1&count=35", []
    for _ in range(4):
        page = session.get(url, timeout=60).text
        pages.append([about["murl"] for about in results(page)])
        url = "https://www.bing.com" + following(page)[0]
    assert [url for page in pages[:3] for url in page] == result_list.urls
    assert pages[3] == result_list.urls[-35:]


def test_bing_says_the_end(internet: Internet, session: requests.Session) -> None:
    """The last page has an empty data-nextUrl."""
    internet.bing.add_results("corn snake", 10)
    page = session.get(BING, params={"q": "corn snake"}, timeout=60).text
    assert following(page) == ["", ""]


def test_bings_related_items_are_no_results(internet: Internet, session: requests.Session) -> None:
    """A page has anchors of the same class that lack a title and an id."""
    internet.bing.add_results("corn snake", 10)
    page = session.get(BING, params={"q": "corn snake"}, timeout=60).text
    assert len(anchors(page)) == 13
    assert len(results(page)) == 10


def test_bings_anchors_have_the_shape_of_the_recorded_ones(internet: Internet, session: requests.Session) -> None:
    """Our anchors have all fields of a recorded one, with width and height in the same place."""
    recorded = RECORDINGS / "bing" / "images_search_2026-04.html"
    if not recorded.exists():
        pytest.skip("the recordings are not at hand")
    theirs = results(recorded.read_text("utf-8"))[0]
    internet.bing.add_results("corn snake", 10)
    page = session.get(BING, params={"q": "corn snake"}, timeout=60).text
    assert theirs.keys() - {"shkey"} <= results(page)[0].keys()
    assert "exph=320&amp;expw=400" in page


def test_bings_thumbnails_are_there(internet: Internet, session: requests.Session) -> None:
    """`turl` gives the image at half its size."""
    internet.bing.add_results("corn snake", 3)
    page = session.get(BING, params={"q": "corn snake"}, timeout=60).text
    thumbnail = _image(session.get(results(page)[0]["turl"], timeout=60).content)
    assert thumbnail.size == (200, 160)


def test_bings_moods_come_and_go(internet: Internet, session: requests.Session) -> None:
    """A mode starts after a number of searches, lasts for a number, and is not a page of results."""
    internet.bing.add_results("corn snake", 10)
    internet.bing.set_mode("blocked", after=1, times=1)
    internet.bing.set_mode("limited", after=2, times=1, retry_after="7")
    internet.bing.set_mode("changed", after=3)
    answers = [session.get(BING, params={"q": "corn snake"}, timeout=60) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200]
    assert [len(results(answer.text)) for answer in answers] == [10, 0, 0, 0, 0]
    assert BeautifulSoup(answers[1].text, "html.parser").select_one("div.captcha")
    assert answers[2].headers["Retry-After"] == "7"
    assert "murl" in answers[3].text
    internet.bing.reset_mode()
    assert len(results(session.get(BING, params={"q": "corn snake"}, timeout=60).text)) == 10


def test_bing_says_that_there_is_nothing(internet: Internet, session: requests.Session) -> None:
    """An unknown query has a page without results, which differs from an empty response."""
    page = session.get(BING, params={"q": "unicorn"}, timeout=60).text
    assert "There are no results for <strong>unicorn</strong>" in page
    internet.bing.set_mode("hiccup", times=1)
    assert session.get(BING, params={"q": "unicorn"}, timeout=60).text == ""
    assert internet.bing.searches == 2


def test_an_unknown_mood(internet: Internet) -> None:
    """An unknown mode is refused with a list of the known ones."""
    with pytest.raises(ValueError, match="barren, bloated, blocked"):
        internet.bing.set_mode("merry")


# ---- Flickr


def ask(session: requests.Session, internet: Internet, **fields: str | int) -> dict[str, Any]:
    call: dict[str, str | int] = {
        "method": "flickr.photos.search",
        "format": "json",
        "nojsoncallback": 1,
        "text": "snake",
    }
    call |= {"api_key": internet.flickr.key, **fields}
    answer: dict[str, Any] = session.get(FLICKR, params=call, timeout=60).json()
    return answer


def test_flickr_pages_and_serves_its_renditions(internet: Internet, session: requests.Session) -> None:
    """The requested extras are present, and their URLs give the image in its sizes."""
    result_list = internet.flickr.add_results("snake", 30)
    extras = "license,url_l,url_m,o_dims"
    pages = [ask(session, internet, page=page, per_page=20, extras=extras)["photos"] for page in (1, 2)]
    assert [(page["pages"], int(page["total"]), len(page["photo"])) for page in pages] == [
        (2, 30, 20),
        (2, 30, 10),
    ]
    photos = pages[0]["photo"] + pages[1]["photo"]
    assert [photo["url_l"] for photo in photos] == result_list.urls
    assert session.get(photos[0]["url_l"], timeout=60).content == result_list[0].body
    assert _image(session.get(photos[0]["url_m"], timeout=60).content).size == (200, 160)
    assert "description" not in photos[0]


def test_flickrs_pictures_have_behaviours_too(internet: Internet, session: requests.Session) -> None:
    """On Flickr's single host each image behaves as its listing says."""
    result_list = internet.flickr.add_results("snake", 3, dead=1, changed=1)
    answers = {listing.behaviour: session.get(listing.url, timeout=60) for listing in result_list if not listing.change}
    assert answers["dead"].status_code == 404
    assert answers["good"].content == result_list.of("good")[0].photo.body


def test_flickr_wants_its_key(internet: Internet, session: requests.Session) -> None:
    """A wrong key is HTTP 200 with error 100."""
    internet.flickr.add_results("snake", 3)
    assert ask(session, internet, api_key="wrong")["code"] == 100


def test_flickr_checks_signatures_as_flickrapi_writes_them(internet: Internet, session: requests.Session) -> None:
    """A call signed with the secret is answered; one with another secret is refused."""
    del session  # flickrapi reads the same environment
    internet.flickr.add_results("micrurus tener -king", 3)
    api, stranger = (
        flickrapi.FlickrAPI(internet.flickr.key, secret, format="parsed-json")
        for secret in (internet.flickr.secret, "wrong")
    )
    assert len(api.photos.search(text="micrurus tener -king")["photos"]["photo"]) == 3
    with pytest.raises(flickrapi.FlickrError, match="96: Invalid signature"):
        stranger.photos.search(text="micrurus tener -king")


def test_flickr_reaches_4000_of_a_search_and_all_by_dates(internet: Internet, session: requests.Session) -> None:
    """Pages beyond the cap repeat, and ranges of upload dates reach the photos there."""
    internet.flickr.add_results("snake", 4600)
    far = [ask(session, internet, per_page=500, page=page)["photos"] for page in (8, 9, 10)]
    assert int(far[0]["total"]) == 4600
    assert far[0]["photo"] == far[1]["photo"] == far[2]["photo"]
    halves = [{"max_upload_date": 1_500_000_000}, {"min_upload_date": 1_500_000_001}]
    totals = [int(ask(session, internet, **half)["photos"]["total"]) for half in halves]
    assert sum(totals) == 4600
    assert max(totals) < 4000


def test_flickr_narrows_by_licence(internet: Internet, session: requests.Session) -> None:
    """`license` takes several numbers."""
    internet.flickr.add_results("snake", 5, licence=12)
    assert int(ask(session, internet, license="4,12")["photos"]["total"]) == 5
    assert int(ask(session, internet, license="4,5")["photos"]["total"]) == 0


def test_flickrs_moods(internet: Internet, session: requests.Session) -> None:
    """It can refuse the key, exceed its quota, and send a total without a list."""
    internet.flickr.add_results("snake", 5)
    internet.flickr.set_mode("expired", times=1)
    internet.flickr.set_mode("listless", after=1, times=1)
    internet.flickr.set_mode("quota", after=2)
    assert ask(session, internet)["message"] == "Invalid API Key (Key has expired)"
    assert "photo" not in ask(session, internet)["photos"]
    fields = {"method": "flickr.photos.search", "format": "json", "nojsoncallback": "1"}
    answer = session.get(FLICKR, params={**fields, "api_key": internet.flickr.key, "text": "snake"}, timeout=60)
    assert answer.status_code == 429


# ---- another process, and the guard


def _two_classes(internet: Internet) -> ResultList:
    internet.flickr.add_results("king snake", 5)
    return internet.bing.add_results("coral snake", 20, dead=2, changed=3)


def test_apart_is_the_same_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process serves what this one lists, and its log can be read."""
    with InternetProcess(_two_classes) as internet:
        for name, value in internet.environ.items():
            monkeypatch.setenv(name, value)
        result_list = internet.bing.result_lists["coral snake"]
        with requests.Session() as session:
            page = session.get(BING, params={"q": "coral snake"}, timeout=60).text
            assert [about["murl"] for about in results(page)] == result_list.urls
            assert session.get(result_list.of("good")[0].url, timeout=60).content == result_list.of("good")[0].body
        assert len(internet.seen().to("www.bing.com")) == 1
        assert internet.seen().count(result_list.of("good")[0].url) == 1


def test_a_test_cannot_leave_loopback(on_loopback: list[str]) -> None:
    """A lookup or connection beyond this machine is refused and fails the test."""
    with pytest.raises(OSError, match=r"must not leave loopback: socket.getaddrinfo www\.bing\.com"):
        socket.getaddrinfo("www.bing.com", 443)
    with socket.socket() as client, pytest.raises(OSError, match=r"socket.connect 192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))
    assert on_loopback == ["socket.getaddrinfo www.bing.com", "socket.connect 192.0.2.1"]
    on_loopback.clear()
    assert socket.getaddrinfo("localhost", 80)


def test_a_command_cannot_leave_loopback(tmp_path: Path) -> None:
    """The guard also works in commands that tests start, and records their attempts."""
    strays = tmp_path / "strays"
    program = "import socket; socket.create_connection(('www.bing.com', 443))"
    environ = {**os.environ, "PYTHONPATH": str(GUARD), STRAYS: str(strays)}
    ran = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=False)
    assert b"must not leave loopback" in ran.stderr
    assert strays.read_text("utf-8") == "socket.getaddrinfo www.bing.com\n"


def test_a_command_tells_what_it_said_and_needed(tmp_path: Path) -> None:
    """A run has its exit code, both output streams and its peak memory."""
    program = (
        "import sys, time; kept = b'x' * 50_000_000; print(len(kept)); print('oh', file=sys.stderr);"
        "time.sleep(1); sys.exit(3)"
    )
    ran = Running([sys.executable, "-c", program], tmp_path, os.environ, tmp_path).wait()
    assert (ran.code, ran.out, ran.err) == (3, "50000000\n", "oh\n")
    assert sys.platform != "linux" or 50_000_000 < ran.peak_memory < 100_000_000


def test_a_command_that_hangs_fails_the_test(tmp_path: Path) -> None:
    """After its time limit a command is killed, and its output is shown."""
    program = "import time; print('still here', file=__import__('sys').stderr, flush=True); time.sleep(60)"
    running = Running([sys.executable, "-c", program], tmp_path, os.environ, tmp_path)
    _until(lambda: running.messages)
    with pytest.raises(AssertionError, match="still running after 1 s; it said:\nstill here"):
        running.wait(timeout=1)
    assert running.process.returncode


def _image(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image.convert("RGB")


def _hash(body: bytes) -> int:
    return int(str(imagehash.phash(_image(body))), 16)


def _until(true: Any, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
