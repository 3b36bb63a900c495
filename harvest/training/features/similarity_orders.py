"""Order images by the similarity of their features, to find wrong ones: no head and no training is needed.

On frozen MobileNetV2 features, with images planted among 120 photographs of a flower, "odd ones" finds images of
other things, and "like another class" finds other flowers (`tests/bench/orders.py`). A small k fails for both, because
wrong images resemble each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_NEIGHBOURS = 20
_ROWS = 512  # images that are compared with all others at a time: for 50,000 images, 100 MB


class SimilarityOrders:
    """Orders of images, each a list of content hashes; images without finite features are left out."""

    def __init__(self, features: Mapping[str, Floats], labels: Mapping[str, str]) -> None:
        """Use the features of the images in `labels`, both by content hash."""
        self._contents = [each for each in sorted(labels) if each in features and np.isfinite(features[each]).all()]
        rows = [np.asarray(features[each], np.float32) for each in self._contents]
        self._vectors = _normalize(np.stack(rows)) if rows else np.zeros((0, 1), np.float32)
        self._row = {content: row for row, content in enumerate(self._contents)}
        names = [labels[each] for each in self._contents]
        self._classes = np.unique(names, return_inverse=True)[1] if names else np.zeros(0, np.intp)

    def list_odd_ones(self) -> list[str]:
        """Return the images by their similarity to the mean of their class, the least similar first."""
        similarity = np.zeros(len(self._contents), np.float32)
        for each in np.unique(self._classes):
            own = self._classes == each
            mean = _normalize(self._vectors[own].mean(axis=0, keepdims=True))[0]
            similarity[own] = self._vectors[own] @ mean
        return self._sort_contents(similarity)

    def list_like_another_class(self) -> list[str]:
        """Return the images, first those that resemble images of other classes more than those of their own."""
        margin = np.zeros(len(self._contents), np.float32)
        for start in range(0, len(self._contents), _ROWS):
            rows = slice(start, start + _ROWS)
            similarity = self._vectors[rows] @ self._vectors.T
            similarity[np.arange(len(similarity)), np.arange(len(similarity)) + start] = -np.inf  # itself
            is_own = self._classes[rows, None] == self._classes
            own = _mean_of_highest(np.where(is_own, similarity, -np.inf))
            margin[rows] = own - _mean_of_highest(np.where(is_own, -np.inf, similarity))
        return self._sort_contents(margin)

    def list_similar(self, content: str) -> list[str]:
        """Return all images by their similarity to one, the most similar first; empty if its features are unknown."""
        if content not in self._row:
            return []
        return self._sort_contents(-(self._vectors @ self._vectors[self._row[content]]))

    def _sort_contents(self, values: Floats) -> list[str]:
        return [self._contents[row] for row in np.argsort(values, kind="stable")]


def _normalize(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return scaled


def _mean_of_highest(similarity: Floats) -> Floats:
    """Return the mean of the highest finite values of each row; 0 where there is none."""
    count = min(_NEIGHBOURS, similarity.shape[1])
    highest = -np.partition(-similarity, count - 1, axis=1)[:, :count]
    finite = np.isfinite(highest)
    mean: Floats = np.where(finite, highest, 0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    return mean
