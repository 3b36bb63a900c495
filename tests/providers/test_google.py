"""Google: the choice of the backend, and the requests and errors of each."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from harvest.errors import Blocked, KeyMissing, KeyRefused, PageChanged, RateLimited, Unanswerable, UsageError
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query, Safe
from harvest.providers import for_all
from harvest.providers.google import (
    Google,
    custom_search,
    live_page,
    serpapi,
)
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, RECORDINGS, FakePages, serving

CSE = {"GOOGLE_API_KEY": "k-cse", "GOOGLE_CSE_ID": "engine"}
SERPAPI = {"SERPAPI_API_KEY": "k-serp"}
SERPER = {"SERPER_API_KEY": "k-serper"}
CSE_EMPTY = (FIXTURES / "google_cse" / "empty.json").read_text("utf-8")
SERPAPI_EMPTY = (FIXTURES / "google_serpapi" / "empty.json").read_text("utf-8")
ADDRESS = "https://www.google.com/search?q=snake"


def found(*numbers, following=None, start=1):
    """Return a page of Custom Search."""
    queries = {"request": [{"startIndex": start}]}
    if following:
        queries["nextPage"] = [{"startIndex": following}]
    items = [{"title": f"snake {n}", "link": f"https://a.example/{n}.jpg"} for n in numbers]
    return json.dumps({"kind": "customsearch#search", "queries": queries, "items": items})


def bought(*numbers):
    """Return a page of SerpApi."""
    results = [{"title": f"snake {n}", "original": f"https://a.example/{n}.jpg"} for n in numbers]
    return json.dumps({"images_results": results})


def search(environ, pages, text="snake", limit=None, **filters):
    return Google(environ).search(Query(text, "snake", limit=limit, filters=Filters(**filters)), pages)


def refusal(code, message, reason="", **more):
    error = {"code": code, "message": message, "errors": [{"reason": reason, "domain": "global"}]} | more
    return code, json.dumps({"error": error})


# ---- which way


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        (CSE, "www.googleapis.com"),
        (SERPAPI, "serpapi.com"),
        (SERPER, "google.serper.dev"),
        (SERPER | SERPAPI, "serpapi.com"),
        (CSE | SERPAPI, "www.googleapis.com"),
        ({"GOOGLE_API_KEY": "half"} | SERPAPI, "serpapi.com"),
        ({}, "www.google.com"),
        ({"SERPAPI_API_KEY": "  "}, "www.google.com"),
    ],
)
def test_the_way_is_the_one_that_a_person_has(environ, host):
    """The first backend with all its keys is used; without any, the plain page is requested."""
    pages = serving("")
    Google(environ).check()
    with pytest.raises(PageChanged):
        next(search(environ, pages))
    assert pages.asked[0].split("/")[2] == host


def test_in_ALL_only_with_a_key_or_pages(tmp_path):
    """`ALL` includes Google only with keys or saved pages."""
    (tmp_path / "snake.html").write_text("a page")
    assert "GOOGLE" not in for_all({})
    assert "GOOGLE" in for_all(CSE)
    assert "GOOGLE" in for_all(SERPAPI)
    assert "GOOGLE" in for_all(SERPER)
    assert "GOOGLE" in for_all({"HARVEST_GOOGLE_PAGES": str(tmp_path)})
    assert "GOOGLE" not in for_all({"GOOGLE_API_KEY": "half"})
    assert "GOOGLE" not in for_all({"HARVEST_GOOGLE_PAGES": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("given", "missing"),
    [("GOOGLE_API_KEY", "GOOGLE_CSE_ID"), ("GOOGLE_CSE_ID", "GOOGLE_API_KEY")],
)
def test_V04_half_a_key_names_the_other_half(given, missing):
    """Custom Search needs two keys; the error names the missing one."""
    with pytest.raises(KeyMissing, match=missing) as caught:
        Google({given: "k"}).check()
    assert f"harvest keys set {missing}" in caught.value.hint


def test_each_way_knows_its_own_filters():
    """The supported filters are those of the backend: only Custom Search filters by licence, saved pages by nothing."""
    ways = [Google(environ).supported_filters for environ in (CSE, SERPAPI, {}, SERPER, {"HARVEST_GOOGLE_PAGES": "x"})]
    assert ["licence" in knows for knows in ways] == [True, False, False, False, False]
    assert ["until" in knows for knows in ways] == [False, True, True, False, False]
    assert set().union(*ways) <= {field.name for field in fields(Filters)}


def test_the_end_of_custom_search_is_said():
    """Only users of Custom Search are told when it ends."""
    assert "2027-01-01" in Google(CSE).notes()[0]
    assert Google(SERPAPI).notes() == Google(SERPER).notes() == Google({}).notes() == []


# ---- Custom Search


def test_custom_search_asks_for_pictures():
    """The query is sent unchanged, for images, ten per page, with strict safe search."""
    pages = serving(found(1), CSE_EMPTY)
    next(search(CSE, pages, 'gibson "Flying V" -bass & more'))
    assert pages.arguments(0) == {
        "q": 'gibson "Flying V" -bass & more',
        "searchType": "image",
        "num": "10",
        "safe": "active",
        "cx": "engine",
        "key": "k-cse",
        "start": "1",
    }


def test_custom_search_narrows():
    """Every supported filter is translated; the licence filter becomes a claim of the hit."""
    pages = serving(found(1))
    since = (datetime.now(UTC) - timedelta(days=29)).date().isoformat()
    hit = next(
        search(
            CSE,
            pages,
            limit=3,
            licence=LicenceFilter.OPEN,
            photos=True,
            colour="grey",
            since=since,
            safe=Safe.OFF,
            language="de",
            region="AT",
            site="example.org",
        )
    )
    asked = pages.arguments(0)
    assert asked["rights"] == "(cc_publicdomain|cc_attribute|cc_sharealike).-(cc_noncommercial|cc_nonderived)"
    assert (asked["num"], asked["imgType"], asked["imgDominantColor"]) == ("3", "photo", "gray")
    assert (asked["dateRestrict"], asked["safe"], asked["hl"], asked["gl"]) == ("d30", "off", "de", "at")
    assert (asked["siteSearch"], asked["siteSearchFilter"]) == ("example.org", "i")
    assert hit.licence.evidence is Evidence.CLAIMED
    assert hit.licence.allows(LicenceFilter.OPEN)


@pytest.mark.parametrize("environ", [CSE, SERPAPI, SERPER], ids=["cse", "serpapi", "serper"])
def test_an_invalid_day_is_a_usage_error(environ):
    """An invalid date is a usage error that shows the format."""
    with pytest.raises(UsageError, match="not a date"):
        next(search(environ, serving(""), since="yesterday"))


@pytest.mark.parametrize(
    ("colour", "kind", "tbs"),
    [("transparent", "trans", "ic:trans"), ("BW", "mono", "ic:gray"), ("mauve", None, None)],
)
def test_colours_that_are_kinds(colour, kind, tbs):
    """Transparent and black-and-white have their own parameters; an unknown colour is not sent."""
    pages = serving(found(1))
    next(search(CSE, pages, colour=colour))
    assert (pages.arguments(0).get("imgColorType"), pages.arguments(0).get("imgDominantColor")) == (
        kind,
        None,
    )
    pages = serving(bought(1))
    next(search(SERPAPI, pages, colour=colour))
    assert pages.arguments(0).get("tbs") == tbs


def test_custom_search_ends_at_a_hundred():
    """There are ten pages; a start beyond them is never requested."""

    def answer(url):
        start = int(url.split("start=")[1])
        return found(*range(start, start + 10), following=start + 10, start=start)

    pages = FakePages(answer)
    assert len(list(search(CSE, pages))) == 100
    assert [pages.arguments(n)["start"] for n in range(10)] == [str(n) for n in range(1, 100, 10)]
    assert len(pages.asked) == 10


def test_V03_custom_search_may_end_before_its_count():
    """A later page without results is the end, whatever total the first one stated."""
    later = json.dumps({"kind": "customsearch#search", "queries": {"request": [{"startIndex": 11}]}})
    assert len(list(search(CSE, serving(found(1, 2, following=11), later)))) == 2


@pytest.mark.parametrize(
    ("answer", "error", "messages"),
    [
        (
            refusal(400, "API key not valid. Please pass a valid API key.", "badRequest"),
            KeyRefused,
            "API key not valid",
        ),
        (
            refusal(403, "Custom Search API has not been used in project 7", "accessNotConfigured"),
            KeyRefused,
            "has not been used",
        ),
        (refusal(401, "Request had invalid authentication credentials."), KeyRefused, "invalid authent"),
        (
            refusal(403, "Quota exceeded for quota metric 'Queries'", "dailyLimitExceeded"),
            RateLimited,
            "Quota exceeded",
        ),
        (
            refusal(400, "Request contains an invalid argument.", "badRequest"),
            Unanswerable,
            "invalid argument",
        ),
        ((200, json.dumps({"error": {"code": 403, "message": "no"}})), Unanswerable, "no"),
        ((403, "<h1>Forbidden</h1>"), Blocked, "answers 403"),
        ((404, "{}"), Blocked, "answers 404"),
        ((403, '{"error": "text"}'), Blocked, "answers 403"),
    ],
)
def test_V04_custom_search_says_why_it_refuses(answer, error, messages):
    """A bad key, a key without rights, a used-up quota and a refused search are different errors."""
    with pytest.raises(error, match=messages) as caught:
        next(search(CSE, serving(answer)))
    assert type(caught.value) is error
    assert "Google" in caught.value.message


def test_V05_a_quota_reached_midway_keeps_what_was_found():
    """The hits before the quota is used up are yielded, then the error is raised."""
    pages = serving(found(1, 2, following=11), refusal(403, "Daily Limit Exceeded", "dailyLimitExceeded"))
    hits = search(CSE, pages)
    assert [next(hits).title, next(hits).title] == ["snake 1", "snake 2"]
    with pytest.raises(RateLimited):
        next(hits)


# ---- SerpApi


def test_serpapi_asks_and_narrows():
    """Image filters are in `tbs`, the others in their own parameters, and the site in the query."""
    pages = serving(bought(1))
    next(
        search(
            SERPAPI,
            pages,
            photos=True,
            colour="transparent",
            min_size=900,
            since="2024-02-01",
            until="2024-03-31",
            safe=Safe.MODERATE,
            region="US",
            site="example.org",
        )
    )
    assert pages.arguments(0) == {
        "engine": "google_images",
        "q": "snake site:example.org",
        "ijn": "0",
        "safe": "active",
        "hl": "en",
        "gl": "us",
        "tbs": "itp:photo,ic:trans,isz:lt,islt:xga,cdr:1,cd_min:2/1/2024,cd_max:3/31/2024",
        "api_key": "k-serp",
    }


def test_serpapi_is_asked_once_more_when_it_is_empty():
    """One falsely empty response costs one request, without the service's cache, and no hit."""
    pages = serving(SERPAPI_EMPTY, bought(1), bought(2), SERPAPI_EMPTY)
    assert [hit.title for hit in search(SERPAPI, pages)] == ["snake 1", "snake 2"]
    assert [pages.arguments(n).get("no_cache") for n in range(5)] == [None, "true", None, None, "true"]
    assert [pages.arguments(n)["ijn"] for n in range(5)] == ["0", "0", "1", "2", "2"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, '{"error": "Invalid API key. Your API key should be here"}'), KeyRefused),
        ((200, '{"error": "Your account has run out of searches."}'), RateLimited),
        ((400, '{"error": "Unsupported `tbs` parameter."}'), Unanswerable),
        ((403, "<h1>Forbidden</h1>"), Blocked),
        ((404, "[]"), Blocked),
    ],
)
def test_V04_serpapi_says_why_it_refuses(answer, error):
    """A bad key, a used-up quota, a refused search and a firewall are different errors."""
    with pytest.raises(error) as caught:
        next(search(SERPAPI, serving(answer)))
    assert type(caught.value) is error


