"""Compute the fingerprint of an image: 484 bytes with hashes to find its duplicates, and a thumbnail to confirm them.

Web sites add frames to images and crop them, and a perceptual hash of the whole image changes with either.
So twelve parts of an image are hashed, and two images may be duplicates if the hash of any part of one is
near the hash of any part of the other: a part of the complete image then lacks what was cropped from the
copy. A few parts cover many crops, because the crop has parts as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Fingerprints = NDArray[np.void]  # of `PACKED`
    Ints = NDArray[np.intp]
    Floats = NDArray[np.float32]

# What is cropped from each part, as shares of the sides: left, top, right, bottom. The first is the whole image
# with its frame, if it has one; all others are inside the frame.
PARTS = np.array(
    [
        (0, 0, 0, 0),
        (0, 0, 0, 0),
        (0.05, 0.05, 0.05, 0.05),
        (0.10, 0.10, 0.10, 0.10),
        (0.125, 0.125, 0.125, 0.125),
        (0, 0, 0, 0.10),
        (0, 0, 0.10, 0),
        (0.10, 0, 0.10, 0),
        (0, 0, 0.10, 0.10),
        (0, 0.10, 0.10, 0),
        (0, 0, 0.05, 0.05),
        (0, 0.05, 0.05, 0),
    ],
    np.float32,
)
PACKED = np.dtype(
    [
        ("hashes", "<u8", len(PARTS)),  # 64-bit pHashes
        ("frame", "u1", 4),  # its width in 1/255 of the sides: left, top, right, bottom
        ("luma", "u1", (16, 16)),
        ("chroma", "u1", (2, 8, 8)),
    ]
)

_REDUCED = 128  # pixels: the image is reduced, but its longer side to no less than this, twice what the hashes need
_UNIFORM = 24  # levels by which a line of a frame may vary; JPEG at quality 30 varies that much next to the image
_WIDEST = 0.15  # share of a side that a frame may take; a wider one is the background of the image


def compute_fingerprint(image: Image.Image) -> Fingerprint:
    """Return the fingerprint of an upright RGB image.

    >>> square = Image.linear_gradient("L").convert("RGB")
    >>> compute_fingerprint(square) == compute_fingerprint(square.copy())
    True
    """
    small = image.reduce(max(1, max(image.size) // _REDUCED))
    frame = _frame_widths(small)
    luma, *chroma = small.convert("YCbCr").split()
    packed = np.zeros((), PACKED)
    packed["hashes"] = _hash_whole(luma), *_hash_parts(luma, frame)
    packed["frame"] = [round(255 * width / side) for width, side in zip(frame, small.size * 2, strict=True)]
    packed["luma"] = luma.resize((16, 16), Image.Resampling.BOX)
    packed["chroma"] = [channel.resize((8, 8), Image.Resampling.BOX) for channel in chroma]
    return Fingerprint(packed.tobytes())


def unpack(fingerprints: Sequence[Fingerprint]) -> Fingerprints:
    """Return fingerprints as records of `PACKED`; raise `ValueError` for one of another version."""
    if any(len(fingerprint.data) != PACKED.itemsize for fingerprint in fingerprints):
        raise ValueError(f"a fingerprint has {PACKED.itemsize} bytes; these were packed by another version")
    return np.frombuffer(b"".join(fingerprint.data for fingerprint in fingerprints), PACKED)


def _frame_widths(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the width of the uniform frame: left, top, right, bottom.

    A frame has the same width on opposite sides; the margins of an object on a plain background rarely have.
    """
    lines = np.asarray(image).astype(np.int16)
    top = _margin_width(lines)
    left = _margin_width(lines[top : len(lines) - top].transpose(1, 0, 2))
    top = top or _margin_width(lines[:, left : image.width - left])
    return left, top, left, top


def _margin_width(lines: NDArray[np.int16]) -> int:
    most = int(len(lines) * _WIDEST)
    first, last = _count_uniform_lines(lines, most), _count_uniform_lines(lines[::-1], most)
    is_equal = abs(first - last) <= max(2, 0.012 * len(lines))
    return (first + last) // 2 if is_equal and max(first, last) < most else 0


def _count_uniform_lines(lines: NDArray[np.int16], most: int) -> int:
    """Return how many of the first lines, up to `most`, have the same colour."""
    colour = lines[0].mean(axis=0)
    for depth, line in enumerate(lines[:most]):
        if np.abs(line - colour).max() > _UNIFORM:
            return depth
    return most


