"""Serper: a paid service that searches Google, a hundred results per page, with some free queries at first."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import photo_keys
from harvest.errors import Blocked, KeyRefused, ProviderError, RateLimited, Unanswerable
from harvest.models import Hit
from harvest.providers import answer_values
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.providers.google import google_filters
from harvest.providers.json_response import page_changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_ADDRESS = "https://google.serper.dev/images"
_COUNT = 100
_ACCOUNT = "https://serper.dev/dashboard"
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_PASSED_ON = ("safe", "hl", "gl")  # of Google's parameters; whether it passes on `tbs` for images is not documented


class Serper(Provider):
    """Google's results through Serper; licences unknown."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "Serper"
    variables: ClassVar = ("SERPER_API_KEY",)
    supported_filters: ClassVar = frozenset({"safe", "language", "region", "site"})

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, a hundred per page."""
        return NewHits(self.most).filter_new(self._walk(query, pages))

    def _walk(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        parameters = google_filters.search_parameters(query.filters)
        fields: dict[str, object] = {
            "q": google_filters.search_text(query),
            "num": max(1, min(query.limit or _COUNT, _COUNT)),
            **{name: parameters[name] for name in _PASSED_ON if name in parameters},
        }
        headers = {"X-API-KEY": self._setting("SERPER_API_KEY")}
        number: int | None = 1
        while number is not None:
            found = parse(pages.post(_ADDRESS, fields={**fields, "page": number}, headers=headers), number)
            yield found.hits
            number = found.more


def parse(page: SearchPage, number: int = 1) -> PageResults:
    """Read a response, page `number` of a search; raise the error it reports when it is not a list of results."""
    if page.status != HTTPStatus.OK:
        raise _failure(page)
    images = answer_values.as_object(page.json()).get("images")
    hits = [hit for hit in map(_hit, answer_values.as_objects(images)) if hit]
    if not isinstance(images, list) or (images and not hits):
        raise page_changed(page, "Serper", "a response with neither results nor a sign that there are none")
    return PageResults(hits, number + 1 if hits else None)


def _hit(result: dict[str, Any]) -> Hit | None:
    if (url := answer_values.parse_url(result.get("imageUrl"))) is None:
        return None
    return Hit(
        url=url,
        provider="GOOGLE",
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("link")),
        title=answer_values.parse_text(result.get("title")),
        width=answer_values.parse_number(result.get("imageWidth")),
        height=answer_values.parse_number(result.get("imageHeight")),
        author=answer_values.parse_text(result.get("creator")),
    )


def _failure(page: SearchPage) -> ProviderError:
    answer = page.json() if page.text.lstrip().startswith("{") else None
    reason = answer_values.parse_text(answer_values.as_object(answer).get("message"))
    if not reason:
        return Blocked(
            f"Google, through Serper, answers {page.status} instead of results.",
            "harvest stopped searching Google. Try again later.",
        )
    if "credit" in reason.lower():
        return RateLimited(f"Serper has no credits left for this key: {reason}", _ACCOUNT)
    if page.status in _REFUSED:
        return KeyRefused(f"Serper does not accept the key: {reason}", f"Compare SERPER_API_KEY with {_ACCOUNT}")
    return Unanswerable(f"Serper refuses this search: {reason}", "Change the query, or leave Google out.")
