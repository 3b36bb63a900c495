"""api.gbif.org: name matching, and records of many archives with their media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.internet.archive import TERMS, Archive
from tests.internet.catalogue import ResultList
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing
    from tests.internet.proxy_server import Request

CHECKLIST = "7ddf754f-d193-4cc9-b351-99906754a03b"  # the current taxonomy; in the default one nothing matches here
RECORDS = 4_100_000_000
CAP = 100_000


class Gbif(Archive):
    """Records of observations; each query with a result list is a name that matches exactly."""

    host = "api.gbif.org"
    renamed = "media"

    def query(self, request: Request) -> str:
        """Read the name, or the name of the taxon's key."""
        fields = request.fields
        keys = {_key(place): name for place, name in enumerate(self.result_lists)}
        return fields.get("scientificName") or keys.get(fields.get("taxonKey", ""), "")

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return the taxon of a name, or a page of records."""
        if request.fields.get("checklistKey") != CHECKLIST:
            result_list = ResultList(result_list.query, ())
        if request.route == "/v2/species/match":
            return self._match(result_list)
        asked = parse_qs(urlsplit(request.path).query)
        if request.route != "/v1/occurrence/search" or asked.get("mediaType") != ["StillImage"]:
            return Answer(b"This is not what tests ask for", status=400, kind="text/plain")
        offset, limit = (int(asked.get(name, ["0"])[0]) for name in ("offset", "limit"))
        if limit > 300 or offset + limit > CAP:
            return Answer(f"Max offset of {CAP} exceeded".encode(), status=400, kind="text/plain")
        found = [listing for listing in result_list if _record_licence(listing) in asked.get("license", LICENCES)]
        return {
            "offset": offset,
            "limit": limit,
            "endOfRecords": offset + limit >= len(found),
            "count": len(found),
            "results": [_record(listing, result_list.query) for listing in found[offset : offset + limit]],
            "facets": [],
        }

    def _match(self, result_list: ResultList) -> dict[str, Any]:
        if not result_list.listings:
            return {"diagnostics": {"matchType": "NONE", "confidence": 100}, "synonym": False}
        place = [known is result_list for known in self.result_lists.values()].index(True)
        return {
            "usage": {"key": _key(place), "rank": "SPECIES", "status": "ACCEPTED"},
            "diagnostics": {"matchType": "EXACT", "confidence": 99},
            "synonym": False,
        }


LICENCES = ["CC0_1_0", "CC_BY_4_0", "CC_BY_NC_4_0"]  # a record has one of these three


def _key(place: int) -> str:
    """Return the key of a taxon by the place of its result list."""
    return f"T{place + 1:X}XQ"


def _record_licence(listing: Listing) -> str:
    return {"cc0": "CC0_1_0", "by": "CC_BY_4_0"}.get(TERMS.get(listing.licence, ""), "CC_BY_NC_4_0")


def _record(listing: Listing, query: str) -> dict[str, Any]:
    terms = TERMS.get(listing.licence)
    path = "publicdomain/zero/1.0" if terms == "cc0" else f"licenses/{terms}/4.0"
    author = f"photographer {listing.id % 90 + 10}"
    medium = {
        "type": "StillImage",
        "format": "image/jpeg",
        "references": listing.page,
        "creator": author,
        "rightsHolder": author,
        "identifier": listing.url,
    }
    if terms:
        medium["license"] = f"http://creativecommons.org/{path}/"
    return {
        "key": RECORDS + listing.id,
        "datasetKey": "50c9509d-22c7-4a22-a47d-8c48425ef4a7",
        "basisOfRecord": "HUMAN_OBSERVATION",
        "scientificName": query,
        "species": query,
        "license": "http://creativecommons.org/licenses/by-nc/4.0/legalcode",
        "references": listing.page,
        "media": [medium],
        "gbifID": str(RECORDS + listing.id),
    }
