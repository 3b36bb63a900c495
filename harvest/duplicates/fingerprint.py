"""What a picture looks like, in 484 bytes: hashes to find its twins by, a thumbnail to confirm them.

The web gives pictures frames and cuts their edges off, and a perceptual hash of the whole forgives neither.
So twelve parts are hashed, and two pictures may be twins when any part of one is near any part of the other:
what was cut from one is then missing from a part of the other too. Few parts meet many crops, since a crop
has parts as well: what one loses at the left is found when both have a part without their right edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Looks = NDArray[np.void]  # of `PACKED`
    Ints = NDArray[np.intp]
    Floats = NDArray[np.float32]

# What is cut from each part, as shares of the sides: left, top, right, bottom. The first is the whole with
# its frame, if it has one; all others lie inside the frame.
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
        ("frame", "u1", 4),  # its breadth in 1/255 of the sides
        ("luma", "u1", (16, 16)),
        ("chroma", "u1", (2, 8, 8)),
    ]
)

_REDUCED = 128  # pixels of the longer side, at least, that are looked at: twice what the hashes need
_UNIFORM = 24  # levels a frame's line may spread; JPEG at quality 30 leaves that much beside the picture
_BROADEST = 0.15  # share of a side a frame may take; a broader one is the picture's own background


def compute_fingerprint(image: Image.Image) -> Fingerprint:
    """Return the look of an upright RGB picture.

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


def unpack(looks: Sequence[Fingerprint]) -> Looks:
    """Return looks as records of `PACKED`; one that another version packed is an error."""
    if any(len(look.data) != PACKED.itemsize for look in looks):
        raise ValueError(f"a look has {PACKED.itemsize} bytes; these were packed by another version")
    return np.frombuffer(b"".join(look.data for look in looks), PACKED)


def _frame_widths(image: Image.Image) -> tuple[int, int, int, int]:
    """Return how broad the uniform frame is: left, top, right, bottom.

    A frame is as broad on one side as on the side across; a thing on a plain ground seldom is.
    """
    lines = np.asarray(image).astype(np.int16)
    top = _margin_width(lines)
    left = _margin_width(lines[top : len(lines) - top].transpose(1, 0, 2))
    top = top or _margin_width(lines[:, left : image.width - left])
    return left, top, left, top


def _margin_width(lines: NDArray[np.int16]) -> int:
    most = int(len(lines) * _BROADEST)
    first, last = _count_uniform_lines(lines, most), _count_uniform_lines(lines[::-1], most)
    alike = abs(first - last) <= max(2, 0.012 * len(lines))
    return (first + last) // 2 if alike and max(first, last) < most else 0


def _count_uniform_lines(lines: NDArray[np.int16], most: int) -> int:
    """Return how many of the first lines, at most so many, have one and the same colour."""
    colour = lines[0].mean(axis=0)
    for depth, line in enumerate(lines[:most]):
        if np.abs(line - colour).max() > _UNIFORM:
            return depth
    return most


