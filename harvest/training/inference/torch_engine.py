"""Run a network with torch, on a GPU if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harvest.training.inference.classifier import Classifier
from harvest.training.network.network import open_trained_network

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class TorchEngine:
    """Runs the network of a finished run."""

    name = "torch"

    def __init__(self, run: Path) -> None:
        network = open_trained_network(run)
        self.labels = network.labels
        self.size = network.size
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._classifier = Classifier(network).to(self._device)
        self._classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's types

    def __call__(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return a row of probabilities for each view."""
        with torch.inference_mode():
            rows: NDArray[np.float32] = self._classifier(torch.from_numpy(views).to(self._device)).cpu().numpy()
        return rows
