"""api.inaturalist.org and its photo hosts: taxa by name, observations above an id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.internet.archive import TERMS, Archive, owned, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Request

TAXA, OBSERVATIONS, PHOTOS = 7_000, 90_000_000, 800_000_000  # ids begin after these


class INaturalist(Archive):
    """Research-grade observations; each query with a result list is a taxon of that name."""

    host = "api.inaturalist.org"
    renamed = "results"

    def address(self, listing: Listing) -> str:
        """Return the URL of the original; photos with all rights reserved are on another host."""
        host = "inaturalist-open-data.s3.amazonaws.com" if listing.licence in TERMS else "static.inaturalist.org"
        return f"https://{host}/photos/{PHOTOS + int(owned(listing))}/original.jpg"

    def query(self, request: Request) -> str:
        """Read the beginning of a name, or the name of the taxon's number."""
        fields = request.fields
        if begun := fields.get("q", "").casefold():
            return next((name for name in self.result_lists if name.startswith(begun)), begun)
        number = int(fields.get("taxon_id", TAXA)) - TAXA
        return list(self.result_lists)[number - 1] if 0 < number <= len(self.result_lists) else ""

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return the candidate taxa of a name, or a page of observations."""
        fields = request.fields
        if request.route == "/v1/taxa/autocomplete":
            return self._taxa(fields["q"], known=bool(result_list.listings))
        if request.route != "/v1/observations" or "taxon_id" not in fields:
            return refused(422, error="Unprocessable", status=422)
        size, above = int(fields.get("per_page", 30)), int(fields.get("id_above", 0))
        if size > 200 or fields.get("order_by") != "id" or fields.get("order") != "asc":
            return refused(422, error="Unprocessable", status=422)
        codes = {code for code in fields.get("photo_license", "").split(",") if code}
        left = sorted(
            (listing for listing in result_list if not codes or _code(listing) in codes), key=lambda each: each.id
        )
        below = int(fields.get("id_below", 10**18))
        left = [listing for listing in left if above < OBSERVATIONS + listing.id < below]
        results = [_observation(listing, result_list.query) for listing in left[:size]]
        return {"total_results": len(left), "page": 1, "per_page": size, "results": results}

    def picture(self, request: Request) -> Answer:
        """Serve a photo in the size in its URL."""
        named = re.fullmatch(r"/photos/(\d+)/(original|large|medium)\.jpg", request.route)
        listing = named and self.catalogue.numbered(int(named[1]) - PHOTOS)
        if not named or not listing:
            return Answer(b"", status=403)  # as S3 answers for missing files
        if named[2] == "original":
            return listing.answer(request)
        return Answer(listing.photo.changed("thumbnail"), kind="image/jpeg")

    def _taxa(self, name: str, *, known: bool) -> dict[str, Any]:
        """List the taxa whose names begin with the text; none in the `barren` mode."""
        begun = name.casefold()
        found = [
            {
                "id": TAXA + place,
                "name": shown,
                "rank": "species",
                "is_active": True,
                "matched_term": shown,
                "preferred_common_name": None,
                "observations_count": 9,
            }
            for place, shown in enumerate(self.result_lists, start=1)
            if known and shown.startswith(begun)
        ]
        return {"total_results": len(found), "page": 1, "per_page": 30, "results": found}


def _code(listing: Listing) -> str | None:
    terms = TERMS.get(listing.licence)
    return terms if terms in {None, "cc0"} else f"cc-{terms}"


def _observation(listing: Listing, query: str) -> dict[str, Any]:
    photo = re.search(r"/photos/(\d+)/", listing.url)
    assert photo, "iNaturalist shows its own photos only"
    width, height = listing.photo.size
    about = {
        "id": int(photo[1]),
        "license_code": _code(listing),
        "url": listing.url.replace("/original.", "/square."),
        "attribution": f"(c) photographer {listing.id % 90 + 10}",
        "original_dimensions": {"width": width, "height": height},
        "flags": [],
    }
    return {
        "id": OBSERVATIONS + listing.id,
        "quality_grade": "research",
        "uri": f"https://www.inaturalist.org/observations/{OBSERVATIONS + listing.id}",
        "license_code": "cc-by-nc",
        "taxon": {"id": TAXA, "name": query, "preferred_common_name": None},
        "user": {"login": f"user{listing.id % 90}", "name": f"photographer {listing.id % 90 + 10}"},
        "photos": [about],
    }
