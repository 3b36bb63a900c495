"""image.baidu.com: JSON that is none, addresses in a cipher, and nothing for who brings no cookie."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import Archive, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

CIPHER = str.maketrans("abcdefghijklmnopqrstuvw1234567890", "wkv1ju2it3hs4g5rq6fp7eo8dn9cm0bla")
COOKIE = "BAIDUID=0123456789ABCDEF"


class Baidu(Archive):
    """Search for pictures; the last result of every page is empty."""

    host = "image.baidu.com"
    renamed = "data"
    moods: ClassVar[dict[str, str]] = Archive.moods | {"blocked": "says that spiders may not: HTTP 200"}

    has_thumbnails = False

    def thumbnail(self, request: Request) -> Answer:
        """Serve half the size of a picture, from a host of Baidu's own, while there are any."""
        listing = self.catalogue.numbered(int(request.fields.get("u", 0)))
        if listing is None or not self.has_thumbnails:
            return Answer(b"", status=404)
        return Answer(listing.photo.changed("thumbnail"), kind="image/jpeg")

    def query(self, request: Request) -> str:
        """Read `word`."""
        return request.fields.get("word", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Give a cookie at the front door, and behind it answers whose quotes are escaped wrongly."""
        if request.route == "/":
            return Answer("<title>百度图片</title>".encode(), headers={"Set-Cookie": f"{COOKIE}; path=/"})
        if mood == "blocked" or COOKIE not in request.headers.get("cookie", ""):
            return refused(200, antiFlag=1, message="Forbid spider access")
        answer = super().page(request, shelf, mood, wait)
        assert isinstance(answer.body, bytes)
        return replace(answer, body=answer.body.replace(b"'", b"\\'"))

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give a page of results."""
        start, count = int(request.fields.get("pn", 0)), int(request.fields.get("rn", 30))
        given = shelf.listings[start:][:count]
        data = [_result(listing) for listing in given]
        return {"queryExt": shelf.query, "listNum": len(shelf), "data": [*data, {}]}


def _result(listing: Listing) -> dict[str, Any]:
    """Write one result: of every second one the address stands beside its cipher in clear."""
    width, height = listing.photo.size
    result = {
        "thumbURL": f"https://img{listing.id % 3}.baidu.com/it?u={listing.id}&fm=253",
        "objURL": _ciphered(listing.url),
        "fromURL": _ciphered(listing.page),
        "fromPageTitle": f"<strong>{listing.title}</strong> that's all",
        "width": width,
        "height": height,
    }
    clear = [{"ObjURL": listing.url, "FromURL": listing.page}]
    return result | ({"replaceUrl": clear} if listing.id % 2 else {})


def _ciphered(url: str) -> str:
    text = url.translate(CIPHER)
    return text.replace(":", "_z2C$q").replace(".", "_z&e3B").replace("/", "AzdH3F")
