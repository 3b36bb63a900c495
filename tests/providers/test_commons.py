"""Commons: contact, searches and categories, responses in parts, and file metadata."""

from __future__ import annotations

import json
import re

import pytest

from harvest import providers
from harvest.errors import Blocked, KeyMissing, PageChanged, RateLimited, Unanswerable
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query
from harvest.providers.commons import Commons, parse
from harvest.web.request_search_pages import SearchPage
from harvest.web.user_agent import USER_AGENT
from tests.providers.pages import FIXTURES, RECORDINGS, serving

CONTACT = {"HARVEST_CONTACT": "ada@example.org"}
EMPTY = (FIXTURES / "commons" / "empty.json").read_text("utf-8")
LAGGING = '{"error": {"code": "maxlag", "info": "Waiting for db1: 7.1 seconds lagged", "lag": 7.1}}'


def page(text, status=200):
    return SearchPage("https://commons.wikimedia.org/w/api.php?action=query", status, text, {})


def search(pages, text="king snake", limit=None, **filters):
    return Commons(CONTACT).search(Query(text, "snake", limit=limit, filters=Filters(**filters)), pages)


def file(number, described=True, **info):
    name = f"https://upload.wikimedia.org/wikipedia/commons/1/1a/{number}.jpg"
    about = {"imageinfo": [{"url": name, "mime": "image/jpeg", **info}]} if described else {}
    return {"pageid": number, "title": f"File:{number}.jpg", "index": number, **about}


def answer(*files, following=None, whole=True):
    messages = {"batchcomplete": True} if whole else {}
    messages |= {"continue": following} if following else {}
    return json.dumps(messages | {"query": {"pages": files}})


def only(**info):
    """Return the hit of a response with one file."""
    (hit,) = parse(page(answer(file(1, **info)))).hits
    return hit


def stated(**values):
    return {"extmetadata": {name: {"value": value} for name, value in values.items()}}


# ---- whom it may write to


@pytest.mark.parametrize("contact", ["ada@example.org", "https://example.org/about", " ada@example.org "])
def test_a_contact_stands_in_the_user_agent(contact):
    """The User-Agent names the program and the contact."""
    pages = serving(EMPTY)
    list(Commons({"HARVEST_CONTACT": contact}).search(Query("snake", "snake"), pages))
    assert pages.headers == [{"User-Agent": f"{USER_AGENT} ({contact.strip()})"}]


@pytest.mark.parametrize(
    "contact",
    [
        None,
        "",
        " ",
        "me",
        "@",
        "ada@example",
        "ada@example.org\r\nX-Evil: 1",
        "ada@example.org) evil (x",
        "ü@ü.example",
    ],
)
def test_V04_without_a_contact_nothing_is_asked(contact):
    """For a missing or invalid contact the error names the option and the variable."""
    environ = {} if contact is None else {"HARVEST_CONTACT": contact}
    pages = serving(EMPTY)
    for work in (Commons(environ).check, lambda: next(Commons(environ).search(Query("x", "x"), pages))):
        with pytest.raises(KeyMissing, match="Commons requires a contact") as caught:
            work()
        assert "HARVEST_CONTACT" in caught.value.message
        assert "--contact" in caught.value.hint
    assert not pages.asked


def test_it_is_part_of_all_with_a_contact():
    """`ALL` includes Commons only with a contact."""
    assert "COMMONS" in providers.for_all(CONTACT)
    assert "COMMONS" not in providers.for_all({})


# ---- what is asked


def test_a_search_asks_for_all_that_a_hit_needs():
    """One request returns bitmaps by relevance, with URL, size, author, licence and a rendition."""
    pages = serving(EMPTY)
    list(search(pages, 'micrurus "coral snake" -king'))
    asked = pages.arguments(0)
    assert pages.asked[0].startswith("https://commons.wikimedia.org/w/api.php?")
    assert asked["gsrsearch"] == 'filetype:bitmap micrurus "coral snake" -king filew:>199 fileh:>199'
    assert (asked["generator"], asked["gsrnamespace"], asked["gsrlimit"]) == ("search", "6", "50")
    assert (asked["format"], asked["formatversion"], asked["maxlag"]) == ("json", "2", "5")
    assert asked["iiurlwidth"] == "1280"
    assert set(asked["iiprop"].split("|")) == {"url", "size", "mime", "extmetadata"}


