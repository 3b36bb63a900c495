"""The user's own command, as written, on the test Internet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.command import Command, Ran
from tests.end_to_end.snakes import CORAL, CORALS, KING, SNAKES, exif_texts, pictures, size, table, write
from tests.web import SMALL, Answer, Internet, ResultList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.internet.proxy_server import Request

LINE = "-c BING -c FLICKR -p snakes.csv -s 500"
LONG_LINE = "-c GOOGLE -c BING -c FLICKR -m 500 -s 500 -p snakes.csv"
WIDE = (640, 400)


class HarvestRun(NamedTuple):
    """One run, its folder, and what was listed."""

    run: Ran
    internet: Internet
    folder: Path
    corals: tuple[ResultList, ResultList]
    kings: tuple[ResultList, ResultList]

    @property
    def kept(self) -> list[Path]:
        """The images in the class folders."""
        return [path for paths in pictures(self.folder / "dataset").values() for path in paths]


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HarvestRun]:
    """Run the command once for all tests that only read the result: two sources, and every kind of host."""
    with Internet() as internet:
        corals = (
            internet.bing.add_results(CORAL, 22, size=WIDE, dead=2, html=1, tiny=1, private=1, metadata=1, copy=3),
            internet.flickr.add_results(CORAL, 8, size=WIDE, dead=1, noai=1),
        )
        kings = (
            internet.bing.add_results(KING, 6, size=SMALL, plain=1, redirect=1, broken=1),
            internet.flickr.add_results(KING, 5, size=(400, 640)),
        )
        folder = tmp_path_factory.mktemp("user")
        cli = Command(folder, tmp_path_factory.mktemp("aside"), internet.environ)
        write(folder)
        run = cli(*LINE.split(), FLICKR_API_KEY=internet.flickr.key)
        yield HarvestRun(run, internet, folder, corals, kings)
        cli.close()
        assert not cli.strays.exists()


def test_the_command_succeeds(harvested):
    """The command does its job and returns the right exit code."""
    assert harvested.run.code == 0, harvested.run.err
    assert "Traceback" not in harvested.run.err


def test_pictures_keep_their_shape(harvested):
    """With `-p -s 500` an image keeps its aspect ratio, and its longest side is 500 unless it was smaller."""
    sizes = {size(path) for path in harvested.kept}

    assert len(sizes) == 3
    assert sizes <= {(500, 312), (500, 313), (312, 500), (313, 500), SMALL}


def test_a_class_is_a_folder(harvested):
    """There is one folder per class, and nothing else besides the ledger and its lock."""
    root = harvested.folder / "dataset"

    assert {path.name for path in root.iterdir()} == {
        "coral_snake",
        "king_snake",
        "harvest.db",
        "harvest.lock",
    }
    assert {path.name for path in harvested.folder.iterdir()} == {"dataset", "snakes.csv"}


def test_columns_add_up_to_found(harvested):
    """The columns of the printed table add up to the hits found, row by row and in total."""
    rows = table(harvested.run)

    assert set(rows) == {"coral_snake", "king_snake", ""}
    for row in rows.values():
        assert sum(count for name, count in row.items() if name not in {"kept", "found"}) == row["found"]
    for name in rows[""]:
        assert rows[""][name] == rows["coral_snake"][name] + rows["king_snake"][name]


def test_the_table_matches_what_was_listed(harvested):
    """The table counts what was listed, including dead links, duplicates, and pages instead of images."""
    rows = table(harvested.run)

    for name, result_lists in (("coral_snake", harvested.corals), ("king_snake", harvested.kings)):
        expected = harvested.internet.expected(*result_lists)
        assert rows[name] | expected == rows[name]
        assert rows[name]["found"] == expected.total() == sum(map(len, result_lists))
        assert rows[name]["kept"] == expected["new"] == len(pictures(harvested.folder / "dataset")[name])


def test_pictures_name_their_source(harvested):
    """The EXIF of each image has its source as FastClass writes it, and the file name has its provider."""
    shown = {listing.url for results in (*harvested.corals, *harvested.kings) for listing in results}
    sources = [exif_texts(path)["source"] for path in harvested.kept]

    assert set(sources) <= shown
    assert len(set(sources)) == len(sources)
    for path, source in zip(harvested.kept, sources, strict=True):
        assert path.name.startswith("flickr-" if "staticflickr" in source else "bing-")


def test_flickr_pictures_name_author_and_licence(harvested):
    """An image from Flickr has its author and licence; one from Bing, which states neither, has none."""
    for path in harvested.kept:
        words = exif_texts(path)
        if path.name.startswith("flickr-"):
            assert words["artist"].startswith("photographer ")
            assert words["copyright"].startswith("CC-BY-2.0 ")
        else:
            assert not words["artist"]
            assert not words["copyright"]
    flickr = sum(path.name.startswith("flickr-") for path in harvested.kept)
    assert f"licence known for {flickr} of {len(harvested.kept)}" in harvested.run.out


def test_each_url_is_requested_once(harvested):
    """No image is requested twice, and no thumbnail if the image itself can be downloaded."""
    for results in (*harvested.corals, *harvested.kings):
        for listing in results:
            if listing.behaviour != "redirect":
                assert harvested.internet.log.count(listing.url) == 1, listing
    assert not harvested.internet.log.to("*.mm.bing.net")


def test_each_source_is_asked_once_a_class(harvested):
    """A source that has all of a class on one page is asked once for it."""
    log = harvested.internet.log

    assert len(log.to("www.bing.com")) == 2
    assert len(log.to("api.flickr.com")) == 2
    assert [visit.asked["q"] for visit in log.to("www.bing.com")] == [CORAL, KING]


def test_N13_private_redirects_open_no_connection(harvested):
    """An image URL that leads to the user's machine or cloud is refused without a connection."""
    tricks = harvested.corals[0].of("private", "metadata")

    assert [harvested.internet.log.count(listing.url) for listing in tricks] == [1, 1]
    for host in ("127.0.0.1", "169.254.169.254"):
        assert not harvested.internet.log.to(host)
        assert harvested.internet.log.most_connections[host] == 0


