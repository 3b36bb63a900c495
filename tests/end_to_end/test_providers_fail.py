"""A provider that fails is reported correctly, keeps its results, and does not stop other providers."""

from __future__ import annotations

import pytest

from tests import jumping_clock
from tests.end_to_end.snakes import CORAL, CORALS, KING, pictures, table, write

BOTH = ("-c", "BING", "-c", "FLICKR", "snakes.csv")


@pytest.fixture
def harvested(internet, cli):
    """Return a function that harvests corals from both sources, and returns the run."""
    bing = internet.bing.add_results(CORAL, 4)
    flickr = internet.flickr.add_results(CORAL, 3)
    write(cli.folder, CORALS)

    def harvest(*args, key=internet.flickr.key, **variables):
        return cli(*(args or BOTH), "--json", FLICKR_API_KEY=key, **variables)

    harvest.bing, harvest.flickr = bing, flickr
    return harvest


def problems(run) -> dict[str, str]:
    """Return the kind of problem of each provider."""
    return {problem["provider"]: problem["kind"] for problem in run.json["problems"]}


def ends(run) -> dict[str, str]:
    """Return how the search of each provider ended."""
    return {line["provider"]: line["end"] for line in run.json["lines"]}


BING = {
    # server behaviour: kind of problem, words of its message, words of its hint
    "blocked": ("Blocked", 'shows a challenge page ("One last step") instead', "Try again in some hours"),
    "forbidden": ("Blocked", "answers 403 instead of results", "from another connection"),
    "bloated": ("PageChanged", "is larger than 10485760 bytes", ""),
}


@pytest.mark.parametrize("mode", BING)
def test_V01_V07_bing_fails(internet, harvested, mode):
    """A challenge, a refusal and an endless page are reported differently; Flickr continues."""
    kind, message, hint = BING[mode]
    internet.bing.set_mode(mode)

    run = harvested()

    assert run.code == 3
    (problem,) = run.json["problems"]
    assert (problem["provider"], problem["kind"]) == ("BING", kind)
    assert message in problem["message"]
    assert hint in problem["hint"]
    assert ends(run) == {"BING": kind, "FLICKR": "exhausted"}
    assert run.json["total"]["new"] == len(harvested.flickr)


