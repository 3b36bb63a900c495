"""Calibration: probabilities that can be believed, measured on images that did not fit them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harvest.training.metrics.temperature_and_calibration_error import (
    expected_calibration_error,
    fit_temperature,
    measure_reliability,
    scale_probabilities,
)


def answers(count: int, sharper: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw classes from probabilities, and return them with those of logits that are `sharper` times as large."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 3)) * 2
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = np.array([rng.choice(3, p=row) for row in honest])
    return targets, scale_probabilities(honest, 1 / sharper)


@pytest.mark.parametrize("sharper", [0.5, 1, 2])
def test_the_temperature_undoes_sharper_logits(sharper):
    """The temperature of logits that are k times too large is k, and the calibration error goes."""
    targets, probabilities = answers(4000, sharper)

    temperature = fit_temperature(targets, probabilities)

    assert temperature == pytest.approx(sharper, rel=0.1)
    after = measure_reliability(targets, scale_probabilities(probabilities, temperature))
    assert expected_calibration_error(after) < 0.03
    if sharper == 2:
        assert expected_calibration_error(measure_reliability(targets, probabilities)) > 0.05


def test_few_right_images_do_not_make_it_surer():
    """Three right images say nearly nothing, so the temperature stays near 1; no image says nothing."""
    probabilities = np.full((3, 2), [0.9, 0.1])

    assert 0.75 < fit_temperature(np.zeros(3, int), probabilities) < 1
    assert fit_temperature(np.zeros(0, int), np.zeros((0, 2))) == 1


def test_scaling_keeps_the_order_and_nan():
    """A temperature changes no predicted class, rows add up to 1, and a row of NaN stays one."""
    _, probabilities = answers(50, 1)
    scaled = scale_probabilities(np.vstack([probabilities, np.full((1, 3), math.nan)]), 1.7)

    assert (scaled[:-1].argsort(1) == probabilities.argsort(1)).all()
    assert scaled[:-1].sum(1) == pytest.approx(np.ones(50))
    assert np.isnan(scaled[-1]).all()


def test_reliability_by_hand():
    """Two images at 95 %, of which one is right, and one right at 55 %: an error of (2 * 0.45 + 0.45) / 3."""
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.45, 0.55]])

    bins = measure_reliability(np.array([0, 1, 1]), probabilities)

    assert [(each.count, each.confidence, each.accuracy) for each in bins] == [(1, 0.55, 1), (2, 0.95, 0.5)]
    assert expected_calibration_error(bins) == pytest.approx(0.45)
    assert math.isnan(expected_calibration_error(measure_reliability(np.zeros(0, int), np.zeros((0, 2)))))
