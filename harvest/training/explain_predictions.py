"""Compute what decides the predictions that the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harvest.models import Refusal
from harvest.training import image_array
from harvest.training.saliency.heat_image import encode_overlay
from harvest.training.saliency.heat_map import compute_heat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    from harvest.labelled_pictures.image_reader import ImageReader
    from harvest.labelled_pictures.prediction_table import Prediction
    from harvest.training.network.network_with_classes import Network


def explain_predictions(
    network: Network, images: ImageReader, predictions: Iterable[Prediction]
) -> dict[tuple[str, str], str]:
    """Return overlays that show where the network sees the predicted class, by path and class.

    Images that cannot be read any more have none; neither have those in which nothing speaks for the class.
    """
    model: Any = network.model
    model.eval()
    found = {}

    def scores(pixels: Tensor) -> Tensor:
        rows: Tensor = model(pixel_values=pixels).logits.float()
        return rows

    for each in predictions:
        view = _load_view(images.read(each.path), network.size)
        if view is None:
            continue
        pixels = image_array.normalize(torch.tensor(view[None]).to(model.device), network.mean, network.std)
        (heat,) = compute_heat(model, scores, pixels, [network.labels.index(each.predicted)])
        if heat.any():
            found[each.path, each.predicted] = encode_overlay(heat)
    return found


def _load_view(body: bytes | None, size: int) -> NDArray[np.uint8] | None:
    image = image_array.load_image(body, size)
    return None if isinstance(image, Refusal) else np.asarray(image_array.centre_crop(image, size))
