"""A network with its normalisation and softmax: what is exported and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from harvest.training import image_array
from harvest.training.inference.reference_features import NEIGHBOURS
from harvest.training.network.build_model import last_layer

if TYPE_CHECKING:
    from torch import Tensor

    from harvest.training.inference.reference_features import ReferenceFeatures
    from harvest.training.network.network_with_classes import Network


class Classifier(nn.Module):
    """Maps images as bytes (batch, rows, columns, channels) to the probability of each class.

    With reference features it also returns the similarity of each image to its nearest training images, and the
    number of the nearest one. It takes the network over: the head is removed from its model.
    """

    def __init__(self, network: Network, references: ReferenceFeatures | None = None) -> None:
        super().__init__()
        name, self.head = last_layer(network.model, len(network.labels))
        parent, _, attribute = name.rpartition(".")
        setattr(network.model.get_submodule(parent), attribute, nn.Identity())
        self.body = network.model
        self.mean, self.std = network.mean, network.std
        self.references: Tensor | None
        self.register_buffer("references", None if references is None else torch.from_numpy(references.features))
        self.eval()

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Return a row of probabilities for each image, and with references its similarity and nearest one."""
        features = self.body(pixel_values=image_array.normalize(image, self.mean, self.std)).logits
        probabilities = torch.softmax(self.head(features).float(), dim=-1)
        if self.references is None:
            return probabilities
        similarities = nn.functional.normalize(features.float()) @ self.references.float().T
        best = similarities.topk(min(NEIGHBOURS, len(self.references)))
        return probabilities, best.values.mean(-1), best.indices[:, 0]

    def scores(self, pixels: Tensor) -> Tensor:
        """Return the scores of normalised images before the softmax: what an explanation is about."""
        rows: Tensor = self.head(self.body(pixel_values=pixels).logits).float()
        return rows