# ---- Serper


def sold(*numbers):
    """Return a page of Serper."""
    return json.dumps({"images": [{"title": f"snake {n}", "imageUrl": f"https://a.example/{n}.jpg"} for n in numbers]})


def test_serper_is_asked_in_json_with_the_key_in_a_header():
    """The query, its filters and the number of the page are posted; the key is in a header alone."""
    pages = serving(sold(1), sold(2), sold())
    hits = list(search(SERPER, pages, 'gibson "Flying V" & more', safe=Safe.OFF, language="de", region="AT"))
    assert [hit.title for hit in hits] == ["snake 1", "snake 2"]
    fields = {"q": 'gibson "Flying V" & more', "num": 100, "safe": "off", "hl": "de", "gl": "at"}
    assert pages.forms == [{**fields, "page": number} for number in (1, 2, 3)]
    assert pages.headers[0]["X-API-KEY"] == "k-serper"
    assert pages.asked == ["https://google.serper.dev/images"] * 3


def test_serper_is_asked_for_no_more_than_needed():
    """A small limit makes a small page, and the site is part of the query."""
    pages = serving(sold(1))
    next(search(SERPER, pages, limit=7, site="example.org"))
    assert pages.forms[0] == {"q": "snake site:example.org", "num": 7, "safe": "active", "hl": "en", "page": 1}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((403, '{"message": "Unauthorized.", "statusCode": 403}'), KeyRefused),
        ((400, '{"message": "Not enough credits", "statusCode": 400}'), RateLimited),
        ((400, '{"message": "Missing query parameter", "statusCode": 400}'), Unanswerable),
        ((403, "<h1>Forbidden</h1>"), Blocked),
        ((404, "[]"), Blocked),
        ((400, '{"message": {"code": 7}}'), Blocked),
    ],
)
def test_V04_serper_says_why_it_refuses(answer, error):
    """A bad key, used-up credits, a refused search and a firewall are different errors."""
    with pytest.raises(error) as caught:
        next(search(SERPER, serving(answer)))
    assert type(caught.value) is error


