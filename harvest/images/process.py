"""Bytes in, `Picture` or the reason why not out."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harvest.duplicates import fingerprint
from harvest.images import exif, headers
from harvest.images.decode import decode
from harvest.models import Fingerprint, Picture, Refusal
from harvest.unexpected import refuse_unexpected
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.images.headers import Header
    from harvest.models import Hit, Recipe

_MOST_ASPECT = 5  # a banner or a skyscraper: in a square it would be a line on white
_WHITE = 240  # of 255: JPEG leaves ripples in the white beside an edge
_BLANK = 2.0  # standard deviation in levels of the liveliest channel; white JPEG noise has less than one


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """What a file on disk shows: enough to find its twins, whoever put it there."""

    pixels: str
    fingerprint: Fingerprint = field(repr=False)
    width: int
    height: int
    format: str


@refuse_unexpected
def process_image(body: bytes, hit: Hit, recipe: Recipe) -> Picture | Refusal:
    """Make a picture of a hit's bytes, ready to write, or say why there is none.

    The same bytes, hit and recipe give the same picture, byte for byte: its content is its name.
    """
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return header
    if refusal := _check_shape(header, recipe):
        return refusal
    negative = decode(body, header, recipe.size)
    if isinstance(negative, Refusal):
        return negative
    small, pixels = negative.thumbnail_and_hash()
    # Before anybody looks for twins: all flat pictures, whatever their colour, have nearly one hash.
    if (spread := _standard_deviation(small)) < _BLANK:
        return Refusal(Verdict.BLANK, f"one colour, give or take {spread:.1f} of 255 levels")
    image = negative.resized(recipe.size)
    if recipe.pad and recipe.size:
        image = _pad_to_square(image, recipe.size)
    data = _encode_jpeg(image, recipe.quality, exif.build_exif(hit))
    return Picture(
        data=data,
        content=hashlib.sha256(data).hexdigest(),
        body=hashlib.sha256(body).hexdigest(),
        pixels=pixels,
        fingerprint=fingerprint.compute_fingerprint(small),
        width=image.width,
        height=image.height,
        original_width=negative.size[0],
        original_height=negative.size[1],
        original_format=header.format,
        original=body if recipe.keep_original else None,
    )


@refuse_unexpected
def inspect_image(data: bytes, *, unpad: bool = False) -> InspectedImage | Refusal:
    """Look at a file on disk as `develop` does at a download; its size and shape are its owner's business.

    `unpad` takes white bars off a square even where our mark is gone, as it is after a conversion.
    """
    header = headers.read_header(data)
    if isinstance(header, Refusal):
        return header
    negative = decode(data, header, 1)
    if isinstance(negative, Refusal):
        return negative
    small, pixels = negative.thumbnail_and_hash()
    if unpad or exif.source_of(data):
        small = _remove_padding(small)
    return InspectedImage(pixels, fingerprint.compute_fingerprint(small), *negative.size, header.format)


def _check_shape(header: Header, recipe: Recipe) -> Refusal | None:
    """Refuse by the original's size, before anything is decoded; a picture on its side has the same sides."""
    short, long = sorted((header.width, header.height))
    size = f"{header.width} x {header.height}"
    if short < recipe.min_size:
        return Refusal(Verdict.TOO_SMALL, f"{size}; the shorter side must be at least {recipe.min_size}")
    if long > _MOST_ASPECT * short:
        return Refusal(Verdict.ASPECT, f"{size}; the longer side is over {_MOST_ASPECT} times the shorter")
    return None


def _standard_deviation(image: Image.Image) -> float:
    """Return the standard deviation of the liveliest channel; ImageStat takes twice as long."""
    counts = np.array(image.histogram(), np.float64).reshape(-1, 256) / (image.width * image.height)
    apart = np.arange(256) - (counts @ np.arange(256))[:, None]
    return float(np.sqrt((counts * apart**2).sum(axis=1).max()))


def _remove_padding(image: Image.Image) -> Image.Image:
    """Take the white bars off a square that we, or FastClass, made: a look is taken without them.

    Only a file with our mark is cut: a photograph on white of a person's own is as it is meant.
    """
    if abs(image.width - image.height) > 1:
        return image
    levels = np.asarray(image).min(axis=2)
    rows, columns = _find_content(levels.min(axis=1)), _find_content(levels.min(axis=0))
    return image.crop((columns[0], rows[0], columns[1], rows[1]))


def _find_content(lines: NDArray[np.uint8]) -> tuple[int, int]:
    """Return where the picture begins and ends between two white bars as broad as each other."""
    dark = np.flatnonzero(lines < _WHITE)
    if not len(dark):
        return 0, len(lines)
    bar = min(int(dark[0]), len(lines) - 1 - int(dark[-1]))  # beyond it, the picture itself is white
    return (bar + 1, len(lines) - bar - 1) if bar > 1 else (0, len(lines))  # its edge is half white


def _pad_to_square(image: Image.Image, side: int) -> Image.Image:
    """Put a picture into the middle of a white square; a small one is not enlarged."""
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _encode_jpeg(image: Image.Image, quality: int, block: bytes) -> bytes:
    file = io.BytesIO()
    image.info = {}  # nothing that a plugin read may reach the file
    image.save(file, "JPEG", quality=quality, exif=block)
    return file.getvalue()
