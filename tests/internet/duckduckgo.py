"""duckduckgo.com: a page with a token, and results for who brings it back."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from tests.internet.archive import Archive
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

COUNT = 100
REFUSED = b"If this error persists, please let us know: ops@duckduckgo.com"


class DuckDuckGo(Archive):
    """Search for pictures, to be begun at the front door."""

    host = "duckduckgo.com"
    renamed = "results"
    moods: ClassVar[dict[str, str]] = Archive.moods | {
        "suspicious": "gives a token, and no results for it: HTTP 403",
    }
    token = "4-31415926535897932384626433832795"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Give the front page with its token, or results to who comes from there."""
        if request.route == "/" and mood not in {"blocked", "html"}:
            script = f"DDG.deep.bn='x';vqd=\"{self.token}\";"
            front = f"<title>{escape(shelf.query)} at DuckDuckGo</title><script>{script}</script>"
            return Answer(front.encode(), wait=wait)
        if mood == "blocked" or (mood == "suspicious" and request.route == "/i.js"):
            return Answer(REFUSED, status=403)
        return super().page(request, shelf, mood, wait)

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give a page of results."""
        fields, came_from = request.fields, request.headers.get("referer", "")
        if request.route != "/i.js" or fields.get("vqd") != self.token or self.host not in came_from:
            return Answer(REFUSED, status=403)
        start = int(fields.get("s", 0))
        given = shelf.listings[start:][:COUNT]
        answer: dict[str, Any] = {"results": [_result(listing) for listing in given], "query": shelf.query}
        if len(shelf) > start + COUNT:
            answer["next"] = f"i.js?{urlencode({'q': shelf.query, 's': start + COUNT, 'u': 'bing'})}"
        return answer


def _result(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "image": listing.url,
        "thumbnail": f"https://tse{listing.id % 4 + 1}.mm.bing.net/th?id=OIP.{listing.id}&pid=Api",
        "url": listing.page,
        "title": listing.title,
        "width": width,
        "height": height,
        "source": "Bing",
    }
