"""commons.wikimedia.org and upload.wikimedia.org: searches and categories, in batches split into parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.archive import TERMS, Archive, owned, refused
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, ResultList
    from tests.internet.proxy_server import Request

CONTACT = re.compile(r"\([^()]*(?:@|://)[^()]*\)")  # in the User-Agent
KEYWORDS = re.compile(r"\s*\b(?:filetype|filemime|filew|fileh|haslicense):\S+")
WIDTHS = {20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840}
REFUSED = Answer(b"Please set a user-agent and respect our robot policy https://w.wiki/4wJS", status=403)
PART = 20  # files of a batch that one response describes
COUNTED = "?utm_source=commons.wikimedia.org&utm_campaign=imageinfo&utm_content="


class Commons(Archive):
    """The API of Commons, and its image hosts. `add_results("category:NAME", …)` fills a category."""

    host = "commons.wikimedia.org"
    renamed = "pages"
    modes: ClassVar[dict[str, str]] = Archive.modes | {
        "lagging": "its databases lag: HTTP 200, an error of the name maxlag, five seconds to wait"
    }

    def address(self, listing: Listing) -> str:
        """Return the URL of the original."""
        name = f"Snake_{owned(listing)}.jpg"
        return f"https://upload.wikimedia.org/wikipedia/commons/{listing.id % 10}/{listing.id % 10}a/{name}"

    def query(self, request: Request) -> str:
        """Read the search text without its filters, or the category."""
        fields = request.fields
        return fields.get("gcmtitle") or KEYWORDS.sub("", fields.get("gsrsearch", ""))

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return a part of a batch, and its continuation."""
        if not CONTACT.search(request.headers.get("user-agent", "")):
            return REFUSED
        fields = request.fields
        if request.route != "/w/api.php" or fields.get("action") != "query":
            return refused(404, error={"code": "unknown_action", "info": "Unrecognized value for parameter"})
        prefix = {"search": "gsr", "categorymembers": "gcm"}[fields["generator"]]
        way = "gsroffset" if prefix == "gsr" else "gcmcontinue"
        start, part = int(fields.get(way, 0)), int(fields.get("iistart", 0))
        batch = result_list[start : start + int(fields[f"{prefix}limit"])] if len(result_list) > start else ()
        if not batch:
            return {"batchcomplete": True}
        files = [_file(listing, start + i, result=part <= i < part + PART) for i, listing in enumerate(batch)]
        answer: dict[str, Any] = {"query": {"pages": sorted(files, key=lambda file: file["pageid"])}}
        if part + PART < len(batch):
            here = {way: start} if start else {}
            return answer | {"continue": {**here, "iistart": part + PART, "continue": f"{way}||"}}
        if start + len(batch) < len(result_list):
            answer["continue"] = {way: start + len(batch), "continue": f"{way}||"}
        return answer | {"batchcomplete": True}

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Answer a request, or report that the databases lag."""
        if mode == "lagging":
            return refused(200, error={"code": "maxlag", "info": "Waiting for db1: 9 seconds lagged", "lag": 9})
        return super().page(request, result_list, mode, wait)

    def picture(self, request: Request) -> Answer:
        """Serve an original, or a rendition in one of the supported widths, to programs that name a contact."""
        if not CONTACT.search(request.headers.get("user-agent", "")):
            return REFUSED
        named = re.search(r"/Snake_(\d+)\.jpg(?:/(\d+)px-[^/]+)?$", request.route)
        listing = named and self.catalogue.numbered(int(named[1]))
        if not named or not listing:
            return Answer(b"", status=404)
        if named[2] is None:
            return listing.answer(request)
        if int(named[2]) not in WIDTHS:
            return Answer(b"Use thumbnail sizes listed on https://w.wiki/GHai", status=429)
        return Answer(listing.photo.changed("thumbnail"), kind="image/jpeg")


def _file(listing: Listing, index: int, *, result: bool) -> dict[str, Any]:
    title = f"File:{listing.title}.jpg"
    file: dict[str, Any] = {"pageid": 10**7 + listing.id, "ns": 6, "title": title, "index": index + 1}
    if not result:
        return file
    width, height = listing.photo.size
    name = listing.url.rpartition("/")[2]
    original = listing.url.replace("/commons/", "/commons/thumb/") + f"/1280px-{name}"
    thumb = f"{original}{COUNTED}thumbnail" if width > 1280 else f"{listing.url}{COUNTED}thumbnail_unscaled"
    terms = TERMS.get(listing.licence)
    rights = {"cc0": "cc0", "pdm": "pd", None: "attribution"}.get(terms, f"cc-{terms}-4.0")
    author = f"photographer {listing.id % 90 + 10}"
    info = {
        "thumburl": thumb,
        "thumbwidth": min(width, 1280),
        "thumbheight": height,
        "url": f"{listing.url}{COUNTED}original",
        "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{name}",
        "descriptionshorturl": f"https://commons.wikimedia.org/w/index.php?curid={file['pageid']}",
        "width": width,
        "height": height,
        "mime": "image/jpeg",
        "extmetadata": {
            "Artist": {"value": f'<a href="//commons.wikimedia.org/wiki/User:{listing.id}">{author}</a>'},
            "License": {"value": rights, "source": "commons-templates", "hidden": ""},
        },
    }
    return file | {"imagerepository": "local", "imageinfo": [info]}