@pytest.mark.parametrize("text", ["category:Lampropeltis elapsoides", " Category: Lampropeltis elapsoides "])
def test_a_category_is_asked_for_by_its_name(text):
    """`category:NAME` lists the files of that category, without a search."""
    pages = serving(EMPTY)
    list(search(pages, text, limit=7))
    asked = pages.arguments(0)
    assert (asked["generator"], asked["gcmtype"], asked["gcmlimit"]) == ("categorymembers", "file", "7")
    assert asked["gcmtitle"] == "Category:Lampropeltis elapsoides"
    assert "gsrsearch" not in asked


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"licence": LicenceFilter.OPEN, "min_size": 0}, ""),
        ({"licence": LicenceFilter.PUBLIC_DOMAIN, "min_size": 0}, " haslicense:unrestricted"),
        ({"photos": True, "min_size": 0}, " filemime:image/jpeg"),
        ({"min_size": 500}, " filew:>499 fileh:>499"),
    ],
)
def test_filters_are_asked_for(filters, words):
    """The filters that Commons supports are in the search."""
    pages = serving(EMPTY)
    list(search(pages, "snake", **filters))
    assert pages.arguments(0)["gsrsearch"] == f"filetype:bitmap snake{words}"
    assert filters.keys() <= Commons.supported_filters


# ---- what comes next


def test_all_of_the_way_on_is_followed():
    """Every value under `continue` is in the next request, and our own parameters stay unchanged."""
    following = {"gsroffset": 50, "continue": "gsroffset||", "action": "edit"}
    pages = serving(answer(file(1), following=following), answer(file(2)))
    assert [hit.title for hit in search(pages)] == ["1", "2"]
    first, second = pages.arguments(0), pages.arguments(1)
    assert second == first | {"gsroffset": "50", "continue": "gsroffset||"}


def test_a_batch_told_in_parts_is_put_together():
    """File information may be spread over several responses; each file is yielded once, in order."""
    pages = serving(
        answer(file(1, described=False), file(2), file(3, described=False), following={"iistart": "a"}, whole=False),
        answer(file(1), file(2, described=False), file(3, described=False), following={"iistart": "b"}, whole=False),
        answer(file(1, described=False), file(2, described=False), file(3), following={"gsroffset": "3"}),
        answer(file(4)),
    )
    assert [hit.title for hit in search(pages)] == ["1", "2", "3", "4"]
    assert len(pages.asked) == 4
    assert "iistart" not in pages.arguments(3)


def test_a_batch_never_told_in_full_ends():
    """A batch that never completes is given up after a limited number of requests."""
    pages = serving(answer(file(1), following={"iistart": "a"}, whole=False))
    assert len(list(search(pages))) == 1
    assert len(pages.asked) <= 60


def test_an_empty_batch_is_not_the_end():
    """A response without files but with a continuation is followed."""
    pages = serving('{"batchcomplete": true, "continue": {"gcmcontinue": "x"}}', answer(file(1)))
    assert len(list(search(pages, "category:Snakes"))) == 1


def test_lagging_databases_are_waited_for():
    """A response about lagging databases costs a pause and no hit; three end the search."""
    pages = serving(LAGGING, LAGGING, answer(file(1)))
    assert len(list(search(pages))) == 1
    assert pages.pauses == [5, 5]
    pages = serving(LAGGING)
    with pytest.raises(RateLimited, match="Commons is too busy"):
        next(search(pages))
    assert len(pages.asked) == 3


def test_an_error_of_the_service_is_reported():
    """A refused search is an error with the reason of Commons, not an empty result."""
    error = '{"error": {"code": "invalidcategory", "info": "The category name you entered is not valid."}}'
    with pytest.raises(Unanswerable, match="The category name you entered is not valid"):
        next(search(serving(error), "category:[[x]]"))


def test_V01_a_refusal_is_a_block():
    """The text with which Commons refuses a program is `Blocked`."""
    with pytest.raises(Blocked, match="Commons answers 403"):
        parse(page("Please set a user-agent and respect our robot policy", 403))


