"""duckduckgo.com: a page with a token, and results for that token."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from tests.internet.archive import Archive
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Request

COUNT = 100
REFUSED = b"If this error persists, please let us know: ops@duckduckgo.com"


class DuckDuckGo(Archive):
    """Image search that starts at the front page."""

    host = "duckduckgo.com"
    renamed = "results"
    modes: ClassVar[dict[str, str]] = Archive.modes | {
        "suspicious": "gives a token, and no results for it: HTTP 403",
    }
    token = "4-31415926535897932384626433832795"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Return the front page with its token, or results for a valid token."""
        if request.route == "/" and mode not in {"blocked", "html"}:
            script = f"DDG.deep.bn='x';vqd=\"{self.token}\";"
            front = f"<title>{escape(result_list.query)} at DuckDuckGo</title><script>{script}</script>"
            return Answer(front.encode(), wait=wait)
        if mode == "blocked" or (mode == "suspicious" and request.route == "/i.js"):
            return Answer(REFUSED, status=403)
        return super().page(request, result_list, mode, wait)

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of results."""
        fields, came_from = request.fields, request.headers.get("referer", "")
        if request.route != "/i.js" or fields.get("vqd") != self.token or self.host not in came_from:
            return Answer(REFUSED, status=403)
        start = int(fields.get("s", 0))
        given = result_list.listings[start:][:COUNT]
        answer: dict[str, Any] = {"results": [_result(listing) for listing in given], "query": result_list.query}
        if len(result_list) > start + COUNT:
            answer["next"] = f"i.js?{urlencode({'q': result_list.query, 's': start + COUNT, 'u': 'bing'})}"
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
