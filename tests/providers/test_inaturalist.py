"""iNaturalist: names and taxa, pages of observations, and photos with their licences."""

from __future__ import annotations

import json
from itertools import islice
from urllib.parse import parse_qsl, urlsplit

import pytest

from harvest.errors import Blocked, PageChanged, Unanswerable
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Filters, Query
from harvest.providers.inaturalist import INaturalist, parse, parse_taxa
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, RECORDINGS, FakePages, serving

API = "https://api.inaturalist.org/v1"
TAXON = json.dumps({"total_results": 1, "results": [{"id": 42, "name": "King snake"}]})
NO_TAXON = json.dumps({"total_results": 0, "results": []})
EMPTY = (FIXTURES / "inaturalist" / "empty.json").read_text("utf-8")


def page(text, status=200):
    return SearchPage(f"{API}/observations?taxon_id=42&id_above=0", status, text, {})


def search(pages, text="king snake", limit=None, **filters):
    return INaturalist({}).search(Query(text, "snake", limit=limit, filters=Filters(**filters)), pages)


def photo(number, licence="cc-by", **more):
    url = f"https://inaturalist-open-data.s3.amazonaws.com/photos/{number}/square.jpg"
    return {"id": number, "license_code": licence, "url": url} | more


def observation(number, *photos, **more):
    return {"id": number, "photos": photos or [photo(1000 + number)]} | more


def answer(*observations, total=None):
    total = len(observations) if total is None else total
    return json.dumps({"total_results": total, "page": 1, "per_page": 200, "results": observations})


def only(picture):
    """Return the hit of an observation with one photo."""
    (hit,) = parse(page(answer(observation(1, picture)))).hits
    return hit


# ---- names


def taxa(*taxa):
    return SearchPage(f"{API}/taxa/autocomplete", 200, json.dumps({"results": taxa}), {})


@pytest.mark.parametrize(
    ("name", "taxon"),
    [
        ("Lampropeltis elapsoides", {"name": "Lampropeltis elapsoides"}),
        ("lampropeltis ELAPSOIDES", {"name": "Lampropeltis elapsoides"}),
        ("Scarlet Kingsnake", {"name": "L. e.", "preferred_common_name": "Scarlet Kingsnake"}),
        ("scarlet king snake", {"name": "L. e.", "preferred_common_name": "Scarlet Kingsnake"}),
        ("king snake", {"name": "Lampropeltis", "preferred_common_name": "Kingsnakes"}),
        ("Scharlach-Königsnatter", {"name": "L. e.", "matched_term": "Scharlachkönigsnatter"}),
    ],
)
def test_a_name_is_resolved_to_the_taxon_that_bears_it(name, taxon):
    """Latin and common names find their taxon in any spelling and at any position in the list."""
    other = {"id": 1, "name": "Lampropeltis elapsoides elapsoides", "preferred_common_name": "Something else"}
    assert parse_taxa(taxa(other, taxon | {"id": 42}, taxon | {"id": 43}), name) == 42


@pytest.mark.parametrize("name", ["Vesp", "Vespa", "wasps", "-", "s", "!"])
def test_a_likely_taxon_is_not_the_one_that_was_meant(name):
    """A name that only begins the same is not used: it would fill a class with another species."""
    likely = {"id": 52747, "name": "Vespidae", "preferred_common_name": "Hornets, Paper Wasps and Allies"}
    assert parse_taxa(taxa(likely, {"id": 1}, {"id": 2, "name": 7}), name) is None


def test_V03_a_name_that_nothing_bears_has_no_pictures():
    """Without such a taxon no further request is made, and the search ends without an error."""
    pages = serving(NO_TAXON)
    assert list(search(pages, "red apple pie")) == []
    assert len(pages.asked) == 1


