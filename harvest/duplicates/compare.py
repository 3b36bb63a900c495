"""Compare images by the thumbnails of their fingerprints: they are certainly copies, probably copies, or distinct.

Two photographs of like things on like backgrounds have near hashes and similar thumbnails. What separates them from
copies is their fine detail, once one is aligned with the other. So each pair is aligned, by the crop and the scale
that fit best, and then compared by what remains of both thumbnails without their coarse structure.
"""

from __future__ import annotations

import itertools
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from harvest.duplicates.align import (
    CELLS,
    Mapping,
    align,
    bar_widths,
    correlate,
    map_boxes,
    overlap,
    part_boxes,
    sample,
)
from harvest.duplicates.fingerprint import CONTENT, SIDE, WHOLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Fingerprints = NDArray[np.void]  # of `PACKED`
    Ints = NDArray[np.intp]
    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float32]
    Boxes = Floats  # (n, 4): left, top, right, bottom, in sides of a thumbnail


class Likeness(IntEnum):
    """How two images are related."""

    DISTINCT = 0
    PROBABLE = 1  # probably copies, or photographs of the same thing: a person decides
    CERTAIN = 2  # certainly copies


_FEW_CELLS = 10  # for the comparison that excludes most pairs
_STARTS = 3  # of aligning, for each pair of images
_BATCH = 500  # pairs that are compared at a time; one takes 50 kB

# The limits were chosen on the photographs of clothing of `tests/bench/duplicates.py`: 287 pairs of distinct ones have
# a near hash. The details of one pair correlate with 0.89, those of the next with 0.87.
_COARSE = 0.7  # correlation before aligning, at least
_PROBABLE = 0.8  # correlation of fine detail, at least
_CERTAIN = 0.92  # the same, of an image and what may be a stretched copy or a part of it
_PROBABLY_COVERED = (0.9, 0.5)  # share of the smaller, and of the larger image that is in the other one, at least
_COVERED = 0.95  # share of the smaller image that is in the other one, at least
_COINCIDE = 0.04  # share of a side by which the edges of two images may differ that show the same
_CROPPED = 0.6  # share of the larger image that is in the other one, at least
_STRETCH = 0.05  # natural logarithm of the ratio of both scales: of a crop, which nobody stretches as well
_GROWN = 0.36  # natural logarithm of the ratio of their sizes, of a frame on all sides at most
_WIDEST_FRAME = 0.15  # share of a side; what is wider is a bar or a background
_NOISE = 0.5  # levels that compression changes; without them, any two plain images would correlate


def compare(first: Fingerprints, part: Ints, second: Fingerprints, other: Ints, pair: Ints) -> tuple[Ints, Floats]:
    """Compare images of which a part of the first has a hash near that of a part of the second.

    `pair` has the same number for all parts of two images: only a few of them are tried. Returns the likeness of each,
    and the correlation of their details, to order copies by.
    """
    likeness, correlation = np.zeros(len(pair), np.intp), np.zeros(len(pair), np.float32)
    start = map_boxes(part_boxes(first, part), part_boxes(second, other))
    coarse = [_coarse_correlation(first[some], second[some], _take(start, some)) for some in _batches(len(pair))]
    tried = _choose_starts(np.concatenate([np.zeros(0, np.float32), *coarse]), pair)
    for batch in _batches(len(tried)):
        some = tried[batch]
        one, two = first[some], second[some]
        mapping = align(_luma(one), _luma(two), _take(start, some))
        likeness[some], correlation[some] = _judge(one, two, mapping)
    return likeness, correlation


def _batches(count: int) -> list[slice]:
    return [slice(low, low + _BATCH) for low in range(0, count, _BATCH)]


def _take(mapping: Mapping, some: slice | Ints) -> Mapping:
    return Mapping(mapping.scale[some], mapping.shift[some])


def _coarse_correlation(first: Fingerprints, second: Fingerprints, mapping: Mapping) -> Floats:
    box, box2 = overlap(mapping)
    return correlate(sample(first["luma"], box, _FEW_CELLS), sample(second["luma"], box2, _FEW_CELLS), noise=1)[0]


def _choose_starts(correlation: Floats, pair: Ints) -> Ints:
    """Return the positions of the best starts of each pair."""
    order = np.lexsort((-correlation, pair))
    rank = np.arange(len(pair)) - np.searchsorted(pair[order], pair[order])
    chosen: Ints = order[(rank < _STARTS) & (correlation[order] >= _COARSE)]
    return chosen


def _luma(fingerprints: Fingerprints) -> Floats:
    return fingerprints["luma"].astype(np.float32)


