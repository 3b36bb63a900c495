"""iNaturalist: photographs of living things, identified and confirmed by several people."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.queries.negative_terms_and_phrases import plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_API = "https://api.inaturalist.org/v1"
_PER_PAGE = 200
_FEWEST = 10  # observations per page, if as many are wanted: a page takes a second
# The ids of observations, in ascending order of upload, are split into ranges of this size; the last has no end. They
# are the same for every taxon and day, so that a repeated search finds the same observations first.
_RANGE = 25_000_000
_RANGES = 16  # a power of two; ids are near 400 million at the end of 2026
_LIKELY = 30  # candidate taxa for a name
_PHOTO = re.compile(r"(https?://[^/]+/photos/(\d+))/\w+(\.\w+(?:\?\w*)?)", re.ASCII)
_SIZES = ("original", "large", "medium")  # the other two have at most 240 pixels
# Its licence codes have no version: since 2017 it links to those of 4.0, and reports only those to GBIF.
_LICENCES = {
    "cc0": licence_parsing.CC0,
    "pd": licence_parsing.PUBLIC_DOMAIN,
    **{
        f"cc-{terms}": licence_parsing.creative_commons(terms, "4.0")
        for terms in ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
    },
}


class INaturalist(Provider):
    """iNaturalist: observations of a species, genus or other taxon, by its Latin or common name."""

    name: ClassVar = "INATURALIST"
    label: ClassVar = "iNaturalist"
    about: ClassVar = "plants, animals and fungi, each identified by several people"
    supported_filters: ClassVar = frozenset({"licence", "photos", "since", "until", "language"})  # it has only photos
    pace: ClassVar = 1.0  # 60 a minute, and 10,000 a day
    most: ClassVar = 100_000
    probe: ClassVar = "Felis catus"

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the research-grade photos of the taxon with the name in the query, from all years in turn."""
        yield from NewHits(self.most, enlarge=False).filter_new(_walk(query, pages))


