"""The rules of hosts: asked for once, shared, kept for a day, and fetched under the guards of images."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from harvest.models import Body, Refusal
from harvest.settings_and_cache_files import cache_file
from harvest.verdicts import Verdict
from harvest.web.host_rules_cache import DAY, HostRules, HostRulesCache
from harvest.web.image_client import ImageClient, ImageLimits
from harvest.web.robots_txt import parse_robots_txt
from harvest.web.tdm_reservation import parse_reservations
from tests.web_server import HostileServer, Scenario, answer

if TYPE_CHECKING:
    from pathlib import Path

ROBOTS, TDMREP = "/robots.txt", "/.well-known/tdmrep.json"
GONE = answer(status="404 Not Found")
NO_TRAINING = answer(b"User-agent: *\nContent-Usage: train-ai=n\n")
RESERVED = answer(b'[{"location": "/free/", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]')


def serve(robots: Scenario = GONE, tdmrep: Scenario = GONE, **images: Scenario) -> HostileServer:
    images = images or {"a": answer(b"x")}
    return HostileServer({ROBOTS: robots, TDMREP: tdmrep, **{f"/{name}.jpg": image for name, image in images.items()}})


def fetch(urls: list[str], file: Path, **options: Any) -> list[Body | Refusal]:
    """Fetch several URLs at the same time; loopback counts as public."""
    options = {"allowed": lambda ip: ip == "127.0.0.1", "resolve": lambda _: ["127.0.0.1"], **options}
    cache = options.pop("cache", None) or HostRulesCache(file)

    async def run() -> list[Body | Refusal]:
        async with ImageClient(host_rules=cache, **options) as client:
            return list(await asyncio.gather(*(one(client, url) for url in urls)))

    async def one(client: ImageClient, url: str) -> Body | Refusal:
        return await client.fetch(url)

    return asyncio.run(run())


def results(found: list[Body | Refusal]) -> list[str]:
    return [each.verdict if isinstance(each, Refusal) else "body" for each in found]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "hosts.json"


def test_an_image_of_a_host_that_forbids_training_is_not_requested(file: Path) -> None:
    """The robots.txt is read first: the image it forbids is not requested, and the refusal names the line."""
    with serve(NO_TRAINING) as server:
        (refusal,) = fetch([f"{server.url}/a.jpg"], file)

        assert refusal == Refusal(Verdict.OPTED_OUT, "robots.txt: Content-Usage: train-ai=n")
        assert sorted(server.targets) == [TDMREP, ROBOTS]


def test_many_images_of_a_host_share_two_requests(file: Path) -> None:
    """Fifty images at the same time cost two requests more than fifty."""
    images = {f"n{number}": answer(b"x") for number in range(50)}
    with serve(**images) as server:
        found = fetch([f"{server.url}/{name}.jpg" for name in images], file, limits=ImageLimits(pace=0))

        assert results(found) == ["body"] * 50
        assert len(server.targets) == 52


def test_the_rules_are_kept_for_a_day(file: Path) -> None:
    """The next run asks a host again only when a day has passed."""
    with serve(NO_TRAINING) as server:
        for hours, requests in ((0, 2), (23, 2), (25, 4)):
            cache = HostRulesCache(file, now=lambda hours=hours: 1e9 + hours * 3600)
            assert results(fetch([f"{server.url}/a.jpg"], file, cache=cache)) == ["opted_out"]
            assert len(server.targets) == requests


@pytest.mark.parametrize(
    "robots",
    [
        GONE,
        answer(status="500 Internal Server Error"),
        answer(status="403 Forbidden"),
        answer(NO_TRAINING[0], content_encoding="gzip"),
        [b"HTTP/1.1 200 OK\r\n", "reset"],
        answer(status="302 Found", location="http://127.0.0.2/robots.txt"),
        answer(status="302 Found", location="file:///etc/passwd"),
        answer(status="302 Found", location=ROBOTS),
        answer(b"\xff\xd8\xff" * 1000),
    ],
    ids=["missing", "error", "forbidden", "encoded", "reset", "private", "file", "loop", "binary"],
)
def test_an_unreachable_robots_txt_is_no_signal(robots: Scenario, file: Path) -> None:
    """A host without a readable robots.txt is fetched from, and no private address is contacted for it."""
    with serve(robots, robots) as server:
        assert results(fetch([f"{server.url}/a.jpg"], file)) == ["body"]
        assert len(server.targets) <= 13


def test_a_host_that_never_answers_costs_one_deadline(file: Path) -> None:
    """A robots.txt that never comes is given up after its deadline; the images then come."""
    images = {f"n{number}": answer(b"x") for number in range(10)}
    with serve([1000.0], [1000.0], **images) as server:
        urls = [f"{server.url}/{name}.jpg" for name in images]
        found = fetch(urls, file, limits=ImageLimits(document_total=0.2))

        assert results(found) == ["body"] * 10
        assert server.targets.count(ROBOTS) == 1
        assert not file.exists()  # the next run asks again


def test_an_endless_robots_txt_is_cut_off(file: Path) -> None:
    """Of a robots.txt without an end only the first bytes are read, and they count."""
    head = b"HTTP/1.1 200 OK\r\n\r\n" + b"User-agent: classharvest\nDisallow: /\n"
    with serve([head, b"#" * 100_000, 1000.0]) as server:
        found = fetch([f"{server.url}/a.jpg"], file, limits=ImageLimits(document=50_000))

        assert results(found) == ["opted_out"]


def test_a_redirected_robots_txt_counts(file: Path) -> None:
    """A redirect of the robots.txt is followed."""
    moved = answer(status="301 Moved", location="/moved")
    with HostileServer({ROBOTS: moved, "/moved": NO_TRAINING, TDMREP: GONE}) as server:
        assert results(fetch([f"{server.url}/a.jpg"], file)) == ["opted_out"]


def test_the_host_that_an_image_is_redirected_to_is_asked_too(file: Path) -> None:
    """The rules of the host that serves the image count, not only those of the first host."""
    with serve(NO_TRAINING) as second:
        moved = answer(status="302 Found", location=f"http://second.example:{second.port}/a.jpg")
        with serve(a=moved) as first:
            assert results(fetch([f"{first.url}/a.jpg"], file)) == ["opted_out"]
        assert "/a.jpg" not in second.targets


def test_a_reservation_of_the_host_is_an_opt_out(file: Path) -> None:
    """The first rule of tdmrep.json that matches decides, unless the response of the image says otherwise."""
    images = {
        "a": answer(b"x"),
        "free/b": answer(b"x"),
        "c": answer(b"x", tdm_reservation="0"),
        "free/d": answer(b"x", tdm_reservation="1"),
    }
    with serve(tdmrep=RESERVED, **images) as server:
        found = fetch([f"{server.url}/{name}.jpg" for name in images], file)

    assert results(found) == ["opted_out", "body", "body", "opted_out"]
    assert found[0] == Refusal(Verdict.OPTED_OUT, "tdmrep.json: tdm-reservation: 1")


@pytest.mark.parametrize(
    "text",
    [b'[{"location": "/\\ud800", "tdm-reservation": 1}]',
     b"{}", b"[" * 100_000, b"7", b'[7, [], null, {"location": 7, "tdm-reservation": 1}]', b"\xff", b"",
     b'[{"location": "/", "tdm-reservation": true}]', b'[{"location": "/"}]', b'[{"tdm-reservation": 1}]',
     b'[{"location": "/", "tdm-reservation": 1' + b"0" * 9000 + b"}]"],
)  # fmt: skip
def test_an_invalid_tdmrep_json_is_no_signal(text: bytes, file: Path) -> None:
    """What is not a rule in a tdmrep.json is ignored."""
    with serve(tdmrep=answer(text)) as server:
        assert results(fetch([f"{server.url}/a.jpg"], file)) == ["body"]


def test_nothing_is_asked_where_nothing_is_obeyed(file: Path) -> None:
    """Without any rule to obey, no host is asked."""
    with serve(NO_TRAINING, RESERVED) as server:
        assert results(fetch([f"{server.url}/a.jpg"], file, obey_opt_out=False)) == ["body"]
        assert server.targets == ["/a.jpg"]


def test_our_own_server_is_not_asked(file: Path) -> None:
    """A server of this program has no robots.txt, and is not asked for one."""
    with serve() as server:
        assert results(fetch([f"{server.url}/a.jpg"], file, trusted={server.place})) == ["body"]
        assert server.targets == ["/a.jpg"]


RULES = HostRules(
    parse_robots_txt("User-agent: *\nDisallow: /x\nUser-agent: classharvest\nContent-Signal: ai-train=no"),
    parse_reservations('[{"location": "/", "tdm-reservation": 1}]'),
)


def test_a_stored_entry_is_read_back(file: Path) -> None:
    """Another run reads the rules of a host as they were stored, and keeps what a third one adds."""
    for name in ("one.example", "two.example:8080"):
        cache = HostRulesCache(file, now=lambda: 1e9)
        cache.add(name, RULES)
        cache.save()
    read = HostRulesCache(file, now=lambda: 1e9 + DAY - 1)

    for name in ("one.example", "two.example:8080"):
        rules = read.get(name)
        assert rules is not None
        assert rules.robots.own is not None
        assert rules.robots.own.rules == (("content-signal", "ai-train=no"),)
        assert rules.robots.general.rules == (("disallow", "/x"),)
        assert rules.reservations == RULES.reservations
    assert read.get("three.example") is None
    assert file.stat().st_mode & 0o077 == 0


VALID = {"own": None, "general": [], "reservations": []}


@pytest.mark.parametrize(
    "entry",
    [
        7,
        None,
        [],
        [1e9],
        [1e9, 7],
        ["1e9", VALID],
        [1e9 + 1, VALID],
        [float("nan"), VALID],
        [1e9, {}],
        [1e9, VALID | {"own": 7}],
        [1e9, VALID | {"general": [["allow"]]}],
        [1e9, VALID | {"general": [["allow", 7]]}],
        [1e9, VALID | {"general": [["allow", "/\ud800"]]}],
        [1e9, VALID | {"reservations": [["/\ud800", True]]}],
        [1e9, VALID | {"reservations": [[7, True]]}],
        [1e9, VALID | {"general": {"a": "b"}}],
        [1e9, VALID | {"reservations": [["/", 1]]}],
        [1e9, VALID | {"reservations": [["/", True, 3]]}],
    ],
)
def test_an_invalid_entry_is_ignored(entry: object, file: Path) -> None:
    """An entry of the file that is not valid, or from the future, is as if it were missing."""
    file.parent.mkdir()
    file.write_text(json.dumps({"hosts": {"a.example": entry, "b.example": [1e9, VALID]}}))
    cache = HostRulesCache(file, now=lambda: 1e9)

    assert cache.get("a.example") is None
    assert cache.get("b.example") is not None


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"7", b'{"hosts": []}', b"[" * 1_000_000, b'{"hosts": {' + b" " * (17 << 20)]
)
def test_a_corrupt_file_is_ignored_and_replaced(content: bytes, file: Path) -> None:
    """A file that is not a cache is ignored, and the next run writes a valid one."""
    file.parent.mkdir()
    file.write_bytes(content)
    cache = HostRulesCache(file, now=lambda: 1e9)
    assert cache.get("a.example") is None

    cache.add("a.example", RULES)
    cache.save()

    assert HostRulesCache(file, now=lambda: 1e9).get("a.example") is not None


def test_rules_are_valid_in_the_second_in_which_they_were_stored(file: Path) -> None:
    """A run that starts at once after another one does not take its rules for those of the future."""
    cache = HostRulesCache(file, now=lambda: 1e9 + 0.7)
    cache.add("a.example", RULES)
    cache.save()

    assert HostRulesCache(file, now=lambda: 1e9 + 0.8).get("a.example") is not None


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """A run whose cache folder cannot be written gives its images."""
    (tmp_path / "cache").write_text("a file in place of the folder")
    with serve() as server:
        assert results(fetch([f"{server.url}/a.jpg"], tmp_path / "cache" / "hosts.json")) == ["body"]


def test_a_full_cache_forgets_the_oldest_hosts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file keeps its size limit: the hosts asked first are left out."""
    monkeypatch.setattr("harvest.web.host_rules_cache._LARGEST_FILE", 3000)
    for number in range(40):
        cache = HostRulesCache(file, now=lambda number=number: 1e9 + number)
        cache.add(f"n{number}.example", RULES)
        cache.save()
    read = HostRulesCache(file, now=lambda: 1e9 + 40)

    assert file.stat().st_size <= 3000
    assert read.get("n39.example") is not None
    assert read.get("n0.example") is None


def test_the_cache_folder_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The rules are in the cache folder, not among the settings; a relative XDG_CACHE_HOME is ignored."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache = HostRulesCache(now=lambda: 1e9)
    cache.add("a.example", RULES)
    cache.save()
    assert (tmp_path / "cache" / "harvest" / "hosts.json").is_file()

    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_file("hosts.json").is_absolute()
