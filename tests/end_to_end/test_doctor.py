"""`harvest doctor` prints what works on this machine, and how to fix the rest."""

from __future__ import annotations

import json

import pytest


def checks(run) -> dict[str, dict]:
    """Return the checks of `--json` by name."""
    return {check["name"]: check for check in json.loads(run.out)}


def test_a_source_that_works_is_ok(internet, cli):
    """A source whose results can be parsed today is ok, and the exit code is 0."""
    internet.bing.add_results("cat", 3)

    run = cli("doctor", "bing")

    assert run.code == 0, run.err
    assert "✓ ok     bing        answers, and its results can be read" in run.out


@pytest.mark.parametrize(("mode", "words"), [("blocked", "challenge page"), ("changed", "neither results nor a sign")])
def test_a_blocked_source_and_a_changed_page_differ(internet, cli, mode, words):
    """A blocked source and a changed page are different results, each with exit code 3."""
    internet.bing.add_results("cat", 3)
    internet.bing.set_mode(mode)

    run = cli("doctor", "bing", "--json")

    assert run.code == 3
    assert checks(run)["bing"]["state"] == "failed"
    assert words in checks(run)["bing"]["text"] + checks(run)["bing"]["repair"]
    assert "harvest doctor" not in run.out


def test_a_changed_page_is_saved(internet, cli):
    """A page that could not be parsed is saved to a file, which is named."""
    internet.bing.add_results("cat", 3)
    internet.bing.set_mode("changed")

    run = cli("doctor", "bing")

    assert "harvest-bing-page.txt" in run.out
    assert (cli.folder / "harvest-bing-page.txt").stat().st_size > 0


def test_a_missing_key_is_a_note(internet, cli):
    """A source without its key is a note that says where to get one, and not an error."""
    run = cli("doctor", "flickr", "--json")

    assert run.code == 0
    assert checks(run)["flickr"]["state"] == "note"
    assert "https://www.flickr.com/services/apps/create/apply" in checks(run)["flickr"]["repair"]
    assert not internet.log.to("api.flickr.com")


@pytest.mark.usefixtures("internet")
def test_a_refused_key_fails(cli):
    """A refused key differs from a missing one: exit code 5, and the key is not printed."""
    run = cli("doctor", "flickr", "--json", FLICKR_API_KEY="wrong-key-0123456789")

    assert run.code == 5
    assert checks(run)["flickr"]["state"] == "failed"
    assert "wrong-key" not in run.out + run.err


def test_offline_sends_no_request(internet, cli):
    """With `--offline` no request is sent."""
    run = cli("doctor", "--offline")

    assert run.code == 0, run.out
    assert not internet.log.to("www.bing.com")


@pytest.mark.parametrize("mode", ["offline", "works", "quota"])
def test_the_end_of_custom_search_is_named(internet, cli, mode):
    """Whether Custom Search works, fails or is not contacted, the check says when it ends and what to use instead."""
    service = internet.custom_search
    service.add_results("cat", 3)
    if mode == "quota":
        service.set_mode("quota")
    offline = ["--offline"] if mode == "offline" else []

    run = cli("doctor", "google", "--json", *offline, GOOGLE_API_KEY=service.key, GOOGLE_CSE_ID=service.engine)

    google = checks(run)["google"]
    assert google["state"] == ("failed" if mode == "quota" else "ok"), google
    assert "Google ends Custom Search on 2027-01-01" in google["repair"]
    assert "--google-pages" in google["repair"]
    assert "SerpApi" in google["repair"]


@pytest.mark.usefixtures("internet")
def test_a_damaged_dataset_is_found(cli):
    """A dataset with a damaged ledger is an error, with exit code 6 and its path."""
    (cli.folder / "dataset").mkdir()
    (cli.folder / "dataset" / "harvest.db").write_bytes(b"no ledger at all" * 99)

    run = cli("doctor", "--offline", "--json")

    assert run.code == 6
    assert "harvest.db" in checks(run)["dataset"]["text"]


@pytest.mark.usefixtures("internet")
def test_an_unknown_source_is_a_usage_error(cli):
    """An unknown source is a usage error with a suggestion."""
    run = cli("doctor", "bink")

    assert run.code == 2
    assert "Did you mean BING?" in run.err