def test_V03_truly_nothing_is_said(internet, cli):
    """A source without results is named with its class, and is not an error if others had some."""
    internet.bing.add_results(CORAL, 2)
    write(cli.folder, CORALS)

    run = cli(*BOTH, FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 0
    assert "flickr has no images for coral_snake; the search is complete" in run.out
    assert "bing has no images" not in run.out


@pytest.mark.slow
def test_a_short_rate_limit_is_waited_for(internet, harvested):
    """An empty page, as Bing sends one time in ten, is requested once more."""
    internet.bing.set_mode("hiccup", times=1)

    run = harvested()

    assert run.code == 0
    assert run.json["total"]["new"] == len(harvested.bing) + len(harvested.flickr)
    assert len(internet.log.to("www.bing.com")) == 2


def test_N05_a_short_wait_is_waited(internet, harvested):
    """A Retry-After of a second is waited for and retried, and the user is informed."""
    internet.flickr.set_mode("limited", times=1)

    run = harvested(**{jumping_clock.VARIABLE: None})  # by the real clock

    assert run.code == 0
    assert run.json["total"]["new"] == len(harvested.bing) + len(harvested.flickr)
    first, second = internet.log.to("api.flickr.com")
    assert second.at - first.at >= 1


def test_N05_a_long_wait_is_not_waited(internet, harvested):
    """A source with a Retry-After of a week is not asked again, and the message says so."""
    internet.flickr.set_mode("limited", retry_after="604800")

    run = harvested()

    assert run.code == 3
    assert problems(run) == {"FLICKR": "RateLimited"}
    assert len(internet.log.to("api.flickr.com")) == 1
    assert run.json["total"]["new"] == len(harvested.bing)


def test_V04_the_key_is_refused(harvested):
    """A key that Flickr refuses is never printed; Bing continues."""
    run = harvested(key="f00dfacef00dfacef00dfacef00dface")

    assert run.code == 3
    assert problems(run) == {"FLICKR": "KeyRefused"}
    assert "FLICKR_API_KEY" in run.json["problems"][0]["hint"]
    assert "f00dface" not in run.out + run.err
    assert run.json["total"]["new"] == len(harvested.bing)


def test_V04_no_trace_of_the_key(internet, cli, harvested):
    """The key is in no file and in no line, whatever fails and however much is logged."""
    internet.flickr.set_mode("down", times=1)

    run = harvested(*BOTH, "-v", "--log", "run.log")

    assert run.code == 0
    kept = b"".join(path.read_bytes() for path in cli.folder.rglob("*") if path.is_file())
    assert internet.flickr.key.encode() not in kept + run.out.encode() + run.err.encode()
    assert b"staticflickr" in kept


def test_signed_with_a_secret(internet, cli):
    """With FLICKR_API_SECRET set, calls are signed, and Flickr accepts the signature."""
    internet.flickr.add_results(CORAL, 2)
    write(cli.folder, CORALS)
    keys = {"FLICKR_API_KEY": internet.flickr.key, "FLICKR_API_SECRET": internet.flickr.secret}

    run = cli("-c", "FLICKR", "snakes.csv", **keys)

    assert run.code == 0, run.out
    (call,) = internet.log.to("api.flickr.com")
    assert call.headers["authorization"].startswith("OAuth ")


def test_V05_the_quota_is_used_up_midway(internet, cli):
    """Results from before the quota was used up are kept, later classes are skipped, and the same command resumes."""
    internet.flickr.add_results(CORAL, 4)
    internet.flickr.add_results(KING, 3)
    internet.flickr.set_mode("limited", after=1, retry_after="7200")
    write(cli.folder)
    line = ("-c", "FLICKR", "snakes.csv", "--json")

    run = cli(*line, FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 3
    assert [line["end"] for line in run.json["lines"]] == ["exhausted", "RateLimited"]
    assert {name: len(paths) for name, paths in pictures(cli.folder / "dataset").items()} == {"coral_snake": 4}
    internet.flickr.reset_mode()
    internet.log.clear()
    again = cli(*line, FLICKR_API_KEY=internet.flickr.key)
    assert again.code == 0
    assert [visit.asked["text"] for visit in internet.log.to("api.flickr.com")] == [KING]
    assert len(pictures(cli.folder / "dataset")["king_snake"]) == 3


def test_a_failed_provider_is_not_asked_again(internet, cli):
    """A provider that failed for one class is not asked for the next, and the summary says so once."""
    internet.flickr.add_results(KING, 2)
    internet.bing.set_mode("blocked")
    write(cli.folder)

    run = cli(*BOTH, FLICKR_API_KEY=internet.flickr.key)

    assert run.code == 3
    assert len(internet.log.to("www.bing.com")) == 1
    assert run.out.count("bing: Bing shows a challenge page") == 1
    assert table(run)["king_snake"]["new"] == 2


@pytest.mark.slow
def test_a_provider_fails_in_the_middle(internet, cli):
    """Hits of the pages before the failure are harvested; later the same command downloads the rest."""
    results = internet.bing.add_results(CORAL, 40)
    internet.bing.set_mode("blocked", after=1)
    write(cli.folder, CORALS)
    line = ("-c", "BING", "snakes.csv")

    run = cli(*line)

    assert run.code == 3
    assert table(run)["coral_snake"]["new"] == 35
    internet.bing.reset_mode()
    again = cli(*line)
    assert again.code == 0
    assert table(again)["coral_snake"] == {"kept": 40, "new": 5, "found": 40, "had": 35}
    assert all(internet.log.count(url) == 1 for url in results.urls)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["nested", "cut", "html", "listless"])
def test_V07_answers_that_are_none(internet, harvested, mode):
    """Broken, endless and foreign API responses end the search without a traceback."""
    internet.flickr.set_mode(mode)

    run = harvested("-c", "FLICKR", "snakes.csv")

    assert run.code == 4
    assert problems(run) == {"FLICKR": "PageChanged"}
    assert "Traceback" not in run.err


def test_V02_a_new_layout(internet, cli, harvested):
    """An unknown layout is reported as such; the page is saved to a file, which is named, for a bug report."""
    internet.bing.set_mode("changed")

    run = harvested()

    assert run.code == 3
    assert problems(run) == {"BING": "PageChanged"}
    assert "neither results nor a sign that there are none" in run.json["problems"][0]["message"]
    assert run.json["total"]["new"] == len(harvested.flickr)
    saved = cli.folder / "dataset" / "harvest-bing-page.txt"
    assert 'class="rslt"' in saved.read_text("utf-8")
    assert f"the page of bing is saved in {saved.relative_to(cli.folder)}" in " ".join(run.json["notes"])


@pytest.mark.slow
def test_V02_a_dry_run_saves_no_page(internet, cli, harvested):
    """A dry run writes nothing, not even a page that could not be parsed."""
    internet.bing.set_mode("changed")

    harvested("-n", *BOTH)

    assert [path.name for path in cli.folder.iterdir()] == ["snakes.csv"]


def test_all_providers_fail(internet, harvested):
    """If every source fails, nothing is harvested, and each reason is printed."""
    internet.bing.set_mode("blocked")
    internet.flickr.set_mode("expired")

    run = harvested()

    assert run.code == 4
    assert problems(run) == {"BING": "Blocked", "FLICKR": "KeyRefused"}


@pytest.mark.slow
def test_no_network_at_all(cli):
    """With an unreachable proxy the source is unreachable, and the message says whether the network is up."""
    write(cli.folder, CORALS)
    dead = "http://127.0.0.1:9"

    run = cli("-c", "BING", "snakes.csv", HTTPS_PROXY=dead, HTTP_PROXY=dead)

    assert run.code == 4
    assert "bing: Bing cannot be reached" in run.out
    assert "Traceback" not in run.err


@pytest.mark.slow
def test_bing_repeats_its_last_page(internet, cli):
    """If Bing repeats its last page for ever, the search still ends."""
    results = internet.bing.add_results(CORAL, 5)
    internet.bing.never_ends = True
    write(cli.folder, CORALS)

    run = cli("-c", "BING", "snakes.csv", "--json")

    assert run.code == 0
    assert run.json["total"]["found"] == len(results)
    assert ends(run) == {"BING": "exhausted"}
    assert len(internet.log.to("www.bing.com")) <= 3
