"""www.googleapis.com: Custom Search, ten results a page and a hundred a query, for a key and an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

CAP = 100
OPEN = {4, 5, 9, 10}  # by Flickr's numbers


class CustomSearch(Archive):
    """Search for pictures; what is wrong it says in words, and in a reason."""

    host = "www.googleapis.com"
    renamed = "items"
    moods: ClassVar[dict[str, str]] = Archive.moods | {
        "quota": "has answered a hundred queries today: HTTP 403",
    }
    key, engine = "AIza-a-key-of-tests", "0123456789:tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Answer, or say that the day's queries are used up."""
        if mood == "quota":
            return _error(403, "Quota exceeded for quota metric 'Queries'.", "rateLimitExceeded")
        return super().page(request, shelf, mood, wait)

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give a page of results to who has the key."""
        fields = request.fields
        if request.route != "/customsearch/v1":
            return Answer(b"<title>Error 404 (Not Found)!!1</title>", status=404)
        if fields.get("key") != self.key:
            return _error(400, "API key not valid. Please pass a valid API key.", "badRequest")
        start, count = int(fields.get("start", 1)), int(fields.get("num", 10))
        if fields.get("cx") != self.engine or start + count - 1 > CAP or not 1 <= count <= 10:
            return _error(400, "Request contains an invalid argument.", "badRequest")
        found = [listing for listing in shelf if "rights" not in fields or listing.licence in OPEN]
        given = found[start - 1 :][:count]
        queries = {"request": [{"searchTerms": shelf.query, "count": count, "startIndex": start}]}
        if len(found) >= start + count:
            queries["nextPage"] = [{"searchTerms": shelf.query, "startIndex": start + count}]
        answer = {
            "kind": "customsearch#search",
            "queries": queries,
            "searchInformation": {"totalResults": str(len(found))},
        }
        return answer | ({"items": [_item(listing) for listing in given]} if given else {})


def _item(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "kind": "customsearch#result",
        "title": listing.title,
        "link": listing.url,
        "mime": "image/jpeg",
        "image": {"contextLink": listing.page, "width": width, "height": height, "byteSize": 97044},
    }


def _error(status: int, message: str, reason: str) -> Answer:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return refused(status, error={"code": status, "message": message, "errors": errors})