def test_related_searches_are_no_hits(harvested):
    """Bing's related images are not results: they are not requested."""
    assert not harvested.internet.log.to("related.pictures.test")


def test_hosts_get_few_parallel_requests(harvested):
    """No host has more than four parallel requests, except Flickr's own network, which has eight."""
    most = dict(harvested.internet.log.most_at_once)

    assert most.pop("live.staticflickr.com") <= 8
    assert max(most.values()) <= 4


ORDERS = [
    "snakes.csv -c BING -c FLICKR -p -s 500",
    "-p -s 500 -c FLICKR -c BING snakes.csv",
    "-s 500 snakes.csv -c flickr -p -c bing",
    "get -s500 -cBING snakes.csv --no-pad --crawler Flickr",
]


@pytest.mark.parametrize("line", ORDERS)
def test_arguments_in_any_order(internet, cli, line):
    """The arguments may come in any order, sources in any case, options long or joined."""
    internet.bing.add_results(CORAL, 2, size=WIDE)
    internet.flickr.add_results(CORAL, 2, size=WIDE)
    write(cli.folder, CORALS)

    run = cli(*line.split(), FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 0, run.err
    found = pictures(cli.folder / "dataset")["coral_snake"]
    assert Counter(path.name.split("-")[0] for path in found) == {"bing": 2, "flickr": 2}
    assert {max(size(path)) for path in found} == {500}
    assert all(min(size(path)) < 500 for path in found)


def test_the_long_line(internet, cli):
    """With GOOGLE in the command, Google is tried once, the message names alternatives, and the others continue."""
    bing = internet.bing.add_results(CORAL, 4, size=WIDE)
    flickr = internet.flickr.add_results(CORAL, 3, size=WIDE)
    internet.google.set_mode("shell")
    write(cli.folder, CORALS)

    run = cli(*LONG_LINE.split(), FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 3
    assert "google: Google sends a page that asks to enable JavaScript instead of results." in run.out
    assert "--google-pages FOLDER" in run.out
    assert table(run)["coral_snake"]["new"] == len(bing) + len(flickr)
    assert len(internet.log.to("*google*")) == 1


def test_without_a_key(internet, cli):
    """Without FLICKR_API_KEY the command says so before any request, harvests Bing, and ends with exit code 3."""
    results = internet.bing.add_results(CORAL, 5)
    write(cli.folder, CORALS)
    messages = []

    def answer(request: Request) -> Answer:
        messages.append(running.messages)
        return internet.bing.answer(request)

    internet.sites[internet.bing.host] = answer
    running = cli.start(*LINE.split())
    run = running.wait()

    assert run.code == 3
    assert "error: Flickr needs an API key, in the variable FLICKR_API_KEY." in messages[0]
    assert table(run)["coral_snake"]["new"] == len(results)
    assert not internet.log.to("api.flickr.com")


def test_without_options(internet, cli):
    """Without options images are padded to a white square of 299 pixels, from every usable source."""
    internet.bing.add_results(CORAL, 3, size=WIDE)
    write(cli.folder, CORALS)

    run = cli("snakes.csv")

    assert run.code == 0, run.err  # Flickr has no key here, and is not part of ALL
    assert {size(path) for path in pictures(cli.folder / "dataset")["coral_snake"]} == {(299, 299)}


def test_size_0_keeps_size_and_shape(internet, cli):
    """With `-s 0` an image keeps its size and its aspect ratio."""
    internet.bing.add_results(CORAL, 2, size=WIDE)
    write(cli.folder, CORALS)

    assert cli("-c", "BING", "-s", "0", "snakes.csv").code == 0
    assert {size(path) for path in pictures(cli.folder / "dataset")["coral_snake"]} == {WIDE}


def test_keep_keeps_originals(internet, cli):
    """With `-k` the downloads are stored next to the dataset, byte for byte, under the same classes."""
    results = internet.bing.add_results(CORAL, 5, dead=1, html=1)
    write(cli.folder, CORALS)

    run = cli("-c", "BING", "-k", "snakes.csv")

    assert run.code == 0, run.err
    originals = sorted((cli.folder / "dataset.raw" / "coral_snake").iterdir())
    assert {path.read_bytes() for path in originals} == {listing.body for listing in results.of("good")}
    placed = pictures(cli.folder / "dataset")["coral_snake"]
    assert [path.stem for path in originals] == [path.stem for path in placed]


def test_license_open(internet, cli):
    """With `--license open` Flickr is asked for open licences, and Bing's are recorded as a claim."""
    internet.bing.add_results(CORAL, 2)
    opened = internet.flickr.add_results(CORAL, 2, licence=4)
    internet.flickr.add_results(CORAL, 2, licence=2, also=opened)  # 2: CC BY-NC
    write(cli.folder, CORALS)

    run = cli("--license", "open", "-c", "BING", "-c", "FLICKR", "snakes.csv", FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 0, run.err
    (asked,) = internet.log.to("api.flickr.com")
    assert "2" not in asked.asked["license"].split(",")
    assert {"4", "5", "9"} <= set(asked.asked["license"].split(","))
    assert "+filterui:license-L2_L3" in internet.log.to("www.bing.com")[0].path
    words = {path.name.split("-")[0]: exif_texts(path) for path in pictures(cli.folder / "dataset")["coral_snake"]}
    assert words["flickr"]["copyright"].startswith("CC-BY-2.0")
    assert "claimed by the search engine" in words["bing"]["copyright"]
    assert "licence known for 2 of 4" in run.out


def test_min_size_is_seen_before_the_download(internet, cli):
    """An image that the source lists as smaller than `--min-size` is not requested, and counted as small."""
    small = internet.bing.add_results(CORAL, 3, size=(400, 320))
    internet.bing.add_results(CORAL, 2, size=WIDE, also=small)
    write(cli.folder, CORALS)

    run = cli("-c", "BING", "--min-size", "350", "snakes.csv")

    assert run.code == 0
    assert table(run)["coral_snake"] == {"kept": 2, "new": 2, "found": 5, "small": 3}
    assert sum(internet.log.count(listing.url) for listing in small) == 0


def test_a_conflict_is_reported(internet, cli):
    """A photograph listed for two classes stays where it was first, and the summary reports the conflict."""
    first = internet.bing.add_results(CORAL, 3)
    internet.bing.add_results(KING, 2, also=[first[0]])
    write(cli.folder)

    run = cli("-c", "BING", "snakes.csv")

    assert run.code == 0
    assert "1 found for two classes" in run.out
    found = pictures(cli.folder / "dataset")
    assert [len(found[name]) for name in ("coral_snake", "king_snake")] == [3, 2]
    assert table(run)["king_snake"]["dup"] == 1


def test_a_query_file_that_is_in_queries(cli):
    """A query file that is missing but exists in `queries/` is named in the error, with the correct command."""
    (cli.folder / "queries").mkdir()
    write(cli.folder / "queries")

    run = cli(*LINE.split())

    assert run.code == 2
    assert "queries/snakes.csv" in run.err
    assert not (cli.folder / "dataset").exists()


def test_a_query_file_may_be_anywhere(internet, cli):
    """The query file and the dataset may be in other folders than the working directory."""
    internet.bing.add_results(CORAL, 1)
    (cli.folder / "my queries").mkdir()
    path = write(cli.folder / "my queries", CORALS)

    assert cli("-c", "BING", path, "-o", "there/birds").code == 0
    assert len(pictures(cli.folder / "there" / "birds")["coral_snake"]) == 1


def test_a_dry_run_writes_nothing(internet, cli):
    """With `-n` sources are searched, nothing is downloaded, and nothing at all is written."""
    internet.bing.add_results(CORAL, 7)
    write(cli.folder, CORALS)

    run = cli("-c", "BING", "-n", "snakes.csv")

    assert run.code == 0, run.err
    assert table(run)["coral_snake"] == {"kept": 0, "new": 0, "found": 7, "left": 7}
    assert [path.name for path in cli.folder.iterdir()] == ["snakes.csv"]
    assert {visit.host for visit in internet.log.visits} == {"www.bing.com"}


def test_snakes_csv_is_the_one_of_the_repository():
    """The query file of these tests is the one in `queries/`."""
    assert (Path(__file__).parents[2] / "queries" / "snakes.csv").read_text("utf-8") == SNAKES
