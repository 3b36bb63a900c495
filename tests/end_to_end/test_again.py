"""The same line again: finished work is not repeated, more is more, and no less is ever less."""

from __future__ import annotations

import pytest

from tests.datasets import tree
from tests.end_to_end.snakes import CORAL, CORALS, KING, SNAKES, list_addresses, pictures, table, told, write

ADDRESSES = "class,query\ncoral_snake,coral.txt\n"
URLS = ("-c", "URLS", "snakes.csv")
FLICKR = ("-c", "FLICKR", "snakes.csv")


@pytest.fixture
def flickr(internet, cli):
    """Give the line on Flickr alone, which answers at once, with its key."""

    def run(*args):
        internet.log.clear()
        return cli(*FLICKR, *args, FLICKR_API_KEY=internet.flickr.key)

    write(cli.folder, CORALS)
    return run


@pytest.fixture
def urls(internet, cli):
    """Give the line on a list of addresses, which no search engine paces."""

    def run(*args):
        internet.log.clear()
        return cli(*URLS, *args)

    write(cli.folder, ADDRESSES)
    return run


def test_nothing_new_is_no_request(internet, cli):
    """With nothing new the second run asks nobody, changes nothing, and is a success."""
    internet.bing.shows(CORAL, 6, dead=1, html=1, twin=1, tiny=1)
    internet.flickr.shows(CORAL, 3, noai=1)
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
    """A larger `-m` fetches only what is new, and what is there stays as it is; a smaller one asks nobody."""
    internet.flickr.shows(CORAL, 9, size=(640, 400))
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
    """What a source has found since comes with `--refresh`, and nothing else is fetched for it."""
    shelf = internet.flickr.shows(CORAL, 3)
    assert flickr().code == 0
    internet.flickr.shows(CORAL, 2, also=shelf)
    assert flickr().code == 0
    assert not internet.log.visits

    run = flickr("--refresh")

    assert table(run)["coral_snake"] == {"kept": 5, "new": 2, "found": 5, "had": 3}
    assert len(internet.log.to("*.staticflickr.com")) == 2
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 5


def test_nothing_is_said_to_be_finished_too(internet, flickr):
    """A class for which a source had nothing is not asked for again, and the line says why it is empty."""
    assert flickr().code == 4

    run = flickr()

    assert run.code == 4
    assert not internet.log.visits
    assert "flickr was searched earlier: nothing new for coral_snake; --refresh searches again" in run.out
    internet.flickr.shows(CORAL, 2)
    assert flickr("--refresh").code == 0


def test_a_target_is_exact(internet, cli, urls):
    """`--target` ends with that many pictures a class, however many are there and whatever else comes."""
    shelf = internet.addresses(60, dead=9, twin=4)
    list_addresses(cli.folder, shelf.urls)

    run = urls("--target", "7")

    assert run.code == 0, run.out
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 7
    assert table(run)["coral_snake"]["kept"] == table(run)["coral_snake"]["new"] == 7
    row = table(run)["coral_snake"]
    assert sum(row.values()) - row["kept"] - row["found"] == row["found"]


def test_a_target_that_is_met_asks_nobody(internet, cli, flickr):
    """A class that has enough is not asked for, and is a success."""
    internet.flickr.shows(CORAL, 60)
    assert flickr("--target", "3").code == 0

    run = flickr("--target", "3")

    assert run.code == 0
    assert not internet.log.visits
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 3


def test_a_larger_target_goes_on(internet, cli, urls):
    """A larger target is filled up with other pictures than those that are there or were thrown out."""
    list_addresses(cli.folder, internet.addresses(30).urls)
    assert urls("--target", "4").code == 0
    thrown, *kept = pictures(cli.folder / "dataset")["coral_snake"]
    before = {told(path)["source"] for path in (thrown, *kept)}
    thrown.unlink()

    run = urls("--target", "9")

    assert run.code == 0
    assert table(run)["coral_snake"]["new"] == 6
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 9
    assert not before & {visit.url for visit in internet.log.visits}


