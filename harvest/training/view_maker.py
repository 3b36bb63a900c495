"""What everything that draws views of an image has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from PIL import Image

    View = Callable[[Image.Image, int, random.Random], Image.Image]


class ViewMaker(Protocol):
    """Makes augmented views of images; its `repr` is part of the key of the feature cache."""

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of an image, as a square of `size`."""
