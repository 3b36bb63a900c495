"""Measure which images the saved network can recognise as none of its classes, and save what that needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.training.head_training import compute_session_features
from harvest.training.inference.reference_features import (
    MOST,
    AcceptanceQuantiles,
    ReferenceFeatures,
    nearest_similarities,
    unit_length,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.splits.split_images import Split
    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session
    from harvest.training.predict_probabilities import Answers

    Features = NDArray[np.float32]

SHARES = (0.9, 0.95, 0.99)  # of `--accept`
_FEWEST = 5  # right validation images: with fewer, a quantile means nothing


@dataclass(frozen=True, slots=True)
class AcceptedShare:
    """What is refused as unknown on held-out images at one value of `--accept`."""

    accept: float
    threshold: float
    right_refused: float  # share of the correctly classified images; nan without any
    wrong_refused: float  # share of the misclassified images; nan without any


def measured_part(split: Split) -> SplitPart:
    """Return the part on which results are measured: test, or valid without a test set."""
    return SplitPart.TEST if len(split.rows(SplitPart.TEST)) else SplitPart.VALID


def write_reference_features(
    session: Session, network: Network, data: TrainingData, answers: Answers, features: Features | None
) -> tuple[AcceptedShare, ...]:
    """Write the reference features of a run; return what they refuse, or nothing with too few images.

    `features` are those of all images by this network; None if they are still to be computed.
    """
    pictures, split = data
    train = _sample(split.rows(SplitPart.TRAIN), session.options.seed)
    parts = {SplitPart.VALID, measured_part(split)}
    if features is None:
        rows = np.unique(np.concatenate([train, *(split.rows(part) for part in parts)]))
        features = np.full((len(pictures.examples), network.head.in_features), np.nan, np.float32)
        features[rows] = compute_session_features(session, network, pictures.subset(rows.tolist())).values
    train = train[np.isfinite(features[train]).all(axis=1)]
    references = unit_length(features[train]).astype(np.float16)
    found = {part: _similarities(data, part, answers, features, references) for part in parts}
    is_right, similarities = found[SplitPart.VALID]
    if is_right.sum() < _FEWEST or not len(references):
        return ()
    quantiles = AcceptanceQuantiles.measure(similarities[is_right])
    names = tuple(pictures.examples[row].path for row in train.tolist())
    ReferenceFeatures(references, names, quantiles).write(session.run.path)
    return tuple(_accepted_share(accept, quantiles, *found[measured_part(split)]) for accept in SHARES)


def _sample(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return at most `MOST` of the rows, in their order."""
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))


def _similarities(
    data: TrainingData, part: SplitPart, answers: Answers, features: Features, references: NDArray[np.float16]
) -> tuple[NDArray[np.bool_], Features]:
    """Return for each image of a part whether its predicted class is right, and its similarity."""
    rows = data.split.rows(part)
    is_read = np.isfinite(features[rows]).all(axis=1) & np.isfinite(answers[part]).all(axis=1)
    is_right = answers[part][is_read].argmax(axis=1) == data.pictures.targets[rows][is_read]
    if not len(references):
        return is_right, np.zeros(len(is_right), np.float32)
    return is_right, nearest_similarities(unit_length(features[rows][is_read]), references)


def _accepted_share(
    accept: float, quantiles: AcceptanceQuantiles, is_right: NDArray[np.bool_], similarities: Features
) -> AcceptedShare:
    threshold = quantiles.threshold(accept)
    is_refused = similarities < threshold
    right, wrong = (float(is_refused[mask].mean()) if mask.any() else math.nan for mask in (is_right, ~is_right))
    return AcceptedShare(accept, threshold, right, wrong)
