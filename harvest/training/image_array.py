"""From a file to the numbers that a network sees: upright, on white, the shorter side to size, the middle.

The same as transformers does with what preprocessor_config.json says, but for JPEGs far larger than needed:
they are decoded at a half, quarter or eighth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harvest.images import headers
from harvest.images.decode import decode
from harvest.models import Refusal
from harvest.unexpected import refuse_unexpected
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_GAP = 3.0  # pictures over six times too large are averaged first: the same to the eye, in half the time


def resize_side(size: int) -> int:
    """Return what the shorter side becomes before the middle is cut out: 224 of 256, as networks are trained.

    >>> resize_side(224), resize_side(64)
    (256, 73)
    """
    return round(size * 8 / 7)


@refuse_unexpected
def load_image(picture: bytes | Path, size: int) -> Image.Image | Refusal:
    """Decode a picture for a network: sRGB, upright, on white, its shorter side at most `shorter(size)`."""
    try:
        body = picture if isinstance(picture, bytes) else picture.read_bytes()
    except OSError as error:
        return Refusal(Verdict.BROKEN_IMAGE, f"it cannot be read: {error.strerror or error}")
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return header
    short, long = sorted((header.width, header.height))
    side = resize_side(size)
    negative = decode(body, header, -(-side * long // max(1, short)))
    if isinstance(negative, Refusal):
        return negative
    left, top, right, bottom = negative.box
    target = _fit_shorter_side(right - left, bottom - top, side)
    if target[0] < right - left:
        image = negative.image.resize(target, Image.Resampling.BILINEAR, negative.box, _GAP)
        negative = replace(negative, image=image, box=(0, 0, *target))
    return negative.resized(0)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """Return the middle of a picture as a square of `size`: the view that every judgement is made by."""
    wide, high = _fit_shorter_side(image.width, image.height, resize_side(size))
    left, top = (wide - size) // 2, (high - size) // 2
    if (wide, high) == image.size:
        return image.crop((left, top, left + size, top + size))
    # The middle alone is resized: a thin image, enlarged as a whole, would take gigabytes (1 × 65,535: 8 GB).
    across, down = image.width / wide, image.height / high
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize((size, size), Image.Resampling.BILINEAR, box, _GAP)


def to_tensor(image: Image.Image, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """Return a picture's numbers, channel by channel."""
    import torch  # noqa: PLC0415 - takes two seconds, and model.onnx is run without it

    return normalize(torch.from_numpy(np.array(image)[None]), mean, std)[0]


def normalize(levels: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """Return the numbers of pictures given as levels from 0 to 255, rows by columns by channels.

    In memory they stay as they came, channels last, which is how convolutions are fastest.
    """
    values = levels.float()
    shift, scale = 255 * values.new_tensor(mean), 255 * values.new_tensor(std)
    return ((values - shift) / scale).permute(0, 3, 1, 2)


def _fit_shorter_side(width: float, height: float, side: int) -> tuple[int, int]:
    """Return a size whose shorter side is `side`, rounded as transformers rounds."""
    short, long = sorted((width, height))
    longer = int(side * long / max(1, short))
    return (side, longer) if width <= height else (longer, side)
