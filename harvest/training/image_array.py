"""Load an image as the input of a network: upright, on white, resized by its shorter side, center-cropped.

The same as transformers does with preprocessor_config.json, except for JPEGs far larger than needed: they
are decoded at a half, quarter or eighth of their size.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.images import headers
from harvest.images.decode import decode
from harvest.models import Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_GAP = 3.0  # images over six times too large are averaged first: no visible difference, half the time


def resize_side(size: int) -> int:
    """Return the shorter side before the center crop: 256 for 224, as networks are trained.

    >>> resize_side(224), resize_side(64)
    (256, 73)
    """
    return round(size * 8 / 7)


@refuse_unexpected
def load_image(picture: bytes | Path | None, size: int) -> Image.Image | Refusal:
    """Decode an image for a network: sRGB, upright, on white, its shorter side at most `resize_side(size)`.

    `None`, an image that could not be read, is refused.
    """
    if picture is None:
        return Refusal(Verdict.BROKEN_IMAGE, "it cannot be read")
    try:
        body = picture if isinstance(picture, bytes) else picture.read_bytes()
    except OSError as error:
        return Refusal(Verdict.BROKEN_IMAGE, f"it cannot be read: {error.strerror or error}")
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return header
    short, long = sorted((header.width, header.height))
    side = resize_side(size)
    decoded = decode(body, header, -(-side * long // max(1, short)))
    if isinstance(decoded, Refusal):
        return decoded
    left, top, right, bottom = decoded.box
    target = _fit_shorter_side(right - left, bottom - top, side)
    if target[0] < right - left:
        image = decoded.image.resize(target, Image.Resampling.BILINEAR, decoded.box, _GAP)
        decoded = replace(decoded, image=image, box=(0, 0, *target))
    return decoded.resized(0)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """Return the center of an image as a square of `size`: the view for every prediction."""
    return crop_square(image, size, 0.5, 0.5)


def crop_square(image: Image.Image, size: int, x: float, y: float) -> Image.Image:
    """Return a part of an image as a square of `size`; x and y are 0 at the left and the top, 1 at the other end."""
    wide, high = _fit_shorter_side(image.width, image.height, resize_side(size))
    left, top = int((wide - size) * x), int((high - size) * y)
    if (wide, high) == image.size:
        return image.crop((left, top, left + size, top + size))
    # Only this part is resized: a thin image, enlarged as a whole, would take gigabytes (1 × 65,535: 8 GB).
    across, down = image.width / wide, image.height / high
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize((size, size), Image.Resampling.BILINEAR, box, _GAP)


def to_tensor(image: Image.Image, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """Return a normalized tensor of an image, channels × rows × columns."""
    import torch  # noqa: PLC0415 - takes two seconds, and model.onnx does not need it

    return normalize(torch.from_numpy(np.array(image)[None]), mean, std)[0]


def normalize(levels: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """Return normalized tensors of images given as bytes, images × rows × columns × channels.

    The memory layout stays channels last, with which convolutions are fastest.
    """
    values = levels.float()
    shift, scale = 255 * values.new_tensor(mean), 255 * values.new_tensor(std)
    return ((values - shift) / scale).permute(0, 3, 1, 2)


def _fit_shorter_side(width: float, height: float, side: int) -> tuple[int, int]:
    """Return the size whose shorter side is `side`, rounded as transformers rounds."""
    short, long = sorted((width, height))
    longer = int(side * long / max(1, short))
    return (side, longer) if width <= height else (longer, side)
