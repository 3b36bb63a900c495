"""Draw images for a query: the shape and colour it names, varied at random."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from harvest.queries import negative_terms_and_phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    Colour = tuple[int, int, int]
    Points = Sequence[tuple[float, float]]

COLOURS: dict[str, Colour] = {
    "red": (205, 35, 40),
    "orange": (240, 130, 25),
    "yellow": (245, 215, 50),
    "green": (45, 150, 60),
    "cyan": (50, 200, 210),
    "blue": (35, 75, 200),
    "purple": (125, 50, 165),
    "pink": (245, 130, 180),
    "brown": (115, 70, 35),
    "black": (25, 25, 28),
    "grey": (128, 128, 128),
    "white": (248, 248, 245),
}
_SPELLINGS = {"gray": "grey", "violet": "purple", "disc": "circle", "rhombus": "diamond"}


def _star(points: int, inner: float = 1.0, stretch: float = 1.0) -> Points:
    """Return the corners of a star, or of a regular polygon if the inner radius is 1."""
    corners = points if inner == 1.0 else 2 * points
    reach = [inner if corner % 2 and inner != 1.0 else 1.0 for corner in range(corners)]
    turns = [math.tau * corner / corners for corner in range(corners)]
    return [(r * math.sin(t) * stretch, -r * math.cos(t)) for r, t in zip(reach, turns, strict=True)]


_BAR: Points = [(-0.12, -1), (0.12, -1), (0.12, 1), (-0.12, 1)]
SHAPES: dict[str, Points] = {
    "circle": _star(72),
    "triangle": _star(3),
    "square": _star(4),
    "diamond": _star(4, stretch=0.55),
    "pentagon": _star(5),
    "hexagon": _star(6),
    "star": _star(5, 0.4),
}


def draw(query: str, number: int) -> Image.Image:
    """Return the image with this number for a query, always the same one.

    >>> draw("red circle", 7).tobytes() == draw("red circle", 7).tobytes()
    True
    """
    colour, shape = parse_shape(query)
    rng = Random(f"{query} {number}")  # noqa: S311 - repeatable, not secret
    paint = COLOURS[colour or rng.choice(list(COLOURS))]
    form = SHAPES[shape or rng.choice(list(SHAPES))]
    image = _draw_background(rng, paint)
    for _ in range(rng.randrange(5, 10)):  # clutter: without it two large circles count as duplicates
        _draw_shape(image, rng, _BAR, _muted_colour(rng), rng.uniform(0.15, 0.5))
    if colour or shape:
        _draw_shape(image, rng, form, paint, rng.uniform(0.22, 0.38))
    else:
        _draw_pattern(image, rng, Random(query))  # noqa: S311 - as above
    return _add_grain(image, rng)


def parse_shape(query: str) -> tuple[str | None, str | None]:
    """Return the colour and the shape that a query names.

    >>> parse_shape('"Blue squares" -red')
    ('blue', 'square')
    """
    words = negative_terms_and_phrases.split_words(negative_terms_and_phrases.without_negative_terms(query.lower()))
    plain = [_SPELLINGS.get(word, word) for word in (word.removesuffix("s") for word in words)]
    return (
        next((word for word in plain if word in COLOURS), None),
        next((word for word in plain if word in SHAPES), None),
    )


def _draw_background(rng: Random, paint: Colour) -> Image.Image:
    """Return a soft background in colours that contrast with the paint."""
    size = (rng.randrange(420, 780), rng.randrange(420, 780))
    base = paint
    while math.dist(base, paint) < 150:  # noqa: PLR2004 - of 441 between black and white
        base = _muted_colour(rng)
    cells = (rng.randrange(4, 7), rng.randrange(4, 7))
    spots = (min(255, max(0, c + rng.randrange(-48, 49))) for _ in range(math.prod(cells)) for c in base)
    return Image.frombytes("RGB", cells, bytes(spots)).resize(size, Image.Resampling.BICUBIC)


def _muted_colour(rng: Random) -> Colour:
    light = rng.randrange(45, 211)
    red, green, blue = (light + rng.randrange(-45, 46) for _ in range(3))
    return red, green, blue


def _draw_shape(image: Image.Image, rng: Random, form: Points, paint: Colour, reach: float) -> None:
    """Draw a shape at a random position inside, rotated and stretched. `reach` is its share of the shorter side."""
    radius = reach * min(image.size)
    left, top = (rng.uniform(radius, side - radius) for side in image.size)
    turn, stretch = rng.uniform(0, math.tau), rng.uniform(0.88, 1.12)
    corners = [
        (
            left + radius * (x * stretch * math.cos(turn) - y * math.sin(turn)),
            top + radius * (x * stretch * math.sin(turn) + y * math.cos(turn)),
        )
        for x, y in form
    ]
    west, north = (int(min(values)) for values in zip(*corners, strict=True))
    east, south = (int(max(values)) + 1 for values in zip(*corners, strict=True))
    mask = Image.new("L", (2 * (east - west), 2 * (south - north)))  # double resolution for smooth edges
    ImageDraw.Draw(mask).polygon([(2 * (x - west), 2 * (y - north)) for x, y in corners], fill=255)
    shade = tuple(min(255, max(0, c + rng.randrange(-18, 19))) for c in paint)
    image.paste(shade, (west, north), mask.reduce(2))


def _draw_pattern(image: Image.Image, rng: Random, pattern_rng: Random) -> None:
    """Scatter one motif in three colours: the query determines both, the number their positions."""
    motif = _star(pattern_rng.randrange(3, 9), pattern_rng.choice((1.0, 0.35, 0.6)), pattern_rng.uniform(0.4, 1))
    paints = pattern_rng.sample(list(COLOURS.values()), 3)
    for _ in range(rng.randrange(7, 14)):
        _draw_shape(image, rng, motif, rng.choice(paints), rng.uniform(0.07, 0.2))


def _add_grain(image: Image.Image, rng: Random) -> Image.Image:
    size = (image.width // 3, image.height // 3)
    grain = Image.frombytes("L", size, rng.randbytes(math.prod(size))).resize(image.size)
    return Image.blend(image, grain.convert("RGB"), rng.uniform(0.02, 0.1))
