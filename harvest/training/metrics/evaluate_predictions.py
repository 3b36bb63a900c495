"""Answers against the truth: how many are right, how sure that is, and who is taken for whom."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from harvest.training.metrics.metric_functions import Metric

_SURE = 1.959963984540054  # standard deviations that hold 95 % of a normal distribution


_MATRIX = 200  # classes that metrics.json has a matrix of


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fared; nan where it has no pictures, or where nothing was called by its name."""

    label: str
    count: int  # its pictures
    called: int  # the pictures called by its name
    right: int  # those that are both
    precision: float
    recall: float
    f1: float
    low: float  # of recall, as sure as 95 %
    high: float


@dataclass(frozen=True, slots=True)
class PartEvaluation:
    """What a network is worth on one part of the album."""

    part: str
    count: int
    right: int
    accuracy: float
    low: float  # of accuracy, as sure as 95 %
    high: float
    per_class: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]  # rows: the class a picture is in; columns: the class it was called
    metrics: dict[str, float]
    lost: int = 0  # pictures without an answer, counted nowhere else: gone meanwhile, or the network diverged

    def as_json(self) -> dict[str, Any]:
        """Return the same for metrics.json, where what cannot be measured is null."""
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
        """Return the matrix; of many classes what is in it, by class and answer: it would fill a disk."""
        if len(self.per_class) <= _MATRIX:
            return self.confusion.tolist()  # type: ignore[no-any-return]  # a matrix has rows
        told: dict[str, dict[str, int]] = {}
        for row, column in np.argwhere(self.confusion).tolist():
            cells = told.setdefault(self.per_class[row].label, {})
            cells[self.per_class[column].label] = int(self.confusion[row, column])
        return told


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two classes taken for each other: `forth` of the first for the second, `back` the other way."""

    first: str
    second: str
    forth: int
    back: int

    @property
    def count(self) -> int:
        """How many pictures that is."""
        return self.forth + self.back


def json_number(value: object) -> object:
    """Return a value as JSON can hold it: rounded, and null where it is not a number."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return where the true share lies, as sure as 95 %, by Wilson's score: sane for few pictures too.

    >>> "{:.1%} to {:.1%}".format(*wilson_interval(79, 85))
    '85.4% to 96.7%'
    >>> wilson_interval(0, 0)
    (0.0, 1.0)
    """
    if not count:
        return 0.0, 1.0
    share, square = right / count, _SURE**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _SURE / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, middle - half) if right else 0.0, min(1.0, middle + half) if right < count else 1.0


def evaluate_part(
    part: str, targets: ArrayLike, probabilities: ArrayLike, labels: Sequence[str], metrics: Iterable[Metric]
) -> PartEvaluation:
    """Judge one part's answers: a row of probabilities a picture, and the numbers of the true classes."""
    true = np.asarray(targets, np.int64)
    chances = np.asarray(probabilities, np.float64).reshape(len(true), len(labels))
    answered = np.isfinite(chances).all(axis=1)
    lost = int(np.count_nonzero(~answered))
    true, chances = true[answered], chances[answered]
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (true, chances.argmax(axis=1)), 1)
    measured = {metric.name: metric.measure(true, chances) for metric in metrics}
    return _evaluation_of(part, confusion, labels, measured, lost)


def combine_parts(judgements: Sequence[PartEvaluation]) -> PartEvaluation | None:
    """Put the same classes' judgements of several parts into one; metrics do not add up and are left out."""
    if not judgements:
        return None
    labels = [figures.label for figures in judgements[0].per_class]
    confusion = np.sum([each.confusion for each in judgements], axis=0)
    part = " and ".join(each.part for each in judgements)
    return _evaluation_of(part, confusion, labels, {}, sum(each.lost for each in judgements))


def _evaluation_of(
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
    """List the pairs of classes that are taken for each other, the most often confused first.

    >>> list_confused_pairs(np.array([[5, 2], [1, 7]]), ["coral", "king"])
    [ConfusedPair(first='coral', second='king', forth=2, back=1)]
    """
    both = np.triu(confusion + confusion.T, k=1)
    pairs = [
        ConfusedPair(labels[i], labels[j], int(confusion[i, j]), int(confusion[j, i])) for i, j in np.argwhere(both)
    ]
    turned = [
        pair if pair.forth >= pair.back else ConfusedPair(pair.second, pair.first, pair.back, pair.forth)
        for pair in pairs
    ]
    return sorted(turned, key=lambda pair: (-pair.count, -pair.forth, pair.first, pair.second))
