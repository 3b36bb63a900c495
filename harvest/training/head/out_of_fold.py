"""What features tell beside the head: suspects, and whether more pictures would help."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvest.training.head import folds as dealing
from harvest.training.head.logistic_regression import FeatureSpace
from harvest.training.head.training_set import TrainingSet
from harvest.training.metrics.evaluate_predictions import wilson_interval
from harvest.training.pictures.find_files import SplitPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harvest.training.head.logistic_regression import Solution
    from harvest.training.splits.split import Split

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

STRENGTH = 0.1  # of the penalty, for each feature, where none could be chosen
_FOLDS = 5
_FIRST = 5  # pictures of a class: where the learning curve begins
_NEAR = 0.75  # of the last point: a point beyond tells the same


class LearningCurvePoint(NamedTuple):
    """How good a head is that learned from so many pictures of each class, with a 95 % interval."""

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
) -> tuple[Floats, Ints]:
    """Return what heads think of pictures that they did not learn from, and the fold of each picture."""
    space = FeatureSpace.of(values)
    lot = TrainingSet(space, np.arange(len(values)), targets, np.asarray(groups), classes)
    fold = dealing.assign_folds(groups, targets, classes, folds)
    told = np.full((len(values), classes), 1 / classes)
    for number in range(folds):
        solution = lot.fit_subset(fold != number, strength)
        asked = np.flatnonzero((fold == number) & space.sound)
        if solution is not None and len(asked):
            told[asked] = solution.probabilities(space.rows[asked])
    return told, fold


def compute_learning_curve(
    values: Singles, targets: Ints, split: Split, *, strength: float = STRENGTH, folds: int = _FOLDS
) -> list[LearningCurvePoint]:
    """Return how good heads are that learn from ever more pictures of each class; the test part stays out.

    Every picture is asked about once at each point, by a head that learned from others.
    """
    rows = np.sort(np.concatenate([split.rows(SplitPart.TRAIN), split.rows(SplitPart.VALID)]))
    classes = int(targets.max(initial=0)) + 1
    space = FeatureSpace.of(values[rows])
    lot = TrainingSet(space, np.arange(len(rows)), targets[rows], np.asarray(split.groups)[rows], classes)
    fold = dealing.assign_folds(lot.groups, lot.targets, classes, folds)
    places = [_places(lot.targets, fold != number) for number in range(folds)]
    most = 1 + max(int(place[place < len(rows)].max(initial=0)) for place in places)
    sizes = [_FIRST * 2**step for step in range(20) if _FIRST * 2**step < _NEAR * most]
    points = []
    found: list[Solution | None] = [None] * folds
    for size in [*sizes, most]:
        right = asked = learned = heads = 0
        for number in range(folds):
            learning = places[number] < size
            found[number] = solution = lot.fit_subset(learning, strength, found[number])
            exam = np.flatnonzero((fold == number) & space.sound)
            if solution is None or not len(exam):
                continue
            told = solution.probabilities(space.rows[exam]).argmax(axis=1)
            right += int((told == lot.targets[exam]).sum())
            asked += len(exam)
            learned += int(learning.sum())
            heads += 1
        if asked:
            points.append(
                LearningCurvePoint(round(learned / heads / classes), right / asked, *wilson_interval(right, asked))
            )
    return points


def _places(targets: Ints, left: Flags) -> Ints:
    """Return the place of each picture among those of its class that are left, in an order of chance."""
    place = np.full(len(targets), len(targets))
    order = np.random.default_rng(0).permutation(len(targets))
    order = order[left[order]]
    for label in np.unique(targets):
        ours = order[targets[order] == label]
        place[ours] = np.arange(len(ours))
    return place
