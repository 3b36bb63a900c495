"""DuckDuckGo Images, without a key, best effort: it uses Bing's index and adds no new images."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import photo_keys
from harvest.errors import Blocked
from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit, Safe
from harvest.providers import answer_values
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.providers.json_response import page_changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Filters, Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_HOST = "https://duckduckgo.com"
_REFUSED = "ops@duckduckgo.com"  # "If this error persists, please let us know"
_TOKEN = re.compile(r"""\bvqd=["']?([\d-]{8,100})""", re.ASCII)
_COLOURS = {
    **{name: name.capitalize() for name in ("red", "orange", "yellow", "green", "teal", "blue", "purple")},
    **{name: name.capitalize() for name in ("pink", "white", "gray", "black", "brown")},
    "grey": "Gray",
    "bw": "Monochrome",
}
_LICENCES = {
    LicenceFilter.OPEN: "ModifyCommercially",
    LicenceFilter.COMMERCIAL: "ShareCommercially",
    LicenceFilter.PUBLIC_DOMAIN: "Public",
}


class DuckDuckGo(Provider):
    """DuckDuckGo Images: Bing's images in another order, for when Bing itself refuses."""

    name: ClassVar = "DUCKDUCKGO"
    label: ClassVar = "DuckDuckGo"
    about: ClassVar = "Bing's index without a key, best effort; licences unknown"
    supported_filters: ClassVar = frozenset({"licence", "photos", "colour", "safe", "language", "region", "site"})
    by_words: ClassVar = True
    in_all: ClassVar = False
    pace: ClassVar = 2.5
    most: ClassVar = 500

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, a hundred per page."""
        return NewHits(self.most).filter_new(_walk(query, pages))


def _walk(query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
    text = f"{query.text} site:{query.filters.site}" if query.filters.site else query.text
    claim = Licence.from_filter(query.filters.licence)
    front = pages.get(f"{_HOST}/", params={"q": text, "iar": "images", "iax": "images", "ia": "images"})
    params = {"o": "json", "q": text, **_arguments(query.filters), "vqd": parse_token(front)}
    start: int | None = 0
    while start is not None:
        found = parse(pages.get(f"{_HOST}/i.js", params={**params, "s": start}, headers={"Referer": f"{_HOST}/"}))
        yield [replace(hit, licence=claim) for hit in found.hits]
        start = found.more


def _arguments(filters: Filters) -> dict[str, object]:
    colour = (filters.colour or "").casefold()
    kind = "transparent" if colour == "transparent" else "photo" if filters.photos else ""
    filter_values = {
        "time": "",
        "size": "",
        "color": _COLOURS.get(colour, ""),
        "type": kind,
        "layout": "",
        "license": _LICENCES.get(filters.licence, ""),
    }
    return {
        "l": f"{(filters.region or 'us').lower()}-{(filters.language or 'en').lower()}",
        "p": -1 if filters.safe is Safe.OFF else 1,
        "f": ",".join(f"{name}:{value}" if value else "" for name, value in filter_values.items()),
    }


def parse_token(page: SearchPage) -> str:
    """Return the token in a search page that its results page requires."""
    found = _TOKEN.search(page.text)
    if page.status == HTTPStatus.OK and found:
        return found[1]
    _check(page)
    raise page_changed(page, "DuckDuckGo", "a page without the token that its results require")


def parse(page: SearchPage) -> PageResults:
    """Read a response; raise when it has neither results nor a sign that there are none."""
    _check(page)
    answer: Any = page.json()
    results = answer_values.as_object(answer).get("results")
    hits = [hit for hit in map(_hit, answer_values.as_objects(results)) if hit]
    if not isinstance(results, list) or (results and not hits):
        raise page_changed(page, "DuckDuckGo", "a response with neither results nor a sign that there are none")
    following = answer.get("next")
    return PageResults(
        hits,
        answer_values.parse_number(answer_values.url_parameter(following, "s")) if isinstance(following, str) else None,
    )


def _check(page: SearchPage) -> None:
    """Raise `Blocked` when DuckDuckGo refuses: with a status, or with an error in place of JSON."""
    if page.status != HTTPStatus.OK or (_REFUSED in page.text and not page.text.startswith("{")):
        what = f"answers {page.status}" if page.status != HTTPStatus.OK else "sends an error"
        raise Blocked(
            f'DuckDuckGo {what} instead of results ("If this error persists, please let us know").',
            "It refuses automated access or saw too many requests from this connection. harvest stopped searching "
            "DuckDuckGo. Its images are Bing's: use -c BING.",
        )


def _hit(result: dict[str, Any]) -> Hit | None:
    if (url := answer_values.parse_url(result.get("image"))) is None:
        return None
    return Hit(
        url=url,
        provider=DuckDuckGo.name,
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("url")),
        title=answer_values.parse_text(result.get("title"), html=True),
        width=answer_values.parse_number(result.get("width")),
        height=answer_values.parse_number(result.get("height")),
    )
