"""Pixabay: stock images, at most 500 per query, with a key; its terms do not allow systematic mass downloads."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from harvest.errors import Blocked, KeyRefused, ProviderError, Unanswerable
from harvest.models import Hit, Safe
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import Key, NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_ADDRESS = "https://pixabay.com/api/"
_DOCUMENTATION = "https://pixabay.com/api/docs/"
_LEAST, _COUNT = 3, 200  # results per page
_CAP = 500
_LONGEST = 100  # characters of a query
_LICENCE = licence_parsing.stated_licence("LicenseRef-Pixabay", "https://pixabay.com/service/license-summary/")
_SIZES = ("imageURL", "fullHDURL", "largeImageURL", "webformatURL")  # only approved keys get the first two
_LANGUAGES = frozenset(
    {"cs", "da", "de", "en", "es", "fr", "id", "it", "hu", "nl", "no", "pl", "pt", "ro", "sk", "fi", "sv", "tr", "vi"}
    | {"th", "bg", "ru", "el", "ja", "ko", "zh"}
)
_COLOURS = frozenset(
    {"red", "orange", "yellow", "green", "turquoise", "blue", "lilac", "pink", "white", "gray", "black", "brown"}
    | {"transparent", "grayscale"}
)
_SPELLINGS = {"grey": "gray", "teal": "turquoise", "purple": "lilac", "bw": "grayscale"}


class Pixabay(Provider):
    """Pixabay: images under its own licence, each with its author."""

    name: ClassVar = "PIXABAY"
    label: ClassVar = "Pixabay"
    about: ClassVar = "stock images; its terms forbid systematic mass downloads; needs a key"
    key: ClassVar = Key("PIXABAY_API_KEY", _DOCUMENTATION, "Its terms do not allow systematic mass downloads")
    supported_filters: ClassVar = frozenset({"licence", "min_size", "photos", "colour", "safe", "language"})
    in_all: ClassVar = False  # because of its terms: the user must choose it by name
    pace: ClassVar = 1.0  # 100 requests a minute
    most: ClassVar = _CAP

    def notes(self) -> list[str]:
        """Return what its terms say about downloads."""
        return [f"Pixabay does not allow systematic mass downloads through its API ({_DOCUMENTATION})."]

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, 200 per page."""
        self.check()
        return NewHits(self.most, enlarge=False).filter_new(self._walk(query, pages))

    def _walk(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        params = {**_parameters(query), "key": self._key()}
        number: int | None = 1
        while number is not None:
            found = parse(pages.get(_ADDRESS, params={**params, "page": number}))
            yield found.hits
            number = found.more


def _parameters(query: Query) -> dict[str, object]:
    filters = query.filters
    colour = (filters.colour or "").casefold()
    colour = _SPELLINGS.get(colour, colour)
    params = {
        "q": query.text[:_LONGEST],
        "per_page": max(_LEAST, min(query.limit or _COUNT, _COUNT)),
        "image_type": "photo" if filters.photos else "all",
        "safesearch": str(filters.safe is not Safe.OFF).lower(),
        "min_width": filters.min_size,  # of the original, which may be larger than what a key gets
        "min_height": filters.min_size,
        "colors": colour if colour in _COLOURS else None,
        "lang": filters.language if filters.language in _LANGUAGES else None,
    }
    return {name: value for name, value in params.items() if value is not None}


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it is not one."""
    number, size = (
        answer_values.parse_number(answer_values.url_parameter(page.url, name)) for name in ("page", "per_page")
    )
    if page.status == HTTPStatus.BAD_REQUEST:
        if number and number > 1 and "out of valid range" in page.text:
            return PageResults([])  # past the end
        raise _failure(page)
    answer = json_response.read_object(page, Pixabay.label)
    listed = json_response.read_list(page, Pixabay.label, answer, "hits")
    hits = [hit for hit in map(_hit, listed) if hit]
    if listed and not hits:
        raise json_response.page_changed(page, Pixabay.label, "images that cannot be read")
    total = answer_values.parse_number(answer.get("totalHits")) or 0
    more = (number or 1) + 1 if hits and (number or 1) * (size or _COUNT) < total else None
    return PageResults(hits, more, total or None)


def _hit(image: dict[str, Any]) -> Hit | None:
    urls = list(dict.fromkeys(filter(None, (answer_values.parse_url(image.get(size)) for size in _SIZES))))
    number = answer_values.parse_number(image.get("id"), answer_values.IDENTITY)
    if not urls or number is None:
        return None
    is_original = answer_values.parse_url(image.get("imageURL")) is not None
    user, user_id = (
        answer_values.parse_text(image.get("user")),
        answer_values.parse_number(image.get("user_id")),
    )
    return Hit(
        url=urls[0],
        provider=Pixabay.name,
        source=f"pixabay:{number}",
        page=answer_values.parse_url(image.get("pageURL")),
        title=answer_values.parse_text(image.get("tags")),
        width=answer_values.parse_number(image.get("imageWidth")) if is_original else None,
        height=answer_values.parse_number(image.get("imageHeight")) if is_original else None,
        author=user,
        author_url=f"https://pixabay.com/users/{quote(user, safe='')}-{user_id}/" if user and user_id else None,
        licence=_LICENCE,
        others=tuple(urls[1:]),
    )


def _failure(page: SearchPage) -> ProviderError:
    """Return the error for a refusal, such as the plain text `[ERROR 400] Invalid API key`."""
    reason = answer_values.parse_text(page.text, html=True) if page.text.lstrip().startswith("[ERROR") else None
    if reason is None:
        return Blocked(
            f"Pixabay answers {page.status} instead of results.", "harvest stopped searching Pixabay. Try again later."
        )
    if "api key" in reason.lower():
        return KeyRefused(
            f"Pixabay does not accept the key: {reason}", f"Compare PIXABAY_API_KEY with {_DOCUMENTATION}"
        )
    return Unanswerable(f"Pixabay refuses this search: {reason}", "Change the query, or leave Pixabay out.")
