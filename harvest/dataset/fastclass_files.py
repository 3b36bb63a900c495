"""Read the files that FastClass wrote next to a class folder: the URLs of its images, and their ratings by fcc."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from harvest import photo_keys
from harvest.files import disk
from harvest.files.check_names_and_cells import escape
from harvest.files.ledger_names_to_paths import normalize_name
from harvest.models import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES = 32 << 20  # of one file: 300,000 lines
_MOST_ADDRESS = 4_000  # characters of a URL
_URL = re.compile(r"https?://[^\s/][^\s]*", re.ASCII | re.IGNORECASE)
_DELETED = "d"  # what fcc writes for an image that is marked to be deleted


def read_url_log(folder: Path, provider: str) -> dict[str, Hit]:
    """Return the hit of each image of a class folder that its `.log` file names; empty without such a file.

    FastClass does not quote the URL, which may contain commas. It does not write which search engine found it.
    """
    hits = {}
    for line in _read_lines(folder.with_name(f"{folder.name}.log"), "image,source"):
        name, _, url = line.partition(",")
        if len(url) <= _MOST_ADDRESS and url.isprintable() and _URL.fullmatch(url):
            hits[_file_name(name)] = Hit(url=url, provider=provider, source=photo_keys.source_key(url))
    return hits


def read_report(folder: Path) -> tuple[dict[str, int], set[str]]:
    """Return the ratings, 1 to 9, and the images that are marked as deleted, of the report that fcc wrote."""
    ratings, deleted = {}, set()
    for line in _read_lines(folder.with_name(f"{folder.name.replace(' ', '_')}_report_all.csv"), "file;rank"):
        name, _, rank = line.rpartition(";")
        if rank == _DELETED:
            deleted.add(_file_name(name))
        elif rank in set("123456789"):
            ratings[_file_name(name)] = int(rank)
    return ratings, deleted


def _read_lines(path: Path, header: str) -> Iterator[str]:
    """Yield the lines after the header; none if the file is missing, a link, unreadable or another kind of file."""
    with suppress(OSError), disk.open_to_read(path) as file:
        lines = file.read(_MOST_BYTES).decode("utf-8-sig", "replace").splitlines()
        if lines and lines[0].strip() == header:
            yield from (line.strip() for line in lines[1:])


def _file_name(path: str) -> str:
    """Return the name in the ledger of a file that FastClass wrote with or without its folder."""
    return normalize_name(escape(re.split(r"[/\\]", path)[-1]))
