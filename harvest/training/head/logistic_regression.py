"""Logistic regression with a quadratic penalty, solved by L-BFGS: the last layer while all stands still."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import softmax
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_FLAT = 1e-6  # of the largest spread: a feature that spreads less says nothing
# The constant is hardly held back: just so much that a class without pictures gets a small chance, not none.
_LOOSE = 1e-3
_LIMITS = {"maxiter": 200, "gtol": 1e-4, "ftol": 1e-6}
# Multiplications in one sum. Below, threads wait more for each other than they gain: on a busy machine
# the heads of 600 pictures took thirty times as long with two as with one.
_LARGE = 1 << 30
_SAME = 1e-7  # of a picture's square: two pictures that differ by less are one


class FeatureSpace(NamedTuple):
    """Features made comparable: of mean 0 and spread 1, in no more dimensions than there are pictures.

    Turning the axes changes no answer, since the penalty is the same in all directions.
    """

    rows: Singles  # a picture that has no features, or broken ones, is in the middle
    sound: Flags  # which pictures have features
    mean: Floats
    spread: Floats
    turned: tuple[Floats, Floats] | None  # the pictures before, and how they were turned

    @classmethod
    def of(cls, values: Singles) -> Self:
        """Make the space of some pictures' features."""
        sound: Flags = np.asarray(np.isfinite(values).all(axis=1))
        known = values[sound].astype(np.float64) if sound.any() else np.zeros((1, values.shape[1]))
        mean, spread = known.mean(axis=0), known.std(axis=0)
        spread[spread <= _FLAT * spread.max(initial=_FLAT)] = np.inf
        rows = np.where(sound[:, None], (np.nan_to_num(values) - mean) / spread, 0)
        if len(rows) >= rows.shape[1]:
            return cls(rows.astype(np.float32), sound, mean, spread, None)
        # Of all ways to turn few pictures into as few dimensions, Cholesky's is the fastest: 30 ms for 600
        # pictures of 1,280 features, where eigenvectors take 110.
        with _cores(len(rows) ** 2 * rows.shape[1]):
            squares = rows @ rows.T
            squares[np.diag_indices_from(squares)] += _SAME * max(np.trace(squares) / len(rows), _SAME)
            turned = np.linalg.cholesky(squares)
        return cls(turned.astype(np.float32), sound, mean, spread, (rows, turned))

    @property
    def size(self) -> float:
        """How many features say something: what a penalty is measured by."""
        return float(max(1, np.isfinite(self.spread).sum()))

    def outside(self, found: Solution) -> tuple[Floats, Floats]:
        """Return weights and constants for features as they were."""
        weight = found.weight
        if self.turned is not None:
            rows, turned = self.turned
            weight = rows.T @ solve_triangular(turned, weight, trans="T", lower=True)
        weight = weight / self.spread[:, None]
        return weight.T, found.bias - self.mean @ weight


def _cores(multiplications: int) -> AbstractContextManager[object]:
    """Let sums be done by one core, or where they are large by all."""
    if multiplications > _LARGE:
        return nullcontext()
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="blas")
    return limited


@cache
def _threads() -> ThreadpoolController:
    """Return the libraries that do sums; looking for them takes 3 ms, as long as a small head."""
    return ThreadpoolController()


class Solution(NamedTuple):
    """A last layer within a space."""

    weight: Floats  # dimensions × classes
    bias: Floats

    def probabilities(self, rows: Singles) -> Floats:
        """Return what it makes of rows of its space."""
        return np.asarray(softmax(rows @ self.weight + self.bias, axis=1), np.float64)


class RegressionProblem(NamedTuple):
    """Rows of a space, the class of each and how much each counts."""

    rows: Singles
    targets: Ints
    weights: Floats
    classes: int


def fit_logistic_regression(task: RegressionProblem, penalty: float, start: Solution | None = None) -> Solution:
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
