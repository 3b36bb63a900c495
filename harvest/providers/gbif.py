"""GBIF: the world's biodiversity archives in one index, museums and iNaturalist among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from harvest import photo_keys
from harvest.licences import LicenceFilter
from harvest.models import Hit
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.queries.negative_terms_and_phrases import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_API = "https://api.gbif.org"
# Catalogue of Life XR, GBIF's taxonomy since June 2026. It must be named: without it both requests use the old one.
_CHECKLIST = "7ddf754f-d193-4cc9-b351-99906754a03b"
_KEY = re.compile(r"[A-Za-z0-9]{1,20}")  # of a taxon: "C6YH2"; the old taxonomy had numbers
_LIMIT = 300  # records per page
_CAP = 100_000  # records of one search that can be reached
_RECORDS = {  # the licences of records; those of their media are nearly always the same
    LicenceFilter.OPEN: ["CC0_1_0", "CC_BY_4_0"],
    LicenceFilter.COMMERCIAL: ["CC0_1_0", "CC_BY_4_0"],
    LicenceFilter.PUBLIC_DOMAIN: ["CC0_1_0"],
}


class Gbif(Provider):
    """GBIF: observations of a species or other taxon by its Latin name, from hundreds of archives."""

    name: ClassVar = "GBIF"
    label: ClassVar = "GBIF"
    about: ClassVar = "species by their Latin names, from hundreds of archives"
    supported_filters: ClassVar = frozenset({"licence", "photos", "since", "until"})  # observations are photographed
    pace: ClassVar = 1.0
    most: ClassVar = _CAP
    probe: ClassVar = "Felis catus"

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the images of human observations of the taxon that the query names."""
        yield from NewHits(self.most).filter_new(_walk(query, pages))


def _walk(query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
    name = plain_text(query.text)
    if not name:
        return
    params: dict[str, object] = {"scientificName": name, "strict": "true", "checklistKey": _CHECKLIST}
    taxon = parse_match(pages.get(f"{_API}/v2/species/match", params=params))
    if taxon is None:
        return
    params = {
        "taxonKey": taxon,
        "checklistKey": _CHECKLIST,
        "mediaType": "StillImage",
        "basisOfRecord": "HUMAN_OBSERVATION",  # no drawers of beetles, no pressed leaves with labels
        "license": _RECORDS.get(query.filters.licence, []),
        "limit": max(1, min(query.limit or _LIMIT, _LIMIT)),
    }
    if query.filters.since or query.filters.until:
        params["eventDate"] = f"{query.filters.since or '*'},{query.filters.until or '*'}"
    offset: int | None = 0
    while offset is not None:
        arguments = urlencode(params | {"offset": offset}, doseq=True)  # one parameter per licence
        found = parse(pages.get(f"{_API}/v1/occurrence/search?{arguments}"))
        yield found.hits
        offset = found.more


def parse_match(page: SearchPage) -> str | None:
    """Return the key of the taxon with exactly this name, or of the accepted taxon of a synonym.

    Similar names do not count.
    """
    answer = json_response.read_object(page, Gbif.label)
    kind = answer_values.as_object(answer.get("diagnostics")).get("matchType")
    if not isinstance(kind, str):
        raise json_response.page_changed(page, Gbif.label, "a response that does not say whether the name exists")
    if kind != "EXACT":
        return None
    usages = (answer_values.as_object(answer.get(name)) for name in ("acceptedUsage", "usage"))
    return next(filter(None, (_parse_key(usage.get("key")) for usage in usages)), None)


def _parse_key(key: object) -> str | None:
    """Return the key of a taxon as text; it may be sent as a number."""
    text = key if isinstance(key, str) else str(answer_values.parse_number(key, answer_values.IDENTITY) or "")
    return text if _KEY.fullmatch(text) else None


def parse(page: SearchPage) -> PageResults:
    """Read a page of records, each with one or more images."""
    answer = json_response.read_object(page, Gbif.label)
    listed = json_response.read_list(page, Gbif.label, answer)
    end = answer.get("endOfRecords")
    media = [(record, item) for record in listed for item in answer_values.as_objects(record.get("media"))]
    has_urls = any("identifier" in item or "references" in item for _, item in media)
    if not isinstance(end, bool) or (listed and not has_urls):
        raise json_response.page_changed(page, Gbif.label, "records without media")
    offset, limit = (answer_values.parse_number(answer.get(name)) or 0 for name in ("offset", "limit"))
    more = offset + limit
    hits = [hit for record, item in media if (hit := _hit(record, item))]
    is_last = end or not limit or more + limit > _CAP
    return PageResults(hits, None if is_last else more, answer_values.parse_number(answer.get("count")))


def _hit(record: dict[str, Any], medium: dict[str, Any]) -> Hit | None:
    url = answer_values.parse_url(medium.get("identifier"))
    if url is None or medium.get("type", "StillImage") != "StillImage":
        return None
    number = answer_values.parse_number(record.get("key"), answer_values.IDENTITY)
    page = answer_values.parse_url(medium.get("references")) or answer_values.parse_url(record.get("references"))
    names = (record.get("vernacularName"), record.get("species") or record.get("scientificName"))
    common, latin = map(answer_values.parse_text, names)
    return Hit(
        url=url,
        provider=Gbif.name,
        source=photo_keys.source_key(url),
        page=page or (f"https://www.gbif.org/occurrence/{number}" if number else None),
        title=f"{common} ({latin})" if common and latin else latin,
        author=answer_values.parse_text(medium.get("creator")) or answer_values.parse_text(medium.get("rightsHolder")),
        # The record's own licence is for its data: an image's may be stricter or missing.
        licence=licence_parsing.parse_licence_words(str(medium.get("license", ""))),
    )