def _hash_whole(luma: Image.Image) -> int:
    import imagehash  # noqa: PLC0415 - pulls scipy in, which takes longer to load than all the rest

    bits: Any = imagehash.phash(luma.resize((64, 64), Image.Resampling.BOX)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _hash_parts(luma: Image.Image, frame: tuple[int, int, int, int]) -> list[int]:
    """Return the same hash of each part inside the frame: one product for all, a tenth of the time."""
    left, top, right, bottom = frame
    box = (left, top, luma.width - right, luma.height - bottom)
    inside = np.asarray(luma.resize((64, 64), Image.Resampling.BOX, box), np.float32)
    waves = (_DOWN @ inside @ _ACROSS).round(2)  # levels; what is finer is the arithmetic's, not the picture's
    bits = waves > np.median(waves, axis=(1, 2), keepdims=True)
    hashes: list[int] = np.packbits(bits.reshape(-1, 64), axis=1).view(">u8")[:, 0].tolist()
    return hashes


def _cosine_matrix(first: Floats, last: Floats) -> Floats:
    """Return what turns 64 pixels into the 8 longest cosine waves over each part of them."""
    pixels = np.linspace(0, 1, 65, dtype=np.float32)
    edges = np.clip((pixels - first[:, None]) / (1 - first - last)[:, None], 0, 1)[:, None]
    angle = edges * np.arange(8, dtype=np.float32)[:, None]
    integral: Floats = np.sinc(angle) * edges
    return np.diff(integral)


_ACROSS = _cosine_matrix(PARTS[1:, 0], PARTS[1:, 2]).transpose(0, 2, 1)
_DOWN = _cosine_matrix(PARTS[1:, 1], PARTS[1:, 3])


# The second look compares 8 x 8 pixels of luma and 4 x 4 of colour. What the web does to a picture leaves a
# correlation; it moves brightness and colour as a whole, and by less than this. Measured on 1,001 photographs
# (`tests/bench/duplicates.py`): it takes the false pairs among 500,500 from 6 to 0 and at most one twin in a
# hundred. A likeness of 0.95 would lose 6 more of a hundred crops of 10 % anywhere; without the rules for
# colour drawn discs are taken for each other.
_LIKENESS = 0.9  # correlation of luma
_CONTRAST = 1.4  # times the lesser spread of luma
_BRIGHTNESS = (6, 0.2)  # levels, and a share of the brighter
_MISFIT = (3, 0.1)  # levels of colour that stay when the whole is moved, and a share of the lesser spread
_TINT = 14  # levels the colour may move as a whole, apart from getting stronger or weaker
_GREY = (2, 0.97)  # a colour so weak may be a grey copy's, when the luma is as like as this


def similarity(first: Looks, part: Ints, second: Looks, other: Ints) -> Floats:
    """Return how like a part of each look is to a part of another: 0.9 to 1, or 0 if not of one picture."""
    luma, colour = _thumbnail(np.concatenate((first, second)), np.concatenate((part, other)))
    (luma, luma2), (colour, colour2) = np.split(luma, 2), np.split(colour, 2)
    light, light2 = luma.mean(axis=2), luma2.mean(axis=2)
    tint, tint2 = colour.mean(axis=2), colour2.mean(axis=2)
    likeness, spread, spread2 = _correlation(luma - light[:, :, None], luma2 - light2[:, :, None])
    fit, vivid, vivid2 = _correlation(colour - tint[:, :, None], colour2 - tint2[:, :, None])

    brighter = np.maximum(light, light2)[:, 0]
    as_bright = np.abs(light - light2)[:, 0] <= _BRIGHTNESS[0] + _BRIGHTNESS[1] * brighter
    as_sharp = np.maximum(spread, spread2) <= _CONTRAST * np.minimum(spread, spread2)
    lesser = np.minimum(vivid, vivid2)
    fitting = np.sqrt(1 - fit**2) * lesser <= _MISFIT[0] + _MISFIT[1] * lesser
    gain = np.sqrt(np.clip((vivid + 1) / (vivid2 + 1), 1 / _CONTRAST, _CONTRAST))[:, None]
    moved = np.hypot(*(tint / gain - tint2 * gain).T) <= _TINT
    weaker = np.minimum(*(np.hypot(c[:, 0], c[:, 1]).mean(axis=1) for c in (colour, colour2)))
    grey = (weaker < _GREY[0]) & (likeness >= _GREY[1])
    return np.where((likeness >= _LIKENESS) & as_bright & as_sharp & (fitting & moved | grey), likeness, 0)


def _correlation(first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the correlation of channels without their means, and the spread of each, in levels."""
    spread, spread2 = (np.sqrt((side**2).mean(axis=(1, 2))) for side in (first, second))
    product: Floats = (first * second).mean(axis=(1, 2))
    return np.clip(product / np.maximum(spread * spread2, 1), 0, 1), spread, spread2


def _thumbnail(looks: Looks, part: Ints) -> tuple[Floats, Floats]:
    """Return one part of each look: luma as (n, 1, 64), colour as (n, 2, 16), grey being 0."""
    frame = (looks["frame"] * (part > 0)[:, None] / 255).astype(np.float32)
    size = 1 - frame[:, :2] - frame[:, 2:]
    low, high = frame[:, :2] + PARTS[part, :2] * size, frame[:, :2] + (1 - PARTS[part, 2:]) * size
    across, down = _cell_weights(low, high, 16)
    luma: Floats = down @ looks["luma"] @ across.mT
    across, down = _cell_weights(low, high, 8)
    colour: Floats = down[:, None] @ (looks["chroma"].astype(np.float32) - 128) @ across[:, None].mT
    return luma.reshape(-1, 1, 64), colour.reshape(-1, 2, 16)


def _cell_weights(low: Floats, high: Floats, pixels: int) -> Floats:
    """Return, across and down, how much of each pixel goes into each of half as many cells."""
    step = np.linspace(0, 1, pixels // 2 + 1, dtype=np.float32)
    edge = low.T[:, :, None] + (high - low).T[:, :, None] * step
    inside = np.clip(edge[..., None] * pixels - np.arange(pixels, dtype=np.float32), 0, 1)
    share: Floats = np.diff(inside, axis=2)
    share /= share.sum(axis=3, keepdims=True)
    return share
