"""Run a network with torch, on a GPU if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harvest.training import image_array
from harvest.training.inference.engine import EngineOutput
from harvest.training.inference.network_with_softmax import Classifier
from harvest.training.inference.reference_features import read_reference_features
from harvest.training.network.network_with_classes import open_trained_network
from harvest.training.saliency.heat_map import compute_heat

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
        references = read_reference_features(run, network.head.in_features)
        self.images = references.images if references else ()
        self.quantiles = references.quantiles if references else None
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._classifier = Classifier(network, references).to(self._device)
        self._classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's types

    def __call__(self, views: NDArray[np.uint8]) -> EngineOutput:
        """Return the output for a batch of views."""
        with torch.inference_mode():
            output = self._classifier(torch.from_numpy(views).to(self._device))
        if isinstance(output, torch.Tensor):
            return EngineOutput(output.cpu().numpy())
        return EngineOutput(*(each.cpu().numpy() for each in output))

    def explain(self, view: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
        """Return where in a view the network sees a class: rows × columns, from 0 to 1."""
        classifier = self._classifier
        levels = torch.tensor(view[None]).to(self._device)
        pixels = image_array.normalize(levels, classifier.mean, classifier.std)
        heat: NDArray[np.float32] = compute_heat(classifier.body, classifier.scores, pixels, [label])[0]
        return heat
