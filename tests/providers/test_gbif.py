"""GBIF: matched names, pages of records, and media with their licences."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from harvest.errors import Blocked, PageChanged, Unanswerable
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query
from harvest.providers.gbif import Gbif, parse, parse_match
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, RECORDINGS, FakePages, serving

API = "https://api.gbif.org/v1"
MATCHES = "https://api.gbif.org/v2/species/match"
CHECKLIST = "7ddf754f-d193-4cc9-b351-99906754a03b"
MATCH = '{"usage": {"key": "C6YH2"}, "diagnostics": {"matchType": "EXACT"}}'
NO_MATCH = '{"diagnostics": {"matchType": "NONE", "confidence": 100}, "synonym": false}'
EMPTY = (FIXTURES / "gbif" / "empty.json").read_text("utf-8")


def page(text, status=200):
    return SearchPage(f"{API}/occurrence/search?taxonKey=C6YH2&offset=0", status, text, {})


def search(pages, text="Lampropeltis elapsoides", limit=None, **filters):
    return Gbif({}).search(Query(text, "snake", limit=limit, filters=Filters(**filters)), pages)


def medium(number, **more):
    return {"type": "StillImage", "identifier": f"https://a.example/{number}.jpg"} | more


def record(number, *media, **more):
    return {"key": number, "media": media or [medium(number)]} | more


def answer(*records, offset=0, limit=300, end=True):
    return json.dumps(
        {"offset": offset, "limit": limit, "endOfRecords": end, "count": len(records), "results": records}
    )


def asked(pages, ask):
    return {name: ",".join(values) for name, values in parse_qs(urlsplit(pages.asked[ask]).query).items()}


# ---- names


def match(kind, **usages):
    answer = {"diagnostics": {"matchType": kind}} | {name: {"key": key} for name, key in usages.items()}
    return SearchPage(MATCHES, 200, json.dumps(answer), {})


@pytest.mark.parametrize(
    ("kind", "usages", "taxon"),
    [
        ("EXACT", {"usage": "C6YH2"}, "C6YH2"),
        ("EXACT", {"usage": "C6YH2", "acceptedUsage": "4CGXP"}, "4CGXP"),
        ("EXACT", {"usage": "5219404"}, "5219404"),
        ("EXACT", {"usage": 5219404}, "5219404"),
        ("FUZZY", {"usage": "C6YH2"}, None),
        ("VARIANT", {"usage": "C6YH2"}, None),
        ("HIGHERRANK", {"usage": "C6YH2"}, None),
        ("NONE", {}, None),
        ("EXACT", {}, None),
        *(("EXACT", {"usage": key}, None) for key in ("", "a&license=*", "x" * 99, -1, True, None, ["C6YH2"])),
    ],
)
def test_a_name_is_matched_to_the_very_taxon(kind, usages, taxon):
    """An exact name finds its taxon, a synonym the accepted one; a similar name finds none."""
    assert parse_match(match(kind, **usages)) == taxon


def test_V03_a_name_that_nothing_bears_has_no_pictures():
    """Without such a taxon no further request is made, and the search ends without an error."""
    pages = serving(NO_MATCH)
    assert list(search(pages, '"red apple" -pie')) == []
    assert len(pages.asked) == 1
    assert asked(pages, 0) == {"scientificName": "red apple", "strict": "true", "checklistKey": CHECKLIST}
    assert list(search(serving(), "-pie")) == []


@pytest.mark.parametrize("status", [401, 403])
def test_V01_a_block_at_the_name_is_a_block(status):
    """A refused first request is `Blocked`."""
    with pytest.raises(Blocked, match=f"GBIF answers {status}"):
        next(search(serving((status, "<h1>Forbidden</h1>"))))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "<html>", '{"diagnostics": {"matchType": 7}}', '{"diagnostics": 7}', MATCH[:-3], "[" * 100_000],
)
def test_V07_a_hostile_answer_to_the_name_is_a_changed_page(text):
    """A response that does not say whether the name exists is a changed page."""
    with pytest.raises(PageChanged):
        next(search(serving(text)))


# ---- records


def test_a_search_asks_for_pictures_of_what_people_saw():
    """The request is for still images of human observations of the taxon."""
    pages = serving(MATCH, EMPTY)
    list(search(pages))
    assert pages.asked[0].startswith(f"{MATCHES}?")
    assert pages.asked[1].startswith(f"{API}/occurrence/search?")
    assert asked(pages, 1) == {
        "taxonKey": "C6YH2",
        "checklistKey": CHECKLIST,
        "mediaType": "StillImage",
        "basisOfRecord": "HUMAN_OBSERVATION",
        "limit": "300",
        "offset": "0",
    }


@pytest.mark.parametrize(
    ("filters", "added"),
    [
        ({"licence": LicenceFilter.OPEN}, {"license": "CC0_1_0,CC_BY_4_0"}),
        ({"licence": LicenceFilter.COMMERCIAL}, {"license": "CC0_1_0,CC_BY_4_0"}),
        ({"licence": LicenceFilter.PUBLIC_DOMAIN}, {"license": "CC0_1_0"}),
        ({"since": "2020-01-01"}, {"eventDate": "2020-01-01,*"}),
        ({"until": "2024-12-31"}, {"eventDate": "*,2024-12-31"}),
        ({"since": "2020-01-01", "until": "2024-12-31"}, {"eventDate": "2020-01-01,2024-12-31"}),
        ({"photos": True}, {}),
    ],
)
def test_filters_are_asked_for(filters, added):
    """Supported filters are in the URL, with one parameter per licence."""
    pages = serving(MATCH, EMPTY)
    list(search(pages, limit=9, **filters))
    plain = {"taxonKey": "C6YH2", "mediaType": "StillImage", "basisOfRecord": "HUMAN_OBSERVATION"}
    plain |= {"checklistKey": CHECKLIST}
    assert asked(pages, 1) == plain | {"limit": "9", "offset": "0"} | added
    assert filters.keys() <= Gbif.supported_filters


def test_pages_go_on_to_the_end_of_records():
    """Each page begins after the previous one, until GBIF marks the last."""

    def give(url):
        if "match" in url:
            return MATCH
        offset = int(url.split("offset=")[1])
        numbers = range(offset, min(offset + 300, 1_000))
        return answer(*map(record, numbers), offset=offset, end=offset + 300 >= 1_000)

    pages = FakePages(give)
    assert len(list(search(pages))) == 1_000
    assert [asked(pages, ask)["offset"] for ask in range(1, 5)] == ["0", "300", "600", "900"]


def test_no_more_is_asked_for_than_gbif_gives():
    """Offset and limit together stay within a hundred thousand."""
    assert parse(page(answer(record(1), offset=99_400, end=False))).more == 99_700
    assert parse(page(answer(record(1), offset=99_700, end=False))).more is None


def test_a_short_page_is_not_the_end():
    """Only GBIF's end marker ends the search."""
    pages = serving(MATCH, answer(record(1), end=False), answer(record(2), offset=300))
    assert len(list(search(pages))) == 2


