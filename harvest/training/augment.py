"""Augment training images at random, with the built-in changes or a transform of the user."""

from __future__ import annotations

import hashlib
import inspect
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from harvest.errors import UsageError
from harvest.training import image_array
from harvest.training.user_code import load_object, own_code

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harvest.training.training_options import TrainingOptions

    View = Callable[[Image.Image, int, random.Random], Image.Image]


class ViewMaker(Protocol):
    """Makes augmented views of images; its `repr` is part of the key of the feature cache."""

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of an image, as a square of `size`."""


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


@dataclass(frozen=True, slots=True)
class Transform:
    """A user's `random_transform(x, seed=None)`, as in Keras: x has rows × columns × channels."""

    name: str
    code: str  # digest of the source file: part of the key of the feature cache
    object: Any = field(repr=False)

    def __call__(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return the transformed image, as a square of `size`."""
        with own_code(f"--transform {self.name}", "It is called with (x, seed=None): x has rows × columns × 3 bytes."):
            made = np.asarray(self.object.random_transform(np.array(image), seed=rng.randrange(1 << 32)))
        if made.shape[2:] != (3,) or not made.size:
            raise UsageError(
                f"--transform {self.name} returned an array of shape {made.shape}, not rows × columns × 3."
            )
        if made.dtype.kind not in "biuf":
            raise UsageError(f"--transform {self.name} returned an array of {made.dtype}, not of numbers.")
        levels = np.nan_to_num(made.astype(np.float32)).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(levels)
        return picture if picture.size == (size, size) else picture.resize((size, size))


@dataclass(frozen=True, slots=True)
class Transformed:
    """Makes views with a transform of the user, after our augmentation if there is one."""

    transform: Transform
    ours: ViewMaker | None

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of an image, as a square of `size`."""
        view = self.ours.view(image, size, rng) if self.ours else image_array.centre_crop(image, size)
        return self.transform(view, size, rng)


def load_transform(name: str, *, data: Path | None = None) -> Transform:
    """Import a transform; if it is a class, create an instance."""
    found = load_object(name, data=data)
    if isinstance(found, type):
        with own_code(f"--transform {name}", "The class is called without arguments."):
            found = found()
    if not callable(getattr(found, "random_transform", None)):
        raise UsageError(f"--transform {name} has no method random_transform(x, seed=None).")
    source = inspect.getsourcefile(type(found)) if type(found).__module__ != "builtins" else None
    code = Path(source).read_bytes() if source else b""
    return Transform(name, hashlib.sha256(code).hexdigest()[:16], found)


def make_augmentation(options: TrainingOptions) -> ViewMaker | None:
    """Return the maker of augmented views that the options describe; None without augmentation."""
    transform = load_transform(options.transform, data=options.tree) if options.transform else None
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
