"""Other views of the same picture: mirrored, nearer, turned, brighter. Its class does not hang on that."""

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
    """How far a view may be from its picture, in percent.

    The first four mean what they mean to TF-Hub's retrain.py: the margin that is cut off somewhere, and how
    much larger, brighter or darker it may become.
    """

    flip_left_right: bool = True
    random_crop: int = 14  # as much as is cut off where pictures are judged
    random_scale: int = 20
    random_brightness: int = 20
    contrast: int = 20
    rotation: int = 10  # degrees
    shear: int = 5
    shift: int = 5
    stretch: int = 10

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of a picture, as a square of `size`; beyond its borders it is mirrored."""
        return self._change_light(_cut_out(image, size, self._frame(image, rng)), rng)

    def _frame(self, image: Image.Image, rng: random.Random) -> _Frame:
        """Draw what of the picture is seen."""
        part = min(image.size) / (1 + self.random_crop / 100) / rng.uniform(1, 1 + self.random_scale / 100)
        stretch = rng.uniform(1 / (1 + self.stretch / 100), 1 + self.stretch / 100) ** 0.5
        mirror = -1 if self.flip_left_right and rng.random() < 0.5 else 1  # noqa: PLR2004 - even chances
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
    """A parallelogram within a picture, and perhaps a little beyond."""

    centre: NDArray[np.float64]
    sides: NDArray[np.float64]  # as columns: along the view's rows, and down its columns


def _cut_out(image: Image.Image, size: int, frame: _Frame) -> Image.Image:
    """Return what a frame shows as a square, mirroring the picture at its borders."""
    reach = np.abs(frame.sides).sum(axis=1) / 2 + 1
    low = np.floor(frame.centre - reach).astype(int)
    high = np.ceil(frame.centre + reach).astype(int)
    beyond = np.maximum(0, np.stack([-low, high - image.size], axis=1))
    centre = frame.centre
    if beyond.any():
        padded = np.pad(np.asarray(image), [*map(tuple, beyond[::-1]), (0, 0)], "symmetric")
        image, centre = Image.fromarray(padded), centre + beyond[:, 0]
    step = frame.sides / size
    # Pillow counts from the corners of pixels, as we do.
    corner = centre - step.sum(axis=1) * size / 2
    data = (*step[0], corner[0], *step[1], corner[1])
    return image.transform((size, size), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def make_augmentation(options: TrainingOptions) -> ViewMaker | None:
    """Return how views are drawn as the options ask for; none where pictures are shown as they are."""
    own = load_transform(options.transform, beside=options.tree) if options.transform else None
    asked = {
        name: getattr(options, name)
        for name in ("flip_left_right", "random_crop", "random_scale", "random_brightness")
        if getattr(options, name) is not None
    }
    ours = Augmentation(**asked) if options.augment else None
    return Transformed(own, ours) if own else ours


def view_function(options: TrainingOptions) -> View | None:
    """Return the same as a function."""
    drawn = make_augmentation(options)
    return drawn.view if drawn else None
