"""Flickr: requests with a key and with a secret, responses, and split searches."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
import xml.etree.ElementTree as ET
from itertools import islice
from urllib.parse import quote, unquote

import pytest

from harvest.errors import Blocked, KeyMissing, KeyRefused, PageChanged, RateLimited, Unavailable, Unreachable
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query, Safe
from harvest.providers.flickr import LICENCES, SIZES, Flickr, parse
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, RECORDINGS, FakePages, serving

KEY, SECRET = "0123456789abcdef0123456789abcdef", "fedcba9876543210"
FOUND = (FIXTURES / "flickr" / "found.json").read_text("utf-8")
EMPTY = (FIXTURES / "flickr" / "empty.json").read_text("utf-8")


def page(text, status=200):
    return SearchPage("https://api.flickr.com/services/rest/", status, text, {})


def search(pages, text="king snake", limit=None, secret=None, **filters):
    environ = {"FLICKR_API_KEY": KEY} | ({"FLICKR_API_SECRET": secret} if secret else {})
    return Flickr(environ).search(Query(text, "snake", limit=limit, filters=Filters(**filters)), pages)


def answer(identities, number=1, pages=1, total=None, per_page=500):
    photos = [{"id": str(i), "url_m": f"https://live.staticflickr.com/1/{i}_a1b2c3d4e5.jpg"} for i in identities]
    listed = {"page": number, "pages": pages, "perpage": per_page, "total": total or len(photos)}
    return json.dumps({"photos": listed | {"photo": photos}, "stat": "ok"})


def failure(code, message="Something"):
    return json.dumps({"stat": "fail", "code": code, "message": message})


def test_a_key_alone_is_sent_unsigned():
    """Without a secret the key is a parameter and nothing is signed."""
    pages = serving(EMPTY)
    list(search(pages))
    asked = pages.arguments(0)
    assert pages.asked[0].startswith("https://api.flickr.com/services/rest/?")
    assert asked["api_key"] == KEY
    assert asked["method"] == "flickr.photos.search"
    assert asked["format"] == "json"
    assert asked["nojsoncallback"] == "1"
    assert not any(name.startswith("oauth") for name in asked)
    assert pages.headers == [{}]


def test_with_a_secret_the_call_is_signed():
    """With a secret the signature matches the URL as sent, which contains neither key nor secret."""
    pages = serving(EMPTY)
    list(search(pages, 'snake "-king" ü', secret=SECRET))
    scheme, _, signed = pages.headers[0]["Authorization"].partition(" ")
    oauth = {name: unquote(value.strip('"')) for name, value in (part.split("=", 1) for part in signed.split(", "))}
    signature = oauth.pop("oauth_signature")
    assert (scheme, oauth["oauth_consumer_key"]) == ("OAuth", KEY)
    assert KEY not in pages.asked[0]
    assert SECRET not in pages.asked[0] + signed

    address, _, _ = pages.asked[0].partition("?")
    messages = sorted((quote(n, safe=""), quote(v, safe="")) for n, v in (pages.arguments(0) | oauth).items())
    base = "&".join(quote(part, safe="") for part in ("GET", address, "&".join(f"{n}={v}" for n, v in messages)))
    digest = hmac.digest(f"{SECRET}&".encode(), base.encode(), "sha1")
    assert base64.b64decode(signature) == digest


def test_V04_the_key_is_in_no_log(caplog):
    """At debug level no log line contains the key or the secret."""
    with caplog.at_level(logging.DEBUG):
        list(search(serving(EMPTY)))
        list(search(serving(EMPTY), secret=SECRET))
    assert KEY not in caplog.text
    assert SECRET not in caplog.text


def test_V04_without_a_key_nothing_is_asked():
    """A search without a key raises before any request."""
    pages = serving(EMPTY)
    with pytest.raises(KeyMissing, match="Flickr needs an API key"):
        next(Flickr({}).search(Query("snake", "snake"), pages))
    assert not pages.asked


def test_the_call_asks_for_all_that_a_hit_needs():
    """One call returns photos by relevance, with safe search, licences, authors and every size."""
    pages = serving(FOUND)
    list(search(pages, 'micrurus "coral snake" -king'))
    asked = pages.arguments(0)
    assert asked["text"] == 'micrurus "coral snake" -king'
    assert (asked["sort"], asked["media"], asked["content_types"]) == ("relevance", "photos", "0")
    assert asked["safe_search"] == "1"
    assert {"license", "owner_name", "path_alias"} < set(asked["extras"].split(","))
    assert {f"url_{size}" for size in SIZES} < set(asked["extras"].split(","))
    assert "license" not in asked
    assert {url.split("method=")[1].split("&")[0] for url in pages.asked} == {"flickr.photos.search"}


@pytest.mark.parametrize(("limit", "per_page"), [(None, "500"), (3, "3"), (500, "500"), (7000, "500")])
def test_no_more_is_asked_than_is_wanted(limit, per_page):
    """A page is as long as the limit, up to Flickr's 500."""
    pages = serving(EMPTY)
    list(search(pages, limit=limit))
    assert pages.arguments(0)["per_page"] == per_page


