"""Flickr, through flickrapi: one call per page; its `extras` hold everything a hit needs."""

from __future__ import annotations

import logging
import re
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import flickrapi
import requests

from harvest.errors import (
    ASK_THE_DOCTOR,
    Blocked,
    KeyRefused,
    PageChanged,
    ProviderError,
    RateLimited,
    Unavailable,
    Unreachable,
)
from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit, Safe
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import Key, NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_PER_PAGE = 500
_BEGINNING = 1_075_593_600  # February 2004, when Flickr opened
_DAY = 86_400
_TRIES = 3
_LOST = 16  # pages in a row without a new photo: the best photos of each half are known from the whole
_SAFE = {Safe.STRICT: 1, Safe.MODERATE: 2, Safe.OFF: 3}
CAP = 4000  # distinct results of one search; after them Flickr repeats itself
SIZES = ("o", "6k", "5k", "4k", "3k", "k", "h", "l", "c", "z", "m")  # of a photo, largest first
_REFUSED = {401, 403}  # sent by a firewall; Flickr itself refuses with 200
_BAD_KEY = {"96", "97", "98", "99", "100"}
_TEMPORARY = {"0", "10", "105", "106", "201"}
_LAST_COMMA = re.compile(r",\s*\}\s*\Z")
_CHANGED = f"Its response format may have changed. {ASK_THE_DOCTOR}"
LICENCES = {
    "0": licence_parsing.stated_licence(
        "LicenseRef-All-Rights-Reserved", "https://www.flickrhelp.com/hc/en-us/articles/10710266545556"
    ),
    "7": licence_parsing.NO_KNOWN_RESTRICTIONS,
    "8": licence_parsing.stated_licence("LicenseRef-US-Gov", "https://www.usa.gov/government-copyright"),
    "9": licence_parsing.CC0,
    "10": licence_parsing.PUBLIC_DOMAIN_MARK,
}
for _version, _numbered in {
    "2.0": {"1": "by-nc-sa", "2": "by-nc", "3": "by-nc-nd", "4": "by", "5": "by-sa", "6": "by-nd"},
    "4.0": {"11": "by", "12": "by-sa", "13": "by-nd", "14": "by-nc", "15": "by-nc-sa", "16": "by-nc-nd"},
}.items():
    LICENCES |= {number: licence_parsing.creative_commons(terms, _version) for number, terms in _numbered.items()}
_EXTRAS = ",".join(("license", "owner_name", "path_alias", *(f"url_{size}" for size in SIZES)))
# These loggers print the key, in calls and in signatures.
for _logger in ("flickrapi", "oauthlib", "requests_oauthlib"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL + 1)


class Flickr(Provider):
    """Flickr: photographs, each with its author and licence."""

    name: ClassVar = "FLICKR"
    label: ClassVar = "Flickr"
    about: ClassVar = "photographs with author and licence; needs a key"
    key: ClassVar = Key(
        "FLICKR_API_KEY",
        "https://www.flickr.com/services/apps/create/apply",
        # The quotation is from that page; it is there since March 2025.
        'Flickr gives new keys to Pro accounts only: "API key creation is currently disabled for free accounts".\n'
        "Openverse holds Flickr's openly licensed photographs and needs no key: -c OPENVERSE",
    )
    variables: ClassVar = ("FLICKR_API_SECRET",)
    supported_filters: ClassVar = frozenset({"licence", "photos", "since", "until", "safe"})
    pace: ClassVar = 1.0  # 3600 calls per hour and key
    most: ClassVar = 100_000

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the 4000 most relevant hits, then the others by upload time."""
        self.check()
        api = _Api(self._setting("FLICKR_API_KEY"), self._setting("FLICKR_API_SECRET"), pages)
        ask = partial(_ask, api.photos.search, **_parameters(query))
        start, end = _dates(query)
        dates = {"max_upload_date": end} | ({"min_upload_date": start} if query.filters.since else {})
        new_hits = NewHits(self.most, enlarge=False)
        first = ask(page=1, **dates)
        yield from new_hits.filter_new(_window(ask, first, **dates))
        if (first.total or 0) > CAP:
            yield from new_hits.filter_new(_halves(ask, start, end), patience=_LOST)


def _dates(query: Query) -> tuple[int, int]:
    """Return the range of upload times. Its fixed end keeps photos uploaded meanwhile from shifting the pages."""
    since, until = query.filters.since, query.filters.until
    now = int(time.time())
    return (
        answer_values.parse_day(since) if since else _BEGINNING,
        min(now, answer_values.parse_day(until, end=True)) if until else now,
    )


def _parameters(query: Query) -> dict[str, object]:
    licence_filter = query.filters.licence
    numbers = [number for number, licence in LICENCES.items() if licence.allows(licence_filter)]
    return {
        "text": query.text,  # Flickr supports "phrases" and -exclusions
        "license": ",".join(sorted(numbers, key=int)) if licence_filter is not LicenceFilter.ANY else None,
        "sort": "relevance",
        "media": "photos",
        "content_types": "0",  # photographs; 1: screenshots, 2: others
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
    """Read a range of upload times half by half, the later first; split a half over the cap again."""
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
    """Request a page; repeat the request after a temporary error or an unreadable response."""
    for _ in range(_TRIES - 1):
        page = call(**parameters)
        with suppress(Unreachable, PageChanged):
            return parse(page)
    return parse(call(**parameters))


class _Api(flickrapi.FlickrAPI):  # type: ignore[misc] # it has no types
    """Flickr's calls, sent through the search session: unsigned with a key alone, signed with a secret."""

    def __init__(self, key: str, secret: str, pages: SearchSession) -> None:
        super().__init__(key, secret, format="json", store_token=False)
        self._secret, self._pages = secret, pages

    def _flickr_call(self, timeout: float | None = None, **parameters: Any) -> SearchPage:  # noqa: ARG002
        if not self._secret:  # flickrapi would sign with an empty secret and leave the key out
            key = self.flickr_oauth.key
            return self._pages.get(self.REST_URL, params={**parameters, "api_key": key})
        signed = requests.Request("GET", self.REST_URL, params=parameters, auth=self.flickr_oauth.oauth).prepare()
        signature: Any = signed.headers["Authorization"]  # bytes, although typed as str
        return self._pages.get(str(signed.url), headers={"Authorization": signature.decode("ascii")})


