"""Baidu: escapes, URL cipher, empty last result and "Forbid spider access"."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.errors import Blocked, PageChanged
from harvest.models import Query
from harvest.providers import for_all
from harvest.providers.baidu import Baidu, decipher_url, parse, unwrap_url
from harvest.web.request_search_pages import SearchPage
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


REAL = "http://a.example/photos/1.jpg?v=2"
WRAPPED = (
    "https://gimg2.baidu.com/image_search/src=http%3A%2F%2Fa.example%2Fphotos%2F1.jpg%3Fv%3D2"
    "&refer=http%3A%2F%2Fa.example&app=2002&size=f9999,10000&q=a80&n=0&g=0n&fmt=auto?sec=1713796785&t=35e6074f"
)
OLDER = (
    "https://timgsa.baidu.com/timg?image&quality=80&sec=1597&di=b8&src=http%3A%2F%2Fa.example%2Fphotos%2F1.jpg%3Fv%3D2"
)
THUMBNAIL = "http://img4.imgtn.bdimg.com/it/u=1212738062,1791075344&fm=26&gp=0.jpg"


def only(**result):
    (hit,) = parse(page(json.dumps({"listNum": 1, "data": [{"width": 1600, "height": 900} | result, {}]}))).hits
    return hit


@pytest.mark.parametrize("wrapped", [WRAPPED, OLDER])
def test_the_original_is_taken_out_of_the_proxys_address(wrapped):
    """A URL of Baidu's proxy gives the original it names, and stays as a copy of it."""
    hit = only(replaceUrl=[{"ObjURL": wrapped}])
    assert (hit.url, hit.others, hit.source) == (REAL, (wrapped,), "url:https://a.example/photos/1.jpg?v=2")
    assert (hit.width, hit.height) == (1600, 900)


@pytest.mark.parametrize(
    "url", [THUMBNAIL, "https://img1.baidu.com/it/u=2331870304,4138487729&fm=253&f=JPEG?w=499&h=355"]
)
def test_a_thumbnail_is_not_taken_for_the_original(url):
    """Where the URL in clear is a thumbnail, the enciphered one comes first; alone it has no stated size."""
    hit = only(replaceUrl=[{"ObjURL": url}], objURL=ciphered("http://a.example/1.jpg"))
    assert (hit.url, hit.others, hit.width) == ("http://a.example/1.jpg", (url,), 1600)
    hit = only(replaceUrl=[{"ObjURL": url}])
    assert (hit.url, hit.width, hit.height) == (url, None, None)


def test_a_thumbnail_in_the_proxys_address_is_one():
    """A wrapped thumbnail is a thumbnail."""
    wrapped = WRAPPED.replace("http%3A%2F%2Fa.example%2Fphotos%2F1.jpg%3Fv%3D2", THUMBNAIL.replace("&", "%26"))
    assert only(replaceUrl=[{"ObjURL": wrapped}]).width is None


@pytest.mark.parametrize(
    "inner", ["", "javascript%3Ax", "..%2F1.jpg", "http%3A%2F%2F%5B", "http%3A%2F%2Fa%00.example", "%ff"]
)
def test_V07_a_hostile_address_in_an_address_is_not_one(inner):
    """A wrapped value that is not a URL leaves the whole URL as it is."""
    url = f"https://gimg2.baidu.com/image_search/src={inner}&refer=x"
    assert unwrap_url(url) == url


def test_it_is_not_in_ALL():
    """A best-effort provider is only used by name, not in `ALL`."""
    assert "BAIDU" not in for_all({})
