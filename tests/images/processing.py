"""Helpers for the tests of images: a hit to process, and functions that process a body and check the result."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from harvest import images
from harvest.models import Hit, Picture, Recipe, Refusal

if TYPE_CHECKING:
    from harvest.verdicts import Verdict

HIT = Hit(url="https://example.org/coral.jpg", provider="BING", source="url:example.org/coral.jpg")
AS_IT_IS = Recipe(size=0, min_size=1, quality=95)


def developed(body: bytes, recipe: Recipe = AS_IT_IS, hit: Hit = HIT) -> Picture:
    """Process a body that is expected to be accepted."""
    picture = images.process_image(body, hit, recipe)
    assert isinstance(picture, Picture), picture
    return picture


def shown(body: bytes, recipe: Recipe = AS_IT_IS) -> Image.Image:
    """Process a body, and open the file that would be written."""
    return opened(developed(body, recipe).data)


def opened(data: bytes) -> Image.Image:
    """Open an image file with Pillow."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def verdict(body: bytes, recipe: Recipe = AS_IT_IS) -> Verdict:
    """Process a body that is expected to be refused, and return the verdict."""
    refusal = images.process_image(body, HIT, recipe)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.detail
    return refusal.verdict


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, ...], tolerance: int = 12) -> bool:
    """Return whether a pixel has a colour, within the tolerance that JPEG needs."""
    pixel = image.convert("RGB").getpixel(place)
    assert isinstance(pixel, tuple)
    return max(abs(one - other) for one, other in zip(pixel, colour, strict=True)) <= tolerance