def test_search_syntax_is_no_part_of_a_name():
    """Quotes and exclusions are removed, and a query of only those makes no request."""
    pages = serving(NO_TAXON)
    list(search(pages, '"Micrurus tener" -king -"coral reef"'))
    assert pages.arguments(0)["q"] == "Micrurus tener"
    pages = serving(NO_TAXON)
    assert list(search(pages, "-king")) == []
    assert not pages.asked


def test_a_name_is_asked_for_in_its_language():
    """With a language, common names of that language are used."""
    pages = serving(NO_TAXON)
    list(search(pages, "Königsnatter", language="de"))
    assert pages.arguments(0)["locale"] == "de"


@pytest.mark.parametrize("status", [401, 403])
def test_V01_a_block_at_the_name_is_a_block(status):
    """A refused first request is `Blocked`."""
    with pytest.raises(Blocked, match=f"iNaturalist answers {status}"):
        next(search(serving((status, "<h1>Forbidden</h1>"))))


@pytest.mark.parametrize("text", ["", "{}", "[]", "<html>", '{"results": 7}', '{"results": [7]}', "[" * 100_000])
def test_V07_a_hostile_answer_to_the_name_is_a_changed_page(text):
    """A response that is not a list of taxa is a changed page."""
    with pytest.raises(PageChanged):
        next(search(serving(text)))


# ---- observations


def test_a_search_asks_for_what_people_agree_on():
    """The request is for research-grade observations with photos, by id."""
    pages = serving(TAXON, EMPTY)
    list(search(pages))
    assert pages.asked[0].startswith(f"{API}/taxa/autocomplete?")
    assert pages.asked[1].startswith(f"{API}/observations?")
    assert pages.arguments(1) == {
        "taxon_id": "42",
        "photos": "true",
        "quality_grade": "research",
        "per_page": "200",
        "order_by": "id",
        "order": "asc",
        "id_above": "0",
    }
    assert INaturalist.pace >= 1  # 60 a minute


@pytest.mark.parametrize(
    ("filters", "asked"),
    [
        ({"licence": LicenceFilter.OPEN}, {"photo_license": "cc0,cc-by,cc-by-sa"}),
        ({"licence": LicenceFilter.COMMERCIAL}, {"photo_license": "cc0,cc-by,cc-by-sa,cc-by-nd"}),
        ({"licence": LicenceFilter.PUBLIC_DOMAIN}, {"photo_license": "cc0"}),
        ({"since": "2020-01-01"}, {"d1": "2020-01-01"}),
        ({"until": "2024-12-31"}, {"d2": "2024-12-31"}),
        ({"photos": True}, {}),
    ],
)
def test_filters_are_asked_for(filters, asked):
    """Supported filters are in the URL."""
    pages = serving(TAXON, EMPTY)
    list(search(pages, limit=9, **filters))
    plain = {"taxon_id", "photos", "quality_grade", "per_page", "order_by", "order", "id_above"}
    assert {name: value for name, value in pages.arguments(1).items() if name not in plain} == asked
    assert pages.arguments(1)["per_page"] == "9"
    assert filters.keys() <= INaturalist.supported_filters


def archive(numbers):
    """Return the pages of an iNaturalist with these observations."""

    def give(url):
        if "autocomplete" in url:
            return TAXON
        asked = dict(parse_qsl(urlsplit(url).query))
        above, below = int(asked["id_above"]), int(asked.get("id_below", 10**18))
        left = [number for number in numbers if above < number < below]
        return answer(*map(observation, left[: int(asked["per_page"])]), total=len(left))

    return FakePages(give)


def numbers_of(hits):
    return [int(hit.source.removeprefix("inaturalist:")) - 1000 for hit in hits]