# ---- the plain page


def plain_page(text, url=ADDRESS, status=200):
    return live_page.parse(SearchPage(url, status, text, {}))


def test_the_plain_page_is_asked_once_and_honestly():
    """One request with our own User-Agent returns all there is."""
    pages = serving((FIXTURES / "google_html" / "found.html").read_text("utf-8"))
    assert len(list(search({}, pages))) == 3
    assert pages.headers == [{}]
    assert pages.arguments(0) == {"q": "snake", "udm": "2", "safe": "active", "hl": "en"}


@pytest.mark.parametrize(
    ("text", "url", "status", "what"),
    [
        ("", "https://www.google.com/sorry/index?continue=x", 200, "redirects to www.google.com/sorry/index"),
        ("", "https://consent.google.com/ml?continue=x", 200, "redirects to consent.google.com/ml"),
        ("", ADDRESS, 403, "answers 403"),
        ('<form id="captcha-form" action="index">', ADDRESS, 200, "shows a captcha"),
        ('<div id="recaptcha" class="g-recaptcha">', ADDRESS, 200, "shows a captcha"),
        ('<script src="https://x/recaptcha/enterprise.js">', ADDRESS, 200, "shows a captcha"),
        ('<form method="POST" action="https://consent.google.com/save">', ADDRESS, 200, "consent"),
        ('<iframe src="/httpservice/retry/enablejs?sei=x">', ADDRESS, 200, "enable JavaScript"),
        ('<meta http-equiv="refresh" content="0;url=/httpservice/retry/enablejs">', ADDRESS, 200, "JavaScr"),
        ("Our systems have detected unusual traffic", ADDRESS, 200, "unusual traffic"),
    ],
)
def test_V01_a_block_names_what_works(text, url, status, what):
    """Each kind of refusal by Google is `Blocked`, says what happened and names the three other ways."""
    with pytest.raises(Blocked, match=what) as caught:
        plain_page(text, url, status)
    for way in (
        "--google-pages",
        "SERPAPI_API_KEY",
        "SERPER_API_KEY",
        "GOOGLE_API_KEY and GOOGLE_CSE_ID",
        "2027-01-01",
    ):
        assert way in caught.value.hint


