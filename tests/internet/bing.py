"""www.bing.com as recorded in 2026: pages of `a.iusc` anchors, which never end, and a challenge page."""

from __future__ import annotations

import hashlib
import json
from html import escape
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, quote_plus, urlencode

from tests.internet.proxy_server import Answer
from tests.internet.search import SearchService

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing, Shelf
    from tests.internet.proxy_server import Request

COUNT = 35
RELATED = 3  # carousel items under the results, which are no results


class Bing(SearchService):
    """Image search. The last page says so; the real one more often shows it again for ever (`never_ends`)."""

    host = "www.bing.com"
    moods: ClassVar[dict[str, str]] = {
        "blocked": "a challenge instead of results: HTTP 200, an ordinary title, no anchors",
        "changed": "the results are there, in a layout nobody has seen before",
        "barren": "says that there are no results, whatever is on the shelf",
    }
    never_ends = False

    def query(self, request: Request) -> str:
        """Read `q`."""
        return request.fields.get("q", "")

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Write a page of /images/search, or the fragment of one that /images/async gives."""
        if request.route not in {"/images/async", "/images/search"}:
            return Answer(b"<title>Bing</title>", status=404)
        if mood == "blocked":
            return _answer(_frame(shelf.query, CHALLENGE), wait)
        if mood == "barren" or not shelf.listings:
            nothing = NOTHING.format(query=escape(shelf.query))
            return _answer(_frame(shelf.query, nothing), wait)
        text = self._results(request, shelf)
        if mood == "changed":
            text = text.replace('class="iusc"', 'class="rslt"').replace(" m=", " data-p=").replace("dgControl", "gx")
        if request.route == "/images/search":
            text = _frame(shelf.query, text)
        return _answer(text, wait)

    def thumbnail(self, request: Request) -> Answer:
        """Serve what `turl` names: half the size, from Bing's own hosts."""
        name = request.fields.get("id", "").removeprefix("OIP.")
        for shelf in self.shelves.values():
            for listing in shelf:
                if _ident(listing, 16) == name:
                    return Answer(listing.photo.changed("thumbnail"), kind="image/jpeg")
        return Answer(b"", status=404)

    def _results(self, request: Request, shelf: Shelf) -> str:
        first = max(1, int(request.fields.get("first", 1)))
        count = min(COUNT, int(request.fields.get("count", COUNT)))
        listings = shelf.listings[first - 1 :][:count] or shelf.listings[-count:]
        more = self.never_ends or first - 1 + len(listings) < len(shelf)
        following = f"/images/async?{urlencode({'q': shelf.query, 'first': first + len(listings), 'count': count})}"
        following = following + "&datsrc=I&layout=RowBased&mmasync=1" if more else ""
        items = "\n".join(_item(listing, shelf.query, first + i) for i, listing in enumerate(listings))
        related = "\n".join(_related(shelf.query, i) for i in range(RELATED))
        return (
            f'<div class="dgControl hover" data-nextUrl="{escape(following)}"><ul class="dgControl_list">\n'
            f"{items}\n</ul></div>\n"
            f'<div class="dgControl" data-nextUrl=""><ul class="dgControl_list">\n{related}\n</ul></div>\n'
        )


def _answer(text: str, wait: float) -> Answer:
    return Answer(text.encode(), headers={"Set-Cookie": "MUID=0123456789; path=/"}, wait=wait)


def _ident(listing: Listing, digits: int) -> str:
    return hashlib.sha256(listing.url.encode()).hexdigest()[:digits].upper()


def _item(listing: Listing, query: str, index: int) -> str:
    """Write one result as Bing does: an anchor whose `m` is JSON, quoted in either of two ways."""
    width, height = listing.photo.size
    mid, name = _ident(listing, 40), _ident(listing, 16)
    # Words that were searched for stand between two private characters.
    title = listing.title.replace(query.split(maxsplit=1)[0], f"\ue000{query.split(maxsplit=1)[0]}\ue001")
    about = {
        "sid": "",
        "cturl": "",
        "cid": name[:8],
        "purl": listing.page,
        "murl": listing.url,
        "turl": f"https://ts{index % 4 + 1}.mm.bing.net/th?id=OIP.{name}&pid=15.1",
        "md5": _ident(listing, 32).lower(),
        "t": title,
        "mid": mid,
        "desc": title,
    }
    text = json.dumps(about, ensure_ascii=False)
    m = f"'{text.replace('&', '&amp;').replace(chr(39), '&#39;')}'" if index % 5 == 0 else f'"{escape(text)}"'
    href = (
        f"/images/search?view=detailV2&ccid={name[:8]}&id={mid}&thid=OIP.{name}"
        f"&mediaurl={quote(listing.url, safe='')}&exph={height}&expw={width}"
        f"&q={quote_plus(query)}&selectedIndex={index}"
    )
    return (
        f'<li data-idx="{index}"><div class="iuscp isv"><div class="imgpt">'
        f'<a aria-label="Image result for {escape(query)}" role="link" class="iusc" m={m}'
        f' href="{escape(href)}"></a>'
        f'<div class="img_info hon"><span class="nowrap">{width} × {height} · jpeg</span></div></div>'
        "</div></li>"
    )


def _related(query: str, number: int) -> str:
    """Write an item of the "related" carousel: an anchor of the same class whose `m` lacks `t` and `mid`."""
    about = json.dumps({"sid": "", "purl": "", "murl": f"https://related.pictures.test/{number}.jpg", "turl": ""})
    href = f"/images/search?view=detailV2&exph=1000&expw=750&q={quote_plus(query)}+art&FORM=IVCLIG"
    return f'<li><a role="link" class="iusc" m="{escape(about)}" href="{escape(href)}"></a></li>'


def _frame(query: str, content: str) -> str:
    """Put content into a whole page. Ordinary pages, too, name the host that challenges come from."""
    return (
        '<!DOCTYPE html><html lang="en"><head>'
        '<meta content="text/html; charset=utf-8" http-equiv="content-type" />'
        f"<title>{escape(query)} - Search Images</title>"
        '<link rel="preconnect" href="https://challenges.cloudflare.com" /></head>'
        f'<body><div id="b_content">{content}</div></body></html>'
    )


CHALLENGE = (
    '<div class="captcha"><div class="captcha_header">One last step</div>'
    '<div class="captcha_text">Please solve the challenge below to continue</div>'
    '<div class="checkbox"><div id="turnstile-widget"></div></div></div>'
)
NOTHING = (
    '<ol id="b_results"><li class="b_no"><h1>There are no results for <strong>{query}</strong></h1>'
    "<ul><li>Check your spelling or try different keywords</li></ul></li></ol>"
)
