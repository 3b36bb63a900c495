"""google.serper.dev: Google's results as a paid service, asked in JSON, a hundred per page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive, refused

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Answer, Request

COUNT = 100


class Serper(Archive):
    """Image search with a key in a header and the query in a JSON object."""

    host = "google.serper.dev"
    renamed = "images"
    modes: ClassVar[dict[str, str]] = Archive.modes | {"spent": "no credits left for this key"}
    key = "serper-a-key-of-tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return str(_fields(request).get("q", ""))

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Answer, or report that no credits are left."""
        if mode == "spent":
            return refused(400, message="Not enough credits", statusCode=400)
        return super().page(request, result_list, mode, wait)

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of results if the key is right."""
        fields = _fields(request)
        if request.method != "POST" or request.route != "/images":
            return refused(404, message="Not Found", statusCode=404)
        if request.headers.get("x-api-key") != self.key:
            return refused(403, message="Unauthorized.", statusCode=403)
        count = int(fields.get("num", 10))
        if not 1 <= count <= COUNT:
            return refused(400, message="num must be at most 100", statusCode=400)
        first = (int(fields.get("page", 1)) - 1) * count
        given = result_list.listings[first : first + count]
        return {
            "searchParameters": {**fields, "type": "images", "engine": "google"},
            "images": [_result(listing, i) for i, listing in enumerate(given, 1)],
            "credits": 2,
        }


def _fields(request: Request) -> dict[str, Any]:
    is_json = request.headers.get("content-type") == "application/json"
    return dict(json.loads(request.body)) if is_json else {}


def _result(listing: Listing, position: int) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "title": listing.title,
        "imageUrl": listing.url,
        "imageWidth": width,
        "imageHeight": height,
        "thumbnailUrl": f"https://encrypted-tbn0.gstatic.com/images?q=tbn:{listing.id}",
        "source": "Stories",
        "domain": "stories.test",
        "link": listing.page,
        "position": position,
    }
