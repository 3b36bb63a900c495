"""What a picture looks like, in a few hundred bytes: hashes to find its twins, thumbnails to confirm them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harvest.models import Look

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 8  # a thumbnail is SIDE x SIDE pixels of RGB; a look holds one of the whole and one of the middle
_REDUCED = 96  # longest side that is looked at; details finer than that are the camera's or the encoder's
_FLAT = 12  # levels a border line may spread: JPEG rings around an edge even on plain white
_MOST = 0.3  # share of a side that may be border; more is the picture's own background


def look(image: Image.Image) -> Look:
    """Return the look of an upright RGB picture.

    >>> look(Image.new("RGB", (40, 30), "white")) == look(Image.new("RGB", (80, 60), "white"))
    True
    """
    small = _trimmed(_reduced(image))
    inset = (small.width * 0.05, small.height * 0.05)
    box = (inset[0], inset[1], small.width - inset[0], small.height - inset[1])
    middle = small.crop(box) if min(inset) >= 1 else small
    hashes = np.array([_phash(small), _phash(middle)], "<u8")
    return Look(hashes.tobytes() + _thumb(small) + _thumb(middle))


def _reduced(image: Image.Image) -> Image.Image:
    scale = _REDUCED / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _trimmed(image: Image.Image) -> Image.Image:
    """Cut uniform borders, one line more than seen: the next is a mixture of border and picture."""
    pixels = np.asarray(image).astype(np.int16)
    top, bottom = _edges(pixels)
    left, right = _edges(pixels.transpose(1, 0, 2))
    return image.crop((left, top, right, bottom))


def _edges(lines: NDArray[np.int16]) -> tuple[int, int]:
    first, last = _border(lines), _border(lines[::-1])
    return first, len(lines) - last


def _border(lines: NDArray[np.int16]) -> int:
    flat = (np.abs(lines - lines[0, :1]).max(axis=(1, 2)) <= _FLAT).astype(bool)
    depth = len(lines) if flat.all() else int(flat.argmin())
    return depth + 1 if 0 < depth <= len(lines) * _MOST else 0


def _phash(image: Image.Image) -> int:
    import imagehash  # noqa: PLC0415 - pulls scipy in, which takes longer to load than all the rest

    bits = imagehash.phash(image).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _thumb(image: Image.Image) -> bytes:
    return image.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()
