"""Metrics by name, with the direction in which they improve.

Averages are over the classes that occur in the part, with equal weight. A metric that cannot be computed is nan,
and `needs` says what is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics as known

from harvest.errors import UsageError
from harvest.training.metrics import read_cost_matrix
from harvest.training.user_code import load_object, own_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    Targets = NDArray[np.int64]
    Probabilities = NDArray[np.float64]  # images by classes

LIFTED = 0.4  # the share of the images that `cumulative_lift` counts
_PAIR = 2  # classes


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of predictions; `measure` returns nan if it cannot be computed."""

    name: str
    greater_is_better: bool
    measure: Callable[[ArrayLike, ArrayLike], float]
    about: str = ""
    needs: str = "images"


def get_metric(
    name: str,
    *,
    labels: Sequence[str],
    cost_matrix: Path | None = None,
    custom: str | None = None,
    data: Path | None = None,
) -> Metric:
    """Return a metric by its name; `custom` and `module:function` load the user's own function.

    The user's module is searched in the working directory and next to the folder `data`.
    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    if key == "custom" or ":" in name:
        return _load_user_metric(custom if key == "custom" else name, labels, data)
    if key == "cost_matrix_gain":
        return _gain(cost_matrix, labels)
    if key == "cumulative_lift":
        return _lift(labels)
    if key not in _TABLE:
        close = get_close_matches(key, NAMES, n=1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(f"no metric {name!r}.{guess}", f"Use one of {', '.join(NAMES)}.")
    greater, function, about, needs = _TABLE[key]
    return Metric(key, greater, partial(_measure, function), about, needs)


def _measure(
    function: Callable[[Targets, Probabilities], float], targets: ArrayLike, probabilities: ArrayLike
) -> float:
    """Compute a metric; nan without images or if a probability is not finite."""
    true = np.asarray(targets, np.int64)
    predicted = np.asarray(probabilities, np.float64)
    if not len(true) or not np.isfinite(predicted).all():
        return math.nan
    return float(function(true, predicted))


def _accuracy(targets: Targets, probabilities: Probabilities) -> float:
    return float(known.accuracy_score(targets, probabilities.argmax(axis=1)))


def _error_rate(targets: Targets, probabilities: Probabilities) -> float:
    return 1 - _accuracy(targets, probabilities)


def _by_class(
    score: Callable[..., float],
) -> Callable[[Targets, Probabilities], float]:
    """Average a score over the classes that occur; the recall of others is undefined and would warn."""
    return lambda targets, probabilities: score(
        targets, probabilities.argmax(axis=1), labels=np.unique(targets), average="macro", zero_division=0
    )


def _log_loss(targets: Targets, probabilities: Probabilities) -> float:
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)  # float32 rows do not sum to exactly 1
    return float(known.log_loss(targets, shares, labels=np.arange(probabilities.shape[1])))


def _one_against_rest(
    score: Callable[..., float],
) -> Callable[[Targets, Probabilities], float]:
    """Average a score over the classes that occur, each against all others."""

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        classes = np.unique(targets)
        if len(classes) < _PAIR:
            return math.nan
        return float(np.mean([score(targets == each, probabilities[:, each]) for each in classes]))

    return measure


_TWO_CLASSES = "images of two classes"
_TABLE: dict[str, tuple[bool, Callable[[Targets, Probabilities], float], str, str]] = {
    "accuracy": (True, _accuracy, "the share of images predicted correctly", "images"),
    "error_rate": (False, _error_rate, "the share of images predicted wrongly", "images"),
    "precision": (
        True,
        _by_class(known.precision_score),
        "of the images predicted as a class, the share that belong to it; mean over classes",
        "images",
    ),
    "recall": (
        True,
        _by_class(known.recall_score),
        "of the images of a class, the share predicted as it; mean over classes",
        "images",
    ),
    "f1": (True, _by_class(known.f1_score), "the harmonic mean of precision and recall; mean over classes", "images"),
    "log_loss": (
        False,
        _log_loss,
        "the negative logarithm of the probability of the true class; confident mistakes cost most",
        "images",
    ),
    "roc_auc": (
        True,
        _one_against_rest(known.roc_auc_score),
        "how often an image of a class gets a higher probability for it than an image of another; mean over classes",
        _TWO_CLASSES,
    ),
    "average_precision": (
        True,
        _one_against_rest(known.average_precision_score),
        "the area under the precision-recall curve of each class against the rest; mean over classes",
        _TWO_CLASSES,
    ),
}
_TAKES = "It takes (targets, probabilities): class numbers, and one row of probabilities per image."
NAMES = (*_TABLE, "cost_matrix_gain", "cumulative_lift", "custom")


def _gain(path: Path | None, labels: Sequence[str]) -> Metric:
    """Return the mean gain per image of the predictions with the greatest expected gain."""
    if path is None:
        raise UsageError(
            "cost_matrix_gain needs --cost-matrix FILE.",
            "Pass a CSV or JSON file with one row per class and one column per prediction.",
        )
    gains = read_cost_matrix.read_cost_matrix(path, labels)

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        return float(gains[targets, (probabilities @ gains).argmax(axis=1)].mean())

    about = "the mean gain per image when each prediction maximises the expected gain of the cost matrix"
    return Metric("cost_matrix_gain", greater_is_better=True, measure=partial(_measure, measure), about=about)


def _lift(labels: Sequence[str]) -> Metric:
    """Return the lift: how much more frequent the second class is among the images most likely to be of it."""
    if len(labels) != _PAIR:
        raise UsageError(
            f"cumulative_lift is for two classes; there are {len(labels)}.",
            "Use average_precision or roc_auc, which rank images of many classes in a similar way.",
        )

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        if len(np.unique(targets)) < _PAIR:
            return math.nan
        others, found, _ = known.roc_curve(targets, probabilities[:, 1], drop_intermediate=False)
        share = found * targets.mean() + others * (1 - targets.mean())  # of all images, best first
        return float(np.interp(LIFTED, share, found)) / LIFTED

    about = f"how many times more frequent {labels[1]} is among the {LIFTED:.0%} most likely images than among all"
    return Metric(
        "cumulative_lift",
        greater_is_better=True,
        measure=partial(_measure, measure),
        about=about,
        needs=_TWO_CLASSES,
    )


def _load_user_metric(location: str | None, labels: Sequence[str], data: Path | None) -> Metric:
    """Load the user's metric function, and call it once before hours of training."""
    if not location:
        raise UsageError("the metric 'custom' needs --metric module:function.")
    function = load_object(location, data=data)
    if not callable(function):
        raise UsageError(
            f"--metric {location} is not a function.", "It takes (targets, probabilities) and returns a number."
        )

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        with own_code(f"--metric {location}", _TAKES):
            value = function(targets, probabilities)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"--metric {location} returned {type(value).__name__} {value!r:.60}.", "It must return a number."
            ) from None

    metric = Metric(
        "custom",
        bool(getattr(function, "greater_is_better", True)),
        partial(_measure, measure),
        f"your own {location}",
    )
    count = len(labels)
    metric.measure(np.arange(count), np.full((count, count), 1 / count))
    return metric