def _walk(query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
    name, filters = plain_text(query.text), query.filters
    if not name:
        return
    params: dict[str, object] = {"q": name, "is_active": "true", "per_page": _LIKELY}
    if filters.language:
        params["locale"] = filters.language
    taxon = parse_taxa(pages.get(f"{_API}/taxa/autocomplete", params=params), name)
    if taxon is None:
        return
    size = _page_size(query.limit)
    params = {
        "taxon_id": taxon,
        "photos": "true",
        "quality_grade": "research",
        "per_page": size,
        "order_by": "id",
        "order": "asc",
    }
    if filters.licence is not LicenceFilter.ANY:
        allowed = (code for code, licence in _LICENCES.items() if licence.allows(filters.licence))
        params["photo_license"] = ",".join(code for code in allowed if code != "pd")  # which its API does not accept
    params |= {name: date for name, date in (("d1", filters.since), ("d2", filters.until)) if date}

    def ask(**ids: int) -> PageResults:
        return parse(pages.get(f"{_API}/observations", params=params | ids))

    yield from _take_turns(ask, size)


def _page_size(limit: int | None) -> int:
    """Return the observations per page with which the first pages of all ranges reach the limit."""
    if limit is None:
        return _PER_PAGE
    return max(1, min(limit, _FEWEST), min(-(-limit // _RANGES), _PER_PAGE))


def _take_turns(ask: Callable[..., PageResults], size: int) -> Iterator[list[Hit]]:
    """Yield the first page, then one page of each range of ids in turn.

    In the order of their ids, the first thousand observations of a taxon are those of a few early observers.
    """
    found = ask(id_above=0)
    yield found.hits
    if found.more is None:
        return
    ranges = split_ids(found.more, (found.total or 0) // size)
    while ranges:
        above, below = ranges.popleft()
        found = ask(id_above=above, id_below=below) if below else ask(id_above=above)
        if found.more is not None:
            ranges.append((found.more, below))
        if found.hits or found.more is not None:  # a range without observations is not the end of the others
            yield found.hits


def split_ids(last: int, pages: int) -> deque[tuple[int, int | None]]:
    """Return the ranges of the ids above `last`, as pairs of the ids below and above them, far ones alternating.

    There are about as many ranges as pages: an empty range costs a request.

    >>> list(split_ids(130_000_000, 4))
    [(200000000, 300000001), (130000000, 200000001), (300000000, None)]
    """
    parts = 1
    while parts < min(pages, _RANGES):
        parts *= 2
    width = _RANGE * _RANGES // parts
    bits = parts.bit_length() - 1
    order = (int(f"{place:0{bits}b}"[::-1], 2) if bits else 0 for place in range(parts))
    starts = [(place * width, (place + 1) * width + 1 if place + 1 < parts else None) for place in order]
    return deque((max(above, last), below) for above, below in starts if below is None or below > last + 1)


def parse_taxa(page: SearchPage, name: str) -> int | None:
    """Return the taxon with exactly this name; the most likely one could fill a class with another species."""
    answer = json_response.read_object(page, INaturalist.label)
    normalized = _normalize_name(name)
    for taxon in json_response.read_list(page, INaturalist.label, answer):
        names = (taxon.get(field) for field in ("name", "matched_term", "preferred_common_name"))
        if normalized and any(normalized == _normalize_name(name) for name in names if isinstance(name, str)):
            return answer_values.parse_number(taxon.get("id"), answer_values.IDENTITY)
    return None


def _normalize_name(name: str) -> str:
    """Return a name without spelling variations: case, spaces, hyphens and the plural of groups."""
    return "".join(filter(str.isalnum, name.casefold())).removesuffix("s")


def parse(page: SearchPage) -> PageResults:
    """Read a page of observations, each with one or more photos; the next page starts above its last id."""
    answer = json_response.read_object(page, INaturalist.label)
    listed = json_response.read_list(page, INaturalist.label, answer)
    total = answer_values.parse_number(answer.get("total_results"))
    photos = [
        (observation, photo) for observation in listed for photo in answer_values.as_objects(observation.get("photos"))
    ]
    last = answer_values.parse_number(listed[-1].get("id"), answer_values.IDENTITY) if listed else None
    if listed and (last is None or not any("url" in photo for _, photo in photos)):
        raise json_response.page_changed(page, INaturalist.label, "observations without photos")
    hits = [hit for observation, photo in photos if (hit := _hit(observation, photo))]
    return PageResults(hits, last if (total or 0) > len(listed) else None, total)


def _hit(observation: dict[str, Any], photo: dict[str, Any]) -> Hit | None:
    found = _PHOTO.fullmatch(answer_values.parse_url(photo.get("url")) or "")
    if found is None:  # hidden or removed
        return None
    user, taxon = (answer_values.as_object(observation.get(name)) for name in ("user", "taxon"))
    measured = answer_values.as_object(photo.get("original_dimensions"))
    latin, common = (answer_values.parse_text(taxon.get(name)) for name in ("name", "preferred_common_name"))
    login = answer_values.parse_text(user.get("login"))
    urls = [f"{found[1]}/{size}{found[3]}" for size in _SIZES]
    return Hit(
        url=urls[0],
        provider=INaturalist.name,
        source=f"inaturalist:{found[2]}",
        page=answer_values.parse_url(observation.get("uri")),
        title=f"{common} ({latin})" if common and latin else latin,
        width=answer_values.parse_number(measured.get("width")),
        height=answer_values.parse_number(measured.get("height")),
        author=answer_values.parse_text(user.get("name")) or login,
        author_url=f"https://www.inaturalist.org/people/{quote(login, safe='')}" if login else None,
        licence=_licence(photo),
        others=tuple(urls[1:]),
    )


def _licence(photo: dict[str, Any]) -> Licence:
    """Return the licence of the photo itself; a photo without one has all rights reserved."""
    code = photo.get("license_code", "")
    return licence_parsing.ALL_RIGHTS_RESERVED if code is None else _LICENCES.get(str(code), Licence())
