"""Pictures drawn in code: a shape in a colour, as a query names them, in endless variation."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from harvest.queries import query_syntax

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
    """Return the corners of a star, or of a regular polygon when the inner ones are as far out."""
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
    """Return the picture of a number for a query, always the same one.

    >>> draw("red circle", 7).tobytes() == draw("red circle", 7).tobytes()
    True
    """
    colour, shape = parse_shape(query)
    chance = Random(f"{query} {number}")  # noqa: S311 - to be repeated, not to be secret
    paint = COLOURS[colour or chance.choice(list(COLOURS))]
    form = SHAPES[shape or chance.choice(list(SHAPES))]
    picture = _draw_background(chance, paint)
    for _ in range(chance.randrange(5, 10)):  # clutter: without it two large circles pass for twins
        _draw_shape(picture, chance, _BAR, _muted_colour(chance), chance.uniform(0.15, 0.5))
    if colour or shape:
        _draw_shape(picture, chance, form, paint, chance.uniform(0.22, 0.38))
    else:
        _draw_pattern(picture, chance, Random(query))  # noqa: S311 - the same
    return _add_grain(picture, chance)


def parse_shape(query: str) -> tuple[str | None, str | None]:
    """Return the colour and the shape that a query names.

    >>> parse_shape('"Blue squares" -red')
    ('blue', 'square')
    """
    words = query_syntax.split_words(query_syntax.without_negative_terms(query.lower()))
    plain = [_SPELLINGS.get(word, word) for word in (word.removesuffix("s") for word in words)]
    return (
        next((word for word in plain if word in COLOURS), None),
        next((word for word in plain if word in SHAPES), None),
    )


def _draw_background(chance: Random, paint: Colour) -> Image.Image:
    """Return soft clouds in a colour that the paint stands out from."""
    size = (chance.randrange(420, 780), chance.randrange(420, 780))
    base = paint
    while math.dist(base, paint) < 150:  # noqa: PLR2004 - of 441 between black and white
        base = _muted_colour(chance)
    cells = (chance.randrange(4, 7), chance.randrange(4, 7))
    spots = (min(255, max(0, c + chance.randrange(-48, 49))) for _ in range(math.prod(cells)) for c in base)
    return Image.frombytes("RGB", cells, bytes(spots)).resize(size, Image.Resampling.BICUBIC)


def _muted_colour(chance: Random) -> Colour:
    light = chance.randrange(45, 211)
    red, green, blue = (light + chance.randrange(-45, 46) for _ in range(3))
    return red, green, blue


def _draw_shape(picture: Image.Image, chance: Random, form: Points, paint: Colour, reach: float) -> None:
    """Paint a form of a size (share of the shorter side) somewhere inside, turned and stretched by chance."""
    radius = reach * min(picture.size)
    left, top = (chance.uniform(radius, side - radius) for side in picture.size)
    turn, stretch = chance.uniform(0, math.tau), chance.uniform(0.88, 1.12)
    corners = [
        (
            left + radius * (x * stretch * math.cos(turn) - y * math.sin(turn)),
            top + radius * (x * stretch * math.sin(turn) + y * math.cos(turn)),
        )
        for x, y in form
    ]
    west, north = (int(min(values)) for values in zip(*corners, strict=True))
    east, south = (int(max(values)) + 1 for values in zip(*corners, strict=True))
    mask = Image.new("L", (2 * (east - west), 2 * (south - north)))  # twice as fine: smooth edges
    ImageDraw.Draw(mask).polygon([(2 * (x - west), 2 * (y - north)) for x, y in corners], fill=255)
    shade = tuple(min(255, max(0, c + chance.randrange(-18, 19))) for c in paint)
    picture.paste(shade, (west, north), mask.reduce(2))


def _draw_pattern(picture: Image.Image, chance: Random, manner: Random) -> None:
    """Scatter one motif in few colours: which ones the query decides, where they lie the number."""
    motif = _star(manner.randrange(3, 9), manner.choice((1.0, 0.35, 0.6)), manner.uniform(0.4, 1))
    paints = manner.sample(list(COLOURS.values()), 3)
    for _ in range(chance.randrange(7, 14)):
        _draw_shape(picture, chance, motif, chance.choice(paints), chance.uniform(0.07, 0.2))


def _add_grain(picture: Image.Image, chance: Random) -> Image.Image:
    size = (picture.width // 3, picture.height // 3)
    grain = Image.frombytes("L", size, chance.randbytes(math.prod(size))).resize(picture.size)
    return Image.blend(picture, grain.convert("RGB"), chance.uniform(0.02, 0.1))
