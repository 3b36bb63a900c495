"""Bing Images, without a key: the request by which its page loads more results on scrolling."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlencode, urlsplit

from bs4 import BeautifulSoup

from harvest import photo_keys
from harvest.errors import ASK_THE_DOCTOR, Blocked, PageChanged
from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit
from harvest.providers import answer_values
from harvest.providers.base import NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bs4 import Tag

    from harvest.models import Filters, Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_HOST = "www.bing.com"
_COUNT = 35  # results per page
# The number of results depends on the browser's name.
_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
_LICENCES = {
    LicenceFilter.OPEN: "L2_L3",  # "free to modify, share and use commercially"
    LicenceFilter.COMMERCIAL: "L2_L3_L4",  # "free to share and use commercially"
    LicenceFilter.PUBLIC_DOMAIN: "L1",
}
_COLOURS = {
    colour: f"color2-FGcls_{colour.upper()}"
    for colour in (
        *("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "black", "gray"),
        "white",
    )
} | {"grey": "color2-FGcls_GRAY", "bw": "color2-bw"}
_LARGE = 500  # pixels: images that Bing calls large have more
_AGES = (1440, 10_080, 43_200, 525_600)  # in minutes: the ages that Bing offers
_CHALLENGED = {202, 401, 403, 418}
_SIZE = re.compile(r"(\d+)\s*[x×]\s*(\d+)")
_UNCLOSED = 1000  # more tags than a real page of Bing leaves open


class Bing(Provider):
    """Bing Images: many images of anything. It states no licences; its licence filter is a claim."""

    name: ClassVar = "BING"
    label: ClassVar = "Bing"
    about: ClassVar = "the whole web, without a key; licences unknown"
    by_words: ClassVar = True
    supported_filters: ClassVar = frozenset(
        {"licence", "min_size", "photos", "colour", "since", "safe", "language", "region", "site"}
    )
    pace: ClassVar = 2.5  # no limit is published; a page every 2-3 s is accepted
    most: ClassVar = 1000  # further results are unrelated

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, 35 per page."""
        return NewHits(self.most).filter_new(_walk(query, pages))


