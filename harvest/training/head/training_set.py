"""Images to fit heads on: their weights, their folds, and fits on any subset of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.training.head import logistic_regression
from harvest.training.head.logistic_regression import RegressionProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harvest.training.head.logistic_regression import FeatureSpace, Solution

    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]


class TrainingSet(NamedTuple):
    """Images with their classes; each has one or several rows of a feature space."""

    space: FeatureSpace
    owner: Ints  # the image of each row; the first rows are the images without augmentation
    targets: Ints  # of images
    groups: Ints
    classes: int
    balanced: bool = True  # whether every class has the same total weight; otherwise every image has

    def weigh(self, targets: Ints) -> NDArray[np.float64]:
        """Return the weight of each image in the loss, given their classes."""
        return class_weights(targets, self.classes) if self.balanced else np.ones(len(targets))

    def fit_subset(self, pictures: Flags, strength: float, start: Solution | None = None) -> Solution | None:
        """Return a head fitted on some images; None if none of them has features."""
        rows = np.flatnonzero(pictures[self.owner] & self.space.sound)
        if not len(rows):
            return None
        targets = self.targets[self.owner[rows]]
        views = len(self.owner) / len(self.targets)  # all rows of an image together count as one image
        task = RegressionProblem(self.space.rows[rows], targets, self.weigh(targets) / views, self.classes)
        return logistic_regression.fit_logistic_regression(task, strength * self.space.size, start)


def assign_folds(
    groups: Sequence[int] | NDArray[np.int64],
    targets: NDArray[np.int64],
    classes: int,
    folds: int,
    *,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Return the fold of each image: each group, the largest first, goes to the fold with the fewest of its classes.

    >>> assign_folds([1, 1, 2, 3], np.array([0, 0, 0, 0]), classes=1, folds=2)
    array([0, 0, 1, 1])
    """
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    order = np.random.default_rng(seed).permutation(len(members))
    counts = np.zeros((folds, classes))
    fold_of = np.empty(len(group_of), np.int64)
    for number in sorted(order, key=lambda number: -len(members[number])):
        rows = members[number]
        row_targets = targets[rows]
        # By class first; of equal folds, the one with the fewest images.
        fold = int(np.argmin(counts[:, row_targets].sum(axis=1) + counts.sum(axis=1) / (len(group_of) + 1)))
        fold_of[rows] = fold
        np.add.at(counts[fold], row_targets, 1)
    return fold_of


def class_weights(targets: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return a weight for each image, so that every class has the same total weight.

    >>> class_weights(np.array([0, 0, 0, 1]), 2)
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    counts = np.maximum(np.bincount(targets, minlength=classes), 1)
    return np.asarray(len(targets) / (classes * counts))[targets]
