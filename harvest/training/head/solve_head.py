"""Fit the head on frozen features, with the strength of the penalty chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import softmax

from harvest.errors import TrainingError
from harvest.labelled_pictures.find_files import SplitPart
from harvest.training.head.logistic_regression import FeatureSpace
from harvest.training.head.out_of_fold_predictions import (
    STRENGTH,
    LearningCurvePoint,
    compute_learning_curve,
    predict_out_of_fold,
)
from harvest.training.head.training_set import TrainingSet, assign_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.splits.split_images import Split
    from harvest.training.features.compute_features import Features
    from harvest.training.head.logistic_regression import Solution
    from harvest.training.network.network_with_classes import Network

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["Head", "LearningCurvePoint", "compute_learning_curve", "predict_out_of_fold", "solve_head"]

_STRENGTHS = tuple(10 ** (step / 2) for step in range(2, -8, -1))  # strong to weak
_FOLDS = 5
_SAMPLE_SIZE = 2000  # images, of at most so many classes, are enough to choose the strength
_SAMPLE_CLASSES = 50
_LEAST = 1e-9  # lower bound of probabilities: one wrong label must not outweigh all others


@dataclass(frozen=True, slots=True)
class Head:
    """A linear layer: `features @ weight.T + bias` has one logit per class."""

    weight: Floats
    bias: Floats
    strength: float  # the chosen strength of the penalty, per feature

    def probabilities(self, values: Singles) -> Floats:
        """Return the probability of each class; equal ones for an image without finite features."""
        sound: Flags = np.asarray(np.isfinite(values).all(axis=1))
        answers = np.where(sound[:, None], values, 0) @ self.weight.T + self.bias
        return np.asarray(np.where(sound[:, None], softmax(answers, axis=1), 1 / len(self.bias)))

    def install_in(self, network: Network) -> None:
        """Copy the weights into the last layer of a network."""
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(self.weight))
            network.head.bias.copy_(torch.from_numpy(self.bias))


def solve_head(features: Features, targets: Ints, split: Split, classes: int, *, balanced: bool = True) -> Head:
    """Fit the head on the training set, and choose the strength of its penalty there."""
    rows = split.rows(SplitPart.TRAIN)
    values, owner = features.values[rows], np.arange(len(rows))
    if features.views is not None:
        views = features.views[rows].swapaxes(0, 1)
        values = np.concatenate([values, *views])
        owner = np.tile(owner, 1 + len(views))
    groups = np.asarray(split.groups)[rows]
    training_set = TrainingSet(FeatureSpace.of(values), owner, targets[rows], groups, classes, balanced)
    strength = _choose_strength(_sample(training_set))
    solution = training_set.fit_subset(np.ones(len(rows), np.bool_), strength)
    if solution is None:
        raise TrainingError("no image of the training set has features: all files are missing or broken.")
    return Head(*training_set.space.outside(solution), strength)


def _sample(training_set: TrainingSet) -> TrainingSet:
    """Return a random sample to choose the strength on: it hardly depends on the other images."""
    rng = np.random.default_rng(0)
    classes = np.sort(rng.permutation(training_set.classes)[:_SAMPLE_CLASSES])
    images = np.flatnonzero(np.isin(training_set.targets, classes))
    images = np.sort(rng.permutation(images)[:_SAMPLE_SIZE])
    rows = np.flatnonzero(np.isin(training_set.owner, images))
    space = training_set.space._replace(rows=training_set.space.rows[rows], sound=training_set.space.sound[rows])
    return TrainingSet(
        space,
        np.searchsorted(images, training_set.owner[rows]),
        np.searchsorted(classes, training_set.targets[images]),
        training_set.groups[images],
        len(classes),
        training_set.balanced,
    )


def _choose_strength(training_set: TrainingSet) -> float:
    """Return the strength with the lowest loss on held-out folds, trying strong to weak ones."""
    fold = assign_folds(training_set.groups, training_set.targets, training_set.classes, _FOLDS)
    solutions: list[Solution | None] = [None] * _FOLDS
    losses: list[float] = []
    weights = training_set.weigh(training_set.targets)
    for strength in _STRENGTHS:
        total = weight = 0.0
        for number in range(_FOLDS):
            solutions[number] = solution = training_set.fit_subset(fold != number, strength, solutions[number])
            known_class = np.isin(training_set.targets, training_set.targets[fold != number])
            held_out = np.flatnonzero((fold == number) & known_class & training_set.space.sound[: len(fold)])
            if solution is None or not len(held_out):
                continue
            probabilities = solution.probabilities(training_set.space.rows[held_out])[
                np.arange(len(held_out)), training_set.targets[held_out]
            ]
            total -= float(weights[held_out] @ np.log(np.maximum(probabilities, _LEAST)))
            weight += float(weights[held_out].sum())
        if not weight:
            return STRENGTH
        losses.append(total / weight)
        if len(losses) > 2 and min(losses[-2:]) > min(losses):  # noqa: PLR2004 - worse twice: past the minimum
            break
    return _STRENGTHS[int(np.argmin(losses))]
