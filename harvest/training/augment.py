"""Augment training images: mirror, crop, rotate, stretch and change the light at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from harvest.training.user_code import Transformed, load_transform

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

    from harvest.training.training_options import TrainingOptions
    from harvest.training.view_maker import View, ViewMaker


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The largest changes of an augmented view, in percent.

    The first four have the meaning of TF-Hub's retrain.py: the margin that is cut off at a random place, and
    how much larger, brighter or darker a view can become.
    """

    flip_left_right: bool = True
    random_crop: int = 14  # as much as the center crop cuts off in the evaluation
    random_scale: int = 20
    random_brightness: int = 20
    contrast: int = 20
    rotation: int = 10  # degrees
    shear: int = 5
    shift: int = 5
    stretch: int = 10

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of an image, as a square of `size`; outside its borders, the image is mirrored."""
        return self._change_light(_cut_out(image, size, self._frame(image, rng)), rng)

    def _frame(self, image: Image.Image, rng: random.Random) -> _Frame:
        """Draw the part of the image that the view shows."""
        part = min(image.size) / (1 + self.random_crop / 100) / rng.uniform(1, 1 + self.random_scale / 100)
        stretch = rng.uniform(1 / (1 + self.stretch / 100), 1 + self.stretch / 100) ** 0.5
        mirror = -1 if self.flip_left_right and rng.random() < 0.5 else 1  # noqa: PLR2004 - half of the views
        angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        shear = rng.uniform(-self.shear, self.shear) / 100
        shape = np.array([[mirror * stretch, shear], [0, 1 / stretch]])
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        room = [(side - part) / 2 + part * self.shift / 100 for side in image.size]
        centre = [side / 2 + rng.uniform(-free, free) for side, free in zip(image.size, room, strict=True)]
        return _Frame(np.array(centre), part * turn @ shape)

    def _change_light(self, image: Image.Image, rng: random.Random) -> Image.Image:
        bright = 1 + rng.uniform(-self.random_brightness, self.random_brightness) / 100
        contrast = 1 + rng.uniform(-self.contrast, self.contrast) / 100
        grey = bright * float(np.asarray(image).mean())
        levels = (np.arange(256) * bright - grey) * contrast + grey
        return image.point(np.tile(levels.round().clip(0, 255), 3).tolist())


class _Frame(NamedTuple):
    """A parallelogram in an image, which can reach outside its borders."""

    centre: NDArray[np.float64]
    sides: NDArray[np.float64]  # as columns: along the view's rows, and down its columns


def _cut_out(image: Image.Image, size: int, frame: _Frame) -> Image.Image:
    """Return the content of a frame as a square; outside its borders, the image is mirrored."""
    reach = np.abs(frame.sides).sum(axis=1) / 2 + 1
    low = np.floor(frame.centre - reach).astype(int)
    high = np.ceil(frame.centre + reach).astype(int)
    padding = np.maximum(0, np.stack([-low, high - image.size], axis=1))
    centre = frame.centre
    if padding.any():
        padded = np.pad(np.asarray(image), [*map(tuple, padding[::-1]), (0, 0)], "symmetric")
        image, centre = Image.fromarray(padded), centre + padding[:, 0]
    step = frame.sides / size
    # Pillow's coordinates start at the corners of pixels, like these.
    corner = centre - step.sum(axis=1) * size / 2
    data = (*step[0], corner[0], *step[1], corner[1])
    return image.transform((size, size), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def make_augmentation(options: TrainingOptions) -> ViewMaker | None:
    """Return the maker of augmented views that the options describe; None without augmentation."""
    transform = load_transform(options.transform, beside=options.tree) if options.transform else None
    values = {
        name: getattr(options, name)
        for name in ("flip_left_right", "random_crop", "random_scale", "random_brightness")
        if getattr(options, name) is not None
    }
    augmentation = Augmentation(**values) if options.augment else None
    return Transformed(transform, augmentation) if transform else augmentation


def view_function(options: TrainingOptions) -> View | None:
    """Return the `view` method of `make_augmentation`; None without augmentation."""
    maker = make_augmentation(options)
    return maker.view if maker else None
