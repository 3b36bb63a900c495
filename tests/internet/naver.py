"""naverapihub.apigw.ntruss.com: Naver's official search API, a hundred per page and a thousand per query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.internet.archive import Archive, refused

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Answer, Request

COUNT = 100
LAST_START = 1000


class Naver(Archive):
    """Image search with a client id and a secret in two headers."""

    host = "naverapihub.apigw.ntruss.com"
    renamed = "items"
    client_id, client_secret = "naver-an-id-of-tests", "naver-a-secret-of-tests"

    def query(self, request: Request) -> str:
        """Read `query`."""
        return request.fields.get("query", "")

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a page of results if id and secret are right."""
        fields = request.fields
        if request.route != "/search/v1/image":
            return refused(404, error={"errorCode": "300", "message": "Not Found Exception"})
        sent = (request.headers.get(f"x-ncp-apigw-api-key{end}") for end in ("-id", ""))
        if tuple(sent) != (self.client_id, self.client_secret):
            return refused(401, error={"errorCode": "200", "message": "Authentication Failed"})
        count, start = int(fields.get("display", 10)), int(fields.get("start", 1))
        if not (1 <= count <= COUNT and 1 <= start <= LAST_START):
            return refused(400, errorCode="SE03", errorMessage="Invalid start value")
        given = result_list.listings[start - 1 : start - 1 + count]
        return {
            "lastBuildDate": "Sat, 28 Nov 2026 08:00:00 +0900",
            "total": len(result_list),
            "start": start,
            "display": len(given),
            "items": [_item(listing) for listing in given],
        }


def _item(listing: Listing) -> dict[str, Any]:
    width, height = listing.photo.size
    return {
        "title": f"<b>{listing.title}</b>",
        "link": listing.url,
        "thumbnail": f"https://search.pstatic.net/common/?src={listing.id}&type=b150",
        "sizeheight": str(height),
        "sizewidth": str(width),
    }
