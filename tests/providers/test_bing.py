"""Bing: its URLs, its recorded pages, and its pages without results."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime, timedelta

import pytest

from harvest.errors import Blocked, PageChanged, UsageError
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query, Safe
from harvest.providers.bing import Bing, parse
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, RECORDINGS, FakePages, serving

ADDRESS = "https://www.bing.com/images/async?q=snake&first=1"
FOUND = (FIXTURES / "bing" / "found.html").read_text("utf-8")
EMPTY = (FIXTURES / "bing" / "empty.html").read_text("utf-8")


def results(*numbers, after=""):
    """Return a page of results; `after` is its start of the next page."""
    grid = f'<div class="dgControl" data-nextUrl="{after}"><ul>'
    for number in numbers:
        m = {"t": f"snake {number}", "mid": f"M{number}", "murl": f"https://a.example/{number}.jpg"}
        grid += f'<li><a class="iusc" m="{html.escape(json.dumps(m))}"></a></li>'
    return grid + "</ul></div>"


def anchor(m):
    text = m if isinstance(m, str) else json.dumps(m)
    return f'<div class="dgControl" data-nextUrl="/x"><a class="iusc" m="{html.escape(text)}"></a></div>'


def search(pages, text="snake", **filters):
    return Bing({}).search(Query(text, "snake", filters=Filters(**filters)), pages)


def page(text, url=ADDRESS, status=200):
    return SearchPage(url, status, text, {})


def test_the_address_asks_what_the_query_says():
    """The query is sent unchanged with quotes and exclusions, from the first result, with strict safe search."""
    pages = serving(results(1), EMPTY)
    next(search(pages, 'gibson "Flying V" -bass & more'))
    assert pages.asked[0].startswith("https://www.bing.com/images/async?")
    assert pages.arguments(0) == {
        "q": 'gibson "Flying V" -bass & more',
        "async": "1",
        "first": "1",
        "count": "35",
        "mkt": "en-US",
        "adlt": "strict",
    }
    assert "Mozilla" in pages.headers[0]["User-Agent"]
    assert pages.headers[0]["Accept-Language"].startswith("en-US")


@pytest.mark.parametrize(
    ("wish", "filtered"),
    [
        (LicenceFilter.ANY, None),
        (LicenceFilter.OPEN, "&qft=+filterui:license-L2_L3"),
        (LicenceFilter.COMMERCIAL, "&qft=+filterui:license-L2_L3_L4"),
        (LicenceFilter.PUBLIC_DOMAIN, "&qft=+filterui:license-L1"),
    ],
)
def test_a_licence_is_claimed_and_never_stated(wish, filtered):
    """A hit of a search with a licence filter has that licence as a claim; without a filter it is unknown."""
    pages = serving(results(1))
    hit = next(search(pages, licence=wish))
    assert pages.asked[0].endswith(filtered or "adlt=strict")
    assert hit.licence.allows(wish)
    assert hit.licence.evidence is (Evidence.CLAIMED if filtered else Evidence.UNKNOWN)
    assert hit.licence.url is None
    assert not hit.licence.is_open


@pytest.mark.parametrize(
    ("filters", "narrowed"),
    [
        ({"photos": True}, "photo-photo"),
        ({"colour": "red"}, "color2-FGcls_RED"),
        ({"colour": "Grey"}, "color2-FGcls_GRAY"),
        ({"colour": "transparent"}, "photo-transparent"),
        ({"colour": "transparent", "photos": True}, "photo-transparent"),
        ({"colour": "mauve"}, None),
        ({"min_size": 500}, None),
        ({"min_size": 501}, "imagesize-large"),
        ({"licence": LicenceFilter.OPEN, "photos": True}, "license-L2_L3+filterui:photo-photo"),
    ],
)
def test_filters_are_asked_for_in_bings_words(filters, narrowed):
    """The filters are in the URL, with plus and colon unencoded."""
    pages = serving(results(1))
    next(search(pages, **filters))
    assert pages.asked[0].endswith(f"adlt=strict&qft=+filterui:{narrowed}" if narrowed else "adlt=strict")
    assert filters.keys() <= Bing.supported_filters


@pytest.mark.parametrize(
    ("days", "minutes"),
    [(-3, 1440), (0, 1440), (5, 10_080), (20, 43_200), (300, 525_600), (500, 1_051_200), (9_000, 13_140_000)],
)
def test_a_day_becomes_an_age(days, minutes):
    """`since` becomes the smallest age of Bing that includes the day."""
    pages = serving(results(1))
    next(search(pages, since=(datetime.now(UTC) - timedelta(days=days)).date().isoformat()))
    assert pages.asked[0].endswith(f"&qft=+filterui:age-lt{minutes}")


def test_an_invalid_day_is_a_usage_error():
    """An invalid date is a usage error before any request."""
    pages = serving(results(1))
    with pytest.raises(UsageError, match="'last week' is not a date"):
        next(search(pages, since="last week"))
    assert not pages.asked


@pytest.mark.parametrize(
    ("filters", "asked", "accepted"),
    [
        ({"safe": Safe.OFF}, {"adlt": "off"}, "en-US,en;q=0.9"),
        ({"safe": Safe.MODERATE}, {"adlt": "moderate"}, "en-US,en;q=0.9"),
        ({"language": "de", "region": "ch"}, {"mkt": "de-CH"}, "de-CH,de;q=0.9"),
        ({"region": "GB"}, {"mkt": "en-GB"}, "en-GB,en;q=0.9"),
        ({"site": "example.org"}, {"q": "snake site:example.org"}, "en-US,en;q=0.9"),
    ],
)
def test_filters_that_are_words_of_their_own(filters, asked, accepted):
    """Safe search, market and site are URL parameters; the language is also a header."""
    pages = serving(results(1))
    next(search(pages, **filters))
    plain = {"q": "snake", "async": "1", "first": "1", "count": "35", "mkt": "en-US", "adlt": "strict"}
    assert pages.arguments(0) == plain | asked
    assert pages.headers[0]["Accept-Language"] == accepted
    assert filters.keys() <= Bing.supported_filters


def test_a_claim_does_not_meet_a_narrower_wish():
    """A hit found with `commercial` does not count as public domain in a later run."""
    hit = next(search(serving(results(1)), licence=LicenceFilter.COMMERCIAL))
    assert not hit.licence.allows(LicenceFilter.OPEN)
    assert not hit.licence.allows(LicenceFilter.PUBLIC_DOMAIN)


def test_the_next_page_is_where_the_first_address_says():
    """The first non-empty `data-nextUrl` counts, in either case; later ones belong to other parts of the page."""
    pages = serving(results(1, after="/images/async?q=s&amp;first=48") + results(2), EMPTY)
    list(search(pages))
    assert pages.arguments(1)["first"] == "48"
    assert parse(page(FOUND.replace("data-nextUrl", "data-nexturl"))).more == 36


def test_without_an_address_the_next_page_follows_all_that_came():
    """If a page does not state the next one, it starts after the results of this page."""
    bare = results(1, 2, 3).replace('data-nextUrl=""', "")
    assert parse(page(bare, "https://www.bing.com/images/async?q=snake&first=36")).more == 39


def test_an_empty_address_is_the_end():
    """If every `data-nextUrl` is empty, no further page is requested."""
    pages = serving(results(1, 2))
    assert len(list(search(pages))) == 2
    assert len(pages.asked) == 1


def test_V03_bing_says_in_words_that_there_is_nothing():
    """Bing's "no results" box ends the search without an error."""
    text = '<ol><li class="b_no"><h1>There are no results for <strong>xyzzy</strong></h1></li></ol>'
    assert list(search(serving(text))) == []


