"""Test-time augmentation: predict several views of an image, and average the probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvest.errors import TrainingError
from harvest.training import image_array
from harvest.training.read_run_options import read_options

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

# The center first, then the corners, as shares of the room to the left and above. fastai 1 took the same ones.
_PLACES = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))


def make_views(image: Image.Image, size: int, *, mirror: bool) -> NDArray[np.uint8]:
    """Return the center and the corners of an image, each also mirrored; the first is the view without augmentation."""
    views = [np.asarray(image_array.crop_square(image, size, *place)) for place in _PLACES]
    return np.stack([*views, *(view[:, ::-1] for view in views)] if mirror else views)


def may_mirror(run: Path) -> bool:
    """Return whether the run was trained with mirrored images: otherwise left and right may have a meaning."""
    try:
        return read_options(run).flip_left_right
    except TrainingError:  # a model without the options of its training
        return True