def test_records_that_never_end_end_all_the_same():
    """A source that repeats one page is given up after two pages without a new image."""
    pages = serving(MATCH, answer(record(1), end=False))
    assert len(list(search(pages))) == 1
    assert len(pages.asked) <= 4


def test_an_error_of_the_service_is_reported():
    """A refused search is an error with GBIF's reason, which it sends as plain text."""
    with pytest.raises(Unanswerable, match=r"GBIF refuses this search \(400\): Invalid taxonKey$"):
        next(search(serving(MATCH, (400, "Invalid\x00 taxonKey\n"))))


# ---- media


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("http://creativecommons.org/licenses/by-nc-nd/4.0/", "CC-BY-NC-ND-4.0"),
        ("http://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("All rights reserved", "LicenseRef-All-Rights-Reserved"),
        ("CC BY", None),
        ("Usage conditions apply", None),
        ("", None),
        (None, None),
        (7, None),
        (["CC BY 4.0"], None),
    ],
)
def test_a_licence_is_the_pictures_own(text, spdx):
    """An unambiguous licence of the medium counts; that of its record never does."""
    pictured = record(1, medium(1, license=text), license="http://creativecommons.org/licenses/by/4.0/legalcode")
    (hit,) = parse(page(answer(pictured))).hits
    assert hit.licence.id == spdx
    assert hit.licence.evidence is (Evidence.STATED if spdx else Evidence.UNKNOWN)


