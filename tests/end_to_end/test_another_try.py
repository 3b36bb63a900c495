"""A hit that was refused for a reason that no longer applies is tried again, and only then."""

from __future__ import annotations

import pytest

from tests.internet.host_behaviour import picture
from tests.web import Answer, Photo


@pytest.fixture
def served(internet, cli):
    """Write a query file with a list of URLs that end in every way, and return the list."""
    results = internet.addresses(8, noai=2, private=1, dead=1)
    (cli.folder / "list.txt").write_text("\n".join(results.urls))
    (cli.folder / "q.csv").write_text("class,query\ncorals,list.txt\n")
    return results


def counts(run) -> dict[str, int]:
    """Return the total in `--json`."""
    return run.json["total"]


@pytest.mark.usefixtures("served")
def test_an_ignored_opt_out_is_downloaded(cli):
    """Images whose server opted out are downloaded by the next run with `--ignore-opt-out`, without `--refresh`."""
    first = cli("-c", "URLS", "q.csv", "--json")
    assert counts(first)["verdicts"]["opted_out"] == 2

    again = cli("-c", "URLS", "q.csv", "--json", "--ignore-opt-out")

    assert (counts(again)["found"], counts(again)["new"]) == (2, 2)


def test_images_of_a_parked_host_are_left(internet, cli):
    """A host that asks for a day's wait once keeps no image from being downloaded by a later run."""
    busy = Answer(b"", status=429, headers={"Retry-After": "99999"})
    internet.sites["busy.test"] = lambda request: busy if ".jpg" in request.path else Answer(b"", status=404)
    (cli.folder / "list.txt").write_text("\n".join(f"https://busy.test/{n}.jpg" for n in range(20)))
    (cli.folder / "q.csv").write_text("class,query\ncorals,list.txt\n")

    first = cli("-c", "URLS", "q.csv", "--json").json
    refused = first["total"]["verdicts"]["rate_limited"]
    assert (first["total"]["dead"], first["total"]["left"]) == (refused, 20 - refused)
    assert f"images of these hosts that are left for the next run: {20 - refused}" in first["notes"]
    assert "left for the next run" in cli("why", "https://busy.test/19.jpg").out

    for _ in range(4):
        cli("-c", "URLS", "q.csv")
    internet.sites["busy.test"] = lambda request: picture(Photo(int(request.path[1:].partition(".")[0])))
    assert cli("-c", "URLS", "q.csv", "--json").json["total"]["new"] >= 4


@pytest.mark.usefixtures("served")
def test_skipped_lines_of_a_list_are_reported(cli):
    """The summary names the lines of a list that are not URLs."""
    with (cli.folder / "list.txt").open("a") as file:
        file.write("\nwww.example.com/a.jpg")

    run = cli("-c", "URLS", "q.csv")

    assert "list.txt: skipped 1 line without a usable URL (line 9)" in run.out


def test_refresh_retries_dead_urls(internet, cli, served):
    """`--refresh` requests a dead URL again; the same command without it does not."""
    cli("-c", "URLS", "q.csv")
    dead = served.of("dead")[0].url

    cli("-c", "URLS", "q.csv")
    assert internet.log.count(dead) == 1

    cli("-c", "URLS", "q.csv", "--refresh")
    assert internet.log.count(dead) == 2


@pytest.mark.usefixtures("served")
def test_a_private_address_names_the_option(cli):
    """A run that met private addresses names the option that allows them."""
    run = cli("-c", "URLS", "q.csv")

    assert "--allow-private" in run.out


@pytest.mark.usefixtures("internet")
def test_a_dataset_needs_a_name(cli):
    """The root directory is refused as a dataset before anything is written."""
    run = cli("demo", "-o", "/")

    assert run.code == 2
    assert "cannot be a dataset" in run.err


@pytest.mark.usefixtures("internet")
def test_the_next_line_can_be_pasted(cli):
    """A folder with a space is quoted in the command that is suggested."""
    run = cli("demo", "-o", "my set", "-m", "3")

    assert "harvest status 'my set'" in run.out
