"""Pexels and Pixabay: stock photographs under licences of their own, for users who name them."""

from __future__ import annotations

import json

import pytest

from harvest.errors import Blocked, KeyRefused, PageChanged, Unanswerable
from harvest.licences import LicenceFilter
from harvest.models import Filters, Query, Safe
from harvest.providers import for_all
from harvest.providers.pexels import Pexels
from harvest.providers.pixabay import Pixabay
from tests.providers.pages import serving

KEYS = {"PEXELS_API_KEY": "k-pexels", "PIXABAY_API_KEY": "k-pixabay"}


def photos(*numbers, more=False):
    """Return a page of Pexels."""
    listed = [{"id": n, "src": {"original": f"https://images.pexels.com/photos/{n}/a.jpeg"}} for n in numbers]
    return json.dumps({"photos": listed} | ({"next_page": "https://evil.example/"} if more else {}))


def images(*numbers, total=500):
    """Return a page of Pixabay."""
    listed = [{"id": n, "webformatURL": f"https://pixabay.com/get/{n}_640.jpg"} for n in numbers]
    return json.dumps({"totalHits": total, "hits": listed})


def search(kind, pages, text="snake", limit=None, **filters):
    return kind(KEYS).search(Query(text, "snake", limit=limit, filters=Filters(**filters)), pages)


@pytest.mark.parametrize("kind", [Pexels, Pixabay])
def test_they_are_left_out_of_all_because_of_their_terms(kind):
    """`ALL` leaves them out even with a key, and whoever names them reads what their terms say."""
    assert kind.name not in for_all(KEYS)
    (note,) = kind(KEYS).notes()
    assert "does not allow" in note


@pytest.mark.parametrize(("kind", "page"), [(Pexels, photos(1)), (Pixabay, images(1))])
def test_their_licence_is_their_own_and_meets_no_filter(kind, page):
    """Each hit has the licence of its site with its address; it is neither open nor meets another licence filter."""
    hit = next(search(kind, serving(page)))
    assert hit.licence.id == f"LicenseRef-{kind.label}"
    assert hit.licence.url.startswith(f"https://{'www.' if kind is Pexels else ''}{kind.label.lower()}.com/")
    assert not hit.licence.is_open
    assert [wish for wish in LicenceFilter if hit.licence.allows(wish)] == [LicenceFilter.ANY]


# ---- Pexels


def test_pexels_is_asked_with_the_key_in_a_header():
    """The query is sent as written; the key is in a header alone."""
    pages = serving(photos(1))
    next(search(Pexels, pages, 'gibson "Flying V" & more', limit=7))
    assert pages.arguments(0) == {"query": 'gibson "Flying V" & more', "per_page": "7", "page": "1"}
    assert pages.headers[0]["Authorization"] == "k-pexels"


@pytest.mark.parametrize(("colour", "sent"), [("Grey", "gray"), ("purple", "violet"), ("red", "red"), ("mauve", None)])
def test_pexels_has_its_own_names_of_colours(colour, sent):
    """A colour is sent by Pexels' name for it, and not at all if it has none."""
    pages = serving(photos(1))
    next(search(Pexels, pages, colour=colour))
    assert pages.arguments(0).get("color") == sent


def test_pexels_pages_are_numbered_and_no_stated_address_is_followed():
    """The next page is requested by its number while one is announced, never at the address that the page states."""
    pages = serving(photos(1, more=True), photos(2))
    assert [hit.source for hit in search(Pexels, pages)] == ["pexels:1", "pexels:2"]
    assert [pages.arguments(n)["page"] for n in range(2)] == ["1", "2"]
    assert all(url.startswith("https://api.pexels.com/v1/search?") for url in pages.asked)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, '{"status": 401, "code": "Unauthorized"}'), KeyRefused),
        ((403, "<h1>Forbidden</h1>"), Blocked),
        ((400, '{"status": 400, "error": "Bad query"}'), Unanswerable),
        ((404, "[]"), PageChanged),
    ],
)
def test_V04_pexels_says_why_it_refuses(answer, error):
    """A bad key, a firewall and a refused search are different errors."""
    with pytest.raises(error) as caught:
        next(search(Pexels, serving(answer)))
    assert type(caught.value) is error


# ---- Pixabay


def test_pixabay_is_asked_and_narrows():
    """The filters are Pixabay's parameters; a query is cut at its limit, and a page has at least three images."""
    pages = serving(images(1))
    next(
        search(Pixabay, pages, "x" * 200, limit=1, photos=True, colour="bw", min_size=640, safe=Safe.OFF, language="de")
    )
    assert pages.arguments(0) == {
        "q": "x" * 100,
        "per_page": "3",
        "image_type": "photo",
        "safesearch": "false",
        "min_width": "640",
        "min_height": "640",
        "colors": "grayscale",
        "lang": "de",
        "key": "k-pixabay",
        "page": "1",
    }
    next(search(Pixabay, pages, colour="mauve", language="xx"))
    assert not {"colors", "lang"} & set(pages.arguments(1))
    assert (pages.arguments(1)["image_type"], pages.arguments(1)["safesearch"]) == ("all", "true")


def test_pixabay_has_five_hundred_hits():
    """Three pages of 200 are requested for 500 hits."""
    pages = serving(images(*range(1, 201)), images(*range(201, 401)), images(*range(401, 501)))
    assert len(list(search(Pixabay, pages))) == Pixabay.most == 500
    assert [pages.arguments(n)["page"] for n in range(3)] == ["1", "2", "3"]


def test_pixabay_refuses_pages_past_the_end():
    """A refused page number after the first page is the end of the results."""
    pages = serving(images(*range(1, 201)), (400, '[ERROR 400] "page" is out of valid range.'))
    assert len(list(search(Pixabay, pages))) == 200


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, "[ERROR 400] Invalid or missing API key (https://pixabay.com/api/docs/)."), KeyRefused),
        ((400, '[ERROR 400] "per_page" is out of valid range.'), Unanswerable),
        ((400, '[ERROR 400] "page" is out of valid range.'), Unanswerable),
        ((400, "<h1>Bad Request</h1>"), Blocked),
        ((403, "<h1>Forbidden</h1>"), Blocked),
    ],
)
def test_V04_pixabay_says_why_it_refuses(answer, error):
    """A bad key, a refused search and a firewall are different errors, though all are plain text."""
    with pytest.raises(error) as caught:
        next(search(Pixabay, serving(answer)))
    assert type(caught.value) is error
