"""Make a small JPEG of an image for the review page, with the same checks as for a download."""

from __future__ import annotations

import io

from PIL import ImageFilter, ImageStat

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.images.decode_small import decode_small
from harvest.models import Refusal

SIDE = 240  # pixels of the longer side
_QUALITY = 75
_SHARPNESS_SIDE = 512  # pixels; images are compared at the same size


@refuse_unexpected
def make_thumbnail(body: bytes) -> bytes | Refusal:
    """Return a JPEG with a longest side of at most 240 pixels, or why the image cannot be decoded."""
    image = decode_small(body, SIDE)
    if isinstance(image, Refusal):
        return image
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


@refuse_unexpected
def measure_sharpness(body: bytes) -> float | Refusal:
    """Return the variance of the edges of an image: the larger, the sharper; only for copies of one image."""
    image = decode_small(body, _SHARPNESS_SIDE)
    if isinstance(image, Refusal):
        return image
    edges = image.convert("L").filter(ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128))
    return float(ImageStat.Stat(edges).var[0])
