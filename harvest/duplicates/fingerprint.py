"""Compute the fingerprint of an image: hashes to find what may be a copy of it, and a thumbnail to compare the two.

Web sites add frames to images and crop them, and a perceptual hash of the whole image changes with either.
So several parts of an image are hashed, and two images may be copies if the hash of any part of one is
near the hash of any part of the other: a part of the complete image then lacks what was cropped from the
copy. A few parts cover many crops, because the crop has parts as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from harvest.models import Fingerprint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Lines = NDArray[np.int16]  # (line, pixel, channel)
    Widths = tuple[int, int, int, int]  # pixels at the left, top, right, bottom

# What is cropped from each part inside the frame, as shares of the sides: left, top, right, bottom. The last two are
# for a change of the aspect ratio. The others were chosen one by one, and each again with the others given, for the
# share of crops found among a third of the photographs of `tests/bench/duplicates.py`.
PARTS = np.array(
    [
        (0, 0, 0, 0),
        (0.05, 0.05, 0.05, 0.05),
        (0.1, 0.1, 0.1, 0.1),
        (0.125, 0.125, 0.125, 0.125),
        (0.1, 0, 0, 0),
        (0, 0, 0.125, 0),
        (0.05, 0.1, 0, 0),
        (0.15, 0.125, 0, 0),
        (0, 0.1, 0.05, 0),
        (0, 0.15, 0.15, 0),
        (0, 0, 0.05, 0.05),
        (0, 0, 0.125, 0.125),
        (0.05, 0, 0, 0.1),
        (0.125, 0, 0, 0.1),
        (0.1, 0, 0.1, 0),
        (0, 0.1, 0, 0.1),
    ],
    np.float32,
)
WHOLE = len(PARTS)  # the number of the hash of the whole image, with its frame
CONTENT = WHOLE + 1  # the number of the hash of what is between the bars
SIDE = 40  # pixels of the thumbnail
PACKED = np.dtype(
    [
        ("hashes", "<u8", CONTENT + 1),  # 64-bit pHashes
        ("frame", "u1", 4),  # its width in 1/255 of the sides: left, top, right, bottom
        ("bars", "u1", 4),  # the same, of bars of any width, or of the frame
        ("detail", "u1"),  # pixels of the thumbnail when it was made: fewer than `SIDE` in an earlier version
        ("aspect", "<f4"),  # width by height of what is between the bars; 0 if not known
        ("luma", "u1", (SIDE, SIDE)),  # of what is between the bars
        ("chroma", "u1", (2, 8, 8)),
    ]
)

_REDUCED = 128  # pixels: the image is reduced, but its longer side to no less than this, twice what the hashes need
_UNIFORM = 24  # levels by which a line of a frame may vary; JPEG at quality 30 varies that much next to the image
_FRAME = 0.15  # share of a side that a frame may take; a wider one is the background of the image, or a bar
_FRAME_ERROR = 2  # pixels
_BAR = 0.45  # share of a side that a bar may take: 0.22 makes 16:9 square, 0.31 makes a portrait 2:1


def compute_fingerprint(image: Image.Image) -> Fingerprint:
    """Return the fingerprint of an upright RGB image.

    >>> square = Image.linear_gradient("L").convert("RGB")
    >>> compute_fingerprint(square) == compute_fingerprint(square.copy())
    True
    """
    small = image.reduce(max(1, max(image.size) // _REDUCED))
    lines = np.asarray(small).astype(np.int16)
    frame = _frame_widths(lines)
    luma, *chroma = small.convert("YCbCr").split()
    parts = _hash_parts(_shrink(luma, 64, frame))
    content = [channel.crop(_inside(small, frame)) for channel in (luma, *chroma)]
    hashed = parts[0]
    bars = frame
    if _has_bars(_bar_widths(lines), frame):  # little may be left of the image between them: use all of its pixels
        small = image
        bars = _bar_widths(np.asarray(image).astype(np.int16))
        content = list(image.crop(_inside(image, bars)).convert("YCbCr").split())
        hashed = _hash_parts(_shrink(content[0], 64))[0]
    packed = np.zeros((), PACKED)
    packed["hashes"] = *parts, _hash_whole(_shrink(luma, 64)), hashed
    packed["frame"] = _in_shares(frame, luma.size)
    packed["bars"] = _in_shares(bars, small.size)
    packed["detail"] = SIDE
    packed["aspect"] = content[0].width / content[0].height
    packed["luma"] = _shrink(content[0], SIDE)
    packed["chroma"] = [_shrink(channel, 8) for channel in content[1:]]
    return Fingerprint(packed.tobytes())


def _in_shares(widths: Widths, size: tuple[int, int]) -> list[int]:
    return [round(255 * width / side) for width, side in zip(widths, size * 2, strict=True)]


def _inside(image: Image.Image, cropped: Widths) -> tuple[int, int, int, int]:
    left, top, right, bottom = cropped
    return left, top, image.width - right, image.height - bottom


def _shrink(channel: Image.Image, side: int, cropped: Widths = (0, 0, 0, 0)) -> Image.Image:
    return channel.resize((side, side), Image.Resampling.BOX, _inside(channel, cropped))


def _frame_widths(lines: Lines) -> Widths:
    """Return the width of the uniform frame.

    A frame has the same width on opposite sides; the margins of an object on a plain background rarely have.
    """
    columns = lines.transpose(1, 0, 2)
    top = _frame_width(lines)
    left = _frame_width(columns[:, top : len(lines) - top])
    if left and not top:
        top = _frame_width(lines[:, left : len(columns) - left])
    return left, top, left, top


def _frame_width(lines: Lines) -> int:
    most = int(len(lines) * _FRAME)
    first, last = _count_uniform_lines(lines, most), _count_uniform_lines(lines[::-1], most)
    is_equal = abs(first - last) <= max(2, 0.012 * len(lines))
    return (first + last) // 2 if is_equal and max(first, last) < most else 0


def _has_bars(bars: Widths, frame: Widths) -> bool:
    return max(bar - width for bar, width in zip(bars, frame, strict=True)) > _FRAME_ERROR


def _bar_widths(lines: Lines) -> Widths:
    """Return the width of the bars that make an image square or wide: a margin at least as wide on both sides."""
    columns = lines.transpose(1, 0, 2)
    top = _bar_width(lines)
    left = _bar_width(columns[:, top : len(lines) - top])
    if left and not top:
        top = _bar_width(lines[:, left : len(columns) - left])
    return left, top, left, top


def _bar_width(lines: Lines) -> int:
    most = int(len(lines) * _BAR)
    width = _count_uniform_lines(lines, most)
    width = width and min(width, _count_uniform_lines(lines[::-1], most))
    return width + 1 if 0 < width < most else 0  # with the line in which bar and image are mixed


def _count_uniform_lines(lines: Lines, most: int) -> int:
    """Return how many of the first lines, up to `most`, have the same colour."""
    if not lines.size:
        return 0
    first = lines[0]
    if np.abs(first - first[0]).max() > 2 * _UNIFORM:  # no colour is that near to both; most images end here
        return 0
    colour = first.mean(axis=0)
    for depth, line in enumerate(lines[:most]):
        if np.abs(line - colour).max() > _UNIFORM:
            return depth
    return most


def _hash_whole(luma: Image.Image) -> int:
    import imagehash  # noqa: PLC0415 - imports scipy, which takes longer to load than everything else

    bits: Any = imagehash.phash(luma).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _hash_parts(luma: Image.Image) -> list[int]:
    """Return the hash of each part; one matrix product takes a tenth of the time of many hashes."""
    waves = _DOWN @ np.asarray(luma, np.float32) @ _ACROSS
    waves = waves.round(2)  # levels; smaller differences come from the arithmetic, not from the image
    waves = waves.reshape(-1, 64)
    ordered = np.sort(waves, axis=1)
    median = (ordered[:, 31:32] + ordered[:, 32:33]) / 2  # as numpy's median, which takes four times as long
    hashes: list[int] = np.packbits(waves > median, axis=1).view(">u8")[:, 0].tolist()
    return hashes


def _cosine_matrix(first: Floats, last: Floats) -> Floats:
    """Return matrices that turn 64 pixels into the 8 lowest cosine frequencies of each part."""
    pixels = np.linspace(0, 1, 65, dtype=np.float32)
    edges = np.clip((pixels - first[:, None]) / (1 - first - last)[:, None], 0, 1)[:, None]
    angle = edges * np.arange(8, dtype=np.float32)[:, None]
    integral: Floats = np.sinc(angle) * edges
    return np.diff(integral)


_ACROSS = _cosine_matrix(PARTS[:, 0], PARTS[:, 2]).transpose(0, 2, 1)
_DOWN = _cosine_matrix(PARTS[:, 1], PARTS[:, 3])
