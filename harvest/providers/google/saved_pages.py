"""Pages of Google Images that the user saved in a browser: the backend that works without a key.

A page belongs to the query in its search box, or to the query in its file name. A page that cannot be read is skipped
and named; only a query without another page fails.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bs4 import BeautifulSoup

from harvest.errors import Unanswerable, Unavailable
from harvest.providers import answer_values
from harvest.providers.base import NewHits, Provider
from harvest.providers.google.result_page import count_shown, has_only_thumbnails, parse_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.models import Hit, Query
    from harvest.web.request_search_pages import SearchSession

_LARGEST = 64 * 2**20  # bytes of a page; a page scrolled for long had 9 million
_HOW_TO_SAVE = (
    "In your browser: search at https://images.google.com, scroll as far as you like, and save the page\n"
    'as "Webpage, Complete" or "HTML Only" (.html). A single file (.mhtml) lacks the results.'
)
_LONGEST, _MOST = 5_000, 100  # characters of a form field, and form fields of a page
_NUMBERED = re.compile(r"\s*\(\d+\)$")  # added to the second download of one name
_TITLED = re.compile(r"\s+[-–—]\s+[^-–—]*google[^-–—]*$", re.IGNORECASE)  # "- Google Search", in any language
_WORD = re.compile(r"-?[^\W_]+")  # keeps the minus; browsers drop the quotes of phrases from file names
_BOX = re.compile(r"<(?:textarea|input)\s[^<>]*>[^<]*", re.ASCII | re.IGNORECASE)


class SavedPages(Provider):
    """Pages that the user saved; makes no request."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "saved pages"
    variables: ClassVar = ("HARVEST_GOOGLE_PAGES",)
    most: ClassVar = 100_000
    probe: ClassVar = None

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self._reported: set[str] = set()

    @property
    def _folder(self) -> Path:
        return Path(self._setting("HARVEST_GOOGLE_PAGES")).expanduser()

    def check(self) -> None:
        """Raise `Unavailable` when there is no saved page."""
        if not self._files():
            raise Unavailable(f"Google: {self._folder} holds no saved page (.html).", _HOW_TO_SAVE)

    def notes(self) -> list[str]:
        """Return how pages saved later are read."""
        return ["Google: pages saved after the last run of a query are read with --refresh."]

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of the pages that belong to the query, file by file; makes no request."""
        self.check()
        for path, problem in self._unreadable.items():
            self._report(f"Google: {path} {problem}; skipped.", pages)
        matching = [path for path, names in self._names.items() if _belongs(path, names, query.text)]
        if not matching:
            searched = sorted(set().union(*self._names.values()))
            raise Unanswerable(
                f"Google: none of the saved pages in {self._folder} is for {query.text!r}.",
                f"They are for: {'; '.join(searched[:9]) or 'no query that they name'}.\n"
                f"Save a page for it, or name its file after the query. {_HOW_TO_SAVE}",
            )
        saved = {path: _read_page(path) for path in matching}
        problems = [f"{path} {page.problem}" for path, page in saved.items() if page.problem]
        if len(problems) == len(saved):
            raise Unanswerable(
                f"Google: no saved page for {query.text!r} can be read: {'; '.join(problems)}.", _HOW_TO_SAVE
            )
        for path, page in saved.items():
            if path not in self._unreadable and (note := page.describe()):
                self._report(f"Google: {path} {note}", pages)
        yield from NewHits(self.most).filter_new((page.hits for page in saved.values()), patience=len(matching))

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix.lower() in {".html", ".htm"})
        except OSError as error:
            raise Unavailable(f"Google: {self._folder} cannot be read: {error.strerror}.", _HOW_TO_SAVE) from None

    @cached_property
    def _search_boxes(self) -> dict[Path, tuple[set[str], str]]:
        """The text in the search box of each page, and why a page cannot be read; every page is read once."""
        texts = ((path, *_read_text(path)) for path in self._files())  # one in memory at a time
        return {path: (_read_search_box(text), problem) for path, text, problem in texts}

    @property
    def _names(self) -> dict[Path, set[str]]:
        return {path: names for path, (names, _) in self._search_boxes.items()}

    @property
    def _unreadable(self) -> dict[Path, str]:
        return {path: problem for path, (_, problem) in self._search_boxes.items() if problem}

    def _report(self, message: str, pages: SearchSession) -> None:
        """Show a message once, although a page may belong to several queries."""
        if message not in self._reported:
            self._reported.add(message)
            pages.report(message)


@dataclass(frozen=True, slots=True)
class SavedPage:
    """The images of a page, the number of images that it shows, and why none can be read."""

    hits: list[Hit]
    shown: int = 0
    problem: str = ""

    def describe(self) -> str:
        """Return what the user should know about the page, if anything."""
        if self.problem:
            return f"{self.problem}; skipped. {_HOW_TO_SAVE}"
        if self.shown > len(self.hits):
            return (
                f"has the addresses of some images only: {self.shown:,} shown, {len(self.hits):,} readable.\n"
                "Google sends about 100 addresses with a page. To get others, also save a page for similar words, "
                "and name its file after the query."
            )
        return ""


def _read_page(path: Path) -> SavedPage:
    text, problem = _read_text(path)
    if problem:
        return SavedPage([], problem=problem)
    if hits := parse_results(text):
        return SavedPage(hits, count_shown(text))
    what = "thumbnails only, in an unknown layout" if has_only_thumbnails(text) else "no results that can be read"
    return SavedPage([], problem=f"has {what}")


def _read_text(path: Path) -> tuple[str, str]:
    """Return the text of a file, or an empty one and the reason why it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return "", f"is larger than {_LARGEST >> 20} MiB"
        return path.read_text("utf-8-sig", errors="replace"), ""
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def _read_search_box(text: str) -> set[str]:
    """Return the text in the search box, if there is one."""
    boxes = (box[0] for box in _BOX.finditer(text) if len(box[0]) <= _LONGEST and "name" in box[0])
    found = BeautifulSoup("".join(islice(boxes, _MOST)), "html.parser").select("[name=q]")
    texts = (str(box.get("value") or "") if box.name == "input" else box.get_text() for box in found)
    return {name for name in map(answer_values.parse_text, texts) if name}


def _belongs(path: Path, names: set[str], query: str) -> bool:
    query_words = " ".join(_words(query))
    return any(_normalize(name) == _normalize(query) for name in names) or any(
        " ".join(_words(name)) == query_words for name in _stems(path)
    )


def _stems(path: Path) -> tuple[str, str]:
    """Return the possible queries in a file name: all of it, or the part before the browser's addition."""
    stem = _NUMBERED.sub("", path.stem)
    return stem, _TITLED.sub("", stem)


def _normalize(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _words(text: str) -> list[str]:
    """Return the words of a text, excluded ones with their minus; file names contain no quotes."""
    return _WORD.findall(_normalize(text))
