"""SerpApi: a paid service that searches Google, a hundred results per page."""

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

_ADDRESS = "https://serpapi.com/search.json"
_NO_RESULTS = "hasn't returned any results"


class SerpApi(Provider):
    """Google's results through SerpApi; licences unknown."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "SerpApi"
    variables: ClassVar = ("SERPAPI_API_KEY",)
    supported_filters: ClassVar = google_filters.SUPPORTED_FILTERS

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, a hundred per page."""
        return NewHits(self.most).filter_new(self._walk(query, pages))

    def _walk(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        number: int | None = 0
        while number is not None:
            found = self._ask(query, number, pages)
            yield found.hits
            number = found.more

    def _ask(self, query: Query, number: int, pages: SearchSession) -> PageResults:
        """Request a page, and once more if it is empty: one in ten is, for no reason (SerpApi #3614)."""
        key = self._setting("SERPAPI_API_KEY")
        params = {
            "engine": "google_images",
            "q": google_filters.search_text(query),
            "ijn": number,
            **google_filters.search_parameters(query.filters),
            "api_key": key,
        }
        found = parse(pages.get(_ADDRESS, params=params))
        if found.hits:
            return found
        # Without `no_cache` the same empty response would come from its cache.
        return parse(pages.get(_ADDRESS, params={**params, "no_cache": "true"}))


def parse(page: SearchPage) -> PageResults:
    """Read a response; raise the error it reports when it is not a list of results."""
    readable = page.status == HTTPStatus.OK or page.text.lstrip().startswith("{")
    answer = answer_values.as_object(page.json()) if readable else {}
    error = answer_values.parse_text(answer.get("error"))
    if error and _NO_RESULTS in error:
        return PageResults([])
    if error or page.status != HTTPStatus.OK:
        raise _failure(page, error)
    hits = [hit for hit in map(_hit, answer_values.as_objects(answer.get("images_results"))) if hit]
    if not hits:
        raise page_changed(page, "SerpApi", "a response with neither results nor a sign that there are none")
    return PageResults(hits, (answer_values.parse_number(answer_values.url_parameter(page.url, "ijn")) or 0) + 1)


def _hit(result: dict[str, Any]) -> Hit | None:
    if (url := answer_values.parse_url(result.get("original"))) is None:
        return None
    return Hit(
        url=url,
        provider="GOOGLE",
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("link")),
        title=answer_values.parse_text(result.get("title")),
        width=answer_values.parse_number(result.get("original_width")),
        height=answer_values.parse_number(result.get("original_height")),
    )


def _failure(page: SearchPage, error: str | None) -> ProviderError:
    reason = (error or "").lower()
    if "run out of searches" in reason or "limit" in reason:
        return RateLimited(f"SerpApi has no searches left for this key: {error}", "https://serpapi.com/dashboard")
    if page.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and error:
        return KeyRefused(
            f"SerpApi does not accept the key: {error}",
            "Compare SERPAPI_API_KEY with https://serpapi.com/manage-api-key",
        )
    if error:
        return Unanswerable(f"SerpApi refuses this search: {error}", "Change the query, or leave Google out.")
    return Blocked(
        f"Google, through SerpApi, answers {page.status} instead of results.",
        "harvest stopped searching Google. Try again later.",
    )
