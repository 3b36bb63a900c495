"""Credit each shown image as far as its source states it: title, author, source, licence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from harvest.licences import Licence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harvest.dataset import Attribution, Dataset
    from harvest.dataset_report.report_thumbnails import ImageTile

_LONGEST_HOST = 60
_CREATIVE_COMMONS = re.compile(r"(CC0|CC)-(?:([A-Z-]+)-)?([0-9.]+)(?:-([A-Z]+))?")


class WebLink(NamedTuple):
    """A text with the web address that it leads to, if that is one."""

    text: str
    url: str = ""


class CreditLine(NamedTuple):
    """The credit of one image; an image without a source has only its path."""

    number: int
    path: str
    link: str
    title: str = ""
    author: WebLink | None = None
    origin: WebLink | None = None
    licence: WebLink | None = None
    source: str = ""


def list_credits(dataset: Dataset, tiles: Iterable[ImageTile]) -> Iterator[CreditLine]:
    """Yield the credit of each image."""
    for tile in tiles:
        path = f"{tile.row.class_name}/{tile.row.name}"
        found = dataset.attribution(tile.row.id)
        if found is None:
            yield CreditLine(tile.number, path, tile.thumbnail.link)
        else:
            yield CreditLine(tile.number, path, tile.thumbnail.link, *_describe(found))


def _describe(found: Attribution) -> tuple[str, WebLink | None, WebLink | None, WebLink | None, str]:
    author = WebLink(found.author, web_url(found.author_url)) if found.author else None
    address = web_url(found.page) or web_url(found.url)
    origin = WebLink((urlsplit(address).hostname or "")[:_LONGEST_HOST], address) if address else None
    licence = WebLink(licence_name(found.licence), web_url(found.licence_url)) if found.licence else None
    return (found.title or "").strip(), author, origin, licence, found.source


def licence_name(spdx_id: str) -> str:
    """Return the id of a licence as people write it.

    >>> licence_name("CC-BY-SA-2.0"), licence_name("LicenseRef-CC-BY-3.0-BR"), licence_name("CC0-1.0")
    ('CC BY-SA 2.0', 'CC BY 3.0 BR', 'CC0 1.0')
    >>> licence_name("LicenseRef-Claimed-open"), licence_name("CC-PDM-1.0"), licence_name("LicenseRef-US-Gov")
    ('open, as a search filter claims', 'Public Domain Mark 1.0', 'US Gov')
    """
    if is_claimed(spdx_id):
        return f"{spdx_id.removeprefix('LicenseRef-Claimed-')}, as a search filter claims"
    name = spdx_id.removeprefix("LicenseRef-")
    if found := _CREATIVE_COMMONS.fullmatch(name):
        return " ".join(part for part in found.groups() if part).replace("CC PDM 1.0", "Public Domain Mark 1.0")
    return name.replace("-", " ") if name != spdx_id else name


def is_claimed(spdx_id: str) -> bool:
    """Return whether only a search filter claims that an image has such a licence."""
    return spdx_id.startswith("LicenseRef-Claimed-")


def is_free(spdx_id: str | None) -> bool:
    """Return whether anyone may use and share an image of this licence."""
    return Licence(spdx_id).is_open


def web_url(text: str | None) -> str:
    """Return an address that a page may link; empty for other schemes, and for addresses that are not valid.

    >>> web_url("https://example.org/a b"), web_url("javascript:alert(1)"), web_url("https://[")
    ('https://example.org/a%20b', '', '')
    """
    cleaned = "".join(c for c in (text or "").strip() if c.isprintable()).replace(" ", "%20")
    try:
        parts = urlsplit(cleaned)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return cleaned if is_usable else ""
