"""Opt-outs from training datasets: which signal refused an image is stored, shown, and ignored on request."""

from __future__ import annotations

import pytest

from tests.web import Answer

NO_TRAINING = Answer(b"User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n", kind="text/plain")
RESERVED = Answer(b'[{"location": "/", "tdm-reservation": 1}]', kind="application/json")


@pytest.fixture
def urls(internet, cli):
    """Return the URLs of six images, on the hosts img1, img2 and img0 in turn, which a query file lists."""
    found = internet.addresses(6, hosts=3).urls
    (cli.folder / "list.txt").write_text("\n".join(found))
    (cli.folder / "q.csv").write_text("class,query\ncorals,list.txt\n")
    return found


def verdicts(run) -> dict[str, int]:
    """Return the verdicts of all hits."""
    return run.json["total"]["verdicts"]


def test_the_signals_of_a_host_are_obeyed_and_shown(internet, cli, urls):
    """Images of hosts that forbid training are refused by their robots.txt or tdmrep.json, and `why` names it."""
    internet.documents["img1.pictures.test/robots.txt"] = NO_TRAINING
    internet.documents["img2.pictures.test/.well-known/tdmrep.json"] = RESERVED

    run = cli("-c", "URLS", "q.csv", "--json")

    assert verdicts(run) == {"kept": 2, "opted_out": 4}
    assert internet.log.count(urls[0]) == 0
    assert "robots.txt: Content-Signal: ai-train=no" in cli("why", urls[0]).out
    assert "tdmrep.json: tdm-reservation: 1" in cli("why", urls[1]).out


def test_each_host_is_asked_twice_whatever_its_images(internet, cli, urls):
    """A run costs two requests per host beside those for its images, and the next run of the day none."""
    cli("-c", "URLS", "q.csv")
    cli("-c", "URLS", "q.csv", "-o", "other")

    for host in ("img0.pictures.test", "img1.pictures.test", "img2.pictures.test"):
        assert len(internet.log.to(host, "/robots.txt")) == 1
        assert len(internet.log.to(host, "/.well-known/tdmrep.json")) == 1
    assert internet.log.count(urls[0]) == 2


@pytest.mark.usefixtures("urls")
def test_the_signals_of_a_host_are_ignored_on_request(internet, cli):
    """With `--ignore-opt-out` no host is asked, and the images that were refused are downloaded."""
    internet.documents["img1.pictures.test/robots.txt"] = NO_TRAINING
    cli("-c", "URLS", "q.csv")
    asked = len(internet.log.to("*", "/robots.txt"))

    run = cli("-c", "URLS", "q.csv", "--json", "--ignore-opt-out")

    assert verdicts(run) == {"kept": 2}
    assert len(internet.log.to("*", "/robots.txt")) == asked


@pytest.mark.usefixtures("urls")
def test_the_rules_for_all_crawlers_are_obeyed_on_request(internet, cli):
    """`Disallow` for all crawlers refuses images with `--robots` alone; the next run without it downloads them."""
    internet.documents["img1.pictures.test/robots.txt"] = Answer(b"User-agent: *\nDisallow: /\n", kind="text/plain")

    with_robots = cli("-c", "URLS", "q.csv", "--json", "--robots")
    without = cli("-c", "URLS", "q.csv", "--json")

    assert verdicts(with_robots) == {"kept": 4, "disallowed": 2}
    assert verdicts(without) == {"kept": 2}


def test_the_word_of_the_owner_inside_an_image_is_obeyed_and_shown(internet, cli):
    """An image whose XMP prohibits data mining is not kept, and `why` names the term; on request it is kept."""
    results = internet.addresses(3, prohibited=1)
    (cli.folder / "list.txt").write_text("\n".join(results.urls))
    (cli.folder / "q.csv").write_text("class,query\ncorals,list.txt\n")

    run = cli("-c", "URLS", "q.csv", "--json")

    assert verdicts(run) == {"kept": 2, "opted_out": 1}
    assert "plus:DataMining DMI-PROHIBITED" in cli("why", results.of("prohibited")[0].url).out
    assert verdicts(cli("-c", "URLS", "q.csv", "--json", "--ignore-opt-out")) == {"kept": 1}
