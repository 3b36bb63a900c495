"""Flickr, through flickrapi: one call a page, with everything a hit needs among its extras."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import flickrapi
import requests

from harvest.errors import PageChanged, Unreachable
from harvest.licences import LicenceFilter
from harvest.models import Safe
from harvest.providers import parsing
from harvest.providers.base import Key, NewHits, PageResults, Provider
from harvest.providers.flickr_answers import CAP, LICENCES, SIZES, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.models import Hit, Query
    from harvest.web.search_session import SearchPage, SearchSession

_PER_PAGE = 500
_BEGINNING = 1_075_593_600  # February 2004, when Flickr opened
_DAY = 86_400
_TRIES = 3
_LOST = 16  # pages in a row without a new photo: of a half that is halved again, the best are known already
_SAFE = {Safe.STRICT: 1, Safe.MODERATE: 2, Safe.OFF: 3}
_EXTRAS = ",".join(("license", "owner_name", "path_alias", *(f"url_{size}" for size in SIZES)))
# They print the key, in calls and in signatures.
for _logger in ("flickrapi", "oauthlib", "requests_oauthlib"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL + 1)


class Flickr(Provider):
    """Flickr: photographs by their makers, each with its author and licence."""

    name: ClassVar = "FLICKR"
    label: ClassVar = "Flickr"
    about: ClassVar = "photographs with author and licence; needs a key"
    key: ClassVar = Key(
        "FLICKR_API_KEY",
        "https://www.flickr.com/services/apps/create/apply",
        "Since 2025 Flickr makes new keys for Pro accounts only",
    )
    variables: ClassVar = ("FLICKR_API_SECRET",)
    supported_filters: ClassVar = frozenset({"licence", "photos", "since", "until", "safe"})
    pace: ClassVar = 1.0  # 3600 calls an hour and key
    most: ClassVar = 100_000

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the 4000 hits that fit the query best, then the others by the time they came to Flickr."""
        self.check()
        api = _Api(self._setting("FLICKR_API_KEY"), self._setting("FLICKR_API_SECRET"), pages)
        ask = partial(_ask, api.photos.search, **_parameters(query))
        start, end = _dates(query)
        dates = {"max_upload_date": end} | ({"min_upload_date": start} if query.filters.since else {})
        sieve = NewHits(self.most, enlarge=False)
        first = ask(page=1, **dates)
        yield from sieve.filter_new(_window(ask, first, **dates))
        if (first.total or 0) > CAP:
            yield from sieve.filter_new(_halves(ask, start, end), patience=_LOST)


def _dates(query: Query) -> tuple[int, int]:
    """Return since and until when photos came to Flickr: those that come meanwhile shift no page."""
    since, until = query.filters.since, query.filters.until
    now = int(time.time())
    return (
        parsing.parse_day(since) if since else _BEGINNING,
        min(now, parsing.parse_day(until, end=True)) if until else now,
    )


def _parameters(query: Query) -> dict[str, object]:
    wish = query.filters.licence
    wanted = [number for number, licence in LICENCES.items() if licence.allows(wish)]
    return {
        "text": query.text,  # Flickr knows "phrases" and -exclusions as engines do
        "license": ",".join(sorted(wanted, key=int)) if wish is not LicenceFilter.ANY else None,
        "sort": "relevance",
        "media": "photos",
        "content_types": "0",  # photographs; 1 are screenshots, 2 others
        "safe_search": _SAFE[query.filters.safe],
        "per_page": max(1, min(query.limit or _PER_PAGE, _PER_PAGE)),
        "extras": _EXTRAS,
    }


def _window(ask: Callable[..., PageResults], found: PageResults, **dates: int) -> Iterator[list[Hit]]:
    yield found.hits
    while found.more is not None:
        found = ask(page=found.more, **dates)
        yield found.hits


def _halves(ask: Callable[..., PageResults], since: int, until: int) -> Iterator[list[Hit]]:
    """Read what came between two moments half by half, the later first; a half beyond the cap likewise."""
    middle = (since + until) // 2
    for start, end in ((middle + 1, until), (since, middle)):
        dates = {"min_upload_date": start, "max_upload_date": end}
        found = ask(page=1, **dates)
        if (found.total or 0) > CAP and end - start > _DAY:
            yield found.hits
            yield from _halves(ask, start, end)
        else:
            yield from _window(ask, found, **dates)


def _ask(call: Callable[..., SearchPage], **parameters: object) -> PageResults:
    """Ask for a page; what Flickr calls passing, and an odd answer, is asked again."""
    for _ in range(_TRIES - 1):
        page = call(**parameters)
        with suppress(Unreachable, PageChanged):
            return parse(page)
    return parse(call(**parameters))


class _Api(flickrapi.FlickrAPI):  # type: ignore[misc] # it has no types
    """Flickr's calls, sent through our pages: unsigned with a key alone, signed with a secret."""

    def __init__(self, key: str, secret: str, pages: SearchSession) -> None:
        super().__init__(key, secret, format="json", store_token=False)
        self._secret, self._pages = secret, pages

    def _flickr_call(self, timeout: float | None = None, **parameters: Any) -> SearchPage:  # noqa: ARG002
        if not self._secret:  # flickrapi itself would sign with nothing and leave the key out
            key = self.flickr_oauth.key
            return self._pages.get(self.REST_URL, params={**parameters, "api_key": key})
        signed = requests.Request("GET", self.REST_URL, params=parameters, auth=self.flickr_oauth.oauth).prepare()
        signature: Any = signed.headers["Authorization"]  # bytes, whatever its type says
        return self._pages.get(str(signed.url), headers={"Authorization": signature.decode("ascii")})
