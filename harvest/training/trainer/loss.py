"""The loss of a fine-tuning: smoothed labels, and classes that weigh the same however few their pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTHING = 0.1  # of the labels: harvested ones are never all right


class Loss:
    """Cross-entropy with smoothed labels, in which every class weighs the same, however few its pictures."""

    def __init__(self, targets: NDArray[np.int64], classes: int) -> None:
        counts = np.maximum(np.bincount(targets, minlength=classes), 1)
        self._weights = torch.tensor(len(targets) / (classes * counts), dtype=torch.float32)

    def __call__(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:  # noqa: ARG002
        """Return the mean loss of a batch, as the Trainer asks for it."""
        return self.compute(outputs["logits"].float(), labels)

    def compute(self, logits: torch.Tensor, labels: torch.Tensor, among: torch.Tensor | None = None) -> torch.Tensor:
        """Return the mean loss of logits, or of the logarithms of probabilities.

        `among` are the labels of all that the mean is taken of, where these are a share of them.
        """
        weights = self._weights.to(logits.device)
        total = functional.cross_entropy(logits, labels, weight=weights, label_smoothing=SMOOTHING, reduction="sum")
        return total / weights[labels if among is None else among].sum()
