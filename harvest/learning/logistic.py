"""Logistic regression with a quadratic penalty, solved by L-BFGS: the last layer while all stands still."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_FLAT = 1e-6  # of the largest spread: a feature that spreads less says nothing
# The constant is hardly held back: just so much that a class without pictures gets a small chance, not none.
_LOOSE = 1e-3
_LIMITS = {"maxiter": 200, "gtol": 1e-5, "ftol": 1e-7}
_LARGE = (
    1 << 28
)  # multiplications: below, threads wait for each other, on a busy machine thirty times as long


class Space(NamedTuple):
    """Features made comparable: of mean 0 and spread 1, in no more dimensions than there are pictures.

    Turning the axes changes no answer, since the penalty is the same in all directions.
    """

    rows: Singles  # a picture that has no features, or broken ones, is in the middle
    sound: Flags  # which pictures have features
    mean: Floats
    spread: Floats
    axes: Floats | None

    @classmethod
    def of(cls, values: Singles) -> Self:
        """Make the space of some pictures' features."""
        sound: Flags = np.asarray(np.isfinite(values).all(axis=1))
        known = values[sound].astype(np.float64) if sound.any() else np.zeros((1, values.shape[1]))
        mean, spread = known.mean(axis=0), known.std(axis=0)
        spread[spread <= _FLAT * spread.max(initial=_FLAT)] = np.inf
        rows = np.where(sound[:, None], (np.nan_to_num(values) - mean) / spread, 0)
        axes = None
        if len(rows) < rows.shape[1]:
            with _cores(len(rows) ** 2 * rows.shape[1]):
                axes = _axes(rows)
                rows = rows @ axes
        return cls(rows.astype(np.float32), sound, mean, spread, axes)

    @property
    def size(self) -> float:
        """How many features say something: what a penalty is measured by."""
        return float(max(1, np.isfinite(self.spread).sum()))

    def outside(self, found: Solution) -> tuple[Floats, Floats]:
        """Return weights and constants for features as they were."""
        weight = found.weight if self.axes is None else self.axes @ found.weight
        weight = weight / self.spread[:, None]
        return weight.T, found.bias - self.mean @ weight


def _axes(rows: Floats) -> Floats:
    """Return as many directions, square to each other, as hold all rows."""
    squares, turned = np.linalg.eigh(rows @ rows.T)
    kept = squares > max(squares[-1], 1) * len(rows) * np.finfo(np.float64).eps
    return np.asarray(rows.T @ (turned[:, kept] / np.sqrt(squares[kept])))


def _cores(multiplications: int) -> AbstractContextManager[object]:
    """Let sums be done by one core, or where they are large by all."""
    return nullcontext() if multiplications > _LARGE else threadpool_limits(1, user_api="blas")


class Solution(NamedTuple):
    """A last layer within a space."""

    weight: Floats  # dimensions × classes
    bias: Floats

    def probabilities(self, rows: Singles) -> Floats:
        """Return what it makes of rows of its space."""
        return np.asarray(softmax(rows @ self.weight + self.bias, axis=1), np.float64)


class Task(NamedTuple):
    """Rows of a space, the class of each and how much each counts."""

    rows: Singles
    targets: Ints
    weights: Floats
    classes: int


def solve(task: Task, penalty: float, start: Solution | None = None) -> Solution:
    """Find the weights of least mean loss, plus `penalty / sum(weights)` halves of their squares.

    The penalty so counts pictures: more outweigh it, and what was chosen on a part holds for the whole.
    """
    rows, targets, classes = task.rows, task.targets, task.classes
    shares = (task.weights / task.weights.sum()).astype(np.float32)
    held = np.float32(penalty / task.weights.sum())
    places = np.arange(len(rows))

    def loss(flat: Floats) -> tuple[float, Floats]:
        at = flat.astype(np.float32).reshape(-1, classes)
        weight, bias = at[:-1], at[-1]
        answer = rows @ weight + bias
        answer -= answer.max(axis=1, keepdims=True)
        right = answer[places, targets]
        np.exp(answer, out=answer)
        total = answer.sum(axis=1)
        value = shares @ (np.log(total) - right)
        value += held / 2 * np.vdot(weight, weight) + _LOOSE / 2 * np.vdot(bias, bias)
        answer *= (shares / total)[:, None]
        answer[places, targets] -= shares
        slope = np.empty(at.shape)
        slope[:-1] = rows.T @ answer + held * weight
        slope[-1] = answer.sum(axis=0) + _LOOSE * bias
        return float(value), slope.ravel()

    begun = np.zeros((rows.shape[1] + 1, classes)) if start is None else np.vstack([start.weight, start.bias])
    with _cores(rows.size * classes):
        found = minimize(loss, begun.ravel(), jac=True, method="L-BFGS-B", options=_LIMITS)
    at = found.x.reshape(-1, classes)
    return Solution(at[:-1], at[-1])
