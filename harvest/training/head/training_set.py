"""Images to fit heads on; any subset can be left out for predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.training.head import logistic_regression
from harvest.training.head.folds import class_weights
from harvest.training.head.logistic_regression import RegressionProblem

if TYPE_CHECKING:
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

    def fit_subset(self, pictures: Flags, strength: float, start: Solution | None = None) -> Solution | None:
        """Return a head fitted on some images; None if none of them has features."""
        rows = np.flatnonzero(pictures[self.owner] & self.space.sound)
        if not len(rows):
            return None
        targets = self.targets[self.owner[rows]]
        views = len(self.owner) / len(self.targets)  # all rows of an image together count as one image
        task = RegressionProblem(
            self.space.rows[rows], targets, class_weights(targets, self.classes) / views, self.classes
        )
        return logistic_regression.fit_logistic_regression(task, strength * self.space.size, start)
