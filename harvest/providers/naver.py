"""Naver: the image search of Korea's largest search engine, through its official API, a thousand hits per query.

Since 2026-07-31 keys come from NAVER API HUB. Those of the earlier Naver Developers Center work until 2027-06-30.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import photo_keys
from harvest.errors import Blocked, KeyMissing, KeyRefused, ProviderError, Unanswerable
from harvest.models import Hit
from harvest.providers import answer_values, json_response
from harvest.providers.base import Key, NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_COUNT = 100
_LAST_START = 1000
_KEYS = "https://guide.ncloud-docs.com/docs/en/apihub-use"
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class NaverPlatform:
    """One of the platforms with the same API: its address, the variables of its keys, and their headers."""

    address: str
    id_variable: str
    secret_variable: str
    id_header: str
    secret_header: str


_HUB = NaverPlatform(
    "https://naverapihub.apigw.ntruss.com/search/v1/image",
    "NAVER_API_HUB_CLIENT_ID",
    "NAVER_API_HUB_CLIENT_SECRET",
    "X-NCP-APIGW-API-KEY-ID",
    "X-NCP-APIGW-API-KEY",
)
_DEVELOPERS = NaverPlatform(
    "https://openapi.naver.com/v1/search/image",
    "NAVER_CLIENT_ID",
    "NAVER_CLIENT_SECRET",
    "X-Naver-Client-Id",
    "X-Naver-Client-Secret",
)
_PLATFORMS = (_HUB, _DEVELOPERS)


class Naver(Provider):
    """Naver Images: the Korean web, through an official API with a key; licences unknown."""

    name: ClassVar = "NAVER"
    label: ClassVar = "Naver"
    about: ClassVar = "the Korean web, 1000 per query; needs a client id and secret"
    key: ClassVar = Key(
        _HUB.id_variable,
        _KEYS,
        f"Register an application with the search API; {_HUB.secret_variable} is needed too",
        also=(_DEVELOPERS.id_variable,),
    )
    variables: ClassVar = tuple(platform.secret_variable for platform in _PLATFORMS)
    pace: ClassVar = 0.5  # 25,000 requests a day
    most: ClassVar = 1000

    def check(self) -> None:
        """Raise `KeyMissing` without the client id and the secret of one platform."""
        super().check()
        if self._platform() is None:
            has_id = next(platform for platform in _PLATFORMS if self._setting(platform.id_variable))
            raise KeyMissing(
                f"Naver also needs the client secret, in the variable {has_id.secret_variable}.",
                f"See {_KEYS} and run: harvest keys set {has_id.secret_variable}",
            )

    def notes(self) -> list[str]:
        """Return when the platform of the keys ends, if it does."""
        if self._platform() is not _DEVELOPERS:
            return []
        return [f"Naver ends keys of its Developers Center on 2027-06-30. Those of NAVER API HUB go on: {_KEYS}"]

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query by relevance, a hundred per page."""
        self.check()
        return NewHits(self.most).filter_new(self._walk(query, pages, self._platform() or _HUB))

    def _walk(self, query: Query, pages: SearchSession, platform: NaverPlatform) -> Iterator[list[Hit]]:
        count = max(1, min(query.limit or _COUNT, _COUNT))
        params = {"query": query.text, "display": count, "sort": "sim", "filter": "all"}
        headers = {
            platform.id_header: self._setting(platform.id_variable),
            platform.secret_header: self._setting(platform.secret_variable),
        }
        start: int | None = 1
        while start is not None:
            found = parse(pages.get(platform.address, params={**params, "start": start}, headers=headers))
            yield found.hits
            start = found.more

    def _platform(self) -> NaverPlatform | None:
        """Return the first platform with both keys."""
        for platform in _PLATFORMS:
            if self._setting(platform.id_variable) and self._setting(platform.secret_variable):
                return platform
        return None


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise the error it reports when it is not one."""
    if page.status != HTTPStatus.OK:
        raise _failure(page)
    answer = json_response.read_object(page, Naver.label)
    items = json_response.read_list(page, Naver.label, answer, "items")
    hits = [hit for hit in map(_hit, items) if hit]
    if items and not hits:
        raise json_response.page_changed(page, Naver.label, "results that cannot be read")
    start = answer_values.parse_number(answer_values.url_parameter(page.url, "start")) or 1
    following = start + (answer_values.parse_number(answer_values.url_parameter(page.url, "display")) or _COUNT)
    total = answer_values.parse_number(answer.get("total"))
    return PageResults(hits, following if hits and following <= min(total or 0, _LAST_START) else None, total)


def _hit(item: dict[str, Any]) -> Hit | None:
    if (url := answer_values.parse_url(item.get("link"))) is None:
        return None
    return Hit(
        url=url,
        provider=Naver.name,
        source=photo_keys.source_key(url),
        title=answer_values.parse_text(item.get("title"), html=True),
        width=answer_values.parse_number(item.get("sizewidth")),
        height=answer_values.parse_number(item.get("sizeheight")),
    )


def _failure(page: SearchPage) -> ProviderError:
    """Return the error for a refusal; the two platforms state their reason in different fields."""
    answer = answer_values.as_object(page.json() if page.text.lstrip().startswith("{") else None)
    stated = answer.get("errorMessage"), answer_values.as_object(answer.get("error")).get("message")
    reason = next(filter(None, map(answer_values.parse_text, stated)), None)
    if reason is None:
        return Blocked(
            f"Naver answers {page.status} instead of results.", "harvest stopped searching Naver. Try again later."
        )
    if page.status in _REFUSED:
        return KeyRefused(
            f"Naver does not accept the key: {reason}",
            f"Compare the client id and secret with your application, which must include the search API: {_KEYS}",
        )
    return Unanswerable(f"Naver refuses this search: {reason}", "Change the query, or leave Naver out.")
