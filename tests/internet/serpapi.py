"""serpapi.com: Google's pictures for money, a hundred a page, and sometimes nothing for no reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive, refused

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Answer, Request

COUNT = 100
NONE = "Google hasn't returned any results for this query."


class SerpApi(Archive):
    """Search for pictures with a key; an answer without any says so in words."""

    host = "serpapi.com"
    renamed = "images_results"
    moods: ClassVar[dict[str, str]] = Archive.moods | {
        "hollow": "nothing, though there is something: one answer in ten",
        "spent": "no searches left for this key",
    }
    key = "serp-a-key-of-tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Answer, or say that there is nothing, or nothing left."""
        if mood == "spent":
            return refused(200, error="Your account has run out of searches.")
        return super().page(request, shelf, "barren" if mood == "hollow" else mood, wait)

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give a page of results to who has the key."""
        fields = request.fields
        if request.route != "/search.json" or fields.get("engine") != "google_images":
            return refused(400, error="Unsupported engine.")
        if fields.get("api_key") != self.key:
            return refused(401, error="Invalid API key. Your API key should be here: https://serpapi.com/")
        given = shelf.listings[int(fields.get("ijn", 0)) * COUNT :][:COUNT]
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
