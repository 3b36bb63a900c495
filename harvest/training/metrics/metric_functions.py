"""Metrics by name: how good answers are, and in which direction better lies.

Averages are over the classes that the part holds, each counting alike: one that is absent has no say. What
cannot be measured is not a number, and `needs` says what is missing.
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
from harvest.training.metrics import cost_matrix
from harvest.training.user_code import load_object, own_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    Targets = NDArray[np.int64]
    Probabilities = NDArray[np.float64]  # pictures by classes

LIFTED = 0.4  # the share of the pictures that `cumulative_lift` looks at
_PAIR = 2  # classes


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to measure answers against the truth; `measure` gives nan where there is nothing to measure."""

    name: str
    greater_is_better: bool
    measure: Callable[[ArrayLike, ArrayLike], float]
    about: str = ""
    needs: str = "pictures"


def get_metric(
    name: str,
    *,
    labels: Sequence[str],
    cost_matrix: Path | None = None,
    custom: str | None = None,
    beside: Path | None = None,
) -> Metric:
    """Return a metric by its name; `custom` and any `module:function` are a person's own.

    A person's own module is looked for where the command runs, and `beside` a tree.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    if plain == "custom" or ":" in name:
        return _load_user_metric(custom if plain == "custom" else name, labels, beside)
    if plain == "cost_matrix_gain":
        return _gain(cost_matrix, labels)
    if plain == "cumulative_lift":
        return _lift(labels)
    if plain not in _TABLE:
        close = get_close_matches(plain, NAMES, n=1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(f"no metric {name!r}.{guess}", f"There are {', '.join(NAMES)}.")
    greater, function, about, needs = _TABLE[plain]
    return Metric(plain, greater, partial(_measure, function), about, needs)


def _measure(
    function: Callable[[Targets, Probabilities], float], targets: ArrayLike, probabilities: ArrayLike
) -> float:
    """Measure what can be measured: some pictures, and answers that are numbers."""
    true = np.asarray(targets, np.int64)
    chances = np.asarray(probabilities, np.float64)
    if not len(true) or not np.isfinite(chances).all():
        return math.nan
    return float(function(true, chances))


def _accuracy(targets: Targets, probabilities: Probabilities) -> float:
    return float(known.accuracy_score(targets, probabilities.argmax(axis=1)))


def _error_rate(targets: Targets, probabilities: Probabilities) -> float:
    return 1 - _accuracy(targets, probabilities)


def _by_class(
    score: Callable[..., float],
) -> Callable[[Targets, Probabilities], float]:
    """Average a score over the classes that are there: one that is not has no recall, and no warning."""
    return lambda targets, probabilities: score(
        targets, probabilities.argmax(axis=1), labels=np.unique(targets), average="macro", zero_division=0
    )


def _log_loss(targets: Targets, probabilities: Probabilities) -> float:
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)  # float32 adds up to nearly one
    return float(known.log_loss(targets, shares, labels=np.arange(probabilities.shape[1])))


def _one_against_rest(
    score: Callable[..., float],
) -> Callable[[Targets, Probabilities], float]:
    """Average a score over the classes that are there, each against all others."""

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        there = np.unique(targets)
        if len(there) < _PAIR:
            return math.nan
        return float(np.mean([score(targets == each, probabilities[:, each]) for each in there]))

    return measure


_TWO = "pictures of two classes"
_TABLE: dict[str, tuple[bool, Callable[[Targets, Probabilities], float], str, str]] = {
    "accuracy": (True, _accuracy, "the share of pictures that are right", "pictures"),
    "error_rate": (False, _error_rate, "the share of pictures that are wrong", "pictures"),
    "precision": (
        True,
        _by_class(known.precision_score),
        "of the pictures called by a class's name, the share that are of it; mean over classes",
        "pictures",
    ),
    "recall": (
        True,
        _by_class(known.recall_score),
        "of a class's pictures, the share that are found; mean over classes",
        "pictures",
    ),
    "f1": (True, _by_class(known.f1_score), "precision and recall in one; mean over classes", "pictures"),
    "log_loss": (
        False,
        _log_loss,
        "how improbable the truth was held; being sure and wrong costs most",
        "pictures",
    ),
    "roc_auc": (
        True,
        _one_against_rest(known.roc_auc_score),
        "how often a class's picture gets a higher probability of it than another's; mean over classes",
        _TWO,
    ),
    "average_precision": (
        True,
        _one_against_rest(known.average_precision_score),
        "the precision at every recall, of each class against the rest; mean over classes",
        _TWO,
    ),
}
_TAKES = "It takes (targets, probabilities): class numbers, and one row of probabilities an image."
NAMES = (*_TABLE, "cost_matrix_gain", "cumulative_lift", "custom")


def _gain(path: Path | None, labels: Sequence[str]) -> Metric:
    """Decide by the greatest expected gain, and give what a picture gains on average."""
    if path is None:
        raise UsageError(
            "cost_matrix_gain needs --cost-matrix FILE.",
            "A CSV or JSON: one row a class, one column a decision.",
        )
    gains = cost_matrix.read_cost_matrix(path, labels)

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        return float(gains[targets, (probabilities @ gains).argmax(axis=1)].mean())

    about = "what a picture gains on average, by the cost matrix and the decision that promises most"
    return Metric("cost_matrix_gain", greater_is_better=True, measure=partial(_measure, measure), about=about)


def _lift(labels: Sequence[str]) -> Metric:
    """Tell how much more often the second class is met among the pictures most probable to be of it."""
    if len(labels) != _PAIR:
        raise UsageError(
            f"cumulative_lift is for two classes; there are {len(labels)}.",
            "average_precision and roc_auc are much the same for many.",
        )

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        if len(np.unique(targets)) < _PAIR:
            return math.nan
        others, found, _ = known.roc_curve(targets, probabilities[:, 1], drop_intermediate=False)
        share = found * targets.mean() + others * (1 - targets.mean())  # of all pictures, best first
        return float(np.interp(LIFTED, share, found)) / LIFTED

    about = f"how many times more {labels[1]} there is in the {LIFTED:.0%} most like it than in all pictures"
    return Metric(
        "cumulative_lift",
        greater_is_better=True,
        measure=partial(_measure, measure),
        about=about,
        needs=_TWO,
    )


def _load_user_metric(place: str | None, labels: Sequence[str], beside: Path | None) -> Metric:
    """Load a person's function of targets and probabilities, and try it before hours are spent on it."""
    if not place:
        raise UsageError("the metric 'custom' needs --metric module:function.")
    function = load_object(place, beside=beside)
    if not callable(function):
        raise UsageError(f"--metric {place} is no function.", "It takes (targets, probabilities) and returns a number.")

    def measure(targets: Targets, probabilities: Probabilities) -> float:
        with own_code(f"--metric {place}", _TAKES):
            value = function(targets, probabilities)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"--metric {place} returned {type(value).__name__} {value!r:.60}.", "A number is wanted."
            ) from None

    metric = Metric(
        "custom",
        bool(getattr(function, "greater_is_better", True)),
        partial(_measure, measure),
        f"your own {place}",
    )
    count = len(labels)
    metric.measure(np.arange(count), np.full((count, count), 1 / count))
    return metric
