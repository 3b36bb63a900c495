"""api.search.brave.com: two hundred pictures at once for a key in a header, and never more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

MOST = 200


class Brave(Archive):
    """Search for pictures; a key that is wrong is an entity that cannot be processed."""

    host = "api.search.brave.com"
    renamed = "properties"
    moods: ClassVar[dict[str, str]] = Archive.moods | {"spent": "the month's queries are used up: HTTP 402"}
    key = "BSA-a-key-of-tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Answer, or say that nothing is left of the month."""
        if mood == "spent":
            return _error(402, "QUOTA_LIMITED", "Your quota of this month is used up.")
        return super().page(request, shelf, mood, wait)

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give the results to who has the key."""
        if request.route != "/res/v1/images/search":
            return Answer(b"", status=404)
        if request.headers.get("x-subscription-token") != self.key:
            return _error(422, "SUBSCRIPTION_TOKEN_INVALID", "The provided subscription token is invalid.")
        count = int(request.fields.get("count", 50))
        if not 1 <= count <= MOST:
            return _error(422, "VALIDATION", "count is out of range")
        return {"type": "images", "results": [_result(listing) for listing in shelf.listings[:count]]}


def _result(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "type": "image_result",
        "title": listing.title,
        "url": listing.page,
        "thumbnail": {"src": "https://imgs.search.brave.com/A/rs:fit:500:0:0:0/g:ce/aHR0"},
        "properties": {"url": listing.url, "width": width, "height": height},
    }


def _error(status: int, code: str, detail: str) -> Answer:
    return refused(status, type="ErrorResponse", error={"code": code, "detail": detail, "status": status})
