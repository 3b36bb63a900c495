"""DuckDuckGo: token, results and refusals."""

from __future__ import annotations

import json

import pytest

from harvest.errors import Blocked, PageChanged
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query, Safe
from harvest.providers import for_all
from harvest.providers.duckduckgo import DuckDuckGo, parse_token
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import serving

FRONT = 'DDG.go();vqd="4-123456789012345678901234567890";'
NO = "If this error persists, please let us know: ops@duckduckgo.com"


def results(*numbers, following=None):
    found = [{"image": f"https://a.example/{n}.jpg", "title": f"snake {n}"} for n in numbers]
    return json.dumps({"results": found} | ({"next": following} if following else {}))


def search(pages, text="snake", **filters):
    return DuckDuckGo({}).search(Query(text, "snake", filters=Filters(**filters)), pages)


def test_a_token_is_fetched_and_handed_back():
    """The token of the first page is sent with the query, with our own User-Agent."""
    pages = serving(FRONT, results(1))
    next(search(pages, 'gibson "Flying V" -bass & more'))
    assert pages.arguments(0) == {
        "q": 'gibson "Flying V" -bass & more',
        "iar": "images",
        "iax": "images",
        "ia": "images",
    }
    assert pages.asked[1].startswith("https://duckduckgo.com/i.js?")
    assert pages.arguments(1) == {
        "o": "json",
        "q": 'gibson "Flying V" -bass & more',
        "l": "us-en",
        "p": "1",
        "f": ",,,,,",
        "vqd": "4-123456789012345678901234567890",
        "s": "0",
    }
    assert pages.headers == [{}, {"Referer": "https://duckduckgo.com/"}]


def test_filters_are_asked_for():
    """Supported filters are translated, the same on both pages; a licence is a claim."""
    pages = serving(FRONT, results(1))
    hit = next(
        search(
            pages,
            licence=LicenceFilter.OPEN,
            photos=True,
            colour="Grey",
            safe=Safe.OFF,
            language="de",
            region="AT",
            site="example.org",
        )
    )
    asked = pages.arguments(1)
    assert asked["q"] == pages.arguments(0)["q"] == "snake site:example.org"
    assert asked["f"] == ",,color:Gray,type:photo,,license:ModifyCommercially"
    assert (asked["p"], asked["l"]) == ("-1", "at-de")
    assert hit.licence.evidence is Evidence.CLAIMED
    assert hit.licence.allows(LicenceFilter.OPEN)


def test_the_next_page_is_where_the_answer_says():
    """Only the number in the URL of the next page is used; without one the search ends."""
    pages = serving(FRONT, results(1, following="https://evil.example/i.js?q=x&s=100"), results(2))
    assert [hit.title for hit in search(pages)] == ["snake 1", "snake 2"]
    assert pages.arguments(2)["s"] == "100"
    assert len(pages.asked) == 3
    assert all(url.startswith("https://duckduckgo.com/") for url in pages.asked)


@pytest.mark.parametrize("text", ['x;vqd="4-1234567890";', "vqd='4-1234567890'", "/d.js?q=x&vqd=4-1234567890&p=1"])
def test_the_token_is_found_however_it_is_written(text):
    """The token is found in either kind of quotes or in a URL."""
    assert parse_token(SearchPage("https://duckduckgo.com/", 200, text, {})) == "4-1234567890"


@pytest.mark.parametrize(
    "answers", [[(403, NO)], [(202, FRONT)], [NO], [FRONT, (403, NO)], [FRONT, NO], [FRONT, (418, "")]]
)
def test_V01_a_refusal_is_a_block(answers):
    """A refusing status or error text is `Blocked` on either page, with DuckDuckGo's words."""
    with pytest.raises(Blocked, match="If this error persists, please let us know") as caught:
        next(search(serving(*answers)))
    assert "-c BING" in caught.value.hint


@pytest.mark.parametrize("answers", [["<title>DuckDuckGo</title>"], [""], [FRONT, ""], [FRONT, "[" * 100_000]])
def test_V02_a_page_without_token_or_results_has_changed(answers):
    """A first page without a token, and invalid results, are changed pages."""
    with pytest.raises(PageChanged):
        next(search(serving(*answers)))


def test_it_is_not_in_ALL():
    """It is only used by name, because its index is Bing's."""
    assert "DUCKDUCKGO" not in for_all({})