def test_V01_a_429_is_a_block_and_not_waited_for():
    """After Google's "too many requests" there is no retry."""

    class Refusing(FakePages):
        def get(self, url, *, params=None, headers=None, patient=True):
            super().get(url, params=params, headers=headers)
            assert not patient
            raise RateLimited("Google refused once (429).")

    pages = Refusing(lambda _: "")
    with pytest.raises(Blocked, match="refuses the request"):
        next(search({}, pages))
    assert len(pages.asked) == 1


def test_V02_thumbnails_alone_are_a_changed_page():
    """A page with thumbnails and no URLs is a changed page that says so."""
    with pytest.raises(PageChanged, match="thumbnails only"):
        plain_page('<img src="https://encrypted-tbn0.gstatic.com/images?q=tbn:A">')


def test_the_older_form_is_read():
    """Links to /imgres with parameters are results too."""
    link = (
        "https://www.google.com/imgres?imgurl=https%3A%2F%2Fa.example%2F1.jpg&amp;imgrefurl=https://a.example/"
        "&amp;w=640&amp;h=480&amp;tbnid=x"
    )
    bad = '<a href="/imgres?imgurl=javascript:alert(1)"></a><a href="/imgres?"></a>'
    (hit,) = plain_page(f'<a class="x" href="{link}"><img></a><a href="{link}">again</a>{bad}').hits
    assert (hit.url, hit.page) == ("https://a.example/1.jpg", "https://a.example/")
    assert (hit.width, hit.height) == (640, 480)


