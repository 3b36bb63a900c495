"""What Bing is asked: the address of a page of results, narrowed in its own words, and as which browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from harvest.licences import LicenceFilter
from harvest.providers import parsing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Filters, Query

HOST = "www.bing.com"
_COUNT = 35  # results a page
# How many results come depends on the browser's name.
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
_LARGE = 500  # pixels: what Bing calls large has more
_AGES = (1440, 10_080, 43_200, 525_600)  # minutes, as Bing offers them


def request_headers(filters: Filters) -> dict[str, str]:
    """Return the headers of a browser that reads the language asked for."""
    language = filters.language or "en"
    return {
        "User-Agent": _BROWSER,
        "Accept": "text/html",
        "Accept-Language": f"{_market(filters)},{language};q=0.9",  # results are in it, as in the market's
    }


def _market(filters: Filters) -> str:
    return f"{filters.language or 'en'}-{(filters.region or 'US').upper()}"


def page_url(query: Query, first: int) -> str:
    """Return the address of the results from the `first` on, counted from 1."""
    filters = query.filters
    asked = {
        "q": f"{query.text} site:{filters.site}" if filters.site else query.text,
        "async": 1,
        "first": first,
        "count": _COUNT,
        "mkt": _market(filters),
        "adlt": filters.safe,
    }
    # Bing wants the plus and the colon of its filters as they are.
    narrowed = "".join(f"+filterui:{name}" for name in _filter_names(filters))
    return f"https://{HOST}/images/async?{urlencode(asked)}" + (f"&qft={narrowed}" if narrowed else "")


def _filter_names(filters: Filters) -> Iterator[str]:
    """Yield Bing's own names for what a search is narrowed by."""
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
        minutes = max(0, int(time.time()) - parsing.parse_day(filters.since)) // 60
        years = -(-minutes // _AGES[-1]) * _AGES[-1]
        yield f"age-lt{next((age for age in _AGES if age >= minutes), years)}"
