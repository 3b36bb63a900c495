"""The learning-rate finder's choice from the losses: on a slope, after a solved head, and for odd losses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harvest.training.trainer.learning_rate_finder import choose_rate, rates_to_try


@pytest.mark.parametrize("seed", range(20))
def test_after_a_solved_head_the_noise_does_not_choose(seed: int) -> None:
    """The loss hardly falls until it blows up above 1e-3: the rate is about a tenth of that, whatever the noise."""
    rates = rates_to_try()
    noise = np.random.default_rng(seed).normal(0, 0.04, len(rates))
    losses = [0.55 + each + (rate / 2e-3) ** 2 for rate, each in zip(rates, noise, strict=True)]
    losses = losses[: next(number for number, loss in enumerate(losses) if loss > 4 * min(losses[: number + 1])) + 1]

    assert 5e-5 < choose_rate(rates, losses) < 3e-4


def test_on_a_slope_the_rate_is_halfway_down() -> None:
    """Where the loss falls from 2 to 0.3 between 1e-5 and 1e-2, the rate is in the middle of the slope."""
    rates = rates_to_try()
    steps = [float(np.clip(math.log10(rate) + 5, 0, 3)) / 3 for rate in rates]
    losses = [2 - 1.7 * step + (rate > 2e-2) * 9 for rate, step in zip(rates, steps, strict=True)]

    assert 1e-4 < choose_rate(rates, losses) < 1e-3


def test_a_loss_that_never_blows_up_and_one_that_is_never_finite() -> None:
    """The rate is a tenth of the highest one that was tried, but not below the lowest."""
    rates = rates_to_try()

    assert choose_rate(rates, [0.5] * len(rates)) == pytest.approx(rates[-1] / 10)
    assert choose_rate(rates[:1], [math.nan]) == rates[0]
    assert choose_rate(rates[:3], [math.inf] * 3) == rates[0]
