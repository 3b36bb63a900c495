"""Make small copies of the images of a dataset folder, each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harvest.html_report.thumbnails import LARGEST, Thumbnail, relative_link, shrink

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class TreeThumbnails:
    """Thumbnails of the images of one dataset, each made once."""

    tree: Path | None
    page: Path  # the folder of the page
    _cache: dict[str, Thumbnail] = field(default_factory=dict)

    def get(self, path: str) -> Thumbnail:
        """Return the thumbnail of an image by its path in the dataset."""
        if path not in self._cache:
            self._cache[path] = self._make(path)
        return self._cache[path]

    def _make(self, path: str) -> Thumbnail:
        if self.tree is None:
            return Thumbnail(hole="the dataset folder is not known")
        file = self.tree.joinpath(*PurePosixPath(path).parts)
        try:
            if not file.is_file():
                return Thumbnail(hole="deleted since")
            if file.stat().st_size > LARGEST:
                return Thumbnail(hole="too large to show")
            return shrink(file.read_bytes(), link=relative_link(file, self.page))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            return Thumbnail(hole=f"cannot be read: {getattr(error, 'strerror', None) or error}")