def parse(page: SearchPage) -> PageResults:
    """Read a response of photos.search; raise the error it reports when it is not a list of photos."""
    if page.status in _REFUSED:
        raise Blocked(
            f"Flickr answers {page.status} instead of results.", "harvest stopped searching Flickr. Try again later."
        )
    answer = _parse_json(page)
    if not isinstance(answer, dict) or answer.get("stat") != "ok":
        raise _failure(answer if isinstance(answer, dict) else {}, page.text)
    photos = answer.get("photos")
    fields = photos if isinstance(photos, dict) else {}
    total, listed = answer_values.parse_number(fields.get("total")), fields.get("photo")
    if listed is None and str(fields.get("total")) == "0":
        listed = []
    hits = [hit for hit in map(_hit, listed) if hit] if isinstance(listed, list) else []
    if not isinstance(listed, list) or (listed and not hits):
        raise PageChanged(
            f"Flickr reports {total or 'no'} photos, and none of those it sent can be read.", _CHANGED, page.text
        )
    number, last, per_page = (
        answer_values.parse_number(fields.get(name)) or 1 for name in ("page", "pages", "perpage")
    )
    return PageResults(hits, number + 1 if number < last and number * per_page < CAP else None, total)


def _parse_json(page: SearchPage) -> object:
    """Return the JSON of a response; some errors of Flickr (code 201) have a comma after their last field."""
    if page.text.lstrip().startswith("{") and '"fail"' in page.text:
        page = replace(page, text=_LAST_COMMA.sub("}", page.text))
    if page.status != HTTPStatus.OK and not page.text.lstrip().startswith("{"):
        reason = json_response.read_reason(page) or "no reason given"
        raise Unreachable(f"Flickr answers {page.status} instead of results: {reason}", ASK_THE_DOCTOR)
    return page.json()


def _failure(answer: dict[str, object], text: str) -> ProviderError:
    code, message = str(answer.get("code")), answer_values.parse_text(answer.get("message")) or ""
    reason = f"{message} (code {code})"
    if code in _BAD_KEY:
        return KeyRefused(
            f"Flickr does not accept the key: {reason}",
            "Compare FLICKR_API_KEY, and FLICKR_API_SECRET if set, with https://www.flickr.com/services/api/keys/",
        )
    if code in _TEMPORARY:
        return Unreachable(f"Flickr cannot search now: {reason}", "Run the same command again to continue from here.")
    if any(word in message.lower() for word in ("quota", "rate limit", "exceeded")):
        return RateLimited(f"Flickr's rate limit for this key is reached: {reason}", "Try again in an hour.")
    if answer.get("stat") == "fail":
        return Unavailable(f"Flickr refuses this search: {reason}", "Change the query, or leave Flickr out.")
    return PageChanged("Flickr sent a response that is not a search result.", _CHANGED, text)


def _hit(photo: object) -> Hit | None:
    if not isinstance(photo, dict):
        return None
    identity = str(photo.get("id"))
    sizes = [size for size in SIZES if answer_values.parse_url(photo.get(f"url_{size}"))]
    if not sizes or not (identity.isascii() and identity.isdecimal()):
        return None
    urls = list(dict.fromkeys(str(answer_values.parse_url(photo[f"url_{size}"])) for size in sizes))
    names = (answer_values.parse_text(photo.get(name)) for name in ("pathalias", "path_alias", "owner"))
    owner = quote(next(filter(None, names), "-"), safe="@")
    return Hit(
        url=urls[0],
        provider=Flickr.name,
        source=f"flickr:{identity}",
        page=f"https://www.flickr.com/photos/{owner}/{identity}",
        title=answer_values.parse_text(photo.get("title"), html=True),
        width=answer_values.parse_number(photo.get(f"width_{sizes[0]}")),
        height=answer_values.parse_number(photo.get(f"height_{sizes[0]}")),
        author=answer_values.parse_text(photo.get("ownername"), html=True),
        author_url=f"https://www.flickr.com/people/{owner}/",
        licence=LICENCES.get(str(photo.get("license")), Licence()),
        others=tuple(urls[1:]),
    )
