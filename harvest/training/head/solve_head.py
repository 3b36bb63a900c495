"""The last layer solved on frozen features, its penalty chosen on the training part alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import softmax

from harvest.errors import TrainingError
from harvest.training.head import folds
from harvest.training.head.folds import class_weights
from harvest.training.head.logistic_regression import FeatureSpace
from harvest.training.head.out_of_fold import (
    STRENGTH,
    LearningCurvePoint,
    compute_learning_curve,
    predict_out_of_fold,
)
from harvest.training.head.training_set import TrainingSet
from harvest.training.pictures.find_files import SplitPart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.training.features.compute_features import Features
    from harvest.training.head.logistic_regression import Solution
    from harvest.training.network.network import Network
    from harvest.training.splits.split import Split

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["Head", "LearningCurvePoint", "compute_learning_curve", "predict_out_of_fold", "solve_head"]

_STRENGTHS = tuple(10 ** (step / 2) for step in range(2, -8, -1))  # strong to weak
_FOLDS = 5
_CHOOSING = 2000  # pictures, of at most so many classes, suffice to choose the strength by
_CLASSES = 50
_LEAST = 1e-9  # probability: one picture in a wrong folder must not outweigh all others


@dataclass(frozen=True, slots=True)
class Head:
    """A last layer: `features @ weight.T + bias` is one number for each class."""

    weight: Floats
    bias: Floats
    strength: float  # of the penalty that was best, for each feature

    def probabilities(self, values: Singles) -> Floats:
        """Return the probability of each class; where there are no features, all are as likely."""
        sound: Flags = np.asarray(np.isfinite(values).all(axis=1))
        answers = np.where(sound[:, None], values, 0) @ self.weight.T + self.bias
        return np.asarray(np.where(sound[:, None], softmax(answers, axis=1), 1 / len(self.bias)))

    def install_in(self, network: Network) -> None:
        """Make it the last layer of a network."""
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(self.weight))
            network.head.bias.copy_(torch.from_numpy(self.bias))


def solve_head(features: Features, targets: Ints, split: Split, classes: int) -> Head:
    """Solve the head on the training part, from which the strength of the penalty is chosen too."""
    rows = split.rows(SplitPart.TRAIN)
    values, owner = features.values[rows], np.arange(len(rows))
    if features.views is not None:
        views = features.views[rows].swapaxes(0, 1)
        values = np.concatenate([values, *views])
        owner = np.tile(owner, 1 + len(views))
    lot = TrainingSet(FeatureSpace.of(values), owner, targets[rows], np.asarray(split.groups)[rows], classes)
    strength = _choose_strength(_sample(lot))
    found = lot.fit_subset(np.ones(len(rows), np.bool_), strength)
    if found is None:
        raise TrainingError("not one picture of the training part has features: they are gone, or all broken.")
    return Head(*lot.space.outside(found), strength)


def _sample(lot: TrainingSet) -> TrainingSet:
    """Return as much of a lot as the strength is chosen by: it hardly depends on the rest."""
    dice = np.random.default_rng(0)
    some = np.sort(dice.permutation(lot.classes)[:_CLASSES])
    pictures = np.flatnonzero(np.isin(lot.targets, some))
    pictures = np.sort(dice.permutation(pictures)[:_CHOOSING])
    rows = np.flatnonzero(np.isin(lot.owner, pictures))
    space = lot.space._replace(rows=lot.space.rows[rows], sound=lot.space.sound[rows])
    return TrainingSet(
        space,
        np.searchsorted(pictures, lot.owner[rows]),
        np.searchsorted(some, lot.targets[pictures]),
        lot.groups[pictures],
        len(some),
    )


def _choose_strength(lot: TrainingSet) -> float:
    """Return the strength of least loss on pictures that were left out, going from strong to weak."""
    fold = folds.assign_folds(lot.groups, lot.targets, lot.classes, _FOLDS)
    found: list[Solution | None] = [None] * _FOLDS
    losses: list[float] = []
    weights = class_weights(lot.targets, lot.classes)
    for strength in _STRENGTHS:
        total = weight = 0.0
        for number in range(_FOLDS):
            found[number] = solution = lot.fit_subset(fold != number, strength, found[number])
            learnable = np.isin(lot.targets, lot.targets[fold != number])
            asked = np.flatnonzero((fold == number) & learnable & lot.space.sound[: len(fold)])
            if solution is None or not len(asked):
                continue
            told = solution.probabilities(lot.space.rows[asked])[np.arange(len(asked)), lot.targets[asked]]
            total -= float(weights[asked] @ np.log(np.maximum(told, _LEAST)))
            weight += float(weights[asked].sum())
        if not weight:
            return STRENGTH
        losses.append(total / weight)
        if len(losses) > 2 and min(losses[-2:]) > min(losses):  # noqa: PLR2004 - twice worse: past it
            break
    return _STRENGTHS[int(np.argmin(losses))]
