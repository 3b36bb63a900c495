"""Mixup: blend each image of a batch with another one, and their classes in the same proportion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class BatchMixup:
    """Blends the images of a batch; every image has its own share, from a Beta distribution, as in fastai.

    An image keeps at least half of itself. Batches of the same step are blended alike, also in a resumed run.
    """

    def __init__(self, alpha: float, classes: int, *, seed: int) -> None:
        self._alpha = alpha
        self._classes = classes
        self._seed = seed

    def blend(self, inputs: Mapping[str, Any], step: int) -> dict[str, Tensor]:
        """Return the blended images of a batch, and instead of their labels the share of each class."""
        pixels, labels = inputs["pixel_values"], inputs["labels"]
        rng = np.random.default_rng((self._seed, step))
        drawn = torch.from_numpy(np.nan_to_num(rng.beta(self._alpha, self._alpha, len(labels)), nan=1.0))
        share = torch.maximum(drawn, 1 - drawn).to(pixels)[:, None]
        other = torch.from_numpy(rng.permutation(len(labels))).to(labels.device)
        targets = functional.one_hot(labels, self._classes).to(pixels.dtype)
        return {
            "pixel_values": pixels[other].lerp(pixels, share[:, :, None, None]),
            "labels": targets[other].lerp(targets, share),
        }
