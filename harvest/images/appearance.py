"""Measure how an image looks: brightness, sharpness, colours and plain areas, to find images that may be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.images import write_and_read_exif
from harvest.images.decode_small import decode_small
from harvest.images.remove_white_padding import remove_padding
from harvest.models import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_SIDE = 240  # pixels of the longer side when it is measured, as of a thumbnail
_FEW_PIXELS = 64  # of the longer side: in smaller images nothing but the size is measured
_FLAT = 2  # levels between neighbours in a plain area; JPEG adds noise
_STRONG = 60  # levels between neighbours at an edge of black on white
_MOST_COLOURS = 0.95  # share of the pixels whose colours are counted
_LEAST_RANGE = 8.0  # levels: the sharpness of an empty image is not that of its noise


class Appearance(NamedTuple):
    """The measures of one image; shares are of its pixels, levels of 255."""

    brightness: float  # that 99 % of the pixels do not exceed
    sharpness: float  # the strongest edges, by the range of brightness: 0.3 to 1.8 in photographs
    edges: float  # the strongest edges, in levels
    strong: float  # share at strong edges
    flat: float  # share in plain areas
    dominant: float  # share of the most frequent of 4,096 colours
    three: float  # share of the three most frequent ones
    colours: int  # how many of them make 95 % of the image


@refuse_unexpected
def measure_appearance(body: bytes) -> Appearance | Refusal | None:
    """Measure an image, without white padding; return `None` if it is too small."""
    image = decode_small(body, _SIDE)
    if isinstance(image, Refusal):
        return image
    if write_and_read_exif.source_of(body):
        image = remove_padding(image)
    return _measure(image) if max(image.size) >= _FEW_PIXELS and min(image.size) > 2 else None  # noqa: PLR2004 - a filter of 3 x 3


def _measure(image: Image.Image) -> Appearance:
    rgb, luma = np.asarray(image.convert("RGB")), np.asarray(image.convert("L")).astype(np.float32)
    low, high = np.percentile(luma, (1, 99))
    across, down = np.abs(np.diff(luma, axis=1))[:-1], np.abs(np.diff(luma, axis=0))[:, :-1]
    steps = np.maximum(across, down)
    edges = float(np.percentile(_laplacian(luma), 99.5))
    shares = _colour_shares(rgb)
    return Appearance(
        brightness=float(high),
        sharpness=edges / max(float(high - low), _LEAST_RANGE),
        edges=edges,
        strong=float((steps > _STRONG).mean()),
        flat=float((steps <= _FLAT).mean()),
        dominant=float(shares[0]),
        three=float(shares[:3].sum()),
        colours=int(np.searchsorted(np.cumsum(shares), _MOST_COLOURS)) + 1,
    )


def _laplacian(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    size: NDArray[np.float32] = np.abs(inner)
    return size


def _colour_shares(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the shares of 16 x 16 x 16 colours, the most frequent first."""
    parts = (rgb >> 4).astype(np.intp)
    codes = parts[..., 0] * 256 + parts[..., 1] * 16 + parts[..., 2]
    counts = np.sort(np.bincount(codes.ravel(), minlength=4096))[::-1]
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
