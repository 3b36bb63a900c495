"""The doctor tells what works here, and what to do about the rest."""

from __future__ import annotations

import json

import pytest


def checks(run) -> dict[str, dict]:
    """Give the checks of `--json` by their names."""
    return {check["name"]: check for check in json.loads(run.out)}


def test_a_source_that_answers_is_well(internet, cli):
    """A source whose results can be read today is well, and the command ends with 0."""
    internet.bing.shows("cat", 3)

    run = cli("doctor", "bing")

    assert run.code == 0, run.err
    assert "✓ ok     bing        answers, and its results can be read" in run.out


@pytest.mark.parametrize(("mood", "words"), [("blocked", "challenge page"), ("changed", "neither results nor a sign")])
def test_a_source_that_fails_is_told_from_a_broken_one(internet, cli, mood, words):
    """Blocked and changed are different answers, each with exit code 3."""
    internet.bing.shows("cat", 3)
    internet.bing.turns(mood)

    run = cli("doctor", "bing", "--json")

    assert run.code == 3
    assert checks(run)["bing"]["state"] == "failed"
    assert words in checks(run)["bing"]["text"] + checks(run)["bing"]["repair"]
    assert "harvest doctor" not in run.out


def test_a_changed_page_is_kept(internet, cli):
    """The page that could not be read is in a file whose name is said."""
    internet.bing.shows("cat", 3)
    internet.bing.turns("changed")

    run = cli("doctor", "bing")

    assert "harvest-bing-page.txt" in run.out
    assert (cli.folder / "harvest-bing-page.txt").stat().st_size > 0


def test_a_missing_key_is_a_note(internet, cli):
    """A source without its key is a note that says where to get one: nothing is broken."""
    run = cli("doctor", "flickr", "--json")

    assert run.code == 0
    assert checks(run)["flickr"]["state"] == "note"
    assert "https://www.flickr.com/services/apps/create/apply" in checks(run)["flickr"]["repair"]
    assert not internet.log.to("api.flickr.com")


@pytest.mark.usefixtures("internet")
def test_a_refused_key_fails(cli):
    """A key that the source refuses is told from a missing one, with exit code 5; the key is not printed."""
    run = cli("doctor", "flickr", "--json", FLICKR_API_KEY="wrong-key-0123456789")

    assert run.code == 5
    assert checks(run)["flickr"]["state"] == "failed"
    assert "wrong-key" not in run.out + run.err


def test_offline_asks_nobody(internet, cli):
    """With --offline no source is asked anything."""
    run = cli("doctor", "--offline")

    assert run.code == 0, run.out
    assert not internet.log.to("www.bing.com")


@pytest.mark.usefixtures("internet")
def test_a_damaged_dataset_is_found(cli):
    """A dataset here whose ledger is damaged fails, with exit code 6 and its path."""
    (cli.folder / "dataset").mkdir()
    (cli.folder / "dataset" / "harvest.db").write_bytes(b"no ledger at all" * 99)

    run = cli("doctor", "--offline", "--json")

    assert run.code == 6
    assert "harvest.db" in checks(run)["dataset"]["text"]


@pytest.mark.usefixtures("internet")
def test_an_unknown_source_is_a_mistake(cli):
    """A source that there is not is a mistake on the line, with a guess."""
    run = cli("doctor", "bink")

    assert run.code == 2
    assert "Did you mean BING?" in run.err
