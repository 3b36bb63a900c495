"""Evaluate predictions: accuracy, confidence intervals and the confusion matrix."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from harvest.training.metrics.metric_functions import Metric

_Z_95 = 1.959963984540054  # 95 % of a normal distribution lie within so many standard deviations
_MATRIX = 200  # with more classes, metrics.json has only the nonzero cells of the confusion matrix


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The results of one class; nan if it has no images or was never predicted."""

    label: str
    count: int  # its images
    called: int  # images predicted as this class
    right: int  # its images predicted as this class
    precision: float
    recall: float
    f1: float
    low: float  # 95 % confidence interval of recall
    high: float


@dataclass(frozen=True, slots=True)
class PartEvaluation:
    """The results of a network on one part of the split."""

    part: str
    count: int
    right: int
    accuracy: float
    low: float  # 95 % confidence interval of accuracy
    high: float
    per_class: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]  # rows: true class; columns: predicted class
    metrics: dict[str, float]
    lost: int = 0  # images without a prediction, counted nowhere else: deleted, or training diverged

    def as_json(self) -> dict[str, Any]:
        """Return the results for metrics.json; nan becomes null."""
        return {
            "count": self.count,
            "right": self.right,
            "lost": self.lost,
            "accuracy": json_number(self.accuracy),
            "interval_95": [json_number(self.low), json_number(self.high)],
            "metrics": {name: json_number(value) for name, value in self.metrics.items()},
            "classes": [
                {name: json_number(value) for name, value in asdict(figures).items()} for figures in self.per_class
            ],
            "confusion": self._confusion(),
        }

    def _confusion(self) -> list[list[int]] | dict[str, dict[str, int]]:
        """Return the confusion matrix; for many classes only its nonzero cells, because the file would be huge."""
        if len(self.per_class) <= _MATRIX:
            return self.confusion.tolist()  # type: ignore[no-any-return]  # a matrix has rows
        nonzero: dict[str, dict[str, int]] = {}
        for row, column in np.argwhere(self.confusion).tolist():
            cells = nonzero.setdefault(self.per_class[row].label, {})
            cells[self.per_class[column].label] = int(self.confusion[row, column])
        return nonzero


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two classes that are confused: `forth` images of the first as the second, `back` the other way round."""

    first: str
    second: str
    forth: int
    back: int

    @property
    def count(self) -> int:
        """The number of confused images."""
        return self.forth + self.back


def json_number(value: object) -> object:
    """Return a value for JSON: floats rounded, and None if not finite."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share by Wilson's score, which also holds for few images.

    >>> "{:.1%} to {:.1%}".format(*wilson_interval(79, 85))
    '85.4% to 96.7%'
    >>> wilson_interval(0, 0)
    (0.0, 1.0)
    """
    if not count:
        return 0.0, 1.0
    share, square = right / count, _Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _Z_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, middle - half) if right else 0.0, min(1.0, middle + half) if right < count else 1.0


def evaluate_part(
    part: str, targets: ArrayLike, probabilities: ArrayLike, labels: Sequence[str], metrics: Iterable[Metric]
) -> PartEvaluation:
    """Evaluate the predictions of one part: true class numbers, and a row of probabilities per image."""
    true = np.asarray(targets, np.int64)
    predicted = np.asarray(probabilities, np.float64).reshape(len(true), len(labels))
    answered = np.isfinite(predicted).all(axis=1)
    lost = int(np.count_nonzero(~answered))
    true, predicted = true[answered], predicted[answered]
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (true, predicted.argmax(axis=1)), 1)
    measured = {metric.name: metric.measure(true, predicted) for metric in metrics}
    return _make_evaluation(part, confusion, labels, measured, lost)


def combine_parts(evaluations: Sequence[PartEvaluation]) -> PartEvaluation | None:
    """Combine the results of several parts into one, without metrics, which cannot be added up."""
    if not evaluations:
        return None
    labels = [figures.label for figures in evaluations[0].per_class]
    confusion = np.sum([each.confusion for each in evaluations], axis=0)
    part = " and ".join(each.part for each in evaluations)
    return _make_evaluation(part, confusion, labels, {}, sum(each.lost for each in evaluations))


def _make_evaluation(
    part: str, confusion: NDArray[np.int64], labels: Sequence[str], metrics: dict[str, float], lost: int
) -> PartEvaluation:
    right, count = int(confusion.trace()), int(confusion.sum())
    low, high = wilson_interval(right, count)
    figures = tuple(_figures(confusion, labels))
    return PartEvaluation(part, count, right, _share(right, count), low, high, figures, confusion, metrics, lost)


def _figures(confusion: NDArray[np.int64], labels: Sequence[str]) -> Iterator[ClassFigures]:
    counts, calls = confusion.sum(axis=1), confusion.sum(axis=0)
    for i, label in enumerate(labels):
        count, called, right = int(counts[i]), int(calls[i]), int(confusion[i, i])
        precision, recall, f1 = _share(right, called), _share(right, count), _share(2 * right, count + called)
        yield ClassFigures(label, count, called, right, precision, recall, f1, *wilson_interval(right, count))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def list_confused_pairs(confusion: NDArray[np.int64], labels: Sequence[str]) -> list[ConfusedPair]:
    """List the pairs of classes that are confused, most often confused first.

    >>> list_confused_pairs(np.array([[5, 2], [1, 7]]), ["coral", "king"])
    [ConfusedPair(first='coral', second='king', forth=2, back=1)]
    """
    both = np.triu(confusion + confusion.T, k=1)
    pairs = [
        ConfusedPair(labels[i], labels[j], int(confusion[i, j]), int(confusion[j, i])) for i, j in np.argwhere(both)
    ]
    ordered = [
        pair if pair.forth >= pair.back else ConfusedPair(pair.second, pair.first, pair.back, pair.forth)
        for pair in pairs
    ]
    return sorted(ordered, key=lambda pair: (-pair.count, -pair.forth, pair.first, pair.second))
