"""A network with its normalisation and softmax: what is exported and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from harvest.training import image_array

if TYPE_CHECKING:
    from torch import Tensor

    from harvest.training.network.network import Network


class Classifier(nn.Module):
    """Maps images as bytes (batch, rows, columns, channels) to the probability of each class."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.model = network.model
        self.eval()
        self.mean, self.std = network.mean, network.std

    def forward(self, image: Tensor) -> Tensor:
        """Return a row of probabilities for each image."""
        logits = self.model(pixel_values=image_array.normalize(image, self.mean, self.std)).logits
        return torch.softmax(logits.float(), dim=-1)
