"""Multinomial logistic regression with an L2 penalty, solved with L-BFGS: the head on frozen features."""

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

_FLAT = 1e-6  # share of the largest standard deviation: a feature below it holds no information
# Penalty of the bias: just large enough that a class without images gets a small probability, not 0.
_LOOSE = 1e-3
_LIMITS = {"maxiter": 200, "gtol": 1e-4, "ftol": 1e-6}
# Multiplications of one matrix product. Below, threads lose more by waiting than they gain: on a busy machine
# the heads of 600 images took thirty times as long with two threads as with one.
_LARGE = 1 << 30
_SAME = 1e-7  # share of an image's squared norm: two images that differ by less count as equal


class FeatureSpace(NamedTuple):
    """Standardized features, of mean 0 and standard deviation 1, in at most as many dimensions as images.

    Rotating the axes changes no prediction, since the penalty is the same in all directions.
    """

    rows: Singles  # an image without finite features is at 0
    sound: Flags  # which images have finite features
    mean: Floats
    spread: Floats
    rotated: tuple[Floats, Floats] | None  # the rows before the rotation, and the Cholesky factor

    @classmethod
    def of(cls, values: Singles) -> Self:
        """Return the space of the features of some images."""
        sound: Flags = np.asarray(np.isfinite(values).all(axis=1))
        finite_rows = values[sound].astype(np.float64) if sound.any() else np.zeros((1, values.shape[1]))
        mean, spread = finite_rows.mean(axis=0), finite_rows.std(axis=0)
        spread[spread <= _FLAT * spread.max(initial=_FLAT)] = np.inf
        rows = np.where(sound[:, None], (np.nan_to_num(values) - mean) / spread, 0)
        if len(rows) >= rows.shape[1]:
            return cls(rows.astype(np.float32), sound, mean, spread, None)
        # Cholesky is the fastest way to reduce the dimensions to the number of images: 30 ms for 600 images of
        # 1,280 features, where eigenvectors take 110.
        with _limit_threads(len(rows) ** 2 * rows.shape[1]):
            squares = rows @ rows.T
            squares[np.diag_indices_from(squares)] += _SAME * max(np.trace(squares) / len(rows), _SAME)
            rotated = np.linalg.cholesky(squares)
        return cls(rotated.astype(np.float32), sound, mean, spread, (rows, rotated))

    @property
    def size(self) -> float:
        """The number of features that hold information; penalties are multiplied by it."""
        return float(max(1, np.isfinite(self.spread).sum()))

    def outside(self, found: Solution) -> tuple[Floats, Floats]:
        """Return the weights and biases for the original features."""
        weight = found.weight
        if self.rotated is not None:
            rows, rotated = self.rotated
            weight = rows.T @ solve_triangular(rotated, weight, trans="T", lower=True)
        weight = weight / self.spread[:, None]
        return weight.T, found.bias - self.mean @ weight


def _limit_threads(multiplications: int) -> AbstractContextManager[object]:
    """Use one thread for small matrix products, and all for large ones."""
    if multiplications > _LARGE:
        return nullcontext()
    limited: AbstractContextManager[object] = _thread_controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _thread_controller() -> ThreadpoolController:
    """Return the controller of the BLAS threads; creating it takes 3 ms, as long as fitting a small head."""
    return ThreadpoolController()


class Solution(NamedTuple):
    """A linear layer in a feature space."""

    weight: Floats  # dimensions × classes
    bias: Floats

    def probabilities(self, rows: Singles) -> Floats:
        """Return the probabilities of the classes for rows of its space."""
        return np.asarray(softmax(rows @ self.weight + self.bias, axis=1), np.float64)


class RegressionProblem(NamedTuple):
    """Rows of a feature space, with the class and the weight of each."""

    rows: Singles
    targets: Ints
    weights: Floats
    classes: int


def fit_logistic_regression(task: RegressionProblem, penalty: float, start: Solution | None = None) -> Solution:
    """Minimize the weighted mean loss plus an L2 penalty with the factor `penalty / (2 * sum(weights))`.

    The influence of the penalty so falls with the number of images, and a strength that was chosen on some
    images holds for all.
    """
    rows, targets, classes = task.rows, task.targets, task.classes
    row_weights = (task.weights / task.weights.sum()).astype(np.float32)
    scaled_penalty = np.float32(penalty / task.weights.sum())
    row_numbers = np.arange(len(rows))

    def loss(flat: Floats) -> tuple[float, Floats]:
        values = flat.astype(np.float32).reshape(-1, classes)
        weight, bias = values[:-1], values[-1]
        scores = rows @ weight + bias
        scores -= scores.max(axis=1, keepdims=True)
        target_scores = scores[row_numbers, targets]
        np.exp(scores, out=scores)
        totals = scores.sum(axis=1)
        value = row_weights @ (np.log(totals) - target_scores)
        value += scaled_penalty / 2 * np.vdot(weight, weight) + _LOOSE / 2 * np.vdot(bias, bias)
        scores *= (row_weights / totals)[:, None]
        scores[row_numbers, targets] -= row_weights
        gradient = np.empty(values.shape)
        gradient[:-1] = rows.T @ scores + scaled_penalty * weight
        gradient[-1] = scores.sum(axis=0) + _LOOSE * bias
        return float(value), gradient.ravel()

    start_values = np.zeros((rows.shape[1] + 1, classes)) if start is None else np.vstack([start.weight, start.bias])
    with _limit_threads(rows.size * classes):
        found = minimize(loss, start_values.ravel(), jac=True, method="L-BFGS-B", options=_LIMITS)
    values = found.x.reshape(-1, classes)
    return Solution(values[:-1], values[-1])
