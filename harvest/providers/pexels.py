"""Pexels: stock photographs, 80 per page, with a key; its terms do not allow datasets without its permission."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest.errors import KeyRefused
from harvest.models import Hit
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import Key, NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_ADDRESS = "https://api.pexels.com/v1/search"
_KEYS = "https://www.pexels.com/api/key/"
_TERMS = "https://help.pexels.com/hc/en-us/articles/900005880463"
_COUNT = 80
_LICENCE = licence_parsing.stated_licence("LicenseRef-Pexels", "https://www.pexels.com/license/")
_SIZES = ("original", "large2x", "large")  # the largest first; the others are crops and thumbnails
_COLOURS = frozenset(
    {"red", "orange", "yellow", "green", "turquoise", "blue"} | {"violet", "pink", "brown", "black", "gray", "white"}
)
_SPELLINGS = {"grey": "gray", "teal": "turquoise", "purple": "violet"}


class Pexels(Provider):
    """Pexels: photographs under its own licence, each with its author."""

    name: ClassVar = "PEXELS"
    label: ClassVar = "Pexels"
    about: ClassVar = "stock photographs; its terms forbid datasets without permission; needs a key"
    key: ClassVar = Key("PEXELS_API_KEY", _KEYS, "Its terms do not allow datasets and training without its permission")
    supported_filters: ClassVar = frozenset({"licence", "photos", "colour"})  # it has only photographs
    in_all: ClassVar = False  # because of its terms: the user must choose it by name
    pace: ClassVar = 1.0  # 200 requests an hour; it answers 429 to more

    def notes(self) -> list[str]:
        """Return what its terms say about datasets."""
        return [f"Pexels does not allow datasets and training with its API without its permission ({_TERMS})."]

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, 80 per page."""
        self.check()
        return NewHits(self.most, enlarge=False).filter_new(self._walk(query, pages))

    def _walk(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        params: dict[str, object] = {"query": query.text, "per_page": max(1, min(query.limit or _COUNT, _COUNT))}
        if colour := _colour(query):
            params["color"] = colour
        headers = {"Authorization": self._key()}
        number: int | None = 1
        while number is not None:
            found = parse(pages.get(_ADDRESS, params={**params, "page": number}, headers=headers))
            yield found.hits
            number = found.more


def _colour(query: Query) -> str | None:
    """Return Pexels' name of the colour, or `None` if it has none for it."""
    colour = (query.filters.colour or "").casefold()
    colour = _SPELLINGS.get(colour, colour)
    return colour if colour in _COLOURS else None


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it is not one."""
    if page.status == HTTPStatus.UNAUTHORIZED:
        raise KeyRefused("Pexels does not accept the key (401).", f"Compare PEXELS_API_KEY with {_KEYS}")
    answer = json_response.read_object(page, Pexels.label)
    photos = json_response.read_list(page, Pexels.label, answer, "photos")
    hits = [hit for hit in map(_hit, photos) if hit]
    if photos and not hits:
        raise json_response.page_changed(page, Pexels.label, "photos that cannot be read")
    number = answer_values.parse_number(answer_values.url_parameter(page.url, "page")) or 1
    more = number + 1 if hits and isinstance(answer.get("next_page"), str) else None
    return PageResults(hits, more, answer_values.parse_number(answer.get("total_results")))


def _hit(photo: dict[str, Any]) -> Hit | None:
    sizes = answer_values.as_object(photo.get("src"))
    urls = list(dict.fromkeys(filter(None, (answer_values.parse_url(sizes.get(size)) for size in _SIZES))))
    number = answer_values.parse_number(photo.get("id"), answer_values.IDENTITY)
    if not urls or number is None:
        return None
    is_original = answer_values.parse_url(sizes.get("original")) is not None
    return Hit(
        url=urls[0],
        provider=Pexels.name,
        source=f"pexels:{number}",
        page=answer_values.parse_url(photo.get("url")),
        title=answer_values.parse_text(photo.get("alt")),
        width=answer_values.parse_number(photo.get("width")) if is_original else None,
        height=answer_values.parse_number(photo.get("height")) if is_original else None,
        author=answer_values.parse_text(photo.get("photographer")),
        author_url=answer_values.parse_url(photo.get("photographer_url")),
        licence=_LICENCE,
        others=tuple(urls[1:]),
    )
