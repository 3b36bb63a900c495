"""Wikimedia Commons: freely usable files, found by a search or as a whole category."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from bs4 import BeautifulSoup

from harvest import photo_keys
from harvest.errors import KeyMissing, RateLimited, Unanswerable
from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.web.user_agent import CONTACT_VARIABLE, identify, is_contact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_API = "https://commons.wikimedia.org/w/api.php"
_CATEGORY = re.compile(r"category:\s*(.+)", re.IGNORECASE)
_COUNT = 50  # files in one response
_PARTS = 20  # responses that one batch may be split into
_LAG = 5.0  # seconds to wait while its databases lag, as its documentation recommends
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
_EMPTY = {"batchcomplete", "continue", "warnings", "limits"}  # the only keys that a response without files may hold
_READABLE = {"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp"}
_WIDTHS = {20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840}  # since 2026 it serves no other widths
_WIDTH = re.compile(r"/(?:loss(?:y|less)-)?(?:page\d+-)?(\d+)px-[^/]+", re.ASCII)
_LONGEST = 5000  # characters of an author's name in HTML
_NAMES = {"pd": licence_parsing.PUBLIC_DOMAIN, "cc0": licence_parsing.CC0, "cc-zero": licence_parsing.CC0}


class Commons(Provider):
    """Wikimedia Commons: images of nearly anything, in categories, each with author and licence."""

    name: ClassVar = "COMMONS"
    label: ClassVar = "Commons"
    about: ClassVar = "Wikimedia's archive of free images; requires your contact address"
    variables: ClassVar = (CONTACT_VARIABLE,)
    supported_filters: ClassVar = frozenset({"licence", "min_size", "photos"})
    pace: ClassVar = 1.0
    most: ClassVar = 10_000  # results of a search

    def check(self) -> None:
        """Raise `KeyMissing` without a contact: Commons refuses programs that do not name one."""
        if not is_contact(self._setting(CONTACT_VARIABLE)):
            raise KeyMissing(
                f"Commons requires a contact: an e-mail or web address in {CONTACT_VARIABLE}.",
                f"Pass --contact you@example.org, or run: harvest keys set {CONTACT_VARIABLE}\n"
                "It is sent to Commons with each request.\n"
                "Or leave Commons out and choose other providers with -c.",
            )

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the files of a search by relevance, or those of a category with `category:NAME`."""
        self.check()
        params = _FILES | _generator(query)
        headers = {"User-Agent": identify(self._setting(CONTACT_VARIABLE))}

        def ask(following: dict[str, str]) -> tuple[SearchPage, CommonsBatch]:
            """Request one response, and retry after a pause while the databases lag."""
            for _ in range(_TRIES):
                page = pages.get(_API, params={**following, **params}, headers=headers)
                if batch := read_batch(page):
                    return page, batch
                pages.pause(_LAG)
            raise RateLimited("Commons is too busy: its databases lag.", "Run the same command later to continue.")

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
    if query.filters.licence is LicenceFilter.PUBLIC_DOMAIN:  # nearly all files meet the others
        words.append("haslicense:unrestricted")
    return {"generator": "search", "gsrnamespace": 6, "gsrsearch": " ".join(words), "gsrlimit": count}


def _walk(ask: Callable[[dict[str, str]], tuple[SearchPage, CommonsBatch]]) -> Iterator[list[Hit]]:
    """Follow the continuation of each response. A batch may be split over several responses; merge their files."""
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


class CommonsBatch(NamedTuple):
    """One response: files by page id, the parameters of the next request, and whether the batch is complete."""

    files: dict[int, dict[str, Any]]
    following: dict[str, str] | None
    is_whole: bool


