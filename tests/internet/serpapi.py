"""serpapi.com: Google's results as a paid service, a hundred per page, and sometimes none for no reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive, refused

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Answer, Request

COUNT = 100
NONE = "Google hasn't returned any results for this query."


class SerpApi(Archive):
    """Image search with a key; a response without results says so in words."""

    host = "serpapi.com"
    renamed = "images_results"
    modes: ClassVar[dict[str, str]] = Archive.modes | {
        "hollow": "no results although there are some: one response in ten",
        "spent": "no searches left for this key",
    }
    key = "serp-a-key-of-tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Answer, or report that there are no results or no searches left."""
        if mode == "spent":
            return refused(200, error="Your account has run out of searches.")
        return super().page(request, result_list, "barren" if mode == "hollow" else mode, wait)

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of results if the key is right."""
        fields = request.fields
        if request.route != "/search.json" or fields.get("engine") != "google_images":
            return refused(400, error="Unsupported engine.")
        if fields.get("api_key") != self.key:
            return refused(401, error="Invalid API key. Your API key should be here: https://serpapi.com/")
        given = result_list.listings[int(fields.get("ijn", 0)) * COUNT :][:COUNT]
        if not given:
            return {"search_metadata": {"status": "Success"}, "error": NONE}
        return {
            "search_metadata": {"status": "Success"},
            "images_results": [_result(listing, i) for i, listing in enumerate(given, 1)],
        }


def _result(listing: Listing, position: int) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "position": position,
        "thumbnail": f"https://serpapi.com/searches/0/images/{position}.jpeg",
        "title": listing.title,
        "link": listing.page,
        "original": listing.url,
        "original_width": width,
        "original_height": height,
        "is_product": False,
    }
