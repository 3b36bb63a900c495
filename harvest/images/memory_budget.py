"""Estimate the memory that decoding an image takes, and limit what a single operation may allocate.

Large images share one memory budget, by this estimate; all others never wait.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from harvest.images import headers
from harvest.models import Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest image that is decoded, with transparency. A resize or a crop has no reason to make a larger one.
MAX_BYTES = headers.MOST_PIXELS * 4

LARGE_DECODE = 64 << 20  # bytes; threads decode images that take more one at a time
_large_decode = threading.RLock()

_THUMBNAIL = 192  # pixels: the longest side of a thumbnail is at least this and less than twice this
_MOST_SCALE = 8  # a JPEG can be decoded at 1, 1/2, 1/4 or 1/8 of its size

# Bytes per pixel in the worst case, measured as growth of the process at 20 megapixels. An image with
# transparency exists twice, as stored and on white; WebP's decoder keeps two canvases of its own.
_BYTES_PER_PIXEL = {"PNG": 10.0, "GIF": 9.5, "BMP": 9.5, "WEBP": 17.5, "AVIF": 12.0, "HEIF": 12.0}
_JPEG = {1: 1.5, 3: 4.5, 4: 8.5}  # by components; a CMYK image exists a second time as RGB
_COEFFICIENT = 2  # bytes that a progressive JPEG keeps of every sample, at whatever scale it is decoded


class AllocationTooLarge(Exception):
    """An image operation asks for more memory than `MAX_BYTES`; `refusal` is the verdict on its image."""

    @property
    def refusal(self) -> Refusal:
        """The refusal of the image."""
        return Refusal(Verdict.TOO_MANY_PIXELS, str(self))


def check_allocation(width: float, height: float, channels: int = 3) -> None:
    """Raise `AllocationTooLarge` if an 8-bit image of this size is larger than any image may be.

    Call it before a decode, a resize or a crop whose size comes from a file.

    >>> check_allocation(10_000, 5_000, 4)
    >>> check_allocation(256, 16_777_216)
    Traceback (most recent call last):
    harvest.images.memory_budget.AllocationTooLarge: 256 x 16777216 pixels take 12,885 MB; the limit is 200
    """
    size = width * height * channels
    if size > MAX_BYTES:
        pixels = f"{width:.0f} x {height:.0f} pixels"
        raise AllocationTooLarge(f"{pixels} take {size / 1e6:,.0f} MB; the limit is {MAX_BYTES / 1e6:.0f}")


def memory_needed(body: bytes, side: int = 0) -> int:
    """Return how many bytes `process_image` may take for a body, at the recipe's size, besides the body itself.

    A 50-MP PNG takes 500 MB, a JPEG of that size at 500 pixels 4. An image that is refused by its header
    takes none.
    """
    header = headers.read_header(body)
    if isinstance(header, Refusal):
        return 0
    if header.format != "JPEG":
        return len(body) + int(header.pixels * _BYTES_PER_PIXEL[header.format])
    decoded = header.pixels * _JPEG.get(header.planes, 8.5) / decode_scale(header, side) ** 2
    kept = header.pixels * header.planes * _COEFFICIENT if header.in_passes else 0
    return len(body) + int(decoded) + kept


@contextmanager
def limit_large_decodes(size: int) -> Iterator[None]:
    """Let the threads of this process decode one large image at a time, so that memory stays flat.

    `size` is the number of bytes that the block takes, by `memory_needed`. Small images never wait.
    """
    with _large_decode if size > LARGE_DECODE else nullcontext():
        yield


def decode_scale(header: headers.Header, side: int) -> int:
    """Return the factor by which an image may be reduced while decoding it for a longest side of `side`; 0: all.

    >>> decode_scale(headers.Header("JPEG", 4000, 3000), 500)
    8
    """
    longest = max(header.width, header.height)
    if header.format != "JPEG" or side == 0:
        return 1
    return reduction_factor(longest, _MOST_SCALE, max(side, _THUMBNAIL))


def reduction_factor(longest: int, most: int = 1 << 16, least: int = _THUMBNAIL) -> int:
    """Return the largest power of two, at most `most`, that leaves a side at least `least` pixels long.

    >>> reduction_factor(1936, most=8, least=500), reduction_factor(1936), reduction_factor(100)
    (2, 8, 1)
    """
    return min(most, 1 << max(0, (longest // least).bit_length() - 1))