def _judge(first: Fingerprints, second: Fingerprints, mapping: Mapping) -> tuple[Ints, Floats]:
    """Return the likeness of aligned images, and the correlation of their details."""
    box, box2 = overlap(mapping)
    luma, luma2 = sample(_luma(first), box, CELLS), sample(_luma(second), box2, CELLS)
    has_detail = np.minimum(first["detail"], second["detail"]) == SIDE
    detail = np.where(
        has_detail,
        correlate(_remove_blur(luma, _FINE), _remove_blur(luma2, _FINE), _NOISE)[0],
        correlate(_remove_blur(luma, _WIDE), _remove_blur(luma2, _WIDE), _NOISE)[0],
    )
    correlation, spread, spread2 = correlate(luma, luma2, noise=1)
    is_alike = _has_like_light(luma, spread, luma2, spread2) & _has_like_colour(
        _sample_colour(first, box), _sample_colour(second, box2), correlation
    )
    is_probable = (detail >= _PROBABLE) & is_alike & _has_like_size(first, second, mapping) & _is_covered(mapping)
    is_copy = is_probable & (detail >= _CERTAIN) & ~_has_local_change(luma, luma2)
    is_copy &= _is_complete(first, second, mapping) | _is_crop(first, second, mapping)
    likeness = np.where(is_copy, Likeness.CERTAIN, np.where(is_probable, Likeness.PROBABLE, Likeness.DISTINCT))
    return likeness.astype(np.intp), detail.astype(np.float32)


def _is_covered(mapping: Mapping) -> Flags:
    """Return whether nearly all of one image, and much of the other, is in both."""
    shares = _shares(mapping)
    is_covered: Flags = (np.maximum(*shares) >= _PROBABLY_COVERED[0]) & (np.minimum(*shares) >= _PROBABLY_COVERED[1])
    return is_covered


def _remove_blur(luma: Floats, blur: tuple[Floats, Floats]) -> Floats:
    """Return the structure of a grid between two sizes."""
    fine, coarse = blur
    detail: Floats = (fine @ luma @ fine.T - coarse @ luma @ coarse.T).astype(np.float32)
    return detail


def _blur_matrix(cells: float) -> Floats:
    """Return the matrix that blurs the columns of a grid by this standard deviation."""
    distance = np.arange(CELLS)[:, None] - np.arange(CELLS)
    weight = np.exp(-((distance / cells) ** 2) / 2)
    matrix: Floats = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


_FINE = np.eye(CELLS, dtype=np.float32), _blur_matrix(1.25)
_WIDE = _blur_matrix(1), _blur_matrix(3)  # for the 16 pixels of a thumbnail of the earlier version


def _is_complete(first: Fingerprints, second: Fingerprints, mapping: Mapping) -> Flags:
    """Return whether both show the same, perhaps stretched: all of each image, or all but its frame or its bars."""
    is_complete = np.zeros(len(first), np.bool_)
    for box, box2 in itertools.product(_nested_boxes(first), _nested_boxes(second)):
        mapped = np.concatenate((mapping.scale, mapping.scale), axis=1) * box
        mapped += np.concatenate((mapping.shift, mapping.shift), axis=1)
        size = np.concatenate((box2[:, 2:] - box2[:, :2],) * 2, axis=1)
        is_complete |= (np.abs(mapped - box2) <= _COINCIDE * size).all(axis=1)
    return is_complete


def _nested_boxes(fingerprints: Fingerprints) -> list[Boxes]:
    return [part_boxes(fingerprints, np.full(len(fingerprints), part)) for part in (0, WHOLE, CONTENT)]


def _is_crop(first: Fingerprints, second: Fingerprints, mapping: Mapping) -> Flags:
    """Return whether one image is a part of the other one, without being stretched.

    If an image has wide bars, or an object on a plain background, what remains of it says too little.
    """
    shares = _shares(mapping)
    has_bars = np.maximum(bar_widths(first), bar_widths(second)).max(axis=1) > _WIDEST_FRAME
    is_part: Flags = (np.minimum(*shares) >= _CROPPED) & (np.maximum(*shares) >= _COVERED) & ~has_bars
    with np.errstate(all="ignore"):  # a ledger from elsewhere may hold any number
        stretch = _stretch(mapping) + np.log(second["aspect"] / first["aspect"])
        is_part &= np.abs(stretch) <= _STRETCH
    return is_part


def _has_local_change(luma: Floats, luma2: Floats) -> Flags:
    """Return whether the images differ in one place, more than elsewhere: by an object, a mark, a card's value.

    A curve of the third degree allows for brightness, contrast and what they cut off.
    """
    tone = luma2.reshape(len(luma2), -1) / 128 - 1
    terms = np.stack([tone**power for power in range(4)], axis=-1).astype(np.float64)
    wanted = luma.reshape(len(luma), -1, 1)
    curve = np.linalg.solve(terms.mT @ terms + np.eye(4), terms.mT @ wanted)
    left = (wanted - terms @ curve).reshape(luma.shape)
    largest = np.abs(_NEIGHBOURS @ left @ _NEIGHBOURS.T) - _SHIFTED * np.minimum(_slopes(luma), _slopes(luma2))
    usual = np.sqrt((left**2).mean(axis=(1, 2)))
    largest = largest.max(axis=(1, 2))
    has_local_change: Flags = (largest >= _LOCAL) | (largest >= _LESS_LOCAL[0]) & (largest >= _LESS_LOCAL[1] * usual)
    return has_local_change


