"""Turn the bytes of a download into a `Picture`, or return the reason why it is refused."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.duplicates import fingerprint
from harvest.images import headers, write_and_read_exif
from harvest.images.decode import decode
from harvest.images.opt_out_and_ai_marks import read_statements
from harvest.images.remove_white_padding import remove_padding
from harvest.models import AI_SOURCE_TYPES, DEFAULT_RULES, Fingerprint, Picture, Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from harvest.images.headers import Header
    from harvest.images.opt_out_and_ai_marks import FileStatements
    from harvest.models import Hit, Recipe, StatementRules

_MOST_ASPECT = 5  # a banner: padded to a square it would be a line on white
_BLANK = 2.0  # standard deviation, in levels, of the channel that varies most; JPEG noise on white has less than one
_LEVELS_AND_SQUARES = np.stack((np.arange(256.0), np.arange(256.0) ** 2), axis=1)


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """The properties of a file on disk that are needed to find its duplicates."""

    pixels: str
    fingerprint: Fingerprint = field(repr=False)
    width: int
    height: int
    format: str


@refuse_unexpected
def process_image(body: bytes, hit: Hit, recipe: Recipe, rules: StatementRules = DEFAULT_RULES) -> Picture | Refusal:
    """Turn the bytes of a hit into a picture, ready to write, or return the reason why it is refused.

    The same bytes, hit and recipe give the same picture, byte for byte: the file is named by its content hash.
    """
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return header
    statements = read_statements(body, header.format)
    if refusal := _check_shape(header, recipe) or _check_statements(statements, rules):
        return refusal
    decoded = decode(body, header, recipe.size)
    if isinstance(decoded, Refusal):
        return decoded
    small, pixels = decoded.thumbnail_and_hash()
    # Refused before the search for duplicates: all plain images, of any colour, have nearly the same hash.
    if (spread := _standard_deviation(small)) < _BLANK:
        return Refusal(Verdict.BLANK, f"a single colour; the standard deviation is {spread:.1f} of 255 levels")
    image = decoded.resized(recipe.size)
    if recipe.pad and recipe.size:
        image = _pad_to_square(image, recipe.size)
    data = _encode_jpeg(image, recipe.quality, write_and_read_exif.build_exif(hit))
    return Picture(
        data=data,
        content=hashlib.sha256(data).hexdigest(),
        body=hashlib.sha256(body).hexdigest(),
        pixels=pixels,
        fingerprint=fingerprint.compute_fingerprint(small),
        width=image.width,
        height=image.height,
        original_width=decoded.size[0],
        original_height=decoded.size[1],
        original_format=header.format,
        original=body if recipe.keep_original else None,
        source_type=statements.source_type,
    )


@refuse_unexpected
def inspect_image(data: bytes, *, unpad: bool = False) -> InspectedImage | Refusal:
    """Inspect a file on disk as `process_image` inspects a download, but accept any size and shape.

    `unpad` removes white padding even if the source is missing from the EXIF, as it is after a conversion.
    """
    header = headers.read_header(data)
    if isinstance(header, Refusal):
        return header
    decoded = decode(data, header, 1)
    if isinstance(decoded, Refusal):
        return decoded
    small, pixels = decoded.thumbnail_and_hash()
    if unpad or write_and_read_exif.source_of(data):
        small = remove_padding(small)
    return InspectedImage(pixels, fingerprint.compute_fingerprint(small), *decoded.size, header.format)


def _check_shape(header: Header, recipe: Recipe) -> Refusal | None:
    """Refuse an image by its size and aspect ratio, before it is decoded; turning it upright changes neither."""
    short, long = sorted((header.width, header.height))
    size = f"{header.width} x {header.height}"
    if short < recipe.min_size:
        return Refusal(Verdict.TOO_SMALL, f"{size}; the shorter side must be at least {recipe.min_size}")
    if long > _MOST_ASPECT * short:
        return Refusal(Verdict.ASPECT, f"{size}; the longer side is over {_MOST_ASPECT} times the shorter")
    return None


def _check_statements(statements: FileStatements, rules: StatementRules) -> Refusal | None:
    """Refuse an image by what its file says about itself."""
    if rules.obey_opt_out and statements.opt_out is not None:
        return Refusal(Verdict.OPTED_OUT, statements.opt_out)
    if not rules.accept_ai and statements.source_type in AI_SOURCE_TYPES:
        return Refusal(Verdict.AI_GENERATED, f"digital source type {statements.source_type}")
    return None


def _standard_deviation(image: Image.Image) -> float:
    """Return the largest standard deviation of a channel. ImageStat takes four times as long."""
    pixels = image.width * image.height
    counts = np.array(image.histogram(), np.float64).reshape(-1, 256)
    total, squares = (counts @ _LEVELS_AND_SQUARES).T  # whole numbers: exact
    return float(np.sqrt((squares * pixels - total**2).max())) / pixels


def _pad_to_square(image: Image.Image, side: int) -> Image.Image:
    """Return the image in the middle of a white square; a small image is not enlarged."""
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _encode_jpeg(image: Image.Image, quality: int, block: bytes) -> bytes:
    file = io.BytesIO()
    image.info = {}  # so that no metadata that a plugin read is written
    image.save(file, "JPEG", quality=quality, exif=block)
    return file.getvalue()
