"""Out-of-fold predictions, to find wrong labels, and the learning curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.labelled_pictures.find_files import SplitPart
from harvest.training.head.logistic_regression import FeatureSpace
from harvest.training.head.training_set import TrainingSet, assign_folds
from harvest.training.metrics.evaluate_predictions import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harvest.splits.split_images import Split
    from harvest.training.head.logistic_regression import Solution

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

STRENGTH = 0.1  # default strength of the penalty, per feature
_FOLDS = 5
_FIRST = 5  # images per class at the first point of the learning curve
_NEAR = 0.75  # share of the last point: points above it add no information


class LearningCurvePoint(NamedTuple):
    """The accuracy of a head fitted on so many images of each class, with its 95 % interval."""

    per_class: int
    accuracy: float
    low: float
    high: float


def predict_out_of_fold(
    values: Singles,
    targets: Ints,
    groups: Sequence[int] | Ints,
    classes: int,
    *,
    strength: float = STRENGTH,
    folds: int = _FOLDS,
    balanced: bool = True,
) -> tuple[Floats, Ints]:
    """Return the probabilities of each image by a head fitted without its fold, and the folds."""
    space = FeatureSpace.of(values)
    training_set = TrainingSet(space, np.arange(len(values)), targets, np.asarray(groups), classes, balanced)
    fold = assign_folds(groups, targets, classes, folds)
    probabilities = np.full((len(values), classes), 1 / classes)
    for number in range(folds):
        solution = training_set.fit_subset(fold != number, strength)
        held_out = np.flatnonzero((fold == number) & space.sound)
        if solution is not None and len(held_out):
            probabilities[held_out] = solution.probabilities(space.rows[held_out])
    return probabilities, fold


def compute_learning_curve(
    values: Singles,
    targets: Ints,
    split: Split,
    *,
    strength: float = STRENGTH,
    folds: int = _FOLDS,
    balanced: bool = True,
) -> list[LearningCurvePoint]:
    """Return the accuracy of heads fitted on more and more images of each class; the test set is left out.

    At each point, every image is predicted once, by a head fitted on other folds.
    """
    rows = np.sort(np.concatenate([split.rows(SplitPart.TRAIN), split.rows(SplitPart.VALID)]))
    classes = int(targets.max(initial=0)) + 1
    space = FeatureSpace.of(values[rows])
    groups = np.asarray(split.groups)[rows]
    training_set = TrainingSet(space, np.arange(len(rows)), targets[rows], groups, classes, balanced)
    fold = assign_folds(training_set.groups, training_set.targets, classes, folds)
    ranks = [_rank_in_class(training_set.targets, fold != number) for number in range(folds)]
    most = 1 + max(int(rank[rank < len(rows)].max(initial=0)) for rank in ranks)
    sizes = [_FIRST * 2**step for step in range(20) if _FIRST * 2**step < _NEAR * most]
    points = []
    found: list[Solution | None] = [None] * folds
    for size in [*sizes, most]:
        correct = predicted = trained = heads = 0
        for number in range(folds):
            subset = ranks[number] < size
            found[number] = solution = training_set.fit_subset(subset, strength, found[number])
            held_out = np.flatnonzero((fold == number) & space.sound)
            if solution is None or not len(held_out):
                continue
            predictions = solution.probabilities(space.rows[held_out]).argmax(axis=1)
            correct += int((predictions == training_set.targets[held_out]).sum())
            predicted += len(held_out)
            trained += int(subset.sum())
            heads += 1
        if predicted:
            points.append(
                LearningCurvePoint(
                    round(trained / heads / classes), correct / predicted, *wilson_interval(correct, predicted)
                )
            )
    return points


def _rank_in_class(targets: Ints, included: Flags) -> Ints:
    """Return the rank of each included image in its class, in random order; the others get the largest rank."""
    rank = np.full(len(targets), len(targets))
    order = np.random.default_rng(0).permutation(len(targets))
    order = order[included[order]]
    for label in np.unique(targets):
        class_rows = order[targets[order] == label]
        rank[class_rows] = np.arange(len(class_rows))
    return rank
