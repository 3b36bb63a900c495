"""api.pexels.com and pixabay.com: stock photographs with a key, each under the licence of its site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.internet.archive import Archive, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Request

PEXELS_COUNT, PIXABAY_COUNT = 80, 200
PIXABAY_CAP = 500


class Pexels(Archive):
    """Photographs in a few sizes, with the key in a header."""

    host = "api.pexels.com"
    renamed = "photos"
    key = "pexels-a-key-of-tests"

    def query(self, request: Request) -> str:
        """Read `query`."""
        return request.fields.get("query", "")

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of photographs if the key is right."""
        fields = request.fields
        if request.route != "/v1/search":
            return refused(404, error="Not Found")
        if request.headers.get("authorization") != self.key:
            return refused(401, code="Unauthorized")
        count, number = int(fields.get("per_page", 15)), int(fields.get("page", 1))
        if not 1 <= count <= PEXELS_COUNT:
            return refused(400, code="Bad Request")
        given = result_list.listings[(number - 1) * count :][:count]
        answer = {"page": number, "per_page": count, "total_results": len(result_list)}
        if number * count < len(result_list):
            answer["next_page"] = f"https://{self.host}/v1/search?page={number + 1}"
        return answer | {"photos": [_photo(listing) for listing in given]}


def _photo(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "id": listing.id,
        "width": width,
        "height": height,
        "url": listing.page,
        "photographer": f"photographer {listing.id % 90 + 10}",
        "photographer_url": f"https://www.pexels.com/@{listing.id % 90 + 10}",
        "alt": listing.title,
        "src": {"original": listing.url},
    }


class Pixabay(Archive):
    """Images of at most 1280 pixels, with the key in the URL and refusals in plain text."""

    host = "pixabay.com"
    renamed = "largeImageURL"
    key = "pixabay-a-key-of-tests"

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of images if the key is right."""
        fields = request.fields
        if fields.get("key") != self.key:
            return _refused("Invalid or missing API key (https://pixabay.com/api/docs/).")
        count, number = int(fields.get("per_page", 20)), int(fields.get("page", 1))
        if not 3 <= count <= PIXABAY_COUNT:
            return _refused('"per_page" is out of valid range.')
        found = result_list.listings[:PIXABAY_CAP]
        given = found[(number - 1) * count :][:count]
        if number > 1 and not given:
            return _refused('"page" is out of valid range.')
        return {"total": len(result_list), "totalHits": len(found), "hits": [_image(listing) for listing in given]}


def _image(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "id": listing.id,
        "pageURL": listing.page,
        "type": "photo",
        "tags": listing.title,
        "largeImageURL": listing.url,
        "imageWidth": 4 * width,
        "imageHeight": 4 * height,
        "user_id": listing.id % 90 + 10,
        "user": f"photographer {listing.id % 90 + 10}",
    }


def _refused(reason: str) -> Answer:
    return Answer(f"[ERROR 400] {reason}".encode(), status=400)
