"""Hosts with every kind of bad behaviour: the real command gives each the right verdict, and every run ends.

Each behaviour is a class, so that the summary separates the verdicts; the URLs come from lists, with pages.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harvest.verdicts import Verdict
from tests.command import Command
from tests.end_to_end.harvests import OURS, other_files, pictures, pixels
from tests.web import BEHAVIOURS, Answer, Internet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.command import Ran
    from tests.internet.log import LoggedRequest
    from tests.web import Shelf

KiB, MiB = 2**10, 2**20
# Those that use up the whole time limit: a minute.
LONG = {"stall", "freeze", "drip"}
PAGES = 7  # at which the placeholder is served; five are enough to recognise it
INSIDE = [
    "http://127.0.0.1/{n}.jpg",
    "http://127.0.0.1:8080/{n}.jpg",
    "http://127.1/{n}.jpg",
    "http://2130706433/{n}.jpg",
    "http://0x7f000001/{n}.jpg",
    "http://0.0.0.0/{n}.jpg",
    "http://10.1.2.3/{n}.jpg",
    "http://192.168.0.1/{n}.jpg",
    "http://100.64.0.1/{n}.jpg",
    "http://169.254.169.254/latest/meta-data/{n}.jpg",
    "https://[::1]/{n}.jpg",
    "http://[::ffff:127.0.0.1]/{n}.jpg",
    "http://[64:ff9b::7f00:1]/{n}.jpg",
    "http://[fd00::1]/{n}.jpg",
    "http://localhost/{n}.jpg",
    "http://user:word@127.0.0.1/{n}.jpg",
]


@dataclass(frozen=True)
class Story:
    """One run over many hosts, with what was listed."""

    ran: Ran
    internet: Internet
    shelves: dict[str, Shelf]
    out: Path

    @property
    def verdicts(self) -> dict[str, dict[str, int]]:
        """The verdicts of each class."""
        return {row["class"].removeprefix("of_"): row["verdicts"] for row in self.ran.json["classes"]}

    def requests(self, temper: str, path: str = "*") -> list[LoggedRequest]:
        """Return the requests to the host with this behaviour."""
        return self.internet.log.to(f"{temper}.pictures.test", path)


def harvest(internet: Internet, cli: Command, shelves: dict[str, Shelf], *urls: str, timeout: float = 600) -> Story:
    """Harvest one class per host behaviour, and one of plain URLs."""
    query = ["class,query"]
    lists = {name: [(each.url, each.page) for each in shelf] for name, shelf in shelves.items()}
    lists |= {"others": [(url, "https://pages.stories.test/1") for url in urls]} if urls else {}
    for name, rows in lists.items():
        query.append(f"of_{name},{name}.csv")
        with (cli.folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("url", "page"), *rows])
    (cli.folder / "web.csv").write_text("\n".join(query), "utf-8")
    ran = cli("-c", "URLS", "--json", "web.csv", timeout=timeout)
    assert "Traceback" not in ran.err, ran.err
    return Story(ran, internet, shelves, cli.folder / "dataset")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Harvest all host behaviours once, except those that take a minute."""
    with Internet() as internet:
        cli = Command(tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("aside"), internet.environ)
        tempers = {name: 2 for name in BEHAVIOURS if name not in LONG} | {"placeholder": PAGES}
        shelves = {name: internet.addresses(n, name, **{name: n}) for name, n in tempers.items()}
        twice = gzip.compress(gzip.compress(bytes(200 * MiB), 9), 9)
        headers = {"Content-Encoding": "gzip, gzip"}
        internet.sites["bomb.test"] = lambda _: Answer(twice, kind="image/jpeg", headers=headers)
        inside = [url.format(n=number) for number, url in enumerate(INSIDE)]
        yield harvest(internet, cli, shelves, "https://bomb.test/1.jpg", *inside)
        cli.close()
        assert not cli.strays.exists()


SHORT = sorted(BEHAVIOURS.keys() - LONG - {"placeholder"})


@pytest.mark.parametrize("temper", SHORT)
def test_N03_N04_N06_N15_N17_verdicts(story: Story, temper: str) -> None:
    """Every host behaviour gets the right verdict in the counts of `--json`."""
    assert story.verdicts[temper] == {str(BEHAVIOURS[temper].verdict): 2}


def test_N01_unknown_names_are_given_up(story: Story) -> None:
    """A host name that does not resolve is tried as often as any other failure, and no more."""
    assert story.internet.log.unknown["nowhere.pictures.test"] <= 2 * 3


