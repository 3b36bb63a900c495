"""The loss of the fine-tuning: cross-entropy with label smoothing, and class weights if they are balanced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTHING = 0.1  # label smoothing: some harvested labels are always wrong


class Loss:
    """Cross-entropy with label smoothing; `balanced`: every class has the same weight, however few images it has."""

    def __init__(self, targets: NDArray[np.int64], classes: int, *, balanced: bool = True) -> None:
        counts = np.maximum(np.bincount(targets, minlength=classes), 1)
        weights = len(targets) / (classes * counts) if balanced else np.ones(classes)
        self._weights = torch.tensor(weights, dtype=torch.float32)

    def __call__(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:  # noqa: ARG002
        """Return the mean loss of a batch, as the Trainer calls it."""
        return self.compute(outputs["logits"].float(), labels)

    def compute(
        self, logits: torch.Tensor, labels: torch.Tensor, whole_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean loss of logits, or of the logarithms of probabilities.

        Labels are numbers of classes, or a row with the share of each class. `whole_batch` are the labels of the
        whole batch, where `labels` are only a share of it.
        """
        weights = self._weights.to(logits.device)
        total = functional.cross_entropy(logits, labels, weight=weights, label_smoothing=SMOOTHING, reduction="sum")
        counted = labels if whole_batch is None else whole_batch
        return total / (weights[counted] if counted.ndim == 1 else counted @ weights).sum()