def test_an_address_elsewhere_is_never_followed():
    """Only the number in the URL of the next page is used."""
    pages = serving(results(1, after="https://evil.example/?first=36"), EMPTY)
    list(search(pages))
    assert all(url.startswith("https://www.bing.com/images/async?") for url in pages.asked)


def test_an_empty_page_is_asked_once_more():
    """One empty response among good ones costs one request and no hit."""
    pages = serving(results(1, after="/?first=36"), "", results(2))
    assert [hit.title for hit in search(pages)] == ["snake 1", "snake 2"]
    assert pages.asked[1] == pages.asked[2]


def test_V02_two_empty_pages_are_not_the_end():
    """A page that stays empty is a changed page, even after good ones."""
    hits = search(serving(results(1, after="/?first=36"), "", ""))
    next(hits)
    with pytest.raises(PageChanged, match="Bing sent a page with neither results"):
        next(hits)


def test_the_search_ends_at_a_thousand():
    """Endless new pages stop at the provider's limit."""

    def answer(url):
        first = int(url.split("first=")[1].split("&")[0])
        return results(*range(first, first + 35), after=f"/?first={first + 35}")

    pages = FakePages(answer)
    assert len(list(search(pages))) == Bing.most == 1000
    assert len(pages.asked) == 29


def test_related_searches_are_no_results():
    """Images of related searches, without title and id, are skipped."""
    assert not any("print" in hit.url for hit in parse(page(FOUND)).hits)


