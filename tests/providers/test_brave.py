"""Brave: one response per query, a key in a header, and errors in JSON."""

from __future__ import annotations

import json

import pytest

from harvest.errors import Blocked, KeyMissing, KeyRefused, PageChanged, RateLimited, Unanswerable
from harvest.models import Filters, Query, Safe
from harvest.providers.brave import Brave
from tests.providers.pages import serving


def results(*numbers):
    pictures = [{"properties": {"url": f"https://a.example/{n}.jpg"}, "title": f"snake {n}"} for n in numbers]
    return json.dumps({"results": pictures})


def search(pages, text="snake", limit=None, environ=None, **filters):
    query = Query(text, "snake", limit=limit, filters=Filters(**filters))
    return Brave(environ or {"BRAVE_API_KEY": "k-brave"}).search(query, pages)


def refusal(status, code, detail):
    return status, json.dumps({"type": "ErrorResponse", "error": {"code": code, "detail": detail}})


def test_the_query_goes_out_whole_and_the_key_in_a_header():
    """The query is sent as written, with strict safe search; the key is not in the URL."""
    pages = serving(results(1))
    next(search(pages, 'gibson "Flying V" -bass & more'))
    assert pages.arguments(0) == {
        "q": 'gibson "Flying V" -bass & more',
        "count": "200",
        "safesearch": "strict",
        "spellcheck": "false",
    }
    assert pages.headers[0]["X-Subscription-Token"] == "k-brave"
    assert "k-brave" not in pages.asked[0]


def test_filters_are_asked_for():
    """Language, region, site and safe search are Brave's parameters; moderate becomes strict."""
    pages = serving(results(1))
    next(search(pages, limit=9, safe=Safe.OFF, language="de", region="AT", site="example.org"))
    asked = pages.arguments(0)
    assert asked["q"] == "snake site:example.org"
    assert (asked["count"], asked["safesearch"]) == ("9", "off")
    assert (asked["search_lang"], asked["country"]) == ("de", "AT")
    next(search(pages, safe=Safe.MODERATE))
    assert pages.arguments(1)["safesearch"] == "strict"


def test_one_answer_is_all():
    """There is one page, with at most two hundred hits."""
    pages = serving(results(*range(250)))
    assert len(list(search(pages))) == Brave.most == 200
    assert len(pages.asked) == 1


def test_V04_either_variable_holds_the_key():
    """The key is read from either variable, and missing without both."""
    pages = serving(results(1))
    next(search(pages, environ={"BRAVE_SEARCH_API_KEY": "other"}))
    assert pages.headers[0]["X-Subscription-Token"] == "other"
    with pytest.raises(KeyMissing, match="BRAVE_API_KEY"):
        search(pages, environ={"X": "y"})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(422, "SUBSCRIPTION_TOKEN_INVALID", "The provided token is invalid."), KeyRefused),
        (refusal(403, "RESOURCE_NOT_ALLOWED", "Your plan has no images."), KeyRefused),
        (refusal(402, "QUOTA_LIMITED", "Your quota is used up."), RateLimited),
        (refusal(422, "VALIDATION", "q: at most 400 characters"), Unanswerable),
        ((404, "<h1>Not Found</h1>"), Blocked),
        ((403, "{}"), Blocked),
        ((403, '{"error": [1]}'), Blocked),
        ((422, "{"), PageChanged),
    ],
)
def test_V04_brave_says_why_it_refuses(answer, error):
    """A bad key, a used-up quota, a refused query and a firewall are different errors."""
    with pytest.raises(error) as caught:
        next(search(serving(answer)))
    assert type(caught.value) is error


@pytest.mark.parametrize("properties", [None, 7, [], {"url": None}, {"url": ["x"]}, {"url": "file:///etc"}])
def test_V07_hostile_results_are_left_out(properties):
    """An invalid result is skipped without affecting others, and a page of only invalid ones is not empty."""
    odd = {"properties": properties, "url": {}, "title": 9}
    good = json.loads(results(1))["results"]
    assert [hit.title for hit in search(serving(json.dumps({"results": [odd, *good]})))] == ["snake 1"]
    with pytest.raises(PageChanged):
        next(search(serving(json.dumps({"results": [odd]}))))
