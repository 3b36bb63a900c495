"""api.openverse.org: pages of 20, larger ones with a token, and at most 240 results and a count of at most 240."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import TERMS, Archive, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Request

CAP = 240
ANONYMOUS, KNOWN = 20, 500
SOURCES = ("flickr", "wikimedia", "rawpixel", "museum")
SIZES = (("small", 640 * 480), ("medium", 1600 * 1200))
THROTTLED = "Request was throttled. Expected available in {} seconds."


class Openverse(Archive):
    """A search over archives; it states the wait time only in the text of the response."""

    host = "api.openverse.org"
    renamed = "results"
    modes: ClassVar[dict[str, str]] = Archive.modes | {
        "throttled": "too many in this minute: HTTP 429, a second to wait",
        "spent": "too many in this day: HTTP 429, half a day to wait",
    }
    client_id, client_secret, token = "an-id-of-tests", "a-secret-of-tests", "a-token-of-tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Answer a request, or state how long to wait."""
        if mode in WAITS:
            return refused(429, detail=THROTTLED.format(WAITS[mode]))
        return super().page(request, result_list, mode, wait)

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a token, a thumbnail, or a page of results."""
        if request.route == "/v1/auth_tokens/token/":
            return self._token(request)
        if request.route.endswith("/thumb/"):
            return self._thumbnail(request)
        messages, fields = request.headers.get("authorization"), request.fields
        if messages not in (None, f"Bearer {self.token}"):
            return refused(401, detail="Authentication credentials were not provided.")
        number, size = int(fields.get("page", 1)), int(fields.get("page_size", ANONYMOUS))
        most = KNOWN if messages else ANONYMOUS
        if size > most:
            return refused(401, detail=f"page_size may not exceed {most} for anonymous requests")
        if number * size > CAP:
            return refused(400, detail={"page": [f"Only the first {CAP} results can be had."]})
        found = [listing for listing in result_list if _fits(listing, fields)]
        count = min(len(found), CAP)
        return {
            "result_count": count,
            "page_count": -(-count // size),
            "page_size": size,
            "page": number,
            "results": [_result(listing) for listing in found[(number - 1) * size : number * size]],
        }

    def _token(self, request: Request) -> dict[str, Any] | Answer:
        messages = {"grant_type": "client_credentials", "client_id": self.client_id}
        if request.method != "POST" or request.fields != messages | {"client_secret": self.client_secret}:
            return refused(401, error="invalid_client")
        return {
            "access_token": self.token,
            "expires_in": 36_000,
            "token_type": "Bearer",
            "scope": "read write",
        }

    def _thumbnail(self, request: Request) -> Answer:
        listing = self.catalogue.numbered(int(request.route.split("/")[3].rpartition("-")[2], 16))
        if listing is None:
            return refused(404, detail="No Image matches the given query.")
        return Answer(listing.photo.changed("thumbnail"), kind="image/jpeg")


def _terms(listing: Listing) -> str:
    return TERMS.get(listing.licence, "by-nc-nd")


def _source(listing: Listing) -> str:
    return SOURCES[listing.id % len(SOURCES)]


def _size(listing: Listing) -> str:
    width, height = listing.photo.size
    return next((name for name, pixels in SIZES if width * height <= pixels), "large")


def _fits(listing: Listing, fields: dict[str, str]) -> bool:
    """Narrow a result list by licence, source and size."""
    result = {"license": _terms(listing), "source": _source(listing), "size": _size(listing)}
    return _source(listing) not in fields.get("excluded_source", "").split(",") and all(
        result[name] in fields[name].split(",") for name in result if name in fields
    )


def _result(listing: Listing) -> dict[str, Any]:
    terms, ident = _terms(listing), f"00000000-0000-4000-8000-{listing.id:012x}"
    width, height = listing.photo.size
    path = {"cc0": "publicdomain/zero/1.0", "pdm": "publicdomain/mark/1.0"}.get(terms, f"licenses/{terms}/2.0")
    known = bool(listing.id % 5)  # some archives state no sizes
    return {
        "id": ident,
        "title": listing.title,
        "creator": f"photographer {listing.id % 90 + 10}",
        "creator_url": f"https://pages1.stories.test/people/{listing.id % 90 + 10}",
        "tags": [{"name": "snake"}],
        "url": listing.url,
        "thumbnail": f"https://{Openverse.host}/v1/images/{ident}/thumb/",
        "provider": _source(listing),
        "source": _source(listing),
        "license": terms,
        "license_version": "1.0" if terms in {"cc0", "pdm"} else "2.0",
        "license_url": f"https://creativecommons.org/{path}/",
        "foreign_landing_url": listing.page,
        "detail_url": f"https://{Openverse.host}/v1/images/{ident}/",
        "related_url": f"https://{Openverse.host}/v1/images/{ident}/related/",
        "fields_matched": ["title"],
        "width": width if known else None,
        "height": height if known else None,
        "mature": False,
    }


WAITS = {"throttled": 1, "spent": 43_200}
