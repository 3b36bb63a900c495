"""Naver: two platforms with the same API, a thousand hits per query, and sizes as text."""

from __future__ import annotations

import json

import pytest

from harvest.errors import Blocked, KeyMissing, KeyRefused, PageChanged, Unanswerable
from harvest.models import Query
from harvest.providers import for_all
from harvest.providers.naver import Naver
from tests.providers.pages import serving

HUB = {"NAVER_API_HUB_CLIENT_ID": "hub-id", "NAVER_API_HUB_CLIENT_SECRET": "hub-secret"}
DEVELOPERS = {"NAVER_CLIENT_ID": "an-id", "NAVER_CLIENT_SECRET": "a-secret"}


def results(*numbers, total=5000):
    return json.dumps({"total": total, "items": [{"link": f"https://a.example/{n}.jpg"} for n in numbers]})


def search(pages, text="snake", limit=None, environ=None):
    return Naver(environ or HUB).search(Query(text, "snake", limit=limit), pages)


def test_the_query_goes_out_whole_and_the_keys_in_headers():
    """The query is sent as written, by relevance; id and secret are in headers alone."""
    pages = serving(results(1))
    next(search(pages, "왕뱀 & more", limit=7))
    expected = {"query": "왕뱀 & more", "display": "7", "sort": "sim", "filter": "all", "start": "1"}
    assert pages.arguments(0) == expected
    assert pages.headers[0] == {"X-NCP-APIGW-API-KEY-ID": "hub-id", "X-NCP-APIGW-API-KEY": "hub-secret"}


@pytest.mark.parametrize(
    ("environ", "host", "header"),
    [
        (HUB, "naverapihub.apigw.ntruss.com", "X-NCP-APIGW-API-KEY-ID"),
        (DEVELOPERS, "openapi.naver.com", "X-Naver-Client-Id"),
        (HUB | DEVELOPERS, "naverapihub.apigw.ntruss.com", "X-NCP-APIGW-API-KEY-ID"),
        ({"NAVER_API_HUB_CLIENT_ID": "half"} | DEVELOPERS, "openapi.naver.com", "X-Naver-Client-Id"),
    ],
)
def test_the_platform_is_the_one_of_the_keys(environ, host, header):
    """Keys of either platform work, those of the newer one first; half a pair is ignored beside a whole one."""
    pages = serving(results(1))
    next(search(pages, environ=environ))
    assert pages.asked[0].split("/")[2] == host
    assert header in pages.headers[0]
    assert "NAVER" in for_all(environ)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("NAVER_API_HUB_CLIENT_ID", "NAVER_API_HUB_CLIENT_SECRET"),
        ("NAVER_CLIENT_ID", "NAVER_CLIENT_SECRET"),
        ("NAVER_API_HUB_CLIENT_SECRET", "NAVER_API_HUB_CLIENT_ID"),
    ],
)
def test_V04_half_a_pair_names_the_other_half(given, missing):
    """An id without its secret, or a secret without an id, is an error that names what is missing."""
    with pytest.raises(KeyMissing, match=missing):
        search(serving(results()), environ={given: "k"})
    assert "NAVER" not in for_all({given: "k"})


def test_the_end_of_the_older_platform_is_announced():
    """Only users of the older keys see a message when these end."""
    assert "2027-06-30" in Naver(DEVELOPERS).notes()[0]
    assert Naver(HUB).notes() == Naver(HUB | DEVELOPERS).notes() == []


def test_a_thousand_hits_are_all():
    """Ten pages of a hundred are requested, whatever the total is."""
    pages = serving(*(results(*range(first, first + 100)) for first in range(0, 1200, 100)))
    assert len(list(search(pages))) == Naver.most == 1000
    assert [pages.arguments(n)["start"] for n in range(len(pages.asked))] == [str(1 + 100 * n) for n in range(10)]


def test_the_total_ends_a_search():
    """No page beyond the stated total is requested."""
    pages = serving(results(*range(100), total=130), results(*range(100, 130), total=130))
    assert len(list(search(pages))) == 130
    assert len(pages.asked) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, '{"errorMessage": "Authentication failed", "errorCode": "024"}'), KeyRefused),
        ((401, '{"error": {"errorCode": "200", "message": "Authentication Failed"}}'), KeyRefused),
        ((403, '{"errorMessage": "Not allowed", "errorCode": "999"}'), KeyRefused),
        ((400, '{"errorMessage": "Incorrect query request", "errorCode": "SE01"}'), Unanswerable),
        ((403, "<h1>Forbidden</h1>"), Blocked),
        ((404, "[]"), Blocked),
        ((403, '{"errorMessage": [7], "error": 7}'), Blocked),
        ((400, "{"), PageChanged),
    ],
)
def test_V04_naver_says_why_it_refuses(answer, error):
    """A bad key, a refused query and a firewall are different errors on both platforms."""
    with pytest.raises(error) as caught:
        next(search(serving(answer)))
    assert type(caught.value) is error