def test_marks_of_found_words_leave_the_title():
    """The private-use characters around matching words are removed from titles."""
    m = {"t": "a \ue000king\ue001 snake\n", "mid": "M", "murl": "https://a.example/1.jpg"}
    assert parse(page(anchor(m))).hits[0].title == "a king snake"


@pytest.mark.parametrize(
    "m",
    [
        "",
        "null",
        "17",
        '"text"',
        "[1, 2]",
        "{",
        "[" * 100_000,
        '{"t":' * 5_000,
        '{"t": 1, "mid": 2, "murl": 3}',
        {"t": "x", "mid": "x"},
        {"t": "x", "mid": "x", "murl": None},
        {"t": "x", "mid": "x", "murl": ["https://a.example/1.jpg"]},
        {"t": "x", "mid": "x", "murl": "javascript:alert(1)"},
        {"t": "x", "mid": "x", "murl": "data:image/png;base64,AAAA"},
        {"t": "x", "mid": "x", "murl": "file:///etc/passwd"},
        {"t": "x", "mid": "x", "murl": "https://"},
        {"t": "x", "mid": "x", "murl": "https://[::1"},
        {"t": "x", "mid": "x", "murl": "https://a.example:99999/1.jpg"},
        {"t": "x", "mid": "x", "murl": "https://user:pass@a.example/1.jpg"},
        {"t": "x", "mid": "x", "murl": "https://a.example/\x00.jpg"},
        {"t": "x", "mid": "x", "murl": "https://a.example/" + "a" * 100_000},
        '{"t": "x", "mid": ' + "9" * 10_000 + ', "murl": "https://a.example/1.jpg"}',
    ],
    ids=lambda m: str(m)[:40],
)
def test_V07_hostile_results_are_left_out(m):
    """An invalid result is skipped without affecting others, and a page of only invalid ones is not empty."""
    with pytest.raises(PageChanged):
        parse(page(anchor(m)))
    found = parse(page(anchor(m) + results(1)))
    assert [hit.title for hit in found.hits] == ["snake 1"]


@pytest.mark.parametrize(
    ("url", "status"),
    [(ADDRESS, 202), (ADDRESS, 403), (ADDRESS, 418), ("https://cn.bing.com/images/async?q=snake", 200)],
)
def test_V01_a_refusal_is_a_block(url, status):
    """A status that refuses automated clients, and a redirect to another host, are `Blocked`."""
    with pytest.raises(Blocked, match="instead of results"):
        parse(page(results(1), url, status))


def test_V07_a_page_nested_without_end_is_read_in_time():
    """Fifty thousand nested elements are a changed page, not a crash."""
    with pytest.raises(PageChanged):
        parse(page("<div>" * 50_000))


def recorded(name):
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_text("utf-8")


def test_the_recorded_page_gives_its_results():
    """Of 9 anchors in a real page the 3 related ones are skipped; 6 have sizes and pages."""
    found = parse(page(recorded("bing/images_search_2026-04.html")))
    assert len({hit.source for hit in found.hits}) == len(found.hits) == 6
    assert all(hit.width and hit.height and hit.page and hit.title for hit in found.hits)
    assert found.hits[1].title.startswith('"Gopher - Golang Mascot')
    assert (found.hits[1].width, found.hits[1].height) == (750, 1000)
    assert found.more == 36


def test_V01_the_recorded_challenge_is_a_block():
    """Bing's challenge page has an ordinary title and status, and is recognised by its box."""
    with pytest.raises(Blocked, match=r'Bing shows a challenge page \("One last step"\) instead of results'):
        parse(page(recorded("blocks/bing_turnstile_2026-06.html")))


def test_V07_a_page_of_tags_that_never_close():
    """A page of a hundred thousand unclosed tags is a changed page, without hours of parsing."""
    with pytest.raises(PageChanged):
        parse(page("<a " * 100_000))
