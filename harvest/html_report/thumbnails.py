"""Make small copies of images for a page, with the same checks as for downloaded images."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.images.decode_small import decode_small
from harvest.models import Refusal

if TYPE_CHECKING:
    from PIL import Image

SIDE = 240  # pixels of the longer side: twice the displayed size, for high-resolution screens
LARGEST = 200 << 20  # bytes of a file
_QUALITIES = (60, 40, 20)  # a lower one is tried if the copy is too large
_MOST_BYTES = 11 << 10  # of one copy


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image as the page shows it: its copy as a data URI, or the reason why there is none."""

    uri: str = ""
    width: int = 0
    height: int = 0
    hole: str = ""
    link: str = ""  # to the image itself, from the page


def shrink(data: bytes, *, link: str = "", side: int = SIDE, most: int = _MOST_BYTES) -> Thumbnail:
    """Return a small copy of the bytes of an image: no side is longer than `side`, and it has at most `most` bytes."""
    image = _decode(data, side)
    if isinstance(image, Refusal):
        return Thumbnail(hole=f"cannot be shown: {image.detail or image.verdict}")
    copy = _encode(image, most)
    uri = f"data:image/webp;base64,{base64.b64encode(copy).decode()}"
    return Thumbnail(uri, image.width, image.height, link=link)


def relative_link(file: Path, folder: Path) -> str:
    """Return the URL of a file relative to a folder; empty if there is none."""
    try:
        relative = os.path.relpath(file.absolute(), folder.absolute())
    except ValueError:  # another drive on Windows
        return ""
    return "/".join(quote(os.fsencode(part)) for part in Path(relative).parts)


@refuse_unexpected
def _decode(data: bytes, side: int) -> Image.Image | Refusal:
    return decode_small(data, side)


def _encode(image: Image.Image, most: int) -> bytes:
    """Return an image as WebP; noise that is too large at the lowest quality is made smaller."""
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            image.info = {}  # metadata must not reach the page
            image.save(file, "WEBP", quality=quality, method=2)
            data = file.getvalue()
            if len(data) <= most or max(image.size) <= 1:
                return data
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