def read_batch(page: SearchPage) -> CommonsBatch | None:
    """Read one response; return `None` when the databases lag and the request should be repeated."""
    answer = json_response.read_object(page, Commons.label)
    if error := answer_values.as_object(answer.get("error")):
        if error.get("code") == "maxlag":
            return None
        reason = answer_values.parse_text(error.get("info")) or "no reason given"
        raise Unanswerable(f"Commons refuses this search: {reason}", "Change the query, or leave Commons out.")
    listed, following = answer_values.as_object(answer.get("query")).get("pages"), answer.get("continue")
    if listed is None and "batchcomplete" in answer and answer.keys() <= _EMPTY:
        listed = []
    if isinstance(listed, dict):  # the format's first version
        listed = list(listed.values())
    files = {
        number: file
        for file in answer_values.as_objects(listed)
        if (number := answer_values.parse_number(file.get("pageid"), answer_values.IDENTITY))
    }
    if not isinstance(listed, list) or (listed and not files) or not isinstance(following, dict | None):
        raise json_response.page_changed(page, Commons.label, "a response without files")
    return CommonsBatch(
        files,
        None if following is None else {str(name): str(value) for name, value in following.items()},
        "batchcomplete" in answer,
    )


def parse(page: SearchPage) -> PageResults:
    """Read the hits of one response, and the offset of the next one."""
    batch = read_batch(page) or CommonsBatch({}, None, is_whole=True)
    return PageResults(
        parse_hits(batch.files, page), answer_values.parse_number((batch.following or {}).get("gsroffset"))
    )


def parse_hits(files: Mapping[int, dict[str, Any]], page: SearchPage) -> list[Hit]:
    """Return the images among files in their order; `page` is attached to the error if the layout has changed."""
    listed = sorted(files.values(), key=lambda file: answer_values.parse_number(file.get("index")) or 0)
    described = [(file, info) for file in listed if "url" in (info := _image_info(file))]
    if listed and not described:
        raise json_response.page_changed(page, Commons.label, "files without URLs")
    return [hit for file, info in described if (hit := _hit(file, info))]


def _image_info(file: dict[str, Any]) -> dict[str, Any]:
    """Return the image information of the newest version of a file; it may be missing."""
    return next(iter(answer_values.as_objects(file.get("imageinfo"))), {})


def _hit(file: dict[str, Any], info: dict[str, Any]) -> Hit | None:
    original, thumb = (_file_url(info.get(name)) for name in ("url", "thumburl"))
    width = _WIDTH.search(thumb or "")
    if width is None or int(width[1]) not in _WIDTHS:
        thumb = None
    kind = str(info.get("mime", "image/jpeg"))
    # Drawings and scans (SVG, TIFF) are only usable as a rendition; videos, sounds and books are not images.
    urls = [url for url in (original if kind in _READABLE else None, thumb) if url]
    if original is None or not urls or not kind.startswith("image/"):
        return None
    size = "" if urls[0] == original else "thumb"
    artist, name, url = (_value(info, name) for name in ("Artist", "License", "LicenseUrl"))
    title = str(file.get("title", "")).partition(":")[2]
    return Hit(
        url=urls[0],
        provider=Commons.name,
        source=photo_keys.source_key(original),
        page=_file_url(info.get("descriptionurl")),
        title=answer_values.parse_text(title.rpartition(".")[0] or title),
        width=answer_values.parse_number(info.get(f"{size}width")),
        height=answer_values.parse_number(info.get(f"{size}height")),
        author=answer_values.parse_text(artist, html=True),
        author_url=_link(artist),
        licence=_licence(name, url),
        others=tuple(urls[1:]),
    )


def _file_url(value: object) -> str | None:
    """Return a URL without the tracking parameters that Commons adds since 2026."""
    url = answer_values.parse_url(value)
    return url.partition("?utm_")[0] if url else None


def _value(info: dict[str, Any], name: str) -> str:
    value = answer_values.as_object(answer_values.as_object(info.get("extmetadata")).get(name)).get("value")
    return value if isinstance(value, str) else ""


def _link(artist: str) -> str | None:
    """Return the URL that the author's name links to."""
    if "<a" not in artist or len(artist) > _LONGEST:
        return None
    anchor = BeautifulSoup(artist, "html.parser").select_one("a[href]")
    link = str(anchor["href"]) if anchor else ""
    return answer_values.parse_url(f"https:{link}" if link.startswith("//") else link)


def _licence(name: str, url: str) -> Licence:
    licences = (licence_parsing.parse_licence(text) for text in (name, url))
    return next((licence for licence in licences if licence.id), _NAMES.get(name.casefold(), Licence()))
