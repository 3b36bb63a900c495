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
    from tests.web import ResultList

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
class HostileRun:
    """One run over many hosts, with what was listed."""

    ran: Ran
    internet: Internet
    result_lists: dict[str, ResultList]
    out: Path

    @property
    def verdicts(self) -> dict[str, dict[str, int]]:
        """The verdicts of each class."""
        return {row["class"].removeprefix("of_"): row["verdicts"] for row in self.ran.json["classes"]}

    def requests(self, behaviour: str, path: str = "*") -> list[LoggedRequest]:
        """Return the requests to the host with this behaviour."""
        return self.internet.log.to(f"{behaviour}.pictures.test", path)


def harvest(
    internet: Internet, cli: Command, result_lists: dict[str, ResultList], *urls: str, timeout: float = 600
) -> HostileRun:
    """Harvest one class per host behaviour, and one of plain URLs."""
    query = ["class,query"]
    lists = {name: [(each.url, each.page) for each in results] for name, results in result_lists.items()}
    lists |= {"others": [(url, "https://pages.stories.test/1") for url in urls]} if urls else {}
    for name, rows in lists.items():
        query.append(f"of_{name},{name}.csv")
        with (cli.folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("url", "page"), *rows])
    (cli.folder / "web.csv").write_text("\n".join(query), "utf-8")
    ran = cli("-c", "URLS", "--json", "web.csv", timeout=timeout)
    assert "Traceback" not in ran.err, ran.err
    return HostileRun(ran, internet, result_lists, cli.folder / "dataset")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileRun]:
    """Harvest all host behaviours once, except those that take a minute."""
    with Internet() as internet:
        cli = Command(tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("aside"), internet.environ)
        counts = {name: 2 for name in BEHAVIOURS if name not in LONG} | {"placeholder": PAGES}
        result_lists = {name: internet.addresses(n, name, **{name: n}) for name, n in counts.items()}
        twice = gzip.compress(gzip.compress(bytes(200 * MiB), 9), 9)
        headers = {"Content-Encoding": "gzip, gzip"}
        internet.sites["bomb.test"] = lambda _: Answer(twice, kind="image/jpeg", headers=headers)
        inside = [url.format(n=number) for number, url in enumerate(INSIDE)]
        yield harvest(internet, cli, result_lists, "https://bomb.test/1.jpg", *inside)
        cli.close()
        assert not cli.strays.exists()


SHORT = sorted(BEHAVIOURS.keys() - LONG - {"placeholder", "patience"})


@pytest.mark.parametrize("behaviour", SHORT)
def test_N03_N04_N06_N15_N17_verdicts(run: HostileRun, behaviour: str) -> None:
    """Every host behaviour gets the right verdict in the counts of `--json`."""
    assert run.verdicts[behaviour] == {str(BEHAVIOURS[behaviour].verdict): 2}


def test_N01_unknown_names_are_given_up(run: HostileRun) -> None:
    """A host name that does not resolve is tried as often as any other failure, and once for each document."""
    assert run.internet.log.unknown["nowhere.pictures.test"] <= 2 * 3 + 2


def test_N05_a_host_that_asks_for_a_week_is_left_alone(run: HostileRun) -> None:
    """A host whose Retry-After is a week is not contacted again, and the message names it."""
    assert len(run.requests("patience")) <= 2
    (row,) = (row for row in run.ran.json["classes"] if row["class"] == "of_patience")
    assert row["verdicts"].get("rate_limited", 0) + row["left"] == 2
    assert any("patience.pictures.test asks to wait" in note for note in run.ran.json["notes"])


@pytest.mark.parametrize("behaviour", ["down", "reset", "short", "cut"])
def test_N06_three_attempts(run: HostileRun, behaviour: str) -> None:
    """A temporary failure is tried three times, and not a fourth."""
    assert [run.internet.log.count(url) for url in run.result_lists[behaviour].urls] == [3, 3]


