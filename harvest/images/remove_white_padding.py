"""Remove the white padding of an image that this program or FastClass made square."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_WHITE = 240  # of 255: JPEG leaves ripples in the white next to an edge


def remove_padding(image: Image.Image) -> Image.Image:
    """Remove the white bars from a square image that this program or FastClass padded.

    Fingerprints are computed without padding. Call it only for a file whose EXIF says that it was
    harvested: a user's own photograph on white is not padded.
    """
    if abs(image.width - image.height) > 1:
        return image
    levels = np.asarray(image).min(axis=2)
    rows, columns = _find_content(levels.min(axis=1)), _find_content(levels.min(axis=0))
    return image.crop((columns[0], rows[0], columns[1], rows[1]))


def _find_content(lines: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the start and the end of the content between two white bars of equal width."""
    dark = np.flatnonzero(lines < _WHITE)
    if not len(dark):
        return 0, len(lines)
    bar = min(int(dark[0]), len(lines) - 1 - int(dark[-1]))  # beyond it, the image itself is white
    return (bar + 1, len(lines) - bar - 1) if bar > 1 else (0, len(lines))  # the line at the edge is half white
