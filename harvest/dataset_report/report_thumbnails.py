"""Make the small copies of the images that the report shows, several at a time, within the limit of the page."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import StorageError
from harvest.html_report.thumbnails import LARGEST, Thumbnail, relative_link, shrink

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harvest.dataset import Dataset, SampleRow

_SIDE = 200  # pixels of the longer side: about twice the displayed size
_ALL_BYTES = 3 << 20  # of all copies together; Base64 adds a third
_MOST_BYTES = 10 << 10  # of one copy
_THREADS = 4


class ImageTile(NamedTuple):
    """An image with its small copy, and its number in the credits."""

    row: SampleRow
    thumbnail: Thumbnail
    number: int


def make_tiles(dataset: Dataset, rows: Iterable[SampleRow], folder: Path, *, shown_twice: int) -> dict[int, ImageTile]:
    """Return the tiles of images by their id, numbered in their order; links are relative to `folder`.

    `shown_twice` is the number of copies that the page contains twice.
    """
    unique = list({row.id: row for row in rows}.values())
    most = min(_MOST_BYTES, _ALL_BYTES // max(1, len(unique) + shown_twice))

    def make(row: SampleRow) -> Thumbnail:
        return _make_thumbnail(dataset, row, folder, most)

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        copies = list(pool.map(make, unique))
    return {
        row.id: ImageTile(row, copy, number) for number, (row, copy) in enumerate(zip(unique, copies, strict=True), 1)
    }


def _make_thumbnail(dataset: Dataset, row: SampleRow, folder: Path, most: int) -> Thumbnail:
    try:
        data = dataset.read_image(row.class_name, row.name, rejected=row.is_rejected, most=LARGEST)
        if data is None:
            return Thumbnail(hole="missing, or too large to show")
        path = dataset.image_path(row.class_name, row.name, rejected=row.is_rejected)
    except (StorageError, OSError, ValueError) as error:
        return Thumbnail(hole=f"cannot be read: {error}"[:200])
    return shrink(data, link=relative_link(path, folder), side=_SIDE, most=most)