@pytest.mark.parametrize("behaviour", ["dead", "gone", "forbidden", "encoded", "noai", "html", "huge"])
def test_N06_one_attempt(run: HostileRun, behaviour: str) -> None:
    """A permanent failure is not requested again."""
    assert [run.internet.log.count(url) for url in run.result_lists[behaviour].urls] == [1, 1]


def test_N08_bomb_in_two_wrappings(run: HostileRun) -> None:
    """200 MB compressed twice into a few hundred bytes are refused and never unpacked."""
    assert run.verdicts["others"]["encoded"] == 1
    assert run.ran.peak_memory < 300 * MiB


def buffers() -> int:
    """Return how many bytes the system may hold in its buffers, sent but not read: tens of megabytes on some."""
    limits = (Path(f"/proc/sys/net/ipv4/tcp_{kind}mem") for kind in "rw")
    return sum(int(limit.read_text("ascii").split()[-1]) for limit in limits if limit.exists())


def test_N09_N10_no_more_is_read_than_the_limit(run: HostileRun) -> None:
    """An endless body is aborted after 25 MiB, and one that declares ten gigabytes at once."""
    slack = 8 * MiB + buffers()
    assert all(visit.sent < 25 * MiB + slack for visit in run.requests("endless"))
    assert all(visit.sent < slack for visit in run.requests("huge"))


def test_N11_N12_redirects(run: HostileRun) -> None:
    """Redirect loops are aborted after five redirects, and no redirect leads to a file."""
    assert len(run.requests("loop")) == 2 * 6
    assert len(run.requests("disk")) == 2


def test_N13_no_private_address_is_contacted(run: HostileRun) -> None:
    """However a private address is written or reached, no request is sent to this machine or its network."""
    assert run.verdicts["others"].keys() <= {"encoded", "blocked_address", "bad_address"}
    named = {visit.host for visit in run.internet.log.to()} | run.internet.log.unknown.keys()
    assert {name for name in named if not name.endswith(".test")} == set()


def test_N18_placeholder_is_set_aside(run: HostileRun) -> None:
    """A file that a host serves for every page is removed from its class, and reported."""
    assert run.verdicts["placeholder"]["placeholder"] >= PAGES - 4
    assert run.ran.json["set_aside"] == 1
    assert not (run.out / "of_placeholder").exists() or not list((run.out / "of_placeholder").iterdir())
    [aside] = (run.out.with_name("dataset.rejected") / "of_placeholder").iterdir()
    assert aside.suffix == ".jpg"


def test_N20_no_host_is_crowded(run: HostileRun) -> None:
    """No host ever had more than four parallel requests."""
    assert max(run.internet.log.most_at_once.values()) <= 4


def test_only_pictures_are_kept(run: HostileRun) -> None:
    """Every file in the class folders decodes, and was served by a good host."""
    kept = pictures(run.out)
    for path in kept:
        pixels(path)
    good = [name for name in BEHAVIOURS if BEHAVIOURS[name].verdict is Verdict.KEPT]
    assert {path.parent.name for path in kept} == {f"of_{name}" for name in good}
    assert len(kept) == 2 * len(good)
    assert other_files(run.out) == OURS


@pytest.mark.slow
def test_N02_N03_N09_a_minute_of_the_worst(internet: Internet, cli: Command) -> None:
    """Forty hosts that stall, freeze, drip or never end take a minute and a limited amount of memory."""
    result_lists = {name: internet.addresses(4, name, **{name: 4}) for name in sorted(LONG)}
    stream = b"\xff\xd8\xff" + bytes(64 * KiB)
    for number in range(40):
        internet.sites[f"endless{number}.test"] = lambda _: Answer(repeat(stream), kind="image/jpeg")
    good = internet.addresses(4, "good")
    urls = [f"https://endless{number}.test/1.jpg" for number in range(40)]
    run = harvest(internet, cli, result_lists | {"good": good}, *urls)
    for behaviour in LONG:
        assert run.verdicts[behaviour] == {"timeout": 4}
    assert run.verdicts["others"] == {"too_big": 40}
    assert run.verdicts["good"] == {"kept": 4}
    assert run.ran.peak_memory < 550 * MiB
