"""Pages of Google Images that somebody saved in a browser: the way without a key that works.

A page belongs to the query that stands in its search box, or that its file is named by.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bs4 import BeautifulSoup

from harvest.errors import PageChanged, Unanswerable, Unavailable
from harvest.providers import parsing
from harvest.providers.base import NewHits, Provider
from harvest.providers.google.result_page import has_only_thumbnails, parse_results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Hit, Query
    from harvest.web.search_session import SearchSession

_LARGEST = 64 * 2**20  # bytes of a page; one that was scrolled for long had 9 million
_HOW = (
    "In your browser: search at https://images.google.com, scroll as far as you like, and save the page\n"
    'as "Webpage, Complete" or "HTML Only" (.html); a single file (.mhtml) has lost what is needed.'
)
_LONGEST, _MOST = 5_000, 100  # characters of a form's field, and fields of a page
_NUMBERED = re.compile(r"\s*\(\d+\)$")  # the second download of one name
_TITLED = re.compile(r"\s+[-–—]\s+[^-–—]*google[^-–—]*$", re.IGNORECASE)  # "- Google Search", in any language
_WORD = re.compile(r"-?[^\W_]+")
_BOX = re.compile(r"<(?:textarea|input)\s[^<>]*>[^<]*", re.ASCII | re.IGNORECASE)


class SavedPages(Provider):
    """Pages that a person saved; nobody is asked."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "saved pages"
    variables: ClassVar = ("HARVEST_GOOGLE_PAGES",)
    most: ClassVar = 100_000
    probe: ClassVar = None

    @property
    def _folder(self) -> Path:
        return Path(self._setting("HARVEST_GOOGLE_PAGES")).expanduser()

    def check(self) -> None:
        """Raise `Unavailable` when there is no page."""
        if not self._files():
            raise Unavailable(f"Google: {self._folder} holds no saved page (.html).", _HOW)

    def notes(self) -> list[str]:
        """Say how pages saved later are found."""
        return ["Google: pages saved since the last run of a query are read with --refresh."]

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002 - nobody is asked
        """Yield the hits of the pages that belong to the query, file by file."""
        self.check()
        mine = [path for path, names in self._names.items() if _belongs(path, names, query.text)]
        if not mine:
            searched = sorted(set().union(*self._names.values()))
            raise Unanswerable(
                f"Google: none of the saved pages in {self._folder} is of {query.text!r}.",
                f"They are of: {'; '.join(searched[:9]) or 'nothing that they name'}.\n"
                f"Save one of it, or name its file by the query. {_HOW}",
            )
        yield from NewHits(self.most).filter_new((_hits(path) for path in mine), patience=len(mine))

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix.lower() in {".html", ".htm"})
        except OSError as error:
            raise Unavailable(f"Google: {self._folder} cannot be read: {error.strerror}.", _HOW) from None

    @cached_property
    def _names(self) -> dict[Path, set[str]]:
        """What stands in each page's search box; every page is read for it, once."""
        return {path: _read_search_box(_text(path)) for path in self._files()}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise Unavailable(f"Google: {path} is larger than {_LARGEST >> 20} MiB.", "Is it a saved page?")
        return path.read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise Unavailable(f"Google: {path} cannot be read: {error.strerror}.") from None


def _read_search_box(text: str) -> set[str]:
    """Return what stands in the search box, if there is one."""
    boxes = (box[0] for box in _BOX.finditer(text) if len(box[0]) <= _LONGEST and "name" in box[0])
    found = BeautifulSoup("".join(islice(boxes, _MOST)), "html.parser").select("[name=q]")
    said = (str(box.get("value") or "") if box.name == "input" else box.get_text() for box in found)
    return {name for name in map(parsing.parse_text, said) if name}


def _belongs(path: Path, names: set[str], query: str) -> bool:
    wanted = " ".join(_words(query))
    return any(_same(name) == _same(query) for name in names) or any(
        " ".join(_words(name)) == wanted for name in _stems(path)
    )


def _stems(path: Path) -> tuple[str, str]:
    """Return what a file's name may say: all of it, or what stands before the browser's addition."""
    stem = _NUMBERED.sub("", path.stem)
    return stem, _TITLED.sub("", stem)


def _same(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _words(text: str) -> list[str]:
    """Return the words of a text, those to leave out with their minus: file names hold no quotes."""
    return _WORD.findall(_same(text))


def _hits(path: Path) -> list[Hit]:
    text = _text(path)
    if hits := parse_results(text):
        return hits
    what = "thumbnails only, in a layout not known" if has_only_thumbnails(text) else "no results that can be read"
    raise PageChanged(f"Google: {path} has {what}.", _HOW, text)