def test_N05_a_host_that_asks_for_a_week_is_left_alone(story: Story) -> None:
    """A host whose Retry-After is a week is not contacted again, and the message names it."""
    assert len(story.requests("patience")) <= 2
    assert any("patience.pictures.test asks to wait" in note for note in story.ran.json["notes"])


@pytest.mark.parametrize("temper", ["down", "reset", "short", "cut"])
def test_N06_three_attempts(story: Story, temper: str) -> None:
    """A temporary failure is tried three times, and not a fourth."""
    assert [story.internet.log.count(url) for url in story.shelves[temper].urls] == [3, 3]


@pytest.mark.parametrize("temper", ["dead", "gone", "forbidden", "encoded", "noai", "html", "huge"])
def test_N06_one_attempt(story: Story, temper: str) -> None:
    """A permanent failure is not requested again."""
    assert [story.internet.log.count(url) for url in story.shelves[temper].urls] == [1, 1]


def test_N08_bomb_in_two_wrappings(story: Story) -> None:
    """200 MB compressed twice into a few hundred bytes are refused and never unpacked."""
    assert story.verdicts["others"]["encoded"] == 1
    assert story.ran.peak_memory < 300 * MiB


def buffers() -> int:
    """Return how many bytes the system may hold in its buffers, sent but not read: tens of megabytes on some."""
    limits = (Path(f"/proc/sys/net/ipv4/tcp_{kind}mem") for kind in "rw")
    return sum(int(limit.read_text("ascii").split()[-1]) for limit in limits if limit.exists())


def test_N09_N10_no_more_is_read_than_the_limit(story: Story) -> None:
    """An endless body is aborted after 25 MiB, and one that declares ten gigabytes at once."""
    slack = 8 * MiB + buffers()
    assert all(visit.sent < 25 * MiB + slack for visit in story.requests("endless"))
    assert all(visit.sent < slack for visit in story.requests("huge"))


def test_N11_N12_redirects(story: Story) -> None:
    """Redirect loops are aborted after five redirects, and no redirect leads to a file."""
    assert len(story.requests("loop")) == 2 * 6
    assert len(story.requests("disk")) == 2


def test_N13_no_private_address_is_contacted(story: Story) -> None:
    """However a private address is written or reached, no request is sent to this machine or its network."""
    assert story.verdicts["others"].keys() <= {"encoded", "blocked_address", "bad_address"}
    named = {visit.host for visit in story.internet.log.to()} | story.internet.log.unknown.keys()
    assert {name for name in named if not name.endswith(".test")} == set()


def test_N18_placeholder_is_set_aside(story: Story) -> None:
    """A file that a host serves for every page is removed from its class, and reported."""
    assert story.verdicts["placeholder"]["placeholder"] >= PAGES - 4
    assert story.ran.json["set_aside"] == 1
    assert not (story.out / "of_placeholder").exists() or not list((story.out / "of_placeholder").iterdir())
    [aside] = (story.out.with_name("dataset.rejected") / "of_placeholder").iterdir()
    assert aside.suffix == ".jpg"


def test_N20_no_host_is_crowded(story: Story) -> None:
    """No host ever had more than four parallel requests."""
    assert max(story.internet.log.most_at_once.values()) <= 4


def test_only_pictures_are_kept(story: Story) -> None:
    """Every file in the class folders decodes, and was served by a good host."""
    kept = pictures(story.out)
    for path in kept:
        pixels(path)
    good = [name for name in BEHAVIOURS if BEHAVIOURS[name].verdict is Verdict.KEPT]
    assert {path.parent.name for path in kept} == {f"of_{name}" for name in good}
    assert len(kept) == 2 * len(good)
    assert other_files(story.out) == OURS


@pytest.mark.slow
def test_N02_N03_N09_a_minute_of_the_worst(internet: Internet, cli: Command) -> None:
    """Forty hosts that stall, freeze, drip or never end take a minute and a limited amount of memory."""
    shelves = {name: internet.addresses(4, name, **{name: 4}) for name in sorted(LONG)}
    stream = b"\xff\xd8\xff" + bytes(64 * KiB)
    for number in range(40):
        internet.sites[f"endless{number}.test"] = lambda _: Answer(repeat(stream), kind="image/jpeg")
    good = internet.addresses(4, "good")
    urls = [f"https://endless{number}.test/1.jpg" for number in range(40)]
    story = harvest(internet, cli, shelves | {"good": good}, *urls)
    for temper in LONG:
        assert story.verdicts[temper] == {"timeout": 4}
    assert story.verdicts["others"] == {"too_big": 40}
    assert story.verdicts["good"] == {"kept": 4}
    assert story.ran.peak_memory < 550 * MiB
