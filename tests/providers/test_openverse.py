"""Openverse: requests with and without credentials, searches beyond the cap, and responses."""

from __future__ import annotations

import json
import logging
import re
import time
from itertools import islice

import pytest

from harvest import providers
from harvest.errors import Blocked, HarvestError, KeyMissing, KeyRefused, PageChanged, Unanswerable
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query, Safe
from harvest.providers.openverse import Openverse, parse
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, RECORDINGS, FakePages, serving

ID, SECRET, TOKEN = "an-id", "a-secret-0123456789", "a-token-0123456789"
CREDENTIALS = {"OPENVERSE_CLIENT_ID": ID, "OPENVERSE_CLIENT_SECRET": SECRET}
SEARCH = "https://api.openverse.org/v1/images/"
EMPTY = (FIXTURES / "openverse" / "empty.json").read_text("utf-8")


def page(text, status=200, number=1):
    return SearchPage(f"{SEARCH}?q=snake&page={number}", status, text, {})


def search(pages, text="king snake", limit=None, environ=None, **filters):
    query = Query(text, "snake", limit=limit, filters=Filters(**filters))
    return Openverse(environ or {}).search(query, pages)


def answer(identities, total=None, size=20):
    results = [{"url": f"https://a.example/{i}.jpg"} for i in identities]
    total = len(results) if total is None else total
    return json.dumps({"result_count": total, "page_count": -(-total // size), "page_size": size, "results": results})


def with_token(text, token=None):
    granted = (
        token
        if token is not None
        else json.dumps({"access_token": TOKEN, "expires_in": 36_000, "token_type": "Bearer"})
    )
    return FakePages(lambda url: granted if "auth_tokens" in url else text)


# ---- what is asked


def test_nothing_is_needed():
    """Without credentials a page of 20 is requested, safe, at 20 requests a minute, without an authorization header."""
    pages = serving(EMPTY)
    assert list(search(pages, 'micrurus "coral snake" -king')) == []
    assert pages.asked[0].startswith(f"{SEARCH}?")
    assert pages.arguments(0) == {
        "q": 'micrurus "coral snake" -king',
        "page_size": "20",
        "mature": "false",
        "page": "1",
    }
    assert pages.headers == [{}]
    assert Openverse.pace >= 60 / 20
    assert "OPENVERSE" in providers.for_all({})


@pytest.mark.parametrize(("limit", "size"), [(None, "20"), (3, "3"), (500, "20")])
def test_no_more_is_asked_than_is_wanted(limit, size):
    """A page is as long as the limit, up to 20 without credentials."""
    pages = serving(EMPTY)
    list(search(pages, limit=limit))
    assert pages.arguments(0)["page_size"] == size


@pytest.mark.parametrize(
    ("filters", "asked"),
    [
        ({"licence": LicenceFilter.OPEN}, {"license": "by,by-sa,cc0,pdm"}),
        ({"licence": LicenceFilter.COMMERCIAL}, {"license": "by,by-sa,cc0,pdm,by-nd"}),
        ({"licence": LicenceFilter.PUBLIC_DOMAIN}, {"license": "cc0,pdm"}),
        ({"photos": True}, {"category": "photograph"}),
        ({"min_size": 554}, {}),
        ({"min_size": 555}, {"size": "large,medium"}),
        ({"min_size": 1386}, {"size": "large"}),
        ({"safe": Safe.MODERATE}, {"mature": "false"}),
        ({"safe": Safe.OFF}, {"mature": "true"}),
    ],
)
def test_filters_are_asked_for(filters, asked):
    """Exactly the supported filters are in the URL."""
    pages = serving(EMPTY)
    list(search(pages, **filters))
    plain = {"q": "king snake", "page_size": "20", "mature": "false", "page": "1"}
    assert pages.arguments(0) == plain | asked
    assert filters.keys() <= Openverse.supported_filters


def test_a_long_query_is_cut_where_openverse_cuts_it():
    """A query is cut after 200 characters."""
    pages = serving(EMPTY)
    list(search(pages, "snake " * 100))
    assert len(pages.arguments(0)["q"]) <= 200


# ---- beyond 240


class Catalogue:
    """An Openverse with many images: it counts and returns at most 240 per search, and refuses further pages."""

    def __init__(self, count):
        self.pictures = [
            {
                "url": f"https://a.example/{i}.jpg",
                "source": ("flickr", "wikimedia", "museum", "stock")[i % 4],
                "license": ("by", "by-sa", "cc0")[i % 3],
                "size": ("small", "medium", "large")[i % 5 % 3],
            }
            for i in range(count)
        ]

    def __call__(self, url):
        """Answer one search."""
        asked = dict(pair.split("=") for pair in url.split("?")[1].replace("%2C", ",").split("&"))
        found = [picture for picture in self.pictures if self.fits(picture, asked)]
        number, size = int(asked["page"]), int(asked["page_size"])
        if number * size > 240:
            return 400, '{"detail": {"page": ["Invalid page."]}}'
        results = found[(number - 1) * size : number * size]
        count = min(len(found), 240)
        return json.dumps(
            {"result_count": count, "page_count": -(-count // size), "page_size": size, "results": results}
        )

    @staticmethod
    def fits(picture, asked):
        """Return whether an image matches the request."""
        return picture["source"] not in asked.get("excluded_source", "").split(",") and all(
            picture[name] in asked[name].split(",") for name in ("source", "license", "size") if name in asked
        )


def test_more_than_240_are_found_by_source_licence_and_size():
    """All of 2,500 images are found, the 240 most relevant first, none twice, in a limited number of requests."""
    pages = FakePages(Catalogue(2_500))
    urls = [hit.url for hit in search(pages)]
    assert urls[:240] == [f"https://a.example/{i}.jpg" for i in range(240)]
    assert len(urls) == len(set(urls)) == 2_500
    assert len(pages.asked) < 200  # the day's quota


def test_a_search_of_exactly_240_asks_for_little_more():
    """Where 240 is the true count, splitting finds nothing new and is given up."""
    pages = FakePages(Catalogue(240))
    assert len(list(search(pages))) == 240
    assert len(pages.asked) <= 12 + 24


def test_a_filter_holds_in_every_part():
    """A search with a licence filter is split into its licences and no others."""
    pages = FakePages(Catalogue(2_500))
    hits = list(search(pages, licence=LicenceFilter.PUBLIC_DOMAIN))
    assert len(hits) == len(range(2, 2_500, 3))
    assert {arguments["license"] for arguments in map(pages.arguments, range(len(pages.asked)))} == {
        "cc0,pdm",
        "cc0",
        "pdm",
    }


def test_nothing_is_split_for_less():
    """Stopping within the first 240 hits never splits the search."""
    pages = FakePages(Catalogue(2_500))
    assert len(list(islice(search(pages, limit=100), 100))) == 100
    assert len(pages.asked) == 5
    assert "source" not in pages.arguments(4)


def test_a_total_that_never_falls_ends_all_the_same():
    """A source that claims millions and repeats one page is given up after a limited number of requests."""
    pages = serving(answer(range(20), 5_000_000))
    assert len(list(search(pages))) == 20
    assert len(pages.asked) < 40


@pytest.mark.parametrize("status", [400, 404])
def test_a_page_past_the_end_is_the_end(status):
    """A refusal of a later page ends the search without an error."""
    pages = serving(answer(range(20), 30), (status, '{"detail": "Invalid page."}'))
    assert len(list(search(pages))) == 20


def test_a_short_page_is_not_the_end():
    """Pages may be shorter than the page size; the stated number of pages counts."""
    pages = serving(answer(range(3), 60), answer([], 60), answer(range(40, 45), 60))
    assert len(list(search(pages))) == 8
    assert [pages.arguments(ask)["page"] for ask in range(3)] == ["1", "2", "3"]


# ---- credentials


def test_credentials_are_exchanged_for_a_token_once():
    """Id and secret are sent in a form, the token in a header of every search, and pages have 48 results."""
    pages = with_token(answer(range(96), 96, 48))
    openverse = Openverse(CREDENTIALS)
    for _ in range(2):
        list(openverse.search(Query("snake", "snake"), pages))
    assert pages.forms == [{"grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET}]
    assert pages.asked[0] == "https://api.openverse.org/v1/auth_tokens/token/"
    assert {headers["Authorization"] for headers in pages.headers[1:]} == {f"Bearer {TOKEN}"}
    assert pages.arguments(1)["page_size"] == "48"


def test_a_token_that_has_run_out_is_renewed(monkeypatch):
    """After ten hours a new token is requested."""
    pages = with_token(EMPTY)
    openverse = Openverse(CREDENTIALS)
    list(openverse.search(Query("snake", "snake"), pages))
    later = time.monotonic() + 35_950
    monkeypatch.setattr(time, "monotonic", lambda: later)
    list(openverse.search(Query("snake", "snake"), pages))
    assert len(pages.forms) == 2


@pytest.mark.parametrize("given", CREDENTIALS)
def test_V04_half_a_key_is_named(given):
    """With only one of the two variables, the error names the missing one."""
    (missing,) = CREDENTIALS.keys() - {given}
    with pytest.raises(KeyMissing, match=f"{missing} is not set"):
        Openverse({given: "x", missing: " "}).check()
    Openverse(CREDENTIALS).check()
    Openverse({}).check()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_V04_refused_credentials_are_an_error(status):
    """Refused credentials end the search before its first request."""
    pages = serving((status, '{"error": "invalid_client"}'))
    with pytest.raises(KeyRefused, match="does not accept the client id and secret"):
        next(search(pages, environ=CREDENTIALS))
    assert len(pages.asked) == 1


@pytest.mark.parametrize(
    "token",
    [
        f'{{"access_token": "{TOKEN}',
        f'["{TOKEN}"]',
        f'{{"token": "{TOKEN}"}}',
        f'{{"access_token": ["{TOKEN}"]}}',
        f'{{"access_token": "{TOKEN}\\nX-Evil: 1"}}',
        f'{{"access_token": "{TOKEN * 1000}"}}',
        "[" * 100_000,
        "",
    ],
    ids=["cut", "list", "renamed", "nested", "header", "long", "deep", "empty"],
)
def test_V07_an_invalid_token_is_not_shown(token):
    """A hostile response to the form is a changed page without the text of the response."""
    with pytest.raises(PageChanged, match="sent no valid token") as caught:
        next(search(with_token(EMPTY, token), environ=CREDENTIALS))
    assert TOKEN not in caught.value.page + caught.value.message + caught.value.hint


def test_V04_secret_and_token_are_in_no_log(caplog):
    """At debug level no log line, repr or URL contains the secret or the token."""
    pages = with_token(EMPTY)
    openverse = Openverse(CREDENTIALS)
    with caplog.at_level(logging.DEBUG):
        list(openverse.search(Query("snake", "snake"), pages))
    shown = caplog.text + " ".join(pages.asked) + repr(vars(openverse)["_credentials"])
    assert SECRET not in shown
    assert TOKEN not in shown


def test_V04_an_expired_token_is_an_error():
    """A refused search states Openverse's reason and names the variables."""
    with pytest.raises(KeyRefused, match=r"\(401\): Given token not valid") as caught:
        parse(page('{"detail": "Given token not valid"}', 401))
    assert all(name in caught.value.hint for name in CREDENTIALS)


# ---- what it answers


def test_V01_a_refusal_is_a_block():
    """A refusal by Openverse's firewall is `Blocked`, whatever its text."""
    with pytest.raises(Blocked, match="Openverse answers 403"):
        parse(page(answer([1]), 403))


@pytest.mark.parametrize(
    ("detail", "reason"), [('"Bad query"', "Bad query"), ('{"q": ["Bad"]}', "q: Bad"), ("7", "no reason given")]
)
def test_a_query_openverse_refuses_is_an_error(detail, reason):
    """A refused first page is an error with its reason, not an empty result."""
    with pytest.raises(Unanswerable, match=rf"Openverse refuses this search \(400\): {reason}"):
        next(search(serving((400, f'{{"detail": {detail}}}'))))


@pytest.mark.parametrize("results", [None, 7, "x", {}, [None], [7, "x"], [[]], [{}], [{"url": 7}]])
def test_V07_hostile_answers_are_changed_pages(results):
    """An invalid list of results, or one without readable results, is a changed page."""
    with pytest.raises(PageChanged):
        parse(page(json.dumps({"result_count": 3, "results": results})))


@pytest.mark.parametrize(
    "name",
    ["title", "creator", "creator_url", "license", "license_version", "license_url", "thumbnail", "width"],
)
@pytest.mark.parametrize("value", [None, True, 1.5, 10**30, [], {}, "\x00", "<" * 5000, "https://[", "../.."])
def test_V07_one_hostile_value_spoils_no_other(name, value):
    """An invalid value in one result affects neither it nor the next one."""
    good, bad = {"url": "https://a.example/8.jpg"}, {"url": "https://a.example/7.jpg", name: value}
    hits = parse(page(json.dumps({"result_count": 2, "results": [bad, good]}))).hits
    assert [hit.url for hit in hits] == ["https://a.example/7.jpg", "https://a.example/8.jpg"]


@pytest.mark.parametrize(
    ("terms", "version", "url", "spdx"),
    [
        ("by-nc-nd", "2.0", None, "CC-BY-NC-ND-2.0"),
        ("by", "3.0", "https://creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0-US"),
        ("cc0", "1.0", None, "CC0-1.0"),
        ("pdm", "1.0", None, "CC-PDM-1.0"),
        ("by", None, None, None),
        ("by", "9.0", None, None),
        ("nc-sampling+", "1.0", "https://creativecommons.org/licenses/nc-sampling+/1.0/", None),
    ],
)
def test_a_licence_is_what_the_archive_states(terms, version, url, spdx):
    """Terms, version and URL give one licence id; without them the licence is unknown."""
    result = {
        "url": "https://a.example/1.jpg",
        "license": terms,
        "license_version": version,
        "license_url": url,
    }
    (hit,) = parse(page(json.dumps({"result_count": 1, "results": [result]}))).hits
    assert hit.licence.id == spdx
    assert hit.licence.evidence is (Evidence.STATED if spdx else Evidence.UNKNOWN)


# ---- recordings


def recorded(name):
    path = RECORDINGS / "openverse" / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_text("utf-8")


def test_the_recorded_answer_gives_20_pictures():
    """All images of a real response are read, with author, licence and source key."""
    found = parse(page(recorded("images_search_2022-01.json")))
    assert len({hit.source for hit in found.hits}) == len(found.hits) == 20
    assert found.more == 2
    assert found.total == 10_000
    assert all(hit.page and hit.author and hit.author_url and hit.title for hit in found.hits)
    assert {hit.licence.evidence for hit in found.hits} == {Evidence.STATED}
    assert found.hits[0].source == "flickr:3089483288"
    assert found.hits[0].licence.id == "CC-BY-NC-ND-2.0"


def test_the_recorded_refusal_says_how_long():
    """The wait time is read from the text of a real throttled response without `Retry-After`."""
    from harvest.web.retry_wait import parse_wait_hint  # noqa: PLC0415

    text = recorded("images_429_throttled_2023-07.json5")
    assert "retry-after" not in text.casefold()
    assert parse_wait_hint(text) == 3600


def test_errors_of_openverse_name_it():
    """Every error message names the source."""
    for text, status in ((answer([1]), 403), ("<html>", 200), ("{}", 200), ('{"detail": "x"}', 400)):
        with pytest.raises(HarvestError) as caught:
            parse(page(text, status))
        assert re.search("(?i)openverse", caught.value.message)
