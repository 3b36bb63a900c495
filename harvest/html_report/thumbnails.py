"""Make small copies of images for the page, with the same checks as for downloaded images."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.images import headers
from harvest.images.decode import decode
from harvest.models import Refusal

if TYPE_CHECKING:
    from PIL import Image

SIDE = 240  # pixels of the longer side: twice the displayed size, for high-resolution screens
_QUALITIES = (60, 40, 20)  # a lower one is tried if the copy is too large
_MOST_BYTES = 11 << 10  # of one copy
_LARGEST = 200 << 20  # bytes of a file


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image as the page shows it: its copy as a data URI, or the reason why there is none."""

    uri: str = ""
    width: int = 0
    height: int = 0
    hole: str = ""
    link: str = ""  # to the image itself, from the page


@dataclass(slots=True)
class Thumbnails:
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
            if file.stat().st_size > _LARGEST:
                return Thumbnail(hole="too large to show")
            image = _decode(file.read_bytes())
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            return Thumbnail(hole=f"cannot be read: {getattr(error, 'strerror', None) or error}")
        if isinstance(image, Refusal):
            return Thumbnail(hole=f"cannot be shown: {image.detail or image.verdict}")
        return Thumbnail(_uri(image), image.width, image.height, link=self._link(file))

    def _link(self, file: Path) -> str:
        try:
            relative = os.path.relpath(file.absolute(), self.page.absolute())
        except ValueError:  # another drive on Windows
            return ""
        return "/".join(quote(os.fsencode(part)) for part in Path(relative).parts)


@refuse_unexpected
def _decode(data: bytes) -> Image.Image | Refusal:
    header = headers.read_header(data)
    if isinstance(header, Refusal):
        return header
    decoded = decode(data, header, SIDE)
    return decoded if isinstance(decoded, Refusal) else decoded.resized(SIDE)


def _uri(image: Image.Image) -> str:
    data = b""
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.info = {}  # metadata must not reach the page
        image.save(file, "WEBP", quality=quality, method=2)
        data = file.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
