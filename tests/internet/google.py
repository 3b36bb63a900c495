"""www.google.com: a page of results that few programs get to see, and all the pages they get in its place."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.proxy_server import Answer
from tests.internet.search import SearchService

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

COUNT = 100  # results of a page


class Google(SearchService):
    """Google Images as a browser sees it; `saved` gives a page as a browser saves it."""

    host = "www.google.com"
    moods: ClassVar[dict[str, str]] = {
        "blocked": "a captcha: HTTP 200, and not the title of one",
        "shell": "a page that asks to enable JavaScript: what programs get",
        "sorry": "a redirect to /sorry/, which is HTTP 429",
        "consent": "a form that asks for consent to cookies",
        "changed": "thumbnails, and not one address of a picture",
        "barren": "says that nothing matches, whatever is on the shelf",
    }

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Write a page of /search, or send on to /sorry/."""
        if request.route.startswith("/sorry/"):
            return Answer(CAPTCHA.encode(), status=429)
        if request.route != "/search":
            return Answer(b"<title>Error 404 (Not Found)!!1</title>", status=404)
        if mood == "sorry":
            return Answer(status=302, headers={"Location": f"https://{self.host}/sorry/index?continue=x"})
        if mood in STANDING_IN:
            return Answer(_frame(shelf.query, STANDING_IN[mood]).encode(), wait=wait)
        if mood == "barren" or not shelf.listings:
            return Answer(_frame(shelf.query, NOTHING.format(escape(shelf.query))).encode(), wait=wait)
        return Answer(self.saved(shelf, changed=mood == "changed").encode(), wait=wait)

    def saved(self, shelf: Shelf, *, changed: bool = False) -> str:
        """Write a page of results as a browser saves it: as of 2026, each result stands in it twice."""
        results = _packed([_result(listing) for listing in shelf.listings[:COUNT]])
        scripts = f"<script>AF_initDataCallback({{data:{results}}});</script>" * 2
        thumbnails = "".join(
            f'<img alt="{escape(listing.title)}" src="https://encrypted-tbn0.gstatic.com/images?q=tbn:{i}">'
            for i, listing in enumerate(shelf)
        )
        return _frame(shelf.query, thumbnails + ("" if changed else scripts))


def _result(listing: Listing) -> list[Any]:
    """Write one result as Google's scripts have it: the height comes before the width."""
    width, height = listing.photo.size
    about: list[Any] = [None] * 13
    about[1:4] = [f"page{listing.id:08}", listing.page, listing.title]
    about[12] = "A story"
    thumbnail = [f"https://encrypted-tbn0.gstatic.com/images?q=tbn:{listing.id}", 150, 200]
    more = {"2000": [None, "stories.test", "97KB"], "2003": about, "2008": [None, listing.title]}
    original = [listing.url, height, width]
    return [0, f"docid{listing.id:09}", thumbnail, original, None, 0, "rgb(1,2,3)", None, 0, more]


def _packed(value: Any) -> str:
    """Write JSON as Google does: without blanks, and with = and & as escapes."""
    return json.dumps(value, separators=(",", ":")).replace("&", "\\u0026").replace("=", "\\u003d")


def _frame(query: str, content: str) -> str:
    """Put content into a page whose search box says what was searched for."""
    box = f'<textarea class="gLFyf" name="q" rows="1" aria-label="Search">{escape(query)}</textarea>'
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>{escape(query)} - Google Search</title></head>'
        f'<body><form action="/search" role="search">{box}</form><div id="rso">{content}</div></body></html>'
    )


CAPTCHA = (
    '<form id="captcha-form" action="index" method="post"><div class="g-recaptcha"></div></form>'
    "<b>About this page</b><br>Our systems have detected unusual traffic from your computer network."
)
NOTHING = "<p>Your search - <b>{}</b> - did not match any image results.</p>"
STANDING_IN = {
    "blocked": CAPTCHA,
    "shell": '<noscript><iframe src="/httpservice/retry/enablejs?sei=abc"></iframe></noscript>',
    "consent": '<form action="https://consent.google.com/save" method="POST"><button>OK</button></form>',
}
