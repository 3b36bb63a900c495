"""URLs from a local file that the query names, with or without metadata for each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harvest import photo_keys
from harvest.counts_as_text import count
from harvest.errors import Unavailable
from harvest.licences import Licence
from harvest.models import Hit
from harvest.providers import answer_values, licence_parsing
from harvest.providers.base import Provider
from harvest.providers.read_url_file import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchSession

_MOST_NAMED = 5  # skipped lines whose numbers the warning has
_COLUMNS = {  # column names in use → our names
    name: ours
    for ours, names in {
        "url": "url imageurl originalurl contenturl src identifier",
        "page": "page pageurl landingurl foreignlandingurl originallandingurl sourcepage referrer",
        "title": "title caption text alt alttext description",
        "author": "author creator photographer artist username ownername",
        "author_url": "authorurl creatorurl authorprofileurl",
        "licence": "license licence licenseid licenceid spdx rights",
        "licence_url": "licenseurl licenceurl",
        "width": "width originalwidth",
        "height": "height originalheight",
    }.items()
    for name in names.split()
}


class Urls(Provider):
    """Images at the URLs in a local file; its path is relative to the current folder."""

    name: ClassVar = "URLS"
    label: ClassVar = "URLs"
    about: ClassVar = "URLs in a local file: .txt, .csv, .tsv, .jsonl, .parquet"
    in_all: ClassVar = False
    pace: ClassVar = 0.0
    most: ClassVar = sys.maxsize
    probe: ClassVar = None
    supported_filters: ClassVar = frozenset({"licence"})  # stated in the file for each image

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self._skipped: _SkippedLines | None = None

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002 - makes no request
        """Yield the URLs of the file that the query names, in its order."""
        path = Path(query.text)
        rank = 0
        self._skipped = skipped = _SkippedLines(path)
        for number, row in read_rows(path, _COLUMNS, skipped.add):
            if url := answer_values.parse_url(row.get("url")):
                rank += 1
                yield _hit(row, url, rank)
            else:
                skipped.add(number)
        if not rank:
            self._skipped = None
            raise Unavailable(f"{path} holds no URL.", "A URL begins with http:// or https://.")

    def warnings(self) -> list[str]:
        """Return how many lines of the last file are not usable URLs, and the numbers of the first ones."""
        skipped, self._skipped = self._skipped, None
        return [skipped.describe()] if skipped and skipped.count else []


class _SkippedLines:
    """The number of lines of a file that are not usable URLs, and the first of them: the file may be very long."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._first: list[int] = []

    def add(self, number: int) -> None:
        """Count a line."""
        self.count += 1
        if len(self._first) < _MOST_NAMED:
            self._first.append(number)

    def describe(self) -> str:
        """Return the warning."""
        noun = "row" if self._path.suffix.casefold() == ".parquet" else "line"
        numbers = ", ".join(map(str, self._first)) + (", …" if self.count > len(self._first) else "")
        return (
            f"{self._path}: skipped {count(self.count, noun)} without a usable URL "
            f"({noun} {numbers}). A URL begins with http:// or https://, and has no user name."
        )


def _hit(row: Mapping[str, object], url: str, rank: int) -> Hit:
    return Hit(
        url=url,
        provider=Urls.name,
        source=photo_keys.source_key(url),
        rank=rank,
        page=answer_values.parse_url(row.get("page")),
        title=answer_values.parse_text(row.get("title")),
        width=_side(row.get("width")),
        height=_side(row.get("height")),
        author=answer_values.parse_text(row.get("author")),
        author_url=answer_values.parse_url(row.get("author_url")),
        licence=_licence(row.get("licence"), row.get("licence_url")),
    )


def _side(value: object) -> int | None:
    # In a table with missing widths, the others are often written with a decimal point.
    return answer_values.parse_number(str(value).removesuffix(".0")) if isinstance(value, int | float | str) else None


def _licence(*texts: object) -> Licence:
    known = (licence_parsing.parse_licence(text) for text in texts if isinstance(text, str))
    return next((licence for licence in known if licence.id), Licence())