@pytest.mark.parametrize(
    ("wish", "numbers"),
    [
        (LicenceFilter.PUBLIC_DOMAIN, "7,8,9,10"),
        (LicenceFilter.OPEN, "4,5,7,8,9,10,11,12"),
        (LicenceFilter.COMMERCIAL, "4,5,6,7,8,9,10,11,12,13"),
    ],
)
def test_a_licence_is_asked_for_by_all_its_numbers(wish, numbers):
    """A licence filter becomes every licence number that meets it, those of 4.0 included."""
    pages = serving(EMPTY)
    list(search(pages, licence=wish))
    assert pages.arguments(0)["license"] == numbers


@pytest.mark.parametrize(
    ("filters", "asked"),
    [
        ({"safe": Safe.STRICT}, {"safe_search": "1"}),
        ({"safe": Safe.MODERATE}, {"safe_search": "2"}),
        ({"safe": Safe.OFF}, {"safe_search": "3"}),
        ({"photos": True}, {"content_types": "0"}),
        ({"since": "2015-01-01"}, {"min_upload_date": "1420070400"}),
        ({"until": "2015-01-01"}, {"max_upload_date": "1420156799"}),
    ],
)
def test_filters_are_asked_for(filters, asked):
    """Supported filters are in the call; both days are included."""
    pages = serving(EMPTY)
    list(search(pages, **filters))
    assert pages.arguments(0) | asked == pages.arguments(0)
    assert ("min_upload_date" in pages.arguments(0)) == ("since" in filters)
    assert filters.keys() <= Flickr.supported_filters


def test_until_never_goes_beyond_now():
    """A future `until` does not include photos uploaded during the search."""
    pages = serving(EMPTY)
    list(search(pages, until="2999-01-01"))
    assert int(pages.arguments(0)["max_upload_date"]) <= time.time()


def test_every_licence_of_flickr_is_known():
    """Each licence number from 0 to 16 has an id and a URL, and is stated."""
    assert sorted(map(int, LICENCES)) == list(range(17))
    assert all(licence.id and licence.url for licence in LICENCES.values())
    assert {licence.evidence for licence in LICENCES.values()} == {Evidence.STATED}
    assert len({licence.id for licence in LICENCES.values()}) == 17


def test_the_moment_is_fixed():
    """All pages of a search cover the photos that existed when it began."""
    pages = FakePages(lambda url: answer(range(number(url) * 10, number(url) * 10 + 10), number(url), 5))
    assert len(list(search(pages))) == 50
    assert len({pages.arguments(ask)["max_upload_date"] for ask in range(5)}) == 1
    assert [pages.arguments(ask)["page"] for ask in range(5)] == ["1", "2", "3", "4", "5"]


def number(url):
    return int(url.split("&page=")[1].split("&")[0])