# ---- what files say


@pytest.mark.parametrize("width", [20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840])
def test_renditions_come_in_widths_that_it_serves(width):
    """A rendition of a width that Commons serves is tried when the original fails."""
    thumb = f"https://upload.wikimedia.org/wikipedia/commons/thumb/1/1a/1.jpg/{width}px-1.jpg?utm_source=x"
    assert only(thumburl=thumb).others == (thumb.partition("?")[0],)


@pytest.mark.parametrize(
    "thumb",
    [
        "https://upload.wikimedia.org/wikipedia/commons/thumb/1/1a/1.jpg/366px-1.jpg",
        "https://upload.wikimedia.org/wikipedia/commons/thumb/1/1a/1.jpg/1279px-1.jpg",
        "https://upload.wikimedia.org/wikipedia/commons/1/1a/1.jpg?utm_content=thumbnail_unscaled",
        "https://upload.wikimedia.org/wikipedia/commons/1/1a/500px.jpg",
        "file:///1280px-1.jpg",
        7,
        None,
    ],
)
def test_other_renditions_are_not_asked_for(thumb):
    """Widths refused since 2026, and URLs that are not renditions, are skipped."""
    hit = only(thumburl=thumb)
    assert hit.others == ()
    assert hit.url.endswith("/1.jpg")


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("image/jpeg", "/1.jpg"),
        ("image/tiff", "/lossy-page1-1280px-1.tif.jpg"),
        ("image/svg+xml", "/lossy-page1-1280px-1.tif.jpg"),
        ("video/webm", None),
        ("application/pdf", None),
        (7, None),
    ],
)
def test_what_cannot_be_decoded_is_taken_as_a_rendition(kind, suffix):
    """Drawings and scans are represented by their rendition; videos and books are skipped without an error."""
    thumb = "https://upload.wikimedia.org/wikipedia/commons/thumb/1/1a/1.tif/lossy-page1-1280px-1.tif.jpg"
    about = {"mime": kind, "thumburl": thumb, "thumbwidth": 1280, "width": 9000}
    hits = parse(page(answer(file(1, **about)))).hits
    assert [hit.url.endswith(suffix or "?") for hit in hits] == ([True] if suffix else [])
    assert [hit.width for hit in hits] == ([9000 if kind == "image/jpeg" else 1280] if suffix else [])


@pytest.mark.parametrize(
    ("artist", "author", "url"),
    [
        ('<div class="fn value">\nJona Lendering</div>', "Jona Lendering", None),
        (
            '<a href="//commons.wikimedia.org/wiki/User:Ada">Ada</a> &amp; Co',
            "Ada & Co",
            "https://commons.wikimedia.org/wiki/User:Ada",
        ),
        ('<a rel="x" href="https://ada.example/">Ada</a>', "Ada", "https://ada.example/"),
        ("Ada", "Ada", None),
        ('<a href="javascript:alert(1)">Ada</a>', "Ada", None),
        ('<a name="x">Ada</a>', "Ada", None),
        ("<a href=", "<a href=", None),
        ("<script>alert(1)</script>", None, None),
        ("<b>" * 50_000, None, None),
        ("", None, None),
        (["Ada"], None, None),
    ],
)
def test_an_artist_is_text_and_an_address(artist, author, url):
    """The author's name and valid link are read from the HTML."""
    hit = only(**stated(Artist=artist))
    assert (hit.author, hit.author_url) == (author, url)


