"""Whether probabilities can be believed: temperature scaling, expected calibration error, reliability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 10
_LEAST = 1e-12
_LOWEST, _HIGHEST = 0.25, 4.0
_SPREAD = 0.5  # of the prior on the logarithm of the temperature: few images hardly change it


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose highest probability lies in one interval."""

    count: int
    confidence: float  # mean highest probability
    accuracy: float


def fit_temperature(targets: NDArray[np.int64], probabilities: Floats) -> float:
    """Return the temperature with the lowest log loss; 1 changes nothing, more makes the network less sure.

    A prior keeps it near 1 where there are few images, or none that is wrong.
    """
    if not len(targets):
        return 1.0
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        scaled = scale_probabilities(probabilities, math.exp(log_temperature))
        likelihood = np.log(np.maximum(scaled[rows, targets], _LEAST)).sum()
        return float(-likelihood + (log_temperature / _SPREAD) ** 2 / 2)

    bounds = math.log(_LOWEST), math.log(_HIGHEST)
    return round(math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x), 4)


def scale_probabilities(probabilities: Floats, temperature: float) -> Floats:
    """Return the probabilities that the same logits have at a temperature; NaN stays NaN."""
    logits = np.log(np.maximum(probabilities, _LEAST)) / temperature
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def measure_reliability(targets: NDArray[np.int64], probabilities: Floats) -> tuple[ReliabilityBin, ...]:
    """Return the bins that hold images, by rising confidence."""
    if not len(targets):
        return ()
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == targets
    numbers = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        ReliabilityBin(int(here.sum()), float(confidence[here].mean()), float(is_right[here].mean()))
        for here in (numbers == number for number in np.unique(numbers))
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the mean difference of confidence and accuracy, weighted by the images of each bin; nan without any.

    >>> expected_calibration_error((ReliabilityBin(3, 0.9, 0.8), ReliabilityBin(1, 0.5, 0.5)))
    0.075
    """
    count = sum(each.count for each in bins)
    if not count:
        return math.nan
    return round(sum(each.count * abs(each.confidence - each.accuracy) for each in bins) / count, 6)