class Archive:
    """A Flickr with many photos: it returns at most 4000 per search, then repeats its last page."""

    def __init__(self, count):
        self.uploaded = {identity: 1_080_000_000 + identity * 20_000 for identity in range(1, count + 1)}

    def __call__(self, url):
        """Answer one search."""
        messages = dict(pair.split("=") for pair in url.split("?")[1].split("&"))
        since, until = int(messages.get("min_upload_date", 0)), int(messages["max_upload_date"])
        photos = [identity for identity, time in self.uploaded.items() if since <= time <= until]
        photos.sort(key=lambda identity: identity * 7919 % 10_007)  # by "relevance": unlike the dates
        size, place = int(messages["per_page"]), int(messages["page"])
        pages = -(-len(photos) // size)
        start = (min(place, pages, 4000 // size) - 1) * size if photos else 0
        return answer(photos[start : start + size], place, pages, len(photos), size)


def test_more_than_4000_are_found_by_their_dates():
    """All of 9,500 photos are found, the most relevant 4000 first, none twice, in few calls."""
    archive = Archive(9_500)
    pages = FakePages(archive)
    found = [int(hit.source.removeprefix("flickr:")) for hit in search(pages)]
    best = sorted(archive.uploaded, key=lambda identity: identity * 7919 % 10_007)[:4000]
    assert found[:4000] == best
    assert sorted(found) == list(archive.uploaded)
    assert len(pages.asked) < 60


def test_dates_hold_in_every_half():
    """A search between two days finds exactly the photos of that time."""
    archive = Archive(9_500)
    wanted = [i for i, at in archive.uploaded.items() if 1_104_537_600 <= at < 1_230_768_000]
    hits = search(FakePages(archive), since="2005-01-01", until="2008-12-31")
    found = [int(hit.source.removeprefix("flickr:")) for hit in hits]
    assert sorted(found) == wanted
    assert len(wanted) > 4000


def test_no_dates_are_split_for_less():
    """Stopping within the first 4000 hits never splits the search."""
    pages = FakePages(Archive(9_500))
    assert len(list(islice(search(pages, limit=1000), 1000))) == 1000
    assert len(pages.asked) == 2
    assert "min_upload_date" not in pages.arguments(1)


def test_a_total_that_never_falls_ends_all_the_same():
    """A source that claims millions and repeats one page is given up after a few calls."""
    pages = serving(answer(range(10), 1, 9000, 4_500_000))
    assert len(list(search(pages))) == 10
    assert len(pages.asked) < 25


def test_the_largest_rendition_comes_first():
    """The URL is the largest size present, followed by the smaller ones."""
    photo = {"id": "7"} | {f"url_{size}": f"https://live.staticflickr.com/1/7_aabbcc_{size}.jpg" for size in SIZES}
    del photo["url_o"]
    (hit,) = parse(page(json.dumps({"photos": {"total": 1, "photo": [photo]}, "stat": "ok"}))).hits
    assert hit.url.endswith("_6k.jpg")
    assert [url.rsplit("_", 1)[1] for url in hit.others] == [f"{size}.jpg" for size in SIZES[2:]]


def test_a_title_is_one_bounded_line_of_text():
    """Titles are cleaned of markup, entities and line breaks, and shortened."""
    title = "<a href='javascript:x'>Fish</a> &amp;\n chips\u202e " + "x" * 10_000
    photo = {"id": "7", "url_m": "https://live.staticflickr.com/1/7_aabbcc.jpg", "title": title}
    (hit,) = parse(page(json.dumps({"photos": {"total": 1, "photo": [photo]}, "stat": "ok"}))).hits
    assert hit.title.startswith("Fish & chips xxx")
    assert len(hit.title) == 300


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (100, "Invalid API Key (Key has expired)", KeyRefused),
        ("100", "Invalid API Key (Key not found)", KeyRefused),
        (96, "Invalid signature", KeyRefused),
        (105, "Service currently unavailable", Unreachable),
        (0, "Sorry, the Flickr API service is not currently available.", Unreachable),
        (201, "Sorry, the Flickr API service is not currently available.", Unreachable),
        (10, "Sorry, the Flickr search API is not currently available.", Unreachable),
        (999, "Over your quota for today", RateLimited),
        (3, "Parameterless searches have been disabled", Unavailable),
        (None, None, Unavailable),
    ],
)
def test_a_failure_is_told_as_what_it_is(code, message, error):
    """Each error code of Flickr, all with status 200, becomes its own error."""
    with pytest.raises(error, match="Flickr") as caught:
        next(search(serving(failure(code, message))))
    assert (message or "") in caught.value.message


@pytest.mark.parametrize("status", [200, 400])
def test_an_error_with_a_comma_too_many_is_read(status):
    """Flickr's error 201 is invalid JSON, and still an error of its service that passes."""
    text = '{"stat":"fail","code":201,"message":"Sorry, the Flickr API service is not currently available.",}\n'
    with pytest.raises(Unreachable, match=r"not currently available. \(code 201\)"):
        parse(page(text, status))


def test_an_error_in_plain_text_is_shown():
    """An error status with a text gives that text, not a complaint about the format."""
    with pytest.raises(Unreachable, match=r"Flickr answers 400 instead of results: Bad Request: too long"):
        parse(page("Bad Request:\r\n too long\n", 400))


def test_V04_without_a_key_there_is_openverse():
    """The error for a missing key says who gets one, in Flickr's own words, and names Openverse."""
    with pytest.raises(KeyMissing) as caught:
        Flickr({}).check()
    assert '"API key creation is currently disabled for free accounts"' in caught.value.hint
    assert "Pro accounts only" in caught.value.hint
    assert "-c OPENVERSE" in caught.value.hint


def test_a_comma_within_a_title_stays():
    """A list of photos is read as it is, also where a title looks like the end of an error."""
    photo = {"id": "7", "url_m": "https://live.staticflickr.com/1/7_aabbcc.jpg", "title": '"fail",}'}
    assert parse(page(json.dumps({"photos": {"total": 1, "photo": [photo]}, "stat": "ok"}))).hits[0].title == '"fail",}'


@pytest.mark.parametrize(
    "passing", [failure(105), failure("0"), failure(201), '{"photos": {"total": "30"}, "stat": "ok"}', ""]
)
def test_what_passes_is_asked_again(passing):
    """Two bad responses in a row cost two calls and no hit; three end the search."""
    pages = serving(passing, passing, FOUND)
    assert next(search(pages)).source == "flickr:4000000123"
    assert len(pages.asked) == 3
    pages = serving(passing)
    with pytest.raises((Unreachable, PageChanged)):
        next(search(pages))
    assert len(pages.asked) == 3


def test_V05_a_refused_key_is_asked_once():
    """A permanent error is not retried."""
    pages = serving(failure(100))
    with pytest.raises(KeyRefused):
        next(search(pages))
    assert len(pages.asked) == 1


def test_V01_a_firewall_is_a_block():
    """A refusal by Flickr's firewall is `Blocked`, whatever its text."""
    with pytest.raises(Blocked, match="Flickr answers 403"):
        parse(page(FOUND, 403))


@pytest.mark.parametrize(
    "photos",
    [
        None,
        7,
        [],
        "x",
        {"photo": {}},
        {"photo": "x"},
        {"total": 3},
        {"total": [], "photo": [None]},
        {"photo": [[]]},
    ],
)
def test_V07_hostile_answers_are_changed_pages(photos):
    """An invalid list of photos, or one without readable photos, is a changed page."""
    with pytest.raises(PageChanged):
        parse(page(json.dumps({"photos": photos, "stat": "ok"})))


@pytest.mark.parametrize("name", ["id", "title", "owner", "pathalias", "ownername", "license", "width_m", "url_m"])
@pytest.mark.parametrize("value", [None, True, 1.5, 10**30, [], {}, "\x00", "<" * 5000, "https://[", "../.."])
def test_V07_one_hostile_value_takes_no_other_with_it(name, value):
    """An invalid value in one photo does not affect the next photo."""
    good = {"id": "8", "url_m": "https://live.staticflickr.com/1/8_aabbcc.jpg"}
    bad = {"id": "7", "url_m": "https://live.staticflickr.com/1/7_aabbcc.jpg"} | {name: value}
    hits = parse(page(json.dumps({"photos": {"total": 2, "photo": [bad, good]}, "stat": "ok"}))).hits
    assert hits[-1].source == "flickr:8"
    assert all(hit.page is None or "/../" not in hit.page for hit in hits)


def recorded(name):
    path = RECORDINGS / "flickr" / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_text("utf-8")


def test_the_recorded_answer_gives_30_photos():
    """All photos of a real response are read, with sizes, authors, pages and licences."""
    found = parse(page(recorded("photos_search_2020-02.json")))
    assert len(found.hits) == found.total == 30
    assert found.more is None
    assert all(hit.width and hit.height and hit.author and hit.page for hit in found.hits)
    assert {hit.licence.evidence for hit in found.hits} == {Evidence.STATED}
    assert found.hits[0].url == "https://live.staticflickr.com/65535/49514337848_bbdbb5f761_b.jpg"
    assert found.hits[0].page == "https://www.flickr.com/photos/7478087@N06/49514337848"


def test_the_recorded_answer_without_a_list_is_no_crash():
    """A total without a list is a changed page, not an empty result."""
    with pytest.raises(PageChanged, match="Flickr reports 30 photos, and none"):
        parse(page(recorded("total_but_no_photo_list.json")))


def test_the_recorded_table_of_licences_is_ours():
    """Every licence that Flickr lists is known with the same URL."""
    text = recorded("licenses_getInfo.vcr.yml")
    table = (
        text[text.index("<rsp") : text.index("</rsp>") + 6].replace("\\n", " ").replace("\\t", " ").replace('\\"', '"')
    )
    for licence in ET.fromstring(table.replace("\n        ", " ")).iter("license"):
        url = licence.get("url")
        assert url.startswith(LICENCES[licence.get("id")].url), licence.get("name")


def test_the_recorded_refusal_is_a_refused_key():
    """The words of a real refusal are in our message."""
    message = "Invalid API Key (Key has invalid format)"
    assert message in recorded("error_100_invalid_api_key.vcr.yml").replace("\n      ", " ")
    with pytest.raises(KeyRefused, match="Flickr does not accept the key: Invalid API Key"):
        parse(page(failure(100, message)))