@pytest.mark.parametrize(
    ("named", "address", "spdx"),
    [
        ("cc-by-sa-4.0", None, "CC-BY-SA-4.0"),
        ("CC-BY-2.0", "https://creativecommons.org/licenses/by/2.0", "CC-BY-2.0"),
        ("cc-by-sa-3.0-de", "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "CC-BY-SA-3.0-DE"),
        ("cc0", None, "CC0-1.0"),
        ("cc-zero", "http://creativecommons.org/publicdomain/zero/1.0/deed.en", "CC0-1.0"),
        ("pd", None, "LicenseRef-Public-Domain"),
        ("pd", "https://creativecommons.org/publicdomain/mark/1.0/deed.en", "CC-PDM-1.0"),
        ("no restrictions", "https://www.flickr.com/commons/usage/", "LicenseRef-No-Known-Restrictions"),
        (None, "http://flickr.com/commons/usage", "LicenseRef-No-Known-Restrictions"),
        (None, "https://flickr.com/commons/usage.evil.example/", None),
        ("cc-by-sa-4.0,3.0", "https://creativecommons.org/licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("gfdl", None, None),
        ("attribution", None, None),
        (None, None, None),
    ],
)
def test_a_licence_is_what_the_file_states(named, address, spdx):
    """A licence is read from its short name or URL; other words are unknown."""
    hit = only(**stated(License=named, LicenseUrl=address))
    assert hit.licence.id == spdx
    assert hit.licence.evidence is (Evidence.STATED if spdx else Evidence.UNKNOWN)


@pytest.mark.parametrize("name", ["title", "index", "imageinfo", "missing", "ns"])
@pytest.mark.parametrize("value", [None, True, 1.5, 10**30, [], {}, [[]], "\x00", "<" * 5000])
def test_V07_one_hostile_file_spoils_no_other(name, value):
    """An invalid value in one file does not affect the next file."""
    assert "2" in {hit.title for hit in parse(page(answer(file(1) | {name: value}, file(2)))).hits}


@pytest.mark.parametrize("about", [None, [], 7, {"Artist": 7}, {"License": {"value": {}}}, {"Artist": {}}])
def test_V07_hostile_words_of_a_file_are_unknown(about):
    """Author and licence in an unknown form are unknown, and the file is still read."""
    hit = only(extmetadata=about)
    assert (hit.author, hit.licence.id) == (None, None)


@pytest.mark.parametrize("pages", [7, "x", [{"pageid": 1, "imageinfo": [{}]}]])
def test_V07_hostile_answers_are_changed_pages(pages):
    """Invalid files, or files that all lack a URL, are a changed page."""
    with pytest.raises(PageChanged):
        parse(page(json.dumps({"batchcomplete": True, "query": {"pages": pages}})))


# ---- recordings


def recorded(name):
    path = RECORDINGS / "commons" / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_text("utf-8")


def as_json(script):
    """Return the response in a JavaScript recording."""
    text = re.search(r"media: (\{.*?\n\t\}),\n", script, re.DOTALL)[1]
    return re.sub(r"'((?:[^'\\]|\\.)*)'", r'"\1"', re.sub(r"([{,]\s*)([\w.]+):", r'\1"\2":', text))


def test_the_recorded_answer_gives_6_files():
    """All files of a real response in format version 1 are read in order, with the continuation."""
    found = parse(page(as_json(recorded("generator_search_imageinfo_2023-02.js"))))
    assert len(found.hits) == found.more == 6
    assert found.hits[0].title == "Cat November 2010-1a"
    assert found.hits[0].source == "commons:Cat_November_2010-1a.jpg"
    assert found.hits[-1].page == "https://commons.wikimedia.org/wiki/File:Felis_catus-cat_on_snow.jpg"
    assert not any(hit.others for hit in found.hits)  # of widths that it no longer serves


def test_the_recorded_file_without_information_is_no_crash():
    """A real file without image information is skipped."""
    odd = json.loads(recorded("missing_imageinfo.json"))
    assert [hit.title for hit in parse(page(answer(odd, file(1)))).hits] == ["1"]


def test_the_recorded_artist_is_text():
    """A real author in HTML gives a name; a missing licence stays unknown."""
    hit = only(**json.loads(recorded("artist_as_html.json")))
    assert hit.author == "Jona Lendering"
    assert hit.licence.evidence is Evidence.UNKNOWN


def test_the_recorded_file_without_an_address_of_its_licence():
    """A real file states its licence by its short name alone."""
    info = json.loads(recorded("missing_license_url.json"))
    hit = only(**info)
    assert (hit.licence.id, hit.licence.evidence) == ("CC-BY-SA-4.0", Evidence.STATED)
    assert (hit.author, hit.author_url) == ("PtrQs", "https://commons.wikimedia.org/wiki/User:PtrQs")
    assert (hit.width, hit.height) == (5514, 3102)