@pytest.mark.parametrize(
    "piece",
    [
        '[0,"aaaaaaaaaaaa",["https:',
        '[0,"aaaaaaaaaaaa",["https:",',
        '<a href="/imgres?',
        '<a href="/imgres?imgurl=',
        "<a ",
        "<form ",
        "<!--",
    ],
)
def test_V07_a_page_made_to_hold_us_up_is_read_in_time(piece):
    """Ten million characters of unfinished results are a changed page within seconds."""
    with pytest.raises(PageChanged):
        plain_page(piece * (10_000_000 // len(piece)))


# ---- as recorded


def recorded(name):
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "first", "size"),
    [
        ("google/saved_page_2022-02.html", "commons/a/a5/Flower_poster_2.jpg", (4462, 5932)),
        ("google/saved_page_2024-08.html", "NationalGeographic_2572187_square.jpg", (3072, 3072)),
    ],
)
def test_the_recorded_pages_give_their_results(name, first, size):
    """Real saved pages give 8 results each, with page, title and size; height comes before width."""
    hits = plain_page(recorded(name)).hits
    assert len({hit.source for hit in hits}) == len(hits) == 8
    assert all(hit.page and hit.title and hit.width and hit.height for hit in hits)
    assert hits[0].url.endswith(first)
    assert (hits[0].width, hits[0].height) == size


def test_the_recorded_answer_of_custom_search_gives_its_results():
    """A real response gives 10 results and the start of the next page."""
    address = "https://www.googleapis.com/customsearch/v1?q=dog&start=1"
    found = custom_search.parse(SearchPage(address, 200, recorded("google/custom_search_2018.json"), {}))
    assert len(found.hits) == 10
    assert found.more == 11
    assert all(hit.width and hit.height and hit.page and hit.title for hit in found.hits)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("blocks/google_captcha_2026-04.html", "shows a captcha"),
        ("blocks/google_enablejs_2026.html", "enable JavaScript"),
    ],
)
def test_V01_the_recorded_blocks_are_blocks(name, what):
    """Google's captcha and its page of scripts are recognised as refusals."""
    with pytest.raises(Blocked, match=what):
        plain_page(recorded(name))


def test_the_ways_read_their_own_answers_only():
    """The response of another backend is a changed page."""
    for parse in (custom_search.parse, serpapi.parse):
        with pytest.raises(PageChanged):
            parse(SearchPage(ADDRESS, 200, '{"results": []}', {}))
