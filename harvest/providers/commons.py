"""Wikimedia Commons: everything there is free to use; by a search, or a whole category by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from harvest.errors import KeyMissing, RateLimited
from harvest.licences import LicenceFilter
from harvest.providers.base import NewHits, Provider
from harvest.providers.commons_answers import parse, parse_hits, read_batch
from harvest.web.user_agent import USER_AGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.models import Hit, Query
    from harvest.providers.commons_answers import CommonsBatch
    from harvest.web.search_session import SearchPage, SearchSession

__all__ = ["Commons", "parse"]

_API = "https://commons.wikimedia.org/w/api.php"
_CONTACT = "HARVEST_CONTACT"
_REACHABLE = re.compile(r"[!-'*-~]+@[!-'*-~]+\.[!-'*-~]+|https?://[!-'*-~]+\.[!-'*-~]+")  # no brackets
_CATEGORY = re.compile(r"category:\s*(.+)", re.IGNORECASE)
_COUNT = 50  # files an answer
_PARTS = 20  # answers a batch may be split into
_LAG = 5.0  # seconds to wait while its databases lag, as it recommends
_TRIES = 3
_FILES = {
    "action": "query",
    "format": "json",
    "formatversion": 2,
    "maxlag": 5,
    "prop": "imageinfo",
    "iiprop": "url|size|mime|extmetadata",
    "iiextmetadatafilter": "Artist|License|LicenseUrl",
    "iiurlwidth": 1280,
}


class Commons(Provider):
    """Wikimedia Commons: pictures of nearly anything, in categories, each with author and licence."""

    name: ClassVar = "COMMONS"
    label: ClassVar = "Commons"
    about: ClassVar = "Wikimedia's archive of free pictures; wants to know whom to write to"
    variables: ClassVar = (_CONTACT,)
    supported_filters: ClassVar = frozenset({"licence", "min_size", "photos"})
    pace: ClassVar = 1.0
    most: ClassVar = 10_000  # results of a search

    def check(self) -> None:
        """Raise `KeyMissing` without a contact: Commons refuses programs that name nobody."""
        if not _REACHABLE.fullmatch(self._setting(_CONTACT)):
            raise KeyMissing(
                f"Commons wants to know whom to write to: an e-mail or web address in {_CONTACT}.",
                f"Pass --contact you@example.org, or run: harvest keys set {_CONTACT}\n"
                "It goes to Commons with each request.\n"
                "Or leave Commons out and choose others with -c.",
            )

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the files of a search by relevance, or those of a category: `category:NAME`."""
        self.check()
        asked = _FILES | _generator(query)
        headers = {"User-Agent": f"{USER_AGENT} ({self._setting(_CONTACT)})"}

        def ask(following: dict[str, str]) -> tuple[SearchPage, CommonsBatch]:
            """Ask for an answer, and again after a while when the databases lag."""
            for _ in range(_TRIES):
                page = pages.get(_API, params={**following, **asked}, headers=headers)
                if batch := read_batch(page):
                    return page, batch
                pages.pause(_LAG)
            raise RateLimited("Commons is too busy: its databases lag.", "The same line goes on, later.")

        yield from NewHits(self.most).filter_new(_walk(ask))


def _generator(query: Query) -> dict[str, object]:
    count = max(1, min(query.limit or _COUNT, _COUNT))
    if category := _CATEGORY.fullmatch(query.text.strip()):
        title = f"Category:{category[1]}"
        return {"generator": "categorymembers", "gcmtitle": title, "gcmtype": "file", "gcmlimit": count}
    words = ["filetype:bitmap", query.text]
    if query.filters.photos:
        words.append("filemime:image/jpeg")
    if (size := query.filters.min_size) > 1:
        words.append(f"filew:>{size - 1} fileh:>{size - 1}")
    if query.filters.licence is LicenceFilter.PUBLIC_DOMAIN:  # the others are met by nearly all there is
        words.append("haslicense:unrestricted")
    return {"generator": "search", "gsrnamespace": 6, "gsrsearch": " ".join(words), "gsrlimit": count}


def _walk(ask: Callable[[dict[str, str]], tuple[SearchPage, CommonsBatch]]) -> Iterator[list[Hit]]:
    """Follow what Commons says comes next; a batch may be told in parts, which make up its files together."""
    following: dict[str, str] | None = {}
    files: dict[int, dict[str, Any]] = {}
    parts = 0
    while following is not None:
        page, batch = ask(following)
        for number, file in batch.files.items():
            files[number] = files.get(number, {}) | file
        following, parts = batch.following, parts + 1
        if batch.is_whole or following is None or parts == _PARTS:
            yield parse_hits(files, page)
            files, parts = {}, 0
