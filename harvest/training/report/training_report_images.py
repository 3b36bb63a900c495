"""Make small copies of the images of a dataset, each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.html_report.thumbnails import LARGEST, Thumbnail, relative_link, shrink

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.labelled_pictures.image_reader import ImageReader


@dataclass(slots=True)
class ReportThumbnails:
    """Thumbnails of the images of one dataset, each made once; those of files are links to them."""

    images: ImageReader | None
    page: Path  # the folder of the page
    _cache: dict[str, Thumbnail] = field(default_factory=dict)

    def get(self, path: str) -> Thumbnail:
        """Return the thumbnail of an image by its path in the dataset."""
        if path not in self._cache:
            self._cache[path] = self._make(path)
        return self._cache[path]

    def _make(self, path: str) -> Thumbnail:
        if self.images is None:
            return Thumbnail(hole="the dataset folder is not known")
        if path in self.images.in_shards:
            data = self.images.read(path)
            return Thumbnail(hole="missing or damaged in its shard") if data is None else shrink(data)
        file = self.images.file(path)
        try:
            if not file.is_file():
                return Thumbnail(hole="deleted since")
            if file.stat().st_size > LARGEST:
                return Thumbnail(hole="too large to show")
            return shrink(file.read_bytes(), link=relative_link(file, self.page))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            return Thumbnail(hole=f"cannot be read: {getattr(error, 'strerror', None) or error}")
