"""api.flickr.com and its picture hosts: photos.search with a key, pages, dates and a cap of 4,000."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from tests.internet.proxy_server import Answer
from tests.internet.search import SearchService

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

CAP = 4000  # results of one search that can be reached; pages after it repeat
BASE = 54_000_000_000
YEARS = (datetime(2008, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
# Tempers that lie in a host's name or certificate, where a picture's own would come too late.
MADE_BY_HOST = {"plain", "expired", "misnamed", "selfsigned", "nowhere"}
# The renditions by the letter in `extras`: suffix of the file, share of the full size.
RENDITIONS = {"l": ("_b", 1.0), "m": ("", 0.5), "t": ("_t", 0.25)}


class Flickr(SearchService):
    """Photo search for those who have the key; signed calls are checked against the secret."""

    host = "api.flickr.com"
    moods: ClassVar[dict[str, str]] = {
        "expired": "no longer knows the key",
        "quota": "counts 3,600 calls in this hour: HTTP 429, no word about when to come back",
        "unavailable": "error 105, service currently unavailable",
        "listless": "a total, and no list of photos",
        "html": "an HTML page where JSON should be",
        "cut": "JSON that stops in the middle",
        "nested": "JSON a hundred thousand brackets deep",
    }
    key = "0123456789abcdef0123456789abcdef"
    secret = "fedcba9876543210"

    def address(self, listing: Listing) -> str:
        """Tell the largest rendition's address; every host of Flickr serves every photo."""
        if listing.behaviour in MADE_BY_HOST:
            raise ValueError(f"Flickr's hosts cannot be {listing.behaviour}")
        return f"https://live.staticflickr.com/65535/{BASE + listing.id}_{_secret(listing)}_b.jpg"

    def query(self, request: Request) -> str:
        """Read `text`, or `tags` where there is none."""
        fields = request.fields
        return fields.get("text") or fields.get("tags", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Answer a call: an error as Flickr words it, or a page of photos."""
        fields = request.fields
        if request.route.rstrip("/") != "/services/rest":
            return Answer(b"<h1>Not Found</h1>", status=404)
        if fields.get("format") != "json" or fields.get("nojsoncallback") != "1":
            return Answer(b'<rsp stat="fail"><err code="111" msg="Format not found" /></rsp>', kind="text/xml")
        if fields.get("method") != "flickr.photos.search":
            return _fail(112, f'Method "{fields.get("method")}" not found')
        if complaint := self._refuses(request):
            return _fail(*complaint)
        if mood in ERRORS:
            return ERRORS[mood]
        found = _matching(shelf, fields)
        photos = _page(found, int(fields.get("page", 1)), int(fields.get("per_page", 100)), fields)
        if mood == "listless":
            del photos["photo"]
        text = json.dumps({"photos": photos, "stat": "ok"}).encode()
        return Answer(text[: len(text) // 2] if mood == "cut" else text, kind="application/json", wait=wait)

    def picture(self, request: Request) -> Answer:
        """Serve a photo from farm1 … or live, in the size its name says, with the behaviour of its listing."""
        named = re.fullmatch(r"/\d+/(\d+)_([0-9a-f]+)(_[a-z])?\.jpg", request.route)
        listing = named and self.catalogue.numbered(int(named[1]) - BASE)
        if not named or not listing or named[2] != _secret(listing):
            return Answer(b"", status=404)
        if listing.behaviour == "good" and named[3] != "_b":
            return Answer(listing.photo.changed("thumbnail"), kind="image/jpeg")
        return listing.answer(request)

    def _refuses(self, request: Request) -> tuple[int, str] | None:
        """Check the key, and the signature where there is one (OAuth 1, HMAC-SHA1)."""
        signed = _oauth(request)
        key = signed.get("oauth_consumer_key") or request.fields.get("api_key")
        if key != self.key:
            return 100, "Invalid API Key (Key has invalid format)"
        if not signed:
            return None
        given = signed.pop("oauth_signature", "")
        fields = {name: value for name, value in request.fields.items() if name != "oauth_signature"}
        if given == _signature(request, fields | signed, self.secret):
            return None
        return 96, "Invalid signature"


def _oauth(request: Request) -> dict[str, str]:
    """Read the OAuth parameters from the header, or else from the query or the form."""
    header = request.headers.get("authorization", "")
    if header.startswith("OAuth "):
        pairs = re.findall(r'(\w+)="([^"]*)"', header)
        return {name: unquote(value) for name, value in pairs if name != "realm"}
    return {name: value for name, value in request.fields.items() if name.startswith("oauth_")}


def _signature(request: Request, fields: dict[str, str], secret: str) -> str:
    """Sign a call as RFC 5849 says, section 3.4."""
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in fields.items())
    address = f"{request.scheme}://{request.host}{request.route}"
    parts = (request.method, address, "&".join("=".join(pair) for pair in pairs))
    text = "&".join(quote(part, safe="") for part in parts)
    return b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")).decode()


def _fail(code: int, message: str) -> Answer:
    text = json.dumps({"stat": "fail", "code": code, "message": message})
    return Answer(text.encode(), kind="application/json")


def _secret(listing: Listing) -> str:
    return hashlib.sha256(f"secret {listing.id}".encode()).hexdigest()[:10]


def _uploaded(listing: Listing) -> int:
    """Spread the uploads over the years, in no order."""
    start, end = (int(year.timestamp()) for year in YEARS)
    return start + int(hashlib.sha256(f"date {listing.id}".encode()).hexdigest()[:8], 16) % (end - start)


def _date(text: str) -> float:
    return float(text) if text.isdigit() else datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _matching(shelf: Shelf, fields: dict[str, str]) -> list[Listing]:
    """Narrow a shelf by licence and by the dates of upload."""
    licences = {int(n) for n in fields.get("license", "").split(",") if n}
    after = _date(fields.get("min_upload_date", "0"))
    before = _date(fields.get("max_upload_date", "9999999999"))
    return [
        listing
        for listing in shelf
        if (not licences or listing.licence in licences) and after <= _uploaded(listing) <= before
    ]


def _page(found: list[Listing], page: int, size: int, fields: dict[str, str]) -> dict[str, Any]:
    """Write a page; what lies beyond the cap cannot be had, the last page before it comes again."""
    size = min(max(size, 1), 500)
    within = found[:CAP]
    start = (max(page, 1) - 1) * size
    if start >= len(within) and len(found) > CAP:
        start = max(0, len(within) - size)
    wanted = set(fields.get("extras", "").replace(" ", "").split(","))
    return {
        "page": page,
        "pages": -(-len(found) // size),
        "perpage": size,
        "total": str(len(found)) if page % 2 else len(found),  # both have been seen
        "photo": [_photo(listing, wanted) for listing in within[start : start + size]],
    }


def _photo(listing: Listing, wanted: set[str]) -> dict[str, Any]:
    """Write one photo with the extras asked for; numbers are strings or not, as it falls out."""
    secret, ident = _secret(listing), BASE + listing.id
    photo: dict[str, Any] = {
        "id": str(ident),
        "owner": f"{listing.id % 90 + 10}@N00",
        "secret": secret,
        "server": "65535",
        "farm": listing.id % 9 + 1,
        "title": listing.title,
        "ispublic": 1,
        "isfriend": 0,
        "isfamily": 0,
    }
    extras = {
        "license": ("license", str(listing.licence)),
        "description": ("description", {"_content": f"Seen <b>again</b>: {listing.title}"}),
        "date_upload": ("dateupload", str(_uploaded(listing))),
        "owner_name": ("ownername", f"photographer {listing.id % 90 + 10}"),
        "tags": ("tags", ""),
        "views": ("views", "9"),
    }
    photo |= dict(value for name, value in extras.items() if name in wanted)
    width, height = listing.photo.size
    for letter, (suffix, share) in RENDITIONS.items():
        if f"url_{letter}" in wanted:
            photo[f"url_{letter}"] = f"https://live.staticflickr.com/65535/{ident}_{secret}{suffix}.jpg"
            photo[f"width_{letter}"] = str(round(width * share)) if listing.id % 2 else round(width * share)
            photo[f"height_{letter}"] = round(height * share)
    return photo


ERRORS = {
    "expired": _fail(100, "Invalid API Key (Key has expired)"),
    "quota": Answer(b"Rate limit exceeded", status=429, kind="text/plain"),
    "unavailable": _fail(105, "Service currently unavailable"),
    "html": Answer(b"<!DOCTYPE html><title>Flickr</title><p>We will be back."),
    "nested": Answer(b"[" * 100_000 + b"]" * 100_000, kind="application/json"),
}
