r"""Baidu Images, without a key, best effort: FastClass supported it. Its JSON is invalid in parts.

Quotes are escaped in a way that JSON does not allow (`\'`), the last result is empty, and the URL of an image is
enciphered, unless it is also given in clear. What is given in clear may be a thumbnail, or a URL of Baidu's proxy.
"""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from harvest import photo_keys
from harvest.errors import Blocked, PageChanged
from harvest.models import Hit
from harvest.providers import answer_values
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.providers.json_response import page_changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_HOST = "https://image.baidu.com"
_COUNT = 30  # results per page
_HEADERS = {
    # Any User-Agent but a browser's gets "Forbid spider access".
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Referer": f"{_HOST}/",
}
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|(.?))', re.DOTALL)
_CONTROLS = dict.fromkeys(range(32), " ")
_SIGNS = {"_z2C$q": ":", "_z&e3B": ".", "AzdH3F": "/"}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
# Baidu's image proxy, the one of today and the one before it; the first parameters are part of the path.
_WRAPPED = re.compile(
    r"https?://(?:gimg\d*\.baidu\.com/image_search/|timgsa\.baidu\.com/timg\?)(?:[^?#]*?&)?src=([^&?#]+)", re.ASCII
)
# Baidu's thumbnails. Their results state the size of the original.
_THUMBNAIL = re.compile(
    r"https?://(?:\w+\.imgtn\.bdimg\.com/|(?:\w+\.baidu\.com|\w+\.bdstatic\.com/\w+)/it[/?]u=)", re.ASCII
)
_LETTERS = str.maketrans("wkv1ju2it3hs4g5rq6fp7eo8dn9cm0bla", "abcdefghijklmnopqrstuvw1234567890")


class Baidu(Provider):
    """Baidu Images: the Chinese web; licences unknown."""

    name: ClassVar = "BAIDU"
    label: ClassVar = "Baidu"
    about: ClassVar = "the Chinese web without a key, best effort; licences unknown"
    by_words: ClassVar = True
    in_all: ClassVar = False
    pace: ClassVar = 2.5

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, thirty per page."""
        return NewHits(self.most).filter_new(_walk(query, pages))


def _walk(query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
    pages.get(f"{_HOST}/", headers=_HEADERS)  # sets the cookie that the search requires
    params = {
        "tn": "resultjson_com",
        "ipn": "rj",
        "ie": "utf-8",
        "oe": "utf-8",
        "word": query.text,
        "queryWord": query.text,
        "rn": _COUNT,
    }
    start: int | None = 0
    while start is not None:
        found = parse(pages.get(f"{_HOST}/search/acjson", params={**params, "pn": start}, headers=_HEADERS))
        yield found.hits
        start = found.more


def parse(page: SearchPage) -> PageResults:
    """Read a response; raise when it has neither results nor a sign that there are none."""
    if page.status != HTTPStatus.OK:
        raise _blocked_error(f"answers {page.status}")
    answer = answer_values.as_object(_parse_json(page))
    if answer.get("antiFlag"):
        raise _blocked_error(f'says "{answer_values.parse_text(answer.get("message")) or "no"}"')
    results, total = answer.get("data"), answer_values.parse_number(answer.get("listNum"))
    given = [result for result in answer_values.as_objects(results) if result]  # the last result is always empty
    hits = [hit for hit in map(_hit, given) if hit]
    if not isinstance(results, list) or (not hits and (given or total)):
        raise page_changed(page, "Baidu", "a response with neither results nor a sign that there are none")
    following = int(answer_values.url_parameter(page.url, "pn") or 0) + _COUNT
    return PageResults(hits, following if hits and following < (total or 0) else None, total)


def _parse_json(page: SearchPage) -> Any:
    text = _ESCAPE.sub(lambda escape: escape[0] if escape[1] else escape[2], page.text)
    try:
        return replace(page, text=text.translate(_CONTROLS)).json()
    except PageChanged as error:
        error.page = page.text
        raise


def _blocked_error(what: str) -> Blocked:
    return Blocked(
        f"Baidu {what} instead of results.",
        "harvest stopped searching Baidu; it does not solve captchas. Try again in some hours, or leave Baidu out.",
    )


def _hit(result: dict[str, Any]) -> Hit | None:
    clear = next(iter(answer_values.as_objects(result.get("replaceUrl"))), {})
    stated = (clear.get("ObjURL"), decipher_url(result.get("objURL")))
    smaller = [answer_values.parse_url(result.get(name)) for name in ("hoverURL", "middleURL", "thumbURL")]
    wrapped = [url for url in map(answer_values.parse_url, stated) if url]
    originals = [url for url in map(unwrap_url, wrapped) if not _is_thumbnail(url) and url not in smaller]
    # A wrapped URL is a copy on Baidu's servers, for originals that are gone.
    urls = list(dict.fromkeys(url for url in (*originals, *wrapped, *smaller) if url))
    if not urls:
        return None
    return Hit(
        url=urls[0],
        provider=Baidu.name,
        source=photo_keys.source_key(urls[0]),
        page=answer_values.parse_url(clear.get("FromURL"))
        or answer_values.parse_url(decipher_url(result.get("fromURL"))),
        title=answer_values.parse_text(result.get("fromPageTitle"), html=True),
        width=answer_values.parse_number(result.get("width")) if originals else None,
        height=answer_values.parse_number(result.get("height")) if originals else None,
        others=tuple(urls[1:]),
    )


def unwrap_url(url: str) -> str:
    """Return the URL of the original within one of Baidu's image proxy; return any other unchanged.

    >>> unwrap_url("https://gimg2.baidu.com/image_search/src=http%3A%2F%2Fa.example%2F1.jpg&refer=x&fmt=auto?sec=1&t=2")
    'http://a.example/1.jpg'
    """
    found = _WRAPPED.match(url)
    return (found and answer_values.parse_url(unquote(found[1]))) or url


def _is_thumbnail(url: str) -> bool:
    return _THUMBNAIL.match(url) is not None


def decipher_url(address: object) -> object:
    """Decipher a URL in Baidu's cipher; return anything else unchanged.

    >>> decipher_url("ippr_z2C$qAzdH3FAzdH3Fjxw4rsj_z&e3B562AzdH3F8_z&e3B3r2")
    'http://example.org/1.jpg'
    """
    if not isinstance(address, str) or not address.startswith("ippr"):
        return address
    return "".join(_SIGNS.get(part) or part.translate(_LETTERS) for part in re.split(f"({_SIGN.pattern})", address))
