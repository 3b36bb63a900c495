"""URLs from a local file that the query names, with or without metadata for each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harvest import photo_keys
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

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002 - makes no request
        """Yield the URLs of the file that the query names, in its order."""
        path = Path(query.text)
        rank = 0
        for row in read_rows(path, _COLUMNS):
            if url := answer_values.parse_url(row.get("url")):
                rank += 1
                yield _hit(row, url, rank)
        if not rank:
            raise Unavailable(f"{path} holds no URL.", "A URL begins with http:// or https://.")


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