def _slopes(luma: Floats) -> Floats:
    """Return how many levels each cell and its neighbours change if a grid is shifted by a cell."""
    down, across = np.gradient(luma, axis=(1, 2))
    slopes: Floats = _NEIGHBOURS @ np.hypot(down, across) @ _NEIGHBOURS.T
    return slopes


# Of copies that were resized, recompressed, framed, captioned or squeezed, 97 % differ by at most 10 levels in any
# place, and by 3.5 times the usual difference; of images with a painted disc of 8 % of their width or more, 90 % differ
# by at least 22 levels.
_LOCAL = 16  # levels
_LESS_LOCAL = (10, 3.5)  # levels, and times the usual difference
_SHIFTED = 0.15  # cells by which strong edges may remain shifted
_NEIGHBOURS = (np.abs(np.arange(CELLS)[:, None] - np.arange(CELLS)) <= 1).astype(np.float32) / 3


def _has_like_size(first: Fingerprints, second: Fingerprints, mapping: Mapping) -> Flags:
    """Return whether the sizes of the images with their bars differ in one direction at most.

    Bars make an image wider or higher. What has wider margins on all sides is another drawing of the same thing.
    """
    inside, inside2 = (1 - bars[:, :2] - bars[:, 2:] for bars in (bar_widths(first), bar_widths(second)))
    grown = np.abs(np.log(inside / (inside2 * mapping.scale)))
    has_like_size: Flags = grown.min(axis=1) <= _GROWN
    return has_like_size


def _shares(mapping: Mapping) -> tuple[Floats, Floats]:
    """Return which share of each image is in the other one."""
    box, box2 = overlap(mapping, edge=0)
    return np.prod(box[:, 2:] - box[:, :2], axis=1), np.prod(box2[:, 2:] - box2[:, :2], axis=1)


def _stretch(mapping: Mapping) -> Floats:
    stretch: Floats = np.log(mapping.scale[:, 0] / mapping.scale[:, 1])
    return stretch


# A copy on the web changes in brightness and colour as a whole, and by less than these limits. Without the rules for
# colour, drawn discs of different colours are copies.
_CONTRAST = 1.4  # times the smaller standard deviation of luma
_BRIGHTNESS = (6, 0.2)  # levels, plus a share of the brighter one
_MISFIT = (3, 0.1)  # remaining difference of colour in levels, plus a share of the smaller standard deviation
_TINT = 14  # levels by which the colour may change as a whole, apart from its saturation
_GREY = (2, 0.97)  # a colour this weak may be that of a grey copy if the luma correlates this well


def _has_like_light(luma: Floats, spread: Floats, luma2: Floats, spread2: Floats) -> Flags:
    light, light2 = luma.mean(axis=(1, 2)), luma2.mean(axis=(1, 2))
    is_as_bright = np.abs(light - light2) <= _BRIGHTNESS[0] + _BRIGHTNESS[1] * np.maximum(light, light2)
    has_like_light: Flags = is_as_bright & (np.maximum(spread, spread2) <= _CONTRAST * np.minimum(spread, spread2))
    return has_like_light


def _has_like_colour(colour: Floats, colour2: Floats, correlation: Floats) -> Flags:
    tint, tint2 = colour.mean(axis=2), colour2.mean(axis=2)
    pattern, pattern2 = colour - tint[:, :, None], colour2 - tint2[:, :, None]
    vivid, vivid2 = (np.sqrt((each**2).mean(axis=(1, 2))) for each in (pattern, pattern2))
    fit = np.clip((pattern * pattern2).mean(axis=(1, 2)) / np.maximum(vivid * vivid2, 1), 0, 1)
    lesser = np.minimum(vivid, vivid2)
    is_fitting = np.sqrt(1 - fit**2) * lesser <= _MISFIT[0] + _MISFIT[1] * lesser
    gain = np.sqrt(np.clip((vivid + 1) / (vivid2 + 1), 1 / _CONTRAST, _CONTRAST))[:, None]
    is_near = np.hypot(*(tint / gain - tint2 * gain).T) <= _TINT
    weaker = np.minimum(*(np.hypot(each[:, 0], each[:, 1]).mean(axis=1) for each in (colour, colour2)))
    has_like_colour: Flags = is_fitting & is_near | (weaker < _GREY[0]) & (correlation >= _GREY[1])
    return has_like_colour


def _sample_colour(fingerprints: Fingerprints, box: Boxes) -> Floats:
    """Return the two channels of colour as 4 x 4 cells, 0 for grey: (n, 2, 16)."""
    channels = [sample(fingerprints["chroma"][:, channel], box, 4) - 128 for channel in range(2)]
    return np.stack(channels, axis=1).reshape(len(box), 2, 16)