def test_V06_a_photo_of_inaturalist_is_known_as_one():
    """A photo has the same source key from iNaturalist and GBIF, and its original is requested."""
    hits = search(
        serving(
            MATCH,
            answer(
                record(1, {"identifier": "https://inaturalist-open-data.s3.amazonaws.com/photos/7/medium.jpg"}),
                record(2, {"identifier": "https://inaturalist-open-data.s3.amazonaws.com/photos/7/original.jpg"}),
            ),
        )
    )
    (hit,) = hits
    assert hit.source == "inaturalist:7"
    assert hit.url.endswith("/photos/7/original.jpg")


def test_sounds_and_films_are_no_pictures():
    """Only the still images of a record are hits."""
    media = [medium(1), medium(2, type="Sound"), medium(3, type="MovingImage"), medium(4, type=None)]
    assert [hit.url for hit in parse(page(answer(record(1, *media)))).hits] == ["https://a.example/1.jpg"]


@pytest.mark.parametrize(
    ("about", "of_record", "address"),
    [
        (
            {"references": "https://a.example/photo"},
            {"references": "https://a.example/"},
            "https://a.example/photo",
        ),
        ({}, {"references": "https://a.example/"}, "https://a.example/"),
        ({"references": "javascript:x"}, {"references": 7}, "https://www.gbif.org/occurrence/4100107708"),
        ({}, {"key": "../../evil"}, None),
        ({}, {"key": None}, None),
    ],
)
def test_a_picture_has_a_page(about, of_record, address):
    """The page of a hit is the image's, else the record's, else GBIF's own."""
    pictured = record(4_100_107_708, medium(1, **about)) | of_record
    (hit,) = parse(page(answer(pictured))).hits
    assert hit.page == address


@pytest.mark.parametrize("name", ["key", "media", "species", "scientificName", "references", "vernacularName"])
@pytest.mark.parametrize("value", [None, True, 1.5, 10**30, [], {}, [[]], "\x00", "<" * 5000, "../.."])
def test_V07_one_hostile_value_spoils_no_other(name, value):
    """An invalid value in one record does not affect the next one."""
    hits = parse(page(answer(record(1) | {name: value}, record(2)))).hits
    assert hits[-1].url == "https://a.example/2.jpg"


@pytest.mark.parametrize("name", ["type", "identifier", "creator", "rightsHolder", "license", "references"])
@pytest.mark.parametrize("value", [None, True, 10**30, [], {}, "\x00", "https://[", "file:///etc/passwd"])
def test_V07_one_hostile_picture_spoils_no_other(name, value):
    """An invalid value in one medium does not affect the next one."""
    hits = parse(page(answer(record(1, medium(1, **{name: value}), medium(2))))).hits
    assert hits[-1].url == "https://a.example/2.jpg"


# ---- recordings


def test_the_recorded_answer_gives_its_pictures():
    """Each of three real records has an image; only iNaturalist's states its licence."""
    path = RECORDINGS / "gbif" / "occurrence_search.vcr.yaml"
    if not path.exists():
        pytest.skip("no recording gbif/occurrence_search.vcr.yaml")
    quoted = re.search(r"string: (\".*?[^\\]\")\n    headers:", path.read_text("utf-8"), re.DOTALL)[1]
    text = json.loads(re.sub(r"\n +", " ", quoted).replace("\\x", "\\u00"))
    found = parse(page(text))
    assert [hit.licence.id for hit in found.hits] == [None, None, "CC-BY-4.0"]
    assert {hit.author for hit in found.hits} == {"Thomas Stjernegaard Jeppesen"}
    assert found.hits[0].title == "almindelig sølvlav (Phlyctis argena)"
    assert found.hits[0].page == "https://svampe.databasen.org/observations/10350882"
    assert found.hits[2].source == "inaturalist:279076960"
    assert found.hits[2].page == "https://www.inaturalist.org/photos/279076960"
    assert (found.more, found.total) == (3, 2225)