def _walk(query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
    claim = Licence.from_filter(query.filters.licence)
    first: int | None = 1
    while first is not None:
        found = _ask(_page_url(query, first), _request_headers(query.filters), pages)
        yield [replace(hit, licence=claim) for hit in found.hits]
        first = found.more


def _ask(url: str, sent: dict[str, str], pages: SearchSession) -> PageResults:
    """Request a page, and once more if it is empty: 5-20 % are, for no reason (SerpApi #1863)."""
    with suppress(PageChanged):
        found = parse(pages.get(url, headers=sent))
        if found.hits:
            return found
    return parse(pages.get(url, headers=sent))


def _request_headers(filters: Filters) -> dict[str, str]:
    """Return the headers of a browser with the language of the filters."""
    language = filters.language or "en"
    return {
        "User-Agent": _BROWSER,
        "Accept": "text/html",
        "Accept-Language": f"{_market(filters)},{language};q=0.9",  # results come in both languages
    }


def _market(filters: Filters) -> str:
    return f"{filters.language or 'en'}-{(filters.region or 'US').upper()}"


def _page_url(query: Query, first: int) -> str:
    """Return the URL of the results from number `first` on, counted from 1."""
    filters = query.filters
    params = {
        "q": f"{query.text} site:{filters.site}" if filters.site else query.text,
        "async": 1,
        "first": first,
        "count": _COUNT,
        "mkt": _market(filters),
        "adlt": filters.safe,
    }
    # The plus and the colon of Bing's filters must not be encoded.
    filter_text = "".join(f"+filterui:{name}" for name in _filter_names(filters))
    return f"https://{_HOST}/images/async?{urlencode(params)}" + (f"&qft={filter_text}" if filter_text else "")


def _filter_names(filters: Filters) -> Iterator[str]:
    """Yield Bing's names for the filters of a search."""
    if licence := _LICENCES.get(filters.licence):
        yield f"license-{licence}"
    colour = (filters.colour or "").casefold()
    if colour == "transparent":
        yield "photo-transparent"
    elif filters.photos:
        yield "photo-photo"
    if colour in _COLOURS:
        yield _COLOURS[colour]
    if filters.min_size > _LARGE:
        yield "imagesize-large"
    if filters.since:
        minutes = max(0, int(time.time()) - answer_values.parse_day(filters.since)) // 60
        years = -(-minutes // _AGES[-1]) * _AGES[-1]
        yield f"age-lt{next((age for age in _AGES if age >= minutes), years)}"


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it has neither results nor a sign that there are none."""
    host = urlsplit(page.url).hostname
    if page.status in _CHALLENGED or host != _HOST:
        raise _blocked_error(f"redirects to {host}" if host != _HOST else f"answers {page.status}")
    # html.parser takes quadratic time for tags that are never closed: 54 s for 60 kB of them.
    closed = page.text.count("<") <= 2 * page.text.count(">") + _UNCLOSED
    soup = BeautifulSoup(page.text if closed else "", "html.parser")
    anchors = soup.select("a.iusc")
    if not anchors and soup.select_one("div.captcha"):
        # Neither Turnstile's script nor the title is a sign: ordinary pages have both.
        raise _blocked_error('shows a challenge page ("One last step")')
    hits = [hit for hit in map(_hit, anchors) if hit]
    if not hits and (page.status != HTTPStatus.OK or not _says_none(soup)):
        raise PageChanged(
            "Bing sent a page with neither results nor a sign that there are none.",
            f"Its page layout may have changed. {ASK_THE_DOCTOR}",
            page.text,
        )
    if not hits:
        return PageResults([])
    return PageResults(
        hits,
        _more(
            soup,
            (answer_values.parse_number(answer_values.url_parameter(page.url, "first")) or 1) + len(anchors),
        ),
    )


def _blocked_error(what: str) -> Blocked:
    return Blocked(
        f"Bing {what} instead of results.",
        "harvest stopped searching Bing and keeps what was found. Try again in some hours or from another connection.",
    )


def _says_none(soup: BeautifulSoup) -> bool:
    """Return whether the page says that there are no results, or has an empty grid with no further page."""
    if soup.select_one(".b_no"):
        return True
    grids = soup.select(".dgControl[data-nexturl]")
    return bool(grids) and not any(grid["data-nexturl"] or grid.find("li") for grid in grids)


def _more(soup: BeautifulSoup, following: int) -> int | None:
    """Return where the next page starts: as stated by its URL in the page, else after the last result."""
    urls = [str(tag["data-nexturl"]) for tag in soup.select("[data-nexturl]")]
    url = next(filter(None, urls), "")
    if urls and not url:
        return None
    return answer_values.parse_number(answer_values.url_parameter(url, "first")) or following


def _hit(anchor: Tag) -> Hit | None:
    result = answer_values.parse_json_object(str(anchor.get("m", "")))
    url = answer_values.parse_url(result.get("murl"))
    # The carousel of related searches uses the same elements, but has neither title nor id.
    if url is None or "t" not in result or "mid" not in result:
        return None
    width, height = _size(anchor)
    return Hit(
        url=url,
        provider=Bing.name,
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("purl")),
        title=answer_values.parse_text(result["t"]),
        width=width,
        height=height,
    )


def _size(anchor: Tag) -> tuple[int | None, int | None]:
    """Return width and height of the original, from the link to its details or from the caption."""
    link = str(anchor.get("href", ""))
    size = (
        answer_values.parse_number(answer_values.url_parameter(link, "expw")),
        answer_values.parse_number(answer_values.url_parameter(link, "exph")),
    )
    if None in size and anchor.parent and (caption := anchor.parent.select_one("span.nowrap")):
        stated = _SIZE.match(caption.get_text(strip=True))
        return (answer_values.parse_number(stated[1]), answer_values.parse_number(stated[2])) if stated else size
    return size
