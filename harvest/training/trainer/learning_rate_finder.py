"""The learning-rate finder: a short training with a rising rate; the rate is chosen from the losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader

from harvest.training.torch_dataset import collate
from harvest.training.trainer import optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor, nn

    from harvest.training.cpu_parallel import CpuWorkers
    from harvest.training.progress import Progress
    from harvest.training.torch_dataset import ImageDataset

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 60
DIVERGED = 4.0  # times the best loss so far
SPREAD = 10  # the rate of the last layer divided by that of the first
FALLEN = 0.5  # share of the loss at the top of the slope: above it, the slope is noise
RISEN = 1.25  # times the lowest loss: above it, the loss blows up
BELOW = 10  # the rate where the loss blows up, divided by the chosen one, as fastai's `minimum` divides
MEMORY = 0.5  # weight of the earlier losses in the running mean


@dataclass(frozen=True, slots=True)
class FoundRate:
    """The losses at each rate, and the rate chosen from them."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    chosen: float

    @property
    def spread(self) -> tuple[float, float]:
        """The rates of the first layer and the last."""
        return self.chosen / SPREAD, self.chosen


def find_learning_rate(
    model: nn.Module,
    dataset: ImageDataset,
    loss_of: Callable[[Tensor, Tensor, Tensor], Tensor],
    workers: CpuWorkers,
    *,
    batch: int,
    seed: int,
    progress: Progress,
) -> FoundRate:
    """Try rates from one millionth to one, with one batch each; the network is not changed."""
    device = next(model.parameters()).device
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    optimizer = optimizers.make_optimizer(model, LOWEST, LOWEST)
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(dataset, batch, shuffle=True, collate_fn=collate, generator=order)
    rates: list[float] = []
    losses: list[float] = []
    model.train()
    try:
        for number, (rate, batch_inputs) in enumerate(zip(rates_to_try(), _repeat_batches(batches), strict=False)):
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            inputs = {name: value.to(device) for name, value in batch_inputs.items()}
            loss = workers.compute_gradients(model, inputs, loss_of, step=number)
            optimizer.step()
            rates.append(rate)
            losses.append(float(loss))
            progress.tick(number + 1, STEPS)
            if not math.isfinite(losses[-1]) or losses[-1] > DIVERGED * min(losses):
                break
    finally:
        model.load_state_dict(before)
    return FoundRate(tuple(rates), tuple(losses), choose_rate(rates, losses))


def rates_to_try() -> list[float]:
    """Return the rates to try, evenly spaced on a logarithmic scale."""
    return [float(rate) for rate in np.geomspace(LOWEST, HIGHEST, STEPS)]


def _repeat_batches(batches: Iterable[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    while True:
        yield from batches


def choose_rate(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Return the rate halfway down the slope: the smoothed loss still falls, and is far from rising.

    After a head that was solved on frozen features, the loss hardly falls, and its lowest point is an accident: on
    flowers the slope gave 1.7e-5. Then the rate is a tenth of that where the loss blows up, 1.4e-4 there.

    >>> rates = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    >>> choose_rate(rates, [2.0, 2.0, 1.5, 0.5, 0.2, 9.0])
    0.001
    >>> choose_rate(rates, [0.6, 0.55, 0.57, 0.54, 1.9, 9.0])
    0.001
    """
    smooth = _smooth(losses)
    bottom = int(np.argmin(smooth))
    top = bottom - int(np.argmax(smooth[bottom::-1]))
    if smooth[bottom] <= FALLEN * smooth[top]:
        return rates[(top + bottom + 1) // 2]
    low = [number for number, loss in enumerate(smooth) if loss <= RISEN * smooth[bottom]]
    return max(rates[0], rates[min(low[-1] + 1, len(rates) - 1)] / BELOW)


def _smooth(losses: Sequence[float]) -> list[float]:
    """Return the running mean of the losses, with a large number for NaN and infinity."""
    means: list[float] = []
    mean = 0.0
    for number, loss in enumerate(losses, 1):
        mean = MEMORY * mean + (1 - MEMORY) * (loss if math.isfinite(loss) else 1e9)
        means.append(mean / (1 - MEMORY**number))
    return means
