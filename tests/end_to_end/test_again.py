"""The same command again: finished work is not repeated, larger limits add images, and smaller ones remove none."""

from __future__ import annotations

import pytest

from tests.datasets import tree
from tests.end_to_end.snakes import CORAL, CORALS, KING, SNAKES, exif_texts, list_addresses, pictures, table, write
from tests.internet.log import DOCUMENTS

ADDRESSES = "class,query\ncoral_snake,coral.txt\n"
URLS = ("-c", "URLS", "snakes.csv")
FLICKR = ("-c", "FLICKR", "snakes.csv")


@pytest.fixture
def flickr(internet, cli):
    """Return a function that runs the command with Flickr alone, which answers at once, and its key."""

    def run(*args):
        internet.log.clear()
        return cli(*FLICKR, *args, FLICKR_API_KEY=internet.flickr.key)

    write(cli.folder, CORALS)
    return run


@pytest.fixture
def urls(internet, cli):
    """Return a function that runs the command with a list of URLs, which is not rate-limited."""

    def run(*args):
        internet.log.clear()
        return cli(*URLS, *args)

    write(cli.folder, ADDRESSES)
    return run


def test_another_size_than_before_is_a_warning(urls, internet, cli):
    """A run whose images have another size or padding than those of earlier runs says so, and one with the same not."""
    list_addresses(cli.folder, internet.addresses(2, size=(640, 400)).urls)
    assert urls("-s", "0").code == 0
    assert "earlier runs" not in urls("-s", "0").err
    again = urls()
    assert (
        "new images are written with 299 x 299 pixels, padded, those of earlier runs with original size:" in again.err
    )
    assert again.code == 0


def test_nothing_new_is_no_request(internet, cli):
    """With nothing new, the second run sends no request, changes nothing, and succeeds."""
    internet.bing.add_results(CORAL, 6, dead=1, html=1, changed=1, tiny=1)
    internet.flickr.add_results(CORAL, 3, noai=1)
    write(cli.folder, CORALS)
    line = ("-c", "BING", "-c", "FLICKR", "-p", "snakes.csv", "-s", "500")
    key = internet.flickr.key
    assert cli(*line, FLICKR_API_KEY=key).code == 0
    before = tree(cli.folder)
    internet.log.clear()

    run = cli(*line, FLICKR_API_KEY=key)

    assert run.code == 0, run.out
    assert not internet.log.visits
    assert tree(cli.folder) == before
    assert table(run)["coral_snake"]["kept"] == len(pictures(cli.folder / "dataset")["coral_snake"])


def test_more_asks_only_for_more(internet, cli, flickr):
    """A larger `-m` downloads only what is new and keeps existing images unchanged; a smaller one sends no request."""
    internet.flickr.add_results(CORAL, 9, size=(640, 400))
    assert flickr("-m", "4", "-p", "-s", "120").code == 0
    assert len(internet.log.to("*.staticflickr.com")) == 4
    before = tree(cli.folder / "dataset")

    run = flickr("-m", "7", "-p", "-s", "320")

    assert table(run)["coral_snake"] == {"kept": 7, "new": 3, "found": 7, "had": 4}
    assert len(internet.log.to("*.staticflickr.com")) == 3
    after = tree(cli.folder / "dataset")
    assert before.items() <= after.items()
    assert len(after) == 7
    assert flickr("-m", "5").code == 0
    assert not internet.log.visits


def test_a_finished_search_is_asked_again_with_refresh(internet, cli, flickr):
    """`--refresh` finds what a source has added since, and downloads nothing else."""
    results = internet.flickr.add_results(CORAL, 3)
    assert flickr().code == 0
    internet.flickr.add_results(CORAL, 2, also=results)
    assert flickr().code == 0
    assert not internet.log.visits

    run = flickr("--refresh")

    assert table(run)["coral_snake"] == {"kept": 5, "new": 2, "found": 5, "had": 3}
    assert len(internet.log.to("*.staticflickr.com")) == 2
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 5


def test_a_search_without_results_is_finished_too(internet, flickr):
    """A class for which a source had no results is not searched again, and the output says why it is empty."""
    assert flickr().code == 4

    run = flickr()

    assert run.code == 4
    assert not internet.log.visits
    assert "flickr was searched earlier: nothing new for coral_snake; --refresh searches again" in run.out
    internet.flickr.add_results(CORAL, 2)
    assert flickr("--refresh").code == 0


def test_a_target_is_exact(internet, cli, urls):
    """`--target` stops at exactly this many images per class, however many exist already."""
    results = internet.addresses(60, dead=9, changed=4)
    list_addresses(cli.folder, results.urls)

    run = urls("--target", "7")

    assert run.code == 0, run.out
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 7
    assert table(run)["coral_snake"]["kept"] == table(run)["coral_snake"]["new"] == 7
    row = table(run)["coral_snake"]
    assert sum(row.values()) - row["kept"] - row["found"] == row["found"]


def test_a_target_that_is_met_sends_no_request(internet, cli, flickr):
    """A class that has enough images is not searched, and the run succeeds."""
    internet.flickr.add_results(CORAL, 60)
    assert flickr("--target", "3").code == 0

    run = flickr("--target", "3")

    assert run.code == 0
    assert not internet.log.visits
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 3


