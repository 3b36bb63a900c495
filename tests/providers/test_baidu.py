"""Baidu: escapes, URL cipher, empty last result and "Forbid spider access"."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.errors import Blocked, PageChanged
from harvest.models import Query
from harvest.providers import for_all
from harvest.providers.baidu import Baidu, decipher_url, parse
from harvest.web.search_session import SearchPage
from tests.providers.pages import serving

ADDRESS = "https://image.baidu.com/search/acjson?word=snake&pn=0"
CIPHERED = str.maketrans("abcdefghijklmnopqrstuvw1234567890", "wkv1ju2it3hs4g5rq6fp7eo8dn9cm0bla")


def ciphered(url):
    text = url.translate(CIPHERED)
    return text.replace(":", "_z2C$q").replace(".", "_z&e3B").replace("/", "AzdH3F")


def results(*numbers, total=1000):
    data = [{"objURL": ciphered(f"https://a.example/{n}.jpg"), "fromPageTitle": f"snake {n}"} for n in numbers]
    return json.dumps({"listNum": total, "data": [*data, {}]})


def search(pages):
    return Baidu({}).search(Query("蛇 -龙", "snake"), pages)


def page(text, status=200, url=ADDRESS):
    return SearchPage(url, status, text, {})


def test_a_cookie_is_fetched_and_then_pages_of_thirty():
    """The front page is requested first; then the whole query, page by page, up to the stated total."""
    pages = serving("", results(1, total=60), results(2, total=60))
    assert [hit.title for hit in search(pages)] == ["snake 1", "snake 2"]
    assert pages.asked[0] == "https://image.baidu.com/"
    assert [pages.arguments(n)["pn"] for n in (1, 2)] == ["0", "30"]
    assert pages.arguments(1)["word"] == "蛇 -龙"
    assert len(pages.asked) == 3


def test_bad_escapes_are_mended():
    """Invalid JSON escapes lose their backslash, and raw control characters stay text."""
    text = results(1).replace("snake 1", "It\\'s a \\x snake,\ttold \\u0041 \\\\ \\\" twice")
    assert parse(page(text)).hits[0].title == "It's a x snake, told A \\ \" twice"


def test_a_trailing_backslash_is_no_crash():
    """A response that ends within an escape is a changed page."""
    with pytest.raises(PageChanged):
        parse(page('{"data": ["\\'))


@pytest.mark.parametrize("status", [302, 403, 418])
def test_V01_a_status_is_a_block(status):
    """A status that refuses automated clients is `Blocked`."""
    with pytest.raises(Blocked, match=f"Baidu answers {status} instead of results"):
        parse(page("", status))


def test_V01_forbid_spider_access_is_a_block():
    """Baidu's bot flag is `Blocked` with Baidu's own words, whatever the status."""
    with pytest.raises(Blocked, match='Baidu says "Forbid spider access" instead'):
        parse(page('{"antiFlag": 1, "message": "Forbid spider access"}'))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"data": null}', '{"data": [{}], "listNum": 7}', '{"listNum": 0}', '"x"', "\\" * 9_999],
)
def test_V07_hostile_answers_have_changed(text):
    """A response with neither results nor a zero count is a changed page, which carries the original text."""
    with pytest.raises(PageChanged) as caught:
        parse(page(text))
    assert caught.value.page == text


def test_V03_nothing_is_nothing():
    """An empty list with a zero count ends a search."""
    assert parse(page('{"listNum": 0, "data": [{}]}')).hits == []


@given(st.from_regex(r"https?://[a-w0-9.]+(/[a-w0-9.]+)*", fullmatch=True))
def test_the_cipher_is_undone(url):
    """A URL survives Baidu's cipher and its deciphering."""
    assert decipher_url(ciphered(url)) == url


@pytest.mark.parametrize("value", [None, 7, "", "https://a.example/1.jpg"])
def test_what_is_in_clear_stays(value):
    """A value that is not enciphered is unchanged."""
    assert decipher_url(value) == value


def test_it_is_not_in_ALL():
    """A best-effort provider is only used by name, not in `ALL`."""
    assert "BAIDU" not in for_all({})
