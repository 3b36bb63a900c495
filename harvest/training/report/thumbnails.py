"""Small copies of pictures within the page, made through the guards that all pictures from outside pass."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from harvest.images import headers
from harvest.images.decode import decode
from harvest.models import Refusal
from harvest.unexpected import refuse_unexpected

if TYPE_CHECKING:
    from PIL import Image

SIDE = 240  # pixels of the longer side: twice what is shown, for sharp screens
_QUALITIES = (60, 40, 20)
_ROOM = 11 << 10  # bytes of one: noise is stored more coarsely
_LARGEST = 200 << 20  # bytes of a file


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as the page shows it: its copy as a data URI, or the reason why there is a hole."""

    uri: str = ""
    width: int = 0
    height: int = 0
    hole: str = ""
    link: str = ""  # to the picture itself, from the page


@dataclass(slots=True)
class Thumbnails:
    """Copies of the pictures of one tree, each made once."""

    tree: Path | None
    page: Path  # the folder that the page lies in
    _made: dict[str, Thumbnail] = field(default_factory=dict)

    def of(self, path: str) -> Thumbnail:
        """Return the copy of a picture by its path within the tree."""
        if path not in self._made:
            self._made[path] = self._make(path)
        return self._made[path]

    def _make(self, path: str) -> Thumbnail:
        if self.tree is None:
            return Thumbnail(hole="the folder of the pictures is not known")
        file = self.tree.joinpath(*PurePosixPath(path).parts)
        try:
            if not file.is_file():
                return Thumbnail(hole="gone since")
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
            way = os.path.relpath(file.absolute(), self.page.absolute())
        except ValueError:  # another drive of Windows
            return ""
        return "/".join(quote(os.fsencode(part)) for part in Path(way).parts)


@refuse_unexpected
def _decode(data: bytes) -> Image.Image | Refusal:
    header = headers.read_header(data)
    if isinstance(header, Refusal):
        return header
    negative = decode(data, header, SIDE)
    return negative if isinstance(negative, Refusal) else negative.resized(SIDE)


def _uri(image: Image.Image) -> str:
    data = b""
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.info = {}  # nothing that a plugin read may reach the page
        image.save(file, "WEBP", quality=quality, method=2)
        data = file.getvalue()
        if len(data) <= _ROOM:
            break
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