@pytest.mark.parametrize("limit", [None, 1, 7, 100, 1000, 100_000])
@pytest.mark.parametrize(
    "numbers",
    [
        range(7, 2_000, 3),
        range(1, 500_000_000, 911_111),
        range(90_000_001, 90_000_300),
        range(399_999_900, 400_000_100),
        [25_000_000 * place + shift for place in range(1, 20) for shift in (-1, 0, 1, 2)],
        [5],
    ],
)
def test_no_observation_is_lost_between_the_ranges(numbers, limit):
    """Every observation is found once, wherever the ids are, in an order that does not change."""
    pages = archive(numbers)
    found = numbers_of(search(pages, limit=limit))
    assert sorted(found) == list(numbers)
    assert len(found) == len(numbers)
    assert numbers_of(search(archive(numbers), limit=limit)) == found
    size = int(pages.arguments(1)["per_page"])
    assert len(pages.asked) <= 1 + len(numbers) / size + 2 * 16


def test_no_early_observer_dominates():
    """A hundred hits of a taxon with 50,000 observations are from every part of its ids, in a few requests."""
    pages = archive(range(1, 400_000_000, 8_000))
    found = numbers_of(islice(search(pages, limit=100), 100))
    assert sum(number < 25_000_000 for number in found) <= 20
    assert len({number // 25_000_000 for number in found}) >= 9
    assert len(pages.asked) <= 1 + 10


def test_new_observations_change_nothing_of_the_first():
    """Observations that are added later do not change which others are found first."""
    numbers = list(range(1, 400_000_000, 80_000))
    before, after = archive(numbers), archive([*numbers, *range(400_000_001, 403_000_000, 80_000)])
    found = [numbers_of(islice(search(pages, limit=500), 300)) for pages in (before, after)]
    assert found[0] == found[1]


def test_pages_go_on_above_the_last_number():
    """Each page of a range begins above the last observation of the previous one."""
    pages = archive(range(7, 2_000, 3))
    assert len(list(search(pages))) == len(range(7, 2_000, 3))
    within = [pages.arguments(place) for place in range(2, len(pages.asked))]
    assert [asked["id_above"] for asked in within if asked.get("id_below") == "100000001"] == ["604", "1204", "1804"]


def test_a_total_that_never_falls_ends_all_the_same():
    """A source that repeats one page is given up after two pages without a new photo."""
    pages = serving(TAXON, answer(observation(1), total=5_000_000))
    assert len(list(search(pages))) == 1
    assert len(pages.asked) <= 4


def test_an_error_of_the_service_is_reported():
    """A refused search is an error with iNaturalist's reason."""
    with pytest.raises(Unanswerable, match=r"iNaturalist refuses this search \(422\): Unknown taxon_id"):
        next(search(serving(TAXON, (422, '{"error": "Unknown taxon_id", "status": 422}'))))


# ---- photos


def test_the_original_comes_first():
    """The URL is that of the original, the smaller sizes follow, and all have one source key."""
    hit = only(photo(7, url="https://static.inaturalist.org/photos/7/square.jpeg?1598551272"))
    sizes = [url.split("/")[-1] for url in (hit.url, *hit.others)]
    assert sizes == ["original.jpeg?1598551272", "large.jpeg?1598551272", "medium.jpeg?1598551272"]
    assert hit.source == "inaturalist:7"


@pytest.mark.parametrize(
    ("code", "spdx"),
    [
        ("cc0", "CC0-1.0"),
        ("cc-by", "CC-BY-4.0"),
        ("cc-by-sa", "CC-BY-SA-4.0"),
        ("cc-by-nd", "CC-BY-ND-4.0"),
        ("cc-by-nc", "CC-BY-NC-4.0"),
        ("cc-by-nc-sa", "CC-BY-NC-SA-4.0"),
        ("cc-by-nc-nd", "CC-BY-NC-ND-4.0"),
        ("pd", "LicenseRef-Public-Domain"),
        (None, "LicenseRef-All-Rights-Reserved"),
        ("gfdl", None),
        ("", None),
        (7, None),
        ([], None),
    ],
)
def test_a_licence_is_the_photos_own(code, spdx):
    """The photo's licence counts, not the observation's; null means all rights reserved."""
    (hit,) = parse(page(answer(observation(1, photo(7, code), license_code="cc0")))).hits
    assert hit.licence.id == spdx
    assert hit.licence.evidence is (Evidence.STATED if spdx else Evidence.UNKNOWN)


def test_a_photo_that_says_nothing_of_its_licence_is_unknown():
    """A missing licence is unknown, unlike null."""
    silent = photo(7)
    del silent["license_code"]
    assert only(silent).licence.evidence is Evidence.UNKNOWN


@pytest.mark.parametrize(
    "url",
    [
        "https://www.inaturalist.org/assets/copyright-infringement-square.png",
        "https://static.inaturalist.org/attachment_defaults/local_photos/hidden-square.png",
        "file:///photos/7/square.jpg",
        "https://static.inaturalist.org/photos/../square.jpg",
        None,
        7,
    ],
)
def test_what_was_taken_down_is_no_hit_and_no_error(url):
    """A photo with another kind of URL is skipped, even if it is the only one of its page."""
    assert parse(page(answer(observation(1, photo(7, url=url))))).hits == []


@pytest.mark.parametrize("name", ["photos", "taxon", "user", "uri", "license_code", "quality_grade"])
@pytest.mark.parametrize("value", [None, True, 1.5, 10**30, [], {}, [[]], "\x00", "<" * 5000, "../.."])
def test_V07_one_hostile_value_spoils_no_other(name, value):
    """An invalid value in one observation does not affect the next one."""
    hits = parse(page(answer(observation(1) | {name: value}, observation(2)))).hits
    assert hits[-1].source == "inaturalist:1002"


@pytest.mark.parametrize("name", ["login", "name"])
@pytest.mark.parametrize("value", [None, True, 10**30, [], {}, "\x00", "../../evil?x#y"])
def test_V07_a_hostile_author_is_no_address(name, value):
    """The URL of an author is on iNaturalist, whatever the login."""
    about = {"user": {"login": "ada", "name": None} | {name: value}}
    (hit,) = parse(page(answer(observation(1, **about)))).hits
    assert hit.author_url is None or hit.author_url.count("/") == 4


# ---- recordings


def recorded(name):
    path = RECORDINGS / "inaturalist" / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_text("utf-8")


def test_the_recorded_observation_gives_its_photo():
    """A real observation is read completely: photo, sizes, author, page and licence; another one follows."""
    found = parse(page(recorded("observations_page1.json")))
    (hit,) = found.hits
    assert hit.url == "https://static.inaturalist.org/photos/92152429/original.jpg?1598551272"
    assert hit.source == "inaturalist:92152429"
    assert (hit.width, hit.height) == (1188, 1188)
    assert hit.title == "Monarch (Danaus plexippus)"
    assert (hit.author, hit.author_url) == ("samroom", "https://www.inaturalist.org/people/samroom")
    assert hit.page == "https://www.inaturalist.org/observations/57754375"
    assert (hit.licence.id, hit.licence.evidence) == ("CC-BY-NC-4.0", Evidence.STATED)
    assert (found.more, found.total) == (57754375, 2)


def test_a_recorded_photo_with_a_null_licence_is_all_rights_reserved():
    """A real observation whose photo has no licence has all rights reserved."""
    text = recorded("observations_page1.json")
    real = json.loads(text)
    real["results"][0]["photos"][0]["license_code"] = None
    (hit,) = parse(page(json.dumps(real))).hits
    assert hit.licence.id == "LicenseRef-All-Rights-Reserved"


@pytest.mark.parametrize(
    ("name", "taxon"),
    [
        ("Vespidae", 52747),
        ("Hornets and Yellowjackets", 84738),
        ("vespicula waspfish", 621585),
        ("Vespi", None),
        ("Vespidae st2", None),
    ],
)
def test_the_recorded_taxa_are_found_by_their_names(name, taxon):
    """In a real list of candidate taxa only the exact name counts."""
    assert parse_taxa(SearchPage(API, 200, recorded("taxa_autocomplete.json"), {}), name) == taxon
