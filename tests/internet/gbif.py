"""api.gbif.org: names that match or do not, and records of many archives with their media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.internet.archive import TERMS, Archive, refused

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Answer, Request

KEYS = 2_490_000  # numbers of taxa begin after this
RECORDS = 4_100_000_000
CAP = 100_000


class Gbif(Archive):
    """Records of observations; each query that is shown something is a name that matches exactly."""

    host = "api.gbif.org"
    renamed = "media"

    def query(self, request: Request) -> str:
        """Read the name, or which name the taxon's number stands for."""
        fields = request.fields
        number = int(fields.get("taxonKey", KEYS)) - KEYS
        return fields.get("name") or (list(self.shelves)[number - 1] if 0 < number <= len(self.shelves) else "")

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give the taxon of a name, or a page of records."""
        if request.route == "/v1/species/match":
            return self._match(shelf)
        asked = parse_qs(urlsplit(request.path).query)
        if request.route != "/v1/occurrence/search" or asked.get("mediaType") != ["StillImage"]:
            return refused(400, message="This is not what tests ask for")
        offset, limit = (int(asked.get(name, ["0"])[0]) for name in ("offset", "limit"))
        if limit > 300 or offset + limit > CAP:
            return refused(400, message=f"Max offset of {CAP} exceeded")
        found = [listing for listing in shelf if _record_licence(listing) in asked.get("license", LICENCES)]
        return {
            "offset": offset,
            "limit": limit,
            "endOfRecords": offset + limit >= len(found),
            "count": len(found),
            "results": [_record(listing, shelf.query) for listing in found[offset : offset + limit]],
            "facets": [],
        }

    def _match(self, shelf: Shelf) -> dict[str, Any]:
        if not shelf.listings:
            return {"confidence": 100, "matchType": "NONE", "synonym": False}
        key = KEYS + 1 + [known is shelf for known in self.shelves.values()].index(True)
        return {"usageKey": key, "matchType": "EXACT", "rank": "SPECIES", "confidence": 99, "synonym": False}


LICENCES = ["CC0_1_0", "CC_BY_4_0", "CC_BY_NC_4_0"]  # a record has one of these three


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
