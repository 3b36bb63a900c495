"""Drawn images of the kinds that a search engine returns by mistake, made of a photograph or of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Maker = Callable[[Image.Image, random.Random], Image.Image]

LETTERS = "abcdefghilmnoprstu"


def tiny(photo: Image.Image, rng: random.Random) -> Image.Image:
    return photo.resize((rng.randint(40, 90), rng.randint(40, 90)))


def blurred(photo: Image.Image, rng: random.Random) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(max(photo.size) * rng.uniform(0.012, 0.03)))


def empty(_photo: Image.Image, rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (400, 300), (rng.choice([30, 128, 250]),) * 3)
    x, y = rng.randrange(300), rng.randrange(200)
    ImageDraw.Draw(image).ellipse((x, y, x + rng.randint(10, 50), y + 30), fill=(80, 90, 160))
    return image


def drawing(_photo: Image.Image, rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (400, 300), _colour(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(3, 7)):
        x, y = rng.randrange(300), rng.randrange(200)
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape((x, y, x + rng.randint(40, 140), y + rng.randint(40, 120)), fill=_colour(rng), outline="black", width=3)
    return image


def text(_photo: Image.Image, rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (400, 300), (250, 250, rng.choice([235, 250])))
    step = rng.choice([14, 18, 22])
    for y in range(10, 285, step):
        words = ("".join(rng.choice(LETTERS) for _ in range(rng.randint(2, 9))) for _ in range(9))
        ImageDraw.Draw(image).text((12, y), " ".join(words), fill=(20, 20, 20))
    return image


def dark(photo: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Brightness(photo).enhance(rng.uniform(0.06, 0.2))


def banner(photo: Image.Image, rng: random.Random) -> Image.Image:
    return photo.crop((0, 0, photo.width, max(1, int(photo.width / rng.uniform(3.3, 6)))))


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


# The kinds, and the reasons that fit each.
KINDS: dict[str, tuple[Maker, set[str]]] = {
    "tiny": (tiny, {"tiny"}),
    "blurred": (blurred, {"blurred"}),
    "empty": (empty, {"nearly empty", "dark"}),
    "drawing": (drawing, {"text or drawing", "few colours", "nearly empty"}),
    "text": (text, {"text or drawing", "few colours"}),
    "dark": (dark, {"dark"}),
    "banner": (banner, {"odd aspect ratio"}),
}
