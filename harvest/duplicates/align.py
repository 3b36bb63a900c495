"""Align the thumbnails of two fingerprints: find the crop and the scale by which one fits the other best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harvest.duplicates.fingerprint import PARTS, WHOLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Fingerprints = NDArray[np.void]  # of `PACKED`
    Ints = NDArray[np.intp]
    Floats = NDArray[np.float32]
    Boxes = Floats  # (n, 4): left, top, right, bottom, in sides of a thumbnail


class Mapping(NamedTuple):
    """Where a position in the first thumbnail of each pair is in the second: at `scale * position + shift`."""

    scale: Floats  # (n, 2): across and down
    shift: Floats


# Thumbnails are compared on a grid with fewer cells than pixels, so that shifting one by half a pixel does not blur it.
CELLS = 30
_EDGE = 0.03  # share of each side that is left out: the edge of a frame is rarely exactly between two pixels
_ROUNDS = 4  # of aligning; eight give the same
_WIDEST = 0.45  # share of a side that a frame or a bar can take; a ledger from elsewhere may hold any number


def part_boxes(fingerprints: Fingerprints, part: Ints) -> Boxes:
    """Return where a part of each image is in its thumbnail, which shows what is between the bars."""
    bars = bar_widths(fingerprints)
    frame = np.minimum(fingerprints["frame"] / 255, _WIDEST).astype(np.float32)
    around = np.where((part < WHOLE)[:, None], frame, np.where((part == WHOLE)[:, None], 0, bars))
    cropped = np.concatenate((PARTS, np.zeros((2, 4), np.float32)))[part]
    low = around[:, :2] + cropped[:, :2] * (1 - around[:, :2] - around[:, 2:])
    high = 1 - around[:, 2:] - cropped[:, 2:] * (1 - around[:, :2] - around[:, 2:])
    origin, size = bars[:, :2], 1 - bars[:, :2] - bars[:, 2:]
    boxes: Boxes = np.concatenate(((low - origin) / size, (high - origin) / size), axis=1)
    return boxes


def bar_widths(fingerprints: Fingerprints) -> Boxes:
    """Return the widths of the bars of each image, as shares of its sides."""
    bars: Boxes = np.minimum(fingerprints["bars"] / 255, _WIDEST).astype(np.float32)
    return bars


def map_boxes(first: Boxes, second: Boxes) -> Mapping:
    """Return the mappings that turn the first box of each pair into the second."""
    scale: Floats = (second[:, 2:] - second[:, :2]) / (first[:, 2:] - first[:, :2])
    return Mapping(scale, second[:, :2] - scale * first[:, :2])


def overlap(mapping: Mapping, edge: float = _EDGE) -> tuple[Boxes, Boxes]:
    """Return what both images show, as a box in each, without its edge."""
    scale, shift = mapping
    low = np.maximum(0, -shift / scale)
    high = np.maximum(np.minimum(1, (1 - shift) / scale), low + 0.05)
    low, high = low + edge * (high - low), high - edge * (high - low)
    return np.concatenate((low, high), axis=1), np.concatenate((scale * low + shift, scale * high + shift), axis=1)


def sample(channels: NDArray[Any], box: Boxes, cells: int) -> Floats:
    """Return a box of each channel as a grid of cells, linearly interpolated."""
    across, down = (_weights(box[:, axis], box[:, axis + 2], channels.shape[-1], cells) for axis in (0, 1))
    sampled: Floats = down @ channels.astype(np.float32) @ across.mT
    return sampled


def _weights(low: Floats, high: Floats, pixels: int, cells: int) -> Floats:
    """Return the weight of each pixel in each cell between two positions."""
    middle = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    at = np.clip((low[:, None] + (high - low)[:, None] * middle) * pixels - 0.5, 0, pixels - 1)
    width = np.maximum(1, (high - low) * pixels / cells)[:, None, None]
    weights = np.maximum(1 - np.abs(at[..., None] - np.arange(pixels, dtype=np.float32)) / width, 0)
    share: Floats = weights / weights.sum(axis=2, keepdims=True)
    return share


def correlate(first: Floats, second: Floats, noise: float) -> tuple[Floats, Floats, Floats]:
    """Return the correlation of grids, and the standard deviation of each in levels."""
    first, second = (grid - grid.mean(axis=(1, 2), keepdims=True) for grid in (first, second))
    spread, spread2 = (np.sqrt((grid**2).mean(axis=(1, 2))) for grid in (first, second))
    product = (first * second).mean(axis=(1, 2))
    correlation: Floats = product / np.sqrt((spread**2 + noise**2) * (spread2**2 + noise**2))
    return correlation, spread, spread2


_FROM_MIDDLE = ((np.arange(CELLS) + 0.5) / CELLS - 0.5).astype(np.float32)
# For the weights of both images' brightness, and in levels squared per cell for the four movements: in an image without
# detail nothing moves.
_DAMPING = np.diag([1, 1, 50, 50, 50, 50])


def align(first: Floats, second: Floats, mapping: Mapping) -> Mapping:
    """Improve mappings by the method of Gauss and Newton, for any change of brightness and contrast."""
    for _ in range(_ROUNDS):
        box, box2 = overlap(mapping)
        wanted, grid = sample(first, box, CELLS), sample(second, box2, CELLS)
        down, across = np.gradient(grid, axis=(1, 2))
        terms = (grid, np.ones_like(grid), across, across * _FROM_MIDDLE, down, down * _FROM_MIDDLE[:, None])
        matrix = np.stack(terms, axis=-1).reshape(len(grid), -1, len(terms)).astype(np.float64)
        normal = matrix.mT @ matrix + _DAMPING
        solved = np.linalg.solve(normal, matrix.mT @ wanted.reshape(len(grid), -1, 1))[..., 0]
        contrast = np.clip(solved[:, :1], 0.3, 3)
        moved = np.clip(solved[:, [2, 4]] / contrast, -2, 2)  # cells
        grown = np.clip(solved[:, [3, 5]] / contrast, -3, 3)
        cell = (box2[:, 2:] - box2[:, :2]) / CELLS
        low, high = box2[:, :2] + (moved - grown / 2) * cell, box2[:, 2:] + (moved + grown / 2) * cell
        scale = np.clip((high - low) / (box[:, 2:] - box[:, :2]), 0.5, 2).astype(np.float32)
        mapping = Mapping(scale, (low - scale * box[:, :2]).astype(np.float32))
    return mapping
