"""SearXNG: a metasearch engine that the user runs, and whose JSON format the user has enabled."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from harvest import photo_keys
from harvest.errors import Blocked, KeyMissing, Unanswerable
from harvest.models import Hit, Safe
from harvest.providers import answer_values, json_response
from harvest.providers.base import NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_URL = "SEARXNG_URL"
_SAFE = {Safe.OFF: 0, Safe.MODERATE: 1, Safe.STRICT: 2}
# Each engine writes the size in its own way: "1600 x 1200", "1024×768 - JPEG", "800*600".
_RESOLUTION = re.compile(r"\s*(\d{1,6})\s*[x×*]\s*(\d{1,6})(?!\d)", re.ASCII | re.IGNORECASE)
_MOST_ENGINES = 5  # named in a message


class SearXNG(Provider):
    """The image engines of the user's own SearXNG instance; licences unknown.

    The instance may have a private address, because the user chose it. The images that it finds may not:
    their URLs come from the web.
    """

    name: ClassVar = "SEARXNG"
    label: ClassVar = "SearXNG"
    about: ClassVar = "the image engines of your own SearXNG instance; licences unknown"
    variables: ClassVar = (_URL,)
    supported_filters: ClassVar = frozenset({"safe", "language"})
    by_words: ClassVar = True
    pace: ClassVar = 2.0  # it passes each request on to several engines, which block an instance that asks too often

    def check(self) -> None:
        """Raise `KeyMissing` without the address of an instance."""
        if self._instance() is None:
            problem = "is not a web address, or has parameters or a user name" if self._setting(_URL) else "is not set"
            raise KeyMissing(
                f"SearXNG needs the address of your own instance: {_URL} {problem}.",
                "Run: harvest keys set searxng, and enter an address such as http://localhost:8888\n"
                "Most public instances have the JSON format disabled. Or leave SearXNG out and choose others with -c.",
            )

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of all image engines of the instance, page by page."""
        self.check()
        return NewHits(self.most).filter_new(self._walk(query, pages))

    def _walk(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        params = {
            "q": query.text,
            "categories": "images",
            "format": "json",
            "safesearch": _SAFE[query.filters.safe],
            "language": query.filters.language,
        }
        params = {name: value for name, value in params.items() if value is not None}
        number: int | None = 1
        while number is not None:
            found = parse(pages.get(f"{self._instance()}/search", params={**params, "pageno": number}))
            yield found.hits
            number = found.more

    def _instance(self) -> str | None:
        """Return the URL of the instance, without the slash or the path of its search page at the end."""
        url = answer_values.parse_url(self._setting(_URL))
        if url is None or urlsplit(url).query or urlsplit(url).fragment:
            return None
        return url.rstrip("/").removesuffix("/search").rstrip("/")


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it is not one."""
    if page.status == HTTPStatus.FORBIDDEN:
        raise Blocked(
            "SearXNG answers 403 instead of results: most likely its JSON format is not enabled.",
            "In the settings.yml of the instance, add json to `formats` under `search`, and restart it.",
        )
    answer = json_response.read_object(page, SearXNG.label)
    results = json_response.read_list(page, SearXNG.label, answer)
    number = answer_values.parse_number(answer_values.url_parameter(page.url, "pageno")) or 1
    if not results:
        if number == 1 and (engines := _failed_engines(answer)):
            raise Unanswerable(
                f"SearXNG found nothing, and some of its engines failed: {engines}.",
                "Search for images on the instance itself, or disable these engines in its settings.",
            )
        return PageResults([])
    hits = [hit for hit in map(_hit, results) if hit]
    if not hits:
        raise json_response.page_changed(page, SearXNG.label, "results without images")
    return PageResults(hits, number + 1)


def _hit(result: dict[str, Any]) -> Hit | None:
    url = answer_values.parse_url(result.get("img_src"))
    if url is None:
        return None
    thumbnail = answer_values.parse_url(result.get("thumbnail_src"))
    resolution = _RESOLUTION.match(answer_values.parse_text(result.get("resolution")) or "")
    width, height = map(answer_values.parse_number, resolution.groups()) if resolution else (None, None)
    return Hit(
        url=url,
        provider=SearXNG.name,
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("url")),
        title=answer_values.parse_text(result.get("title")),
        width=width,
        height=height,
        others=(thumbnail,) if thumbnail and thumbnail != url else (),
    )


def _failed_engines(answer: dict[str, Any]) -> str:
    """Return the names of the engines that did not answer, each with the reason that the instance states."""
    listed = answer.get("unresponsive_engines")
    failed = [entry for entry in listed if isinstance(entry, list)] if isinstance(listed, list) else []
    named = [[text for text in map(answer_values.parse_text, entry[:2]) if text] for entry in failed[:_MOST_ENGINES]]
    return ", ".join(f"{entry[0]} ({entry[1]})" if entry[1:] else entry[0] for entry in named if entry)