def _hash_whole(luma: Image.Image) -> int:
    import imagehash  # noqa: PLC0415 - imports scipy, which takes longer to load than everything else

    bits: Any = imagehash.phash(luma.resize((64, 64), Image.Resampling.BOX)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _hash_parts(luma: Image.Image, frame: tuple[int, int, int, int]) -> list[int]:
    """Return the hash of each part inside the frame; one matrix product takes a tenth of the time of many hashes."""
    left, top, right, bottom = frame
    box = (left, top, luma.width - right, luma.height - bottom)
    inside = np.asarray(luma.resize((64, 64), Image.Resampling.BOX, box), np.float32)
    waves = (_DOWN @ inside @ _ACROSS).round(
        2
    )  # levels; smaller differences come from the arithmetic, not from the image
    bits = waves > np.median(waves, axis=(1, 2), keepdims=True)
    hashes: list[int] = np.packbits(bits.reshape(-1, 64), axis=1).view(">u8")[:, 0].tolist()
    return hashes


def _cosine_matrix(first: Floats, last: Floats) -> Floats:
    """Return matrices that turn 64 pixels into the 8 lowest cosine frequencies of each part."""
    pixels = np.linspace(0, 1, 65, dtype=np.float32)
    edges = np.clip((pixels - first[:, None]) / (1 - first - last)[:, None], 0, 1)[:, None]
    angle = edges * np.arange(8, dtype=np.float32)[:, None]
    integral: Floats = np.sinc(angle) * edges
    return np.diff(integral)


_ACROSS = _cosine_matrix(PARTS[1:, 0], PARTS[1:, 2]).transpose(0, 2, 1)
_DOWN = _cosine_matrix(PARTS[1:, 1], PARTS[1:, 3])


# Confirming a pair compares 8 x 8 pixels of luma and 4 x 4 of colour. A copy on the web stays correlated with
# its original; its brightness and colour change as a whole, and by less than these limits. Measured on 1,001
# photographs (`tests/bench/duplicates.py`): the comparison reduces the false pairs among 500,500 from 6 to 0,
# and loses at most one duplicate in a hundred. A correlation of 0.95 would lose 6 more of a hundred crops of
# 10 % at any position. Without the rules for colour, drawn discs of different colours are duplicates.
_CORRELATION = 0.9  # of luma, at least
_CONTRAST = 1.4  # times the smaller spread of luma
_BRIGHTNESS = (6, 0.2)  # levels, plus a share of the brighter one
_MISFIT = (3, 0.1)  # remaining difference of colour in levels, plus a share of the smaller spread
_TINT = 14  # levels by which the colour may change as a whole, apart from its saturation
_GREY = (2, 0.97)  # a colour this weak may be that of a grey copy if the luma correlates this well


def similarity(first: Fingerprints, part: Ints, second: Fingerprints, other: Ints) -> Floats:
    """Return the similarity of a part of each fingerprint to a part of another: 0.9 to 1, or 0 for no duplicate."""
    luma, colour = _thumbnail(np.concatenate((first, second)), np.concatenate((part, other)))
    (luma, luma2), (colour, colour2) = np.split(luma, 2), np.split(colour, 2)
    light, light2 = luma.mean(axis=2), luma2.mean(axis=2)
    tint, tint2 = colour.mean(axis=2), colour2.mean(axis=2)
    correlation, spread, spread2 = _correlation(luma - light[:, :, None], luma2 - light2[:, :, None])
    fit, vivid, vivid2 = _correlation(colour - tint[:, :, None], colour2 - tint2[:, :, None])

    brighter = np.maximum(light, light2)[:, 0]
    as_bright = np.abs(light - light2)[:, 0] <= _BRIGHTNESS[0] + _BRIGHTNESS[1] * brighter
    as_sharp = np.maximum(spread, spread2) <= _CONTRAST * np.minimum(spread, spread2)
    lesser = np.minimum(vivid, vivid2)
    fitting = np.sqrt(1 - fit**2) * lesser <= _MISFIT[0] + _MISFIT[1] * lesser
    gain = np.sqrt(np.clip((vivid + 1) / (vivid2 + 1), 1 / _CONTRAST, _CONTRAST))[:, None]
    moved = np.hypot(*(tint / gain - tint2 * gain).T) <= _TINT
    weaker = np.minimum(*(np.hypot(c[:, 0], c[:, 1]).mean(axis=1) for c in (colour, colour2)))
    grey = (weaker < _GREY[0]) & (correlation >= _GREY[1])
    return np.where((correlation >= _CORRELATION) & as_bright & as_sharp & (fitting & moved | grey), correlation, 0)


def _correlation(first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the correlation of channels, given without their means, and the spread of each in levels."""
    spread, spread2 = (np.sqrt((side**2).mean(axis=(1, 2))) for side in (first, second))
    product: Floats = (first * second).mean(axis=(1, 2))
    return np.clip(product / np.maximum(spread * spread2, 1), 0, 1), spread, spread2


def _thumbnail(fingerprints: Fingerprints, part: Ints) -> tuple[Floats, Floats]:
    """Return the thumbnail of one part of each fingerprint: luma as (n, 1, 64), colour as (n, 2, 16), 0 for grey."""
    frame = (fingerprints["frame"] * (part > 0)[:, None] / 255).astype(np.float32)
    size = 1 - frame[:, :2] - frame[:, 2:]
    low, high = frame[:, :2] + PARTS[part, :2] * size, frame[:, :2] + (1 - PARTS[part, 2:]) * size
    across, down = _cell_weights(low, high, 16)
    luma: Floats = down @ fingerprints["luma"] @ across.mT
    across, down = _cell_weights(low, high, 8)
    colour: Floats = down[:, None] @ (fingerprints["chroma"].astype(np.float32) - 128) @ across[:, None].mT
    return luma.reshape(-1, 1, 64), colour.reshape(-1, 2, 16)


def _cell_weights(low: Floats, high: Floats, pixels: int) -> Floats:
    """Return, across and down, the weight of each pixel in each cell, with half as many cells as pixels."""
    steps = np.linspace(0, 1, pixels // 2 + 1, dtype=np.float32)
    edge = low.T[:, :, None] + (high - low).T[:, :, None] * steps
    inside = np.clip(edge[..., None] * pixels - np.arange(pixels, dtype=np.float32), 0, 1)
    share: Floats = np.diff(inside, axis=2)
    share /= share.sum(axis=3, keepdims=True)
    return share
