"""Draw a heat map over the image that it belongs to."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST = 448  # pixels a side of an explanation: twice what most networks see
_OVERLAY = 28  # pixels a side of the overlay of a thumbnail; browsers enlarge it smoothly
_OPACITY = 0.75  # of the hottest place
# From dark violet over red to yellow: it differs from most photographs, and in lightness for people who see no colours.
_COLOURS = ((40, 0, 90), (190, 30, 90), (250, 110, 40), (255, 240, 120))


def draw_heat(view: NDArray[np.uint8], heat: NDArray[np.float32]) -> Image.Image:
    """Return the view of a network with its heat over it, enlarged to be looked at."""
    side = max(SMALLEST, len(view))
    size = (side, side)
    image = Image.fromarray(np.asarray(view)).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    image.alpha_composite(_colour(heat).resize(size, Image.Resampling.BILINEAR))
    return image.convert("RGB")


def encode_overlay(heat: NDArray[np.float32]) -> str:
    """Return the heat as a small transparent image to lie over a thumbnail, as a data URI of less than 3 KB."""
    small = _colour(heat).resize((_OVERLAY, _OVERLAY), Image.Resampling.BOX)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=50, alpha_quality=50, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _colour(heat: NDArray[np.float32]) -> Image.Image:
    """Return the heat in colours, more opaque where it is hotter."""
    places = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(heat, places, levels) for levels in zip(*_COLOURS, strict=True)]
    channels.append(255 * _OPACITY * np.sqrt(heat))
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))