def test_a_larger_target_goes_on(internet, cli, urls):
    """A larger target is filled with images other than the existing and the rejected ones."""
    list_addresses(cli.folder, internet.addresses(30).urls)
    assert urls("--target", "4").code == 0
    deleted, *kept = pictures(cli.folder / "dataset")["coral_snake"]
    before = {exif_texts(path)["source"] for path in (deleted, *kept)}
    deleted.unlink()

    run = urls("--target", "9")

    assert run.code == 0
    assert table(run)["coral_snake"]["new"] == 6
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 9
    assert not before & {visit.url for visit in internet.log.visits}


def test_a_target_that_is_missed_goes_on_later(internet, cli, flickr):
    """A missed target ends with exit code 3; when the source has more images, `--refresh` fills it."""
    results = internet.flickr.add_results(CORAL, 3)
    run = flickr("--target", "5")
    assert run.code == 3
    assert "coral_snake has 3 of 5: the sources have no more" in run.out
    internet.flickr.add_results(CORAL, 4, also=results)

    run = flickr("--target", "5", "--refresh")

    assert run.code == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 5


def test_a_target_that_the_limit_does_not_allow(internet, cli, urls):
    """If `-m` kept a class from its target, the output says so."""
    list_addresses(cli.folder, internet.addresses(9).urls)

    run = urls("--target", "5", "-m", "3")

    assert run.code == 3
    assert "coral_snake has 3 of 5: the limit -m is reached" in run.out


def test_R06_a_row_added_and_removed(internet, cli):
    """Only a new row is searched; a class whose row was removed keeps its images."""
    internet.flickr.add_results(CORAL, 2)
    internet.flickr.add_results(KING, 2)
    key = internet.flickr.key
    write(cli.folder, CORALS)
    assert cli(*FLICKR, FLICKR_API_KEY=key).code == 0
    internet.log.clear()
    write(cli.folder, SNAKES)

    run = cli(*FLICKR, FLICKR_API_KEY=key)

    assert run.code == 0
    assert [visit.asked["text"] for visit in internet.log.to("api.flickr.com")] == [KING]
    assert table(run)["king_snake"]["new"] == 2
    before = tree(cli.folder / "dataset")
    write(cli.folder, CORALS)
    internet.log.clear()
    assert set(table(cli(*FLICKR, FLICKR_API_KEY=key))) == {"coral_snake"}
    assert not internet.log.visits
    assert tree(cli.folder / "dataset") == before


def test_a_source_added(internet, cli):
    """Adding a source searches only that one, and images that both have are downloaded once."""
    bing = internet.bing.add_results(CORAL, 3)
    internet.flickr.add_results(CORAL, 2, also=bing)
    write(cli.folder, CORALS)
    assert cli("-c", "BING", "snakes.csv").code == 0
    internet.log.clear()

    run = cli("-c", "BING", *FLICKR, FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 0
    assert not internet.log.to("www.bing.com")
    assert not any(internet.log.count(url) for url in bing.urls)
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 5


def test_network_failures_are_retried(internet, cli, urls):
    """Downloads that failed because of the network are retried by the next runs; permanent failures are not."""
    results = internet.addresses(7, patience=1, dead=2)
    list_addresses(cli.folder, results.urls)
    assert table(urls())["coral_snake"] == {"kept": 4, "new": 4, "found": 7, "dead": 3}

    run = urls()

    visits = [visit.url for visit in internet.log.visits if visit.path not in DOCUMENTS]
    assert visits == [listing.url for listing in results.of("patience")]
    assert table(run)["coral_snake"] == {"kept": 4, "new": 0, "found": 1, "dead": 1}
    urls()
    assert internet.log.visits
    urls()
    assert not internet.log.visits  # three runs tried


def test_R01_what_was_deleted_stays_away(internet, cli, flickr):
    """An image that the user deleted is neither requested again nor kept when another source lists it."""
    results = internet.flickr.add_results(CORAL, 3)
    assert flickr().code == 0
    victim = pictures(cli.folder / "dataset")["coral_snake"][0]
    source = exif_texts(victim)["source"]
    victim.unlink()
    (listing,) = (listing for listing in results if listing.url == source)
    internet.flickr.add_results("coral again", 1, also=[listing])
    write(cli.folder, CORALS + "coral_snake,coral again\n")

    run = flickr("--refresh")

    assert run.code == 0
    assert table(run)["coral_snake"]["before"] == 2
    assert internet.log.count(source) == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 3


def test_a_dry_run_again(internet, cli, flickr):
    """A dry run on an existing dataset prints what exists and what would be downloaded, and changes nothing."""
    results = internet.flickr.add_results(CORAL, 2)
    assert flickr().code == 0
    internet.flickr.add_results(CORAL, 3, also=results)
    files = {path: path.stat().st_mtime_ns for path in cli.folder.rglob("*")}

    run = flickr("-n", "--refresh")

    assert run.code == 0
    assert table(run)["coral_snake"] == {"kept": 2, "new": 0, "found": 5, "had": 2, "left": 3}
    assert not internet.log.to("*.staticflickr.com")
    assert {path: path.stat().st_mtime_ns for path in cli.folder.rglob("*")} == files
