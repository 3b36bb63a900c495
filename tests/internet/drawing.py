"""Images for the test Internet: any number, all different, each made in microseconds.

A JPEG with restart markers is a stack of rows that know nothing of each other. So a few sources are drawn
and encoded once, cut into their rows, and a photo is glued from bands of them by its number: real JPEG
bytes of any size for the price of a join, always the same for the same number, and nothing to keep. A band
is an eighth of the height, as fine as a perceptual hash sees: photos with other bands have hashes far apart.
"""

from __future__ import annotations

import io
import re
from functools import cache
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = (400, 320)  # 20 kB
LARGE = (1920, 1280)  # 2.5 megapixels, 0.4 MB: a typical photo on a web page
BANDS = 8
SOURCES = 16
MCU = 16  # pixels in a row of blocks, chroma halved


class Photo(NamedTuple):
    """A photo; the same number and size always give the same bytes."""

    number: int
    size: tuple[int, int] = SMALL

    @property
    def body(self) -> bytes:
        """The original JPEG."""
        return _stock(self.size).glue(self.number)

    def changed(self, change: str) -> bytes:
        """Return the photo with one of `CHANGES` applied."""
        image = Image.open(io.BytesIO(self.body))
        return CHANGES[change](image)


class _Stock:
    """Source images of one size, encoded and cut into rows."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self.rows = -(-height // MCU)
        self.sources: list[list[bytes]] = []
        self.head = b""
        for number in range(SOURCES):
            encoded = _jpeg(_paint(number, width, height), quality=83, restart_marker_rows=1)
            # SOS is the last header segment; the coded rows begin after its length.
            scan = encoded.index(b"\xff\xda")
            start = scan + 2 + int.from_bytes(encoded[scan + 2 : scan + 4], "big")
            self.head = encoded[:start]
            self.sources.append(re.split(rb"\xff[\xd0-\xd7]", encoded[start:-2]))

    def glue(self, number: int) -> bytes:
        """Combine bands of the sources according to the number, and renumber the restart markers."""
        draw = Random(number).randrange
        pieces = [self.head]
        row = 0
        for band in range(BANDS):
            end = self.rows * (band + 1) // BANDS
            source = self.sources[draw(SOURCES)]
            shift = draw(self.rows)
            while row < end:
                pieces.append(source[(row + shift) % self.rows])
                pieces.append(bytes((0xFF, 0xD0 + row % 8)))
                row += 1
        pieces[-1] = b"\xff\xd9"
        return b"".join(pieces)


_stock = cache(_Stock)


def prepare(size: tuple[int, int]) -> None:
    """Draw the sources of a size now (0.1 s small, 2 s large), not while a request waits."""
    _stock(size)


def _paint(number: int, width: int, height: int) -> Image.Image:
    """Draw a soft background with shapes and sensor noise."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(20, 236, (10, 10, 1)) + rng.integers(-45, 46, (10, 10, 3))
    image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = int(rng.integers(width // 16, width // 5)), int(rng.integers(height // 16, height // 5))
        draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        draw((x, y, x + w, y + h), fill=tuple(int(c) for c in rng.integers(0, 256, 3)))
    grain = rng.normal(128, 5, (height, width)).clip(0, 255).astype(np.uint8)
    return ImageChops.add(image, Image.fromarray(grain).convert("RGB"), offset=-128)


def _jpeg(image: Image.Image, **options: int) -> bytes:
    return _encoded(image, "JPEG", **options)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def _without_edge(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((x, y, image.width - x, image.height - y))


# How images are changed when they are copied on the web.
CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "thumbnail": lambda image: _jpeg(_scaled(image, 0.5), quality=80),
    "smaller": lambda image: _jpeg(_scaled(image, 0.8), quality=86),
    "larger": lambda image: _jpeg(_scaled(image, 1.3), quality=90),
    "rough": lambda image: _jpeg(image, quality=40),
    "webp": lambda image: _encoded(image, "WEBP", quality=80),
    "paler": lambda image: _jpeg(ImageEnhance.Contrast(image).enhance(0.85), quality=86),
    "grey": lambda image: _jpeg(image.convert("L"), quality=86),
    "cropped": lambda image: _jpeg(_without_edge(image, 0.05), quality=86),
    "framed": lambda image: _jpeg(ImageOps.expand(image, round(image.width * 0.04), "white"), quality=86),
}