def test_a_target_that_is_missed_goes_on_later(internet, cli, flickr):
    """A missed target ends with 3; when the source has more, `--refresh` fills it."""
    shelf = internet.flickr.shows(CORAL, 3)
    run = flickr("--target", "5")
    assert run.code == 3
    assert "coral_snake has 3 of 5: the sources have no more" in run.out
    internet.flickr.shows(CORAL, 4, also=shelf)

    run = flickr("--target", "5", "--refresh")

    assert run.code == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 5


def test_a_target_that_the_limit_does_not_allow(internet, cli, urls):
    """Where `-m` is what kept a class from its target, the line says so."""
    list_addresses(cli.folder, internet.addresses(9).urls)

    run = urls("--target", "5", "-m", "3")

    assert run.code == 3
    assert "coral_snake has 3 of 5: the limit -m is reached" in run.out


def test_R06_a_row_added_and_removed(internet, cli):
    """A new row is all that is asked for; a class whose row is gone keeps its pictures."""
    internet.flickr.shows(CORAL, 2)
    internet.flickr.shows(KING, 2)
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
    """With another source on the line only that one is asked, and what both have is fetched once."""
    bing = internet.bing.shows(CORAL, 3)
    internet.flickr.shows(CORAL, 2, also=bing)
    write(cli.folder, CORALS)
    assert cli("-c", "BING", "snakes.csv").code == 0
    internet.log.clear()

    run = cli("-c", "BING", *FLICKR, FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 0
    assert not internet.log.to("www.bing.com")
    assert not any(internet.log.count(url) for url in bing.urls)
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 5


def test_a_bad_day_is_tried_again(internet, cli, urls):
    """What the network kept from a run is asked for by the next ones, what is gone for good is not."""
    shelf = internet.addresses(7, patience=1, dead=2)
    list_addresses(cli.folder, shelf.urls)
    assert table(urls())["coral_snake"] == {"kept": 4, "new": 4, "found": 7, "dead": 3}

    run = urls()

    assert [visit.url for visit in internet.log.visits] == [listing.url for listing in shelf.of("patience")]
    assert table(run)["coral_snake"] == {"kept": 4, "new": 0, "found": 1, "dead": 1}
    urls()
    assert internet.log.visits
    urls()
    assert not internet.log.visits  # three runs tried


def test_R01_what_was_deleted_stays_away(internet, cli, flickr):
    """A picture that a person deleted is not asked for again, nor kept when another source shows it."""
    shelf = internet.flickr.shows(CORAL, 3)
    assert flickr().code == 0
    victim = pictures(cli.folder / "dataset")["coral_snake"][0]
    source = told(victim)["source"]
    victim.unlink()
    (listing,) = (listing for listing in shelf if listing.url == source)
    internet.flickr.shows("coral again", 1, also=[listing])
    write(cli.folder, CORALS + "coral_snake,coral again\n")

    run = flickr("--refresh")

    assert run.code == 0
    assert table(run)["coral_snake"]["before"] == 2
    assert internet.log.count(source) == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == 3


def test_a_dry_run_again(internet, cli, flickr):
    """A dry run on a dataset tells what is there and what would be fetched, and touches nothing."""
    shelf = internet.flickr.shows(CORAL, 2)
    assert flickr().code == 0
    internet.flickr.shows(CORAL, 3, also=shelf)
    files = {path: path.stat().st_mtime_ns for path in cli.folder.rglob("*")}

    run = flickr("-n", "--refresh")

    assert run.code == 0
    assert table(run)["coral_snake"] == {"kept": 2, "new": 0, "found": 5, "had": 2, "left": 3}
    assert not internet.log.to("*.staticflickr.com")
    assert {path: path.stat().st_mtime_ns for path in cli.folder.rglob("*")} == files
