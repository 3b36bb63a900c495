"""SearXNG: the user's own instance, at any address; its images are checked as all others are."""

from __future__ import annotations

import json

import pytest

from harvest.errors import Blocked, KeyMissing, Unanswerable, Unreachable
from harvest.models import Filters, Query, Safe
from harvest.providers import for_all
from harvest.providers.searxng import SearXNG
from harvest.web.request_search_pages import SearchSession
from tests.providers.pages import serving
from tests.web_server import HostileServer, answer

TARGET = "/search?q=snake&categories=images&format=json&safesearch=2&pageno="
EMPTY = json.dumps({"results": [], "unresponsive_engines": []})


def results(*numbers, **more):
    return json.dumps(
        {"results": [{"img_src": f"https://a.example/{n}.jpg", "title": f"snake {n}"} for n in numbers]} | more
    )


def search(pages, text="snake", url="http://localhost:8888", **filters):
    return SearXNG({"SEARXNG_URL": url}).search(Query(text, "snake", filters=Filters(**filters)), pages)


def test_the_query_and_the_filters_are_asked_for():
    """The query is sent as written, for images in JSON, with the level of safe search and the language."""
    pages = serving(results(1))
    next(search(pages, 'gibson "Flying V" -bass & more'))
    assert pages.arguments(0) == {
        "q": 'gibson "Flying V" -bass & more',
        "categories": "images",
        "format": "json",
        "safesearch": "2",
        "pageno": "1",
    }
    next(search(pages, safe=Safe.OFF, language="de"))
    assert (pages.arguments(1)["safesearch"], pages.arguments(1)["language"]) == ("0", "de")


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://localhost:8888", "http://localhost:8888/search"),
        ("http://127.0.0.1:8888/", "http://127.0.0.1:8888/search"),
        ("http://[::1]:8888", "http://[::1]:8888/search"),
        ("https://me.example/searxng/", "https://me.example/searxng/search"),
        (" https://me.example/search ", "https://me.example/search"),
    ],
)
def test_the_instance_may_be_anywhere(url, asked):
    """The address of an instance may be private, have a path, and end with a slash or its search page."""
    pages = serving(results(1))
    next(search(pages, url=url))
    assert pages.asked[0].split("?")[0] == asked


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "is not set"),
        ("localhost:8888", "is not a web address"),
        ("file:///etc/passwd", "is not a web address"),
        ("http://ada:secret@me.example", "is not a web address"),
        ("http://me.example/?q=", "is not a web address"),
    ],
)
def test_V04_the_address_of_an_instance_is_needed(url, problem):
    """Without a valid address, the error names the variable and how to set it; `ALL` leaves SearXNG out."""
    with pytest.raises(KeyMissing, match=f"SEARXNG_URL {problem}") as caught:
        search(serving(EMPTY), url=url)
    assert "harvest keys set searxng" in caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint
    assert "SEARXNG" not in for_all({"SEARXNG_URL": url})
    assert "SEARXNG" in for_all({"SEARXNG_URL": "http://localhost:8888"})


def test_a_format_that_is_not_enabled_is_explained():
    """A 403 is the answer to a format that is not enabled; the error says where to enable it."""
    with pytest.raises(Blocked, match="its JSON format is not enabled") as caught:
        next(search(serving((403, "<h1>Forbidden</h1>"))))
    assert "settings.yml" in caught.value.hint
    assert "`formats`" in caught.value.hint


def test_pages_are_asked_for_until_one_is_empty():
    """Pages are numbered from 1; an empty one is the end, also if an engine failed by then."""
    failed = json.dumps({"results": [], "unresponsive_engines": [["bing images", "timeout"]]})
    pages = serving(results(1, 2), results(3), failed)
    assert [hit.title for hit in search(pages)] == ["snake 1", "snake 2", "snake 3"]
    assert [pages.arguments(n)["pageno"] for n in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("engines", "named"),
    [
        (
            [["google images", "access denied"], ["bing images", "timeout"]],
            r"google images \(access denied\), bing images",
        ),
        ([["google images"], 7, [], [{}, 1], ["x"] * 99], "failed: google images"),
        ([[f"engine {n}", "CAPTCHA"] for n in range(99)], r"engine 4 \(CAPTCHA\)\."),
    ],
)
def test_engines_that_failed_are_not_no_results(engines, named):
    """An empty first page with failed engines is an error that names some of them; the next query is still asked."""
    with pytest.raises(Unanswerable, match=named):
        next(search(serving(json.dumps({"results": [], "unresponsive_engines": engines}))))


@pytest.mark.parametrize("engines", [None, 7, "all", {}, [7], [[7]]])
def test_V07_strange_engines_are_ignored(engines):
    """A list of failed engines of another form names no engine."""
    assert list(search(serving(json.dumps({"results": [], "unresponsive_engines": engines})))) == []


def test_an_instance_on_loopback_is_asked():
    """The real search session connects to an instance on this machine, whose address no web page may lead to."""
    routes = {f"{TARGET}1": answer(results(1).encode()), f"{TARGET}2": answer(EMPTY.encode())}
    with HostileServer(routes) as server:
        with SearchSession(pace=0) as pages:
            hits = list(search(pages, url=server.url))
        assert len(server.targets) == 2
    assert [hit.url for hit in hits] == ["https://a.example/1.jpg"]


def test_an_instance_leads_to_no_other_private_address():
    """A redirect of the instance to another server of this machine is not followed."""
    with HostileServer({"/": answer(results(1).encode())}) as other:
        routes = {f"{TARGET}1": answer(status="302 Found", location=f"{other.url}/")}
        with (
            HostileServer(routes) as server,
            SearchSession(pace=0) as pages,
            pytest.raises(Unreachable, match="an address that is not allowed"),
        ):
            next(search(pages, url=server.url))
        assert not other.targets


def test_no_image_host_is_trusted():
    """Neither the instance nor any other host is exempt from the address check of images."""
    assert not SearXNG({"SEARXNG_URL": "http://127.0.0.1:8888"}).trusted_hosts


def test_the_address_of_the_instance_is_not_hidden():
    """The address is not a key: pages and messages may contain it."""
    assert not SearXNG({"SEARXNG_URL": "http://localhost:8888"}).secrets
