"""An instance of SearXNG, as a user runs it: a page of each engine per request, JSON only if its settings allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Request

COUNT = 30


class SearXNG(Archive):
    """Image search at a host of the user; with `has_json = False` it refuses the format, as it does by default."""

    host = "searxng.stories.test"
    renamed = "results"
    modes: ClassVar[dict[str, str]] = Archive.modes | {"failing": "no results, because its engines are refused"}
    url = f"https://{host}"
    has_json = True

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Answer in the requested format, if it is enabled."""
        if not self.has_json:
            return Answer(b"<!doctype html><title>403 Forbidden</title><h1>Forbidden</h1>", status=403)
        self._failed = [["google images", "access denied"], ["qwant images", "CAPTCHA"]] if mode == "failing" else []
        return super().page(request, result_list, "barren" if mode == "failing" else mode, wait)

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of results."""
        fields = request.fields
        if request.route != "/search" or (fields.get("format"), fields.get("categories")) != ("json", "images"):
            return Answer(b"<!doctype html><title>SearXNG</title>")
        first = (int(fields.get("pageno", 1)) - 1) * COUNT
        return {
            "query": fields.get("q", ""),
            "number_of_results": 0,
            "results": [_result(listing) for listing in result_list.listings[first : first + COUNT]],
            **{name: [] for name in ("answers", "corrections", "infoboxes", "suggestions")},
            "unresponsive_engines": self._failed,
        }


def _result(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "template": "images.html",
        "engine": "bing images",
        "url": listing.page,
        "title": listing.title,
        "img_src": listing.url,
        "thumbnail_src": "",
        "resolution": f"{width} x {height}",
    }
